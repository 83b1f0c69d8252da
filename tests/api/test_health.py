"""Alive asks nobody; what ready asks is in tests/operation."""

from django.test import Client

from tests.api.conftest import assert_error


def test_alive_needs_neither_database_nor_credentials(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert client.head("/healthz").status_code == 200
    assert_error(client.post("/healthz"), 405, "method_not_allowed")
