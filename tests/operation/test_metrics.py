"""What Prometheus is told: real figures of real events, to those alone who may know them."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone
from prometheus_client.core import Metric

from chainpay import celery
from chainpay.operation import figures, metrics, tally, tasks
from settlements import books_checks
from settlements.tasks import sweep
from tests.flows.conftest import Api
from tests.operation.conftest import counted, scrape, scraped, value

TOKEN = "a-token-for-prometheus"
# What a line is worth: a sum of seconds may have any digits.
_NUMBERS = re.compile(r" [-+.\w]+$", re.M)
assert celery.app  # tasks are counted once the app is there


@pytest.mark.django_db(transaction=True)
class TestWhoIsTold:
    def test_without_a_token_its_own_host(self, client: Client) -> None:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert "no-store" in answer.headers["Cache-Control"]
        assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200
        assert client.get("/metrics", REMOTE_ADDR="::ffff:127.0.0.1").status_code == 200

    @pytest.mark.parametrize("address", ["10.1.2.3", "203.0.113.7", "2001:db8::1", "", "localhost", "::ffff:10.0.0.1"])
    def test_and_nobody_elsewhere(self, client: Client, address: str) -> None:
        refused(client.get("/metrics", REMOTE_ADDR=address), 403, "metrics_not_open")

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via"])
    def test_nor_who_comes_through_a_proxy_on_this_host(self, client: Client, header: str) -> None:
        refused(client.get("/metrics", headers={header: "127.0.0.1"}), 403, "metrics_not_open")

    def test_nor_anybody_where_proxies_are_known_to_stand_in_front(self, client: Client, settings: Any) -> None:
        settings.CHAINPAY_TRUSTED_PROXIES = 1
        refused(client.get("/metrics"), 403, "metrics_not_open")

    def test_with_a_token_whoever_shows_it(self, client: Client, operated: Callable[..., None]) -> None:
        operated(metrics_token=TOKEN)
        shown = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, REMOTE_ADDR="203.0.113.7")
        assert shown.status_code == 200
        none = client.get("/metrics")
        refused(none, 401, "not_authenticated")
        assert none.headers["WWW-Authenticate"] == "Bearer"
        for wrong in (f"Bearer {TOKEN}x", "Bearer ", TOKEN, f"Basic {TOKEN}", "Bearer caf\u00e9"):
            answer = client.get("/metrics", headers={"Authorization": wrong})
            refused(answer, 401, "invalid_credentials")
            assert TOKEN not in answer.content.decode()

    def test_by_get_and_head_alone(self, client: Client) -> None:
        assert client.head("/metrics").status_code == 200
        for method in ("post", "put", "patch", "delete", "options"):
            answer = getattr(client, method)("/metrics")
            refused(answer, 405, "method_not_allowed")
            assert answer.headers["Allow"] == "GET, HEAD"


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "detail", "field", "request_id"}


def test_figures_follow_an_event_to_its_release(live: Api, client: Client, settings: Any) -> None:
    settings.CHAINPAY_HOLD_SECONDS = 1
    token, shipment = live.token(risk="0.50")
    live.intent(token)
    live.event(shipment, "PICKUP_CONFIRMED")
    live.event(shipment, "IN_TRANSIT")
    counted()
    found = scrape(client)
    assert value(found, "chainpay_shipment_events_total", event_type="PICKUP_CONFIRMED", verdict="processed") == 1
    assert value(found, "chainpay_shipment_events_total", event_type="IN_TRANSIT") == 1
    assert value(found, "chainpay_decisions_total", event_type="PICKUP_CONFIRMED", strategy="delayed") == 1
    assert value(found, "chainpay_releases_total", rail="internal_ledger") == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(1.1)")
    assert value(scrape(client), "chainpay_due_release_lag_seconds") > 0
    assert sweep()["released"] == 1
    counted()
    found = scrape(client)
    assert value(found, "chainpay_due_release_lag_seconds") == 0
    assert value(found, "chainpay_releases_total", rail="internal_ledger", outcome="approved") == 1
    assert value(found, "chainpay_shipment_events_total", event_type="PICKUP_CONFIRMED") == 1


def test_what_waits_for_people_is_told_with_its_age(live: Api, client: Client) -> None:
    token, shipment = live.token(risk="0.90")
    live.intent(token)
    live.event(shipment, "POD_CONFIRMED")
    found = scrape(client)
    assert value(found, "chainpay_review_queue") == 1
    assert value(found, "chainpay_review_queue_overdue") == 0
    assert value(found, "chainpay_review_queue_oldest_seconds") > 0


def test_a_parked_event_is_told_until_its_intent_comes(live: Api, client: Client) -> None:
    token, shipment = live.token(risk="0.10")
    live.event(shipment, "PICKUP_CONFIRMED")
    found = scrape(client)
    assert value(found, "chainpay_shipment_events_open", state="parked") == 1
    assert value(found, "chainpay_shipment_events_oldest_seconds", state="parked") > 0
    live.intent(token)
    assert value(scrape(client), "chainpay_shipment_events_open", state="parked") == 0


def test_answers_are_counted_by_route_and_status_never_by_id(live: Api, client: Client) -> None:
    def seen(status: str) -> float:
        return value(
            scrape(client), "chainpay_http_requests_total", route="/payment_intents/<id:intent_id>", status=status
        )

    before = seen("404")
    live.send("GET", "/payment_intents/4711")
    client.get("/nowhere/4712")
    assert seen("404") == before + 1
    found = scrape(client)
    assert value(found, "chainpay_http_requests_total", route="(none)", method="GET", status="404") > 0
    name = "chainpay_http_request_seconds_count"
    assert value(found, name, route="/payment_intents/<id:intent_id>", method="GET") >= before + 1
    names = _NUMBERS.sub("", client.get("/metrics").content.decode())
    assert "4711" not in names
    assert "4712" not in names


def test_a_method_nobody_knows_makes_no_figure_of_its_own(client: Client, db: None) -> None:
    client.generic("BREW", "/healthz")
    assert "BREW" not in client.get("/metrics").content.decode()


def test_a_task_is_counted_when_it_begins_and_when_it_ends(client: Client, transactional_db: None) -> None:
    assert scrape(client).get("chainpay_heartbeat_age_seconds") is None
    for _ in range(2):
        tasks.heartbeat.apply()
    found = scrape(client)
    assert value(found, "chainpay_task_runs_total", task="operation.heartbeat", outcome="begun") == 2
    assert value(found, "chainpay_task_runs_total", task="operation.heartbeat", outcome="succeeded") == 2
    assert value(found, "chainpay_task_runs_total", task="operation.heartbeat", outcome="failed") == 0
    assert 0 <= value(found, "chainpay_heartbeat_age_seconds") < 60


def test_a_task_that_fails_is_counted_as_failed(
    client: Client, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "count_all", lambda: 1 / 0)
    tasks.count.apply()
    found = scrape(client)
    assert value(found, "chainpay_task_runs_total", task="operation.tally", outcome="failed") == 1
    assert value(found, "chainpay_task_runs_total", task="operation.tally", outcome="succeeded") == 0


def test_however_often_it_is_asked_the_database_is_read_once_in_five_seconds(
    client: Client, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    real = figures.read

    def read() -> Iterator[Metric]:
        reads.append(1)
        return real()

    monkeypatch.setattr(figures, "read", read)
    for _ in range(5):
        assert client.get("/metrics").status_code == 200
    assert len(reads) == 1


def test_without_a_database_it_says_so_and_still_tells_of_requests(
    client: Client, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/healthz")
    parameters = connection.get_connection_params()
    with monkeypatch.context() as away:
        away.setattr(connection, "get_connection_params", lambda: {**parameters, "host": "/nowhere"})
        found = scrape(client)
    assert value(found, "chainpay_database_up") == 0
    assert value(found, "chainpay_http_requests_total", route="/healthz", method="GET", status="200") > 0
    assert "nowhere" not in str(found)


def test_a_part_that_can_not_be_read_takes_no_other_with_it(
    client: Client, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = figures.Part(statement="SELECT pg_sleep(3)", means=lambda rows: iter(()))
    monkeypatch.setattr(figures, "_PARTS", {"slow": slow, **figures._PARTS})
    found = scrape(client)
    assert value(found, "chainpay_scrape_part_up", part="slow") == 0
    others = [number for labels, number in found["chainpay_scrape_part_up"] if labels["part"] != "slow"]
    assert others == [1] * len(figures._PARTS.keys() - {"slow"})


def test_every_part_can_be_read_on_an_empty_database(client: Client, transactional_db: None) -> None:
    found = scrape(client)
    assert [labels for labels, number in found["chainpay_scrape_part_up"] if not number] == []
    assert value(found, "chainpay_database_up") == 1


def test_no_figure_names_a_recipient_a_shipment_or_a_sum(live: Api, client: Client) -> None:
    token, shipment = live.token(risk="0.10")
    live.intent(token, amount="7654.32")
    live.event(shipment, "POD_CONFIRMED")
    counted()
    metrics.database.forget()
    text = client.get("/metrics").content.decode()
    assert scraped(text)["chainpay_shipment_events_total"]
    named = re.sub(r'route="[^"]*"', "", _NUMBERS.sub("", text))
    for word in (shipment, "7654", "765432", "recipient"):
        assert word not in named, word


class TestCounting:
    def test_twice_counts_once(self, live: Api, client: Client) -> None:
        _, shipment = live.token(risk="0.10")
        live.event(shipment, "IN_TRANSIT")
        for _ in range(3):
            counted()
        assert value(scrape(client), "chainpay_shipment_events_total", event_type="IN_TRANSIT") == 1

    def test_a_transaction_that_commits_late_is_counted_all_the_same(self, live: Api, client: Client) -> None:
        """The id of the one that is still open is smaller than that of one that is counted already."""
        _, shipment = live.token(risk="0.10")
        live.event(shipment, "IN_TRANSIT")
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute(
                """
                INSERT INTO settlements_shipmentevent (source_id, message_id, body_hash, shipment_id, event_type,
                    occurred_at, occurred_at_was_naive, received_at, received_from, body, state, settlements_created,
                    processed_at, sweeps, error)
                SELECT source_id, 'late', body_hash, shipment_id, 'AT_TERMINAL', occurred_at, false, received_at,
                    received_from, body, state, 0, processed_at, 0, '' FROM settlements_shipmentevent LIMIT 1
                """
            )
            live.event(shipment, "DELIVERY_ATTEMPTED")
            counted()
            counted()
            assert value(scrape(client), "chainpay_shipment_events_total", event_type="AT_TERMINAL") == 0
        counted()
        counted()
        found = scrape(client)
        assert value(found, "chainpay_shipment_events_total", event_type="AT_TERMINAL") == 1
        assert value(found, "chainpay_shipment_events_total", event_type="DELIVERY_ATTEMPTED") == 1
        assert value(found, "chainpay_shipment_events_total", event_type="IN_TRANSIT") == 1

    def test_a_long_transaction_that_writes_elsewhere_holds_up_nothing(self, live: Api, client: Client) -> None:
        _, shipment = live.token(risk="0.10")
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("CREATE TABLE written_elsewhere AS SELECT pg_current_xact_id()")
            live.event(shipment, "IN_TRANSIT")
            counted()
            assert value(scrape(client), "chainpay_shipment_events_total", event_type="IN_TRANSIT") == 1
            other.rollback()

    def test_many_rows_are_counted_in_steps(self, live: Api, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tally, "STEP", 2)
        _, shipment = live.token(risk="0.10")
        for number in range(5):
            live.event(shipment, "IN_TRANSIT", event_id=f"step-{number}")
        counted()
        assert value(scrape(client), "chainpay_shipment_events_total", event_type="IN_TRANSIT") == 5

    def test_a_database_restored_from_a_dump_goes_on_counting(self, live: Api, client: Client) -> None:
        _, shipment = live.token(risk="0.10")
        live.event(shipment, "IN_TRANSIT")
        tally.count_all()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE operation_countedto SET ahead_xid = ahead_xid + 1000000000")
        counted()
        counted()
        assert value(scrape(client), "chainpay_shipment_events_total", event_type="IN_TRANSIT") == 1

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE operation_count SET number = number - 1",
            "UPDATE operation_countedto SET last = last - 1",
            "DELETE FROM operation_count",
            "DELETE FROM operation_countedto",
            "TRUNCATE operation_count",
        ],
    )
    def test_no_counter_ever_goes_down(self, live: Api, statement: str) -> None:
        _, shipment = live.token(risk="0.10")
        live.event(shipment, "IN_TRANSIT")
        counted()
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_the_books_and_checkpoints_are_told_with_their_age(client: Client, transactional_db: None) -> None:
    found = scrape(client)
    assert "chainpay_books_proven" not in found
    books_checks.verify_on_record(actor="test", clock=timezone.now)
    found = scrape(client)
    assert value(found, "chainpay_books_proven") == 1
    assert 0 <= value(found, "chainpay_books_checked_seconds") < 60
