"""Every request has one id: in its header, in its errors, in its log lines."""

import logging

import pytest
from django.test import Client

from settlements.api.request_ids import RequestIdFilter

pytestmark = pytest.mark.usefixtures("demo")


@pytest.mark.parametrize("given", ["abc-123", "x" * 64, "~!{}\"'", "0"])
def test_a_sane_id_is_kept(client: Client, given: str) -> None:
    response = client.get("/nowhere", HTTP_X_REQUEST_ID=given)
    assert response.headers["X-Request-ID"] == given
    assert response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\nb", "caf\u00e9", "\x7f", "a\tb"])
def test_any_other_is_replaced(client: Client, given: str) -> None:
    made = client.get("/probe", HTTP_X_REQUEST_ID=given).headers["X-Request-ID"]
    assert made != given
    assert len(made) == 32


def test_two_requests_have_two_ids(client: Client) -> None:
    assert client.get("/probe").headers["X-Request-ID"] != client.get("/probe").headers["X-Request-ID"]


def test_the_id_is_in_the_log_of_the_view_and_of_the_framework(client: Client) -> None:
    seen: list[tuple[str, str]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.name, record.__dict__["request_id"]))

    handler = Keep()
    handler.addFilter(RequestIdFilter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        client.get("/probe", HTTP_X_REQUEST_ID="first")
        client.get("/nowhere", HTTP_X_REQUEST_ID="second")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert ("tests.api.probe_urls", "first") in seen
    assert ("django.request", "second") in seen
