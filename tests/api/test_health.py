"""Alive asks nobody; ready asks everybody and says who is missing."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from settlements.api import health
from tests.api.conftest import assert_error


def test_alive_needs_neither_database_nor_credentials(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert client.head("/healthz").status_code == 200
    assert_error(client.post("/healthz"), 405, "method_not_allowed")


@pytest.mark.django_db(transaction=True)
def test_ready_when_database_migrations_and_broker_are(client: Client) -> None:
    response = client.get("/readyz")
    checks = {"database": "ok", "migrations": "ok", "broker": "ok"}
    assert (response.status_code, response.json()) == (200, {"status": "ok", "checks": checks})


def missing(client: Client) -> dict[str, Any]:
    response = client.get("/readyz")
    assert response.status_code == 503
    body: dict[str, Any] = response.json()
    assert (body["code"], body["field"], body["status"]) == ("not_ready", None, "not_ready")
    assert body["request_id"] == response.headers["X-Request-ID"]
    return {name: state for name, state in body["checks"].items() if state != "ok"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis+socket:///nowhere/redis.sock?virtual_host=0"])
def test_not_ready_without_a_broker(client: Client, settings: Any, url: str) -> None:
    settings.CELERY_BROKER_URL = url
    assert missing(client) == {"broker": "unreachable"}


@pytest.mark.django_db(transaction=True)
def test_not_ready_while_a_migration_is_unapplied(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    known = health._migrations_of_code()
    monkeypatch.setattr(health, "_migrations_of_code", lambda: known | {("settlements", "9999_from_tomorrow")})
    assert missing(client) == {"migrations": "unapplied"}


@pytest.mark.django_db(transaction=True)
def test_not_ready_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = connection.get_connection_params()
    monkeypatch.setattr(connection, "get_connection_params", lambda: {**parameters, "host": "/nowhere"})
    assert missing(client) == {"database": "unreachable", "migrations": "unknown"}
    assert b"nowhere" not in client.get("/readyz").content


@pytest.mark.django_db(transaction=True)
def test_not_ready_on_an_empty_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = connection.get_connection_params()
    empty = {**parameters, "options": "-c search_path=pg_temp"}
    monkeypatch.setattr(connection, "get_connection_params", lambda: empty)
    assert missing(client) == {"migrations": "unapplied"}
