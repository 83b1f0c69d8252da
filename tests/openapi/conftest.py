"""The document as it is served."""

from typing import Any

import pytest
from django.test import Client

# The demo, its caller and its staff are the same as for the flows.
from tests.flows.conftest import _demo, api, staff

__all__ = ["_demo", "api", "document", "staff"]


@pytest.fixture
def document() -> dict[str, Any]:
    """What /openapi.json answers."""
    answer = Client(SERVER_NAME="localhost").get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found
