"""Ready asks everybody and says who is missing; only what nothing can be answered without is a 503."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from chainpay.operation import readiness, task_runs
from tests.operation.conftest import beat

WELL = {"database": "ok", "migrations": "ok", "broker": "ok", "beat": "ok"}
pytestmark = pytest.mark.django_db(transaction=True)


def told(client: Client, path: str = "/readyz") -> tuple[int, str, dict[str, Any]]:
    """Status, word, and what is not ok, looked at anew."""
    readiness.looks.forget()
    response = client.get(path)
    body: dict[str, Any] = response.json()
    if response.status_code != 200:
        assert response.status_code == 503
        assert (body["code"], body["field"]) == ("not_ready", None)
        assert body["request_id"] == response.headers["X-Request-ID"]
    assert set(body["checks"]) == set(WELL)
    return response.status_code, body["status"], {name: each for name, each in body["checks"].items() if each != "ok"}


def test_ready_when_database_migrations_broker_and_beat_are(client: Client) -> None:
    beat()
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ok", "checks": WELL})
    assert client.get("/readyz?strict=1").status_code == 200


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis+socket:///nowhere/redis.sock?virtual_host=0"])
def test_without_a_broker_events_are_still_taken_so_it_is_degraded_and_strictly_not_ready(
    client: Client, settings: Any, url: str
) -> None:
    beat()
    settings.CELERY_BROKER_URL = url
    assert told(client) == (200, "degraded", {"broker": "unreachable"})
    assert told(client, "/readyz?strict=1") == (503, "not_ready", {"broker": "unreachable"})
    assert b"nowhere" not in client.get("/readyz").content


def test_a_heartbeat_that_never_came_or_is_too_old_is_degraded(client: Client) -> None:
    assert told(client) == (200, "degraded", {"beat": "stale"})
    beat(seconds_ago=task_runs.STALE_AFTER_SECONDS - 5)
    assert told(client) == (200, "ok", {})
    beat(seconds_ago=task_runs.STALE_AFTER_SECONDS + 1)
    assert told(client) == (200, "degraded", {"beat": "stale"})
    assert told(client, "/readyz?strict=true") == (503, "not_ready", {"beat": "stale"})


def test_not_ready_while_a_migration_is_unapplied(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    known = readiness._migrations_of_code()
    monkeypatch.setattr(readiness, "_migrations_of_code", lambda: known | {("settlements", "9999_from_tomorrow")})
    assert told(client) == (503, "not_ready", {"migrations": "unapplied", "beat": "unknown"})


def test_not_ready_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = connection.get_connection_params()
    monkeypatch.setattr(connection, "get_connection_params", lambda: {**parameters, "host": "/nowhere"})
    missing = {"database": "unreachable", "migrations": "unknown", "beat": "unknown"}
    assert told(client) == (503, "not_ready", missing)
    assert b"nowhere" not in client.get("/readyz").content


def test_not_ready_on_an_empty_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = connection.get_connection_params()
    empty = {**parameters, "options": "-c search_path=pg_temp"}
    monkeypatch.setattr(connection, "get_connection_params", lambda: empty)
    assert told(client) == (503, "not_ready", {"migrations": "unapplied", "beat": "unknown"})


def test_strangers_who_ask_again_and_again_are_told_what_was_seen(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def broker_state() -> str:
        looked.append(1)
        return "ok"

    monkeypatch.setattr(readiness, "broker_state", broker_state)
    monkeypatch.setattr(readiness, "KEPT_SECONDS", 3600)
    assert {client.get(path).status_code for path in ("/readyz", "/readyz?strict=0", "/readyz")} == {200}
    assert len(looked) == 1
    monkeypatch.setattr(readiness, "KEPT_SECONDS", 0)
    client.get("/readyz")
    assert len(looked) == 2


def test_while_one_looks_others_are_told_what_was_seen_before(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ends = Event(), Event()
    client.get("/readyz")
    monkeypatch.setattr(readiness, "KEPT_SECONDS", 0)

    def slow() -> str:
        begun.set()
        assert ends.wait(30)
        return "unreachable"

    monkeypatch.setattr(readiness, "broker_state", slow)
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(readiness.looks.states)
        assert begun.wait(30)
        assert client.get("/readyz").json()["checks"]["broker"] == "ok"
        assert not looking.done()
        ends.set()
        assert looking.result(30)["broker"] == "unreachable"


def test_a_switch_that_is_neither_on_nor_off_is_refused(client: Client) -> None:
    answer = client.get("/readyz?strict=maybe")
    assert (answer.status_code, answer.json()["code"]) == (400, "strict_invalid")
