"""The document as it is served, and a demo to try it on."""

from typing import Any

import pytest
from django.test import Client

from tests.flows.conftest import Api, _demo, api, staff  # noqa: F401


@pytest.fixture
def document() -> dict[str, Any]:
    """What /openapi.json answers."""
    answer = Client(SERVER_NAME="localhost").get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found
