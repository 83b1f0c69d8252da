"""A client whose answers are looked at even when a view failed, in and outside of the demo."""

from typing import Any

import pytest
from django.test import Client

from tests.api import probe_urls


@pytest.fixture(autouse=True)
def _probe_routes(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.api.probe_urls"
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    settings.CHAINPAY_DEMO = False
    probe_urls.calls.clear()


@pytest.fixture
def demo(settings: Any) -> None:
    settings.CHAINPAY_DEMO = True


@pytest.fixture
def client() -> Client:
    return Client(SERVER_NAME="localhost", raise_request_exception=False)


def assert_error(response: Any, status: int, code: str, *, field: str | None = None) -> dict[str, Any]:
    """The one shape, and nothing beside it."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert (body["code"], body["field"]) == (code, field)
    assert set(body) - {"errors"} == {"code", "detail", "field", "request_id"}
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert body["detail"].endswith((".", ")")), body["detail"]
    return body
