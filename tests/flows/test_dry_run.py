"""A dry run tells what sending an event would do, and does nothing."""

import logging
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from rails import recipients, switches
from rails.base import SettlementProvider
from rails.models import Recipient
from settlements import inbox, milestones, rehearsal
from settlements.milestones import SupposedEvent
from settlements.models import EventSource, MilestoneSettlement, Shipment
from settlements.sources import Source
from settlements.statuses import EventType
from tests.factories import PICKUP, POD, an_event_source, platform_source
from tests.flows.conftest import PAST, Api

TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1
"""
# What an answer tells of a settlement and the audit tells again, but for what only a real one has.
SAID_AGAIN = (
    "payment_intent_id", "event_type", "amount", "currency", "status", "strategy", "decision", "rule",
    "policy_version", "risk_tier", "risk_score", "provider", "blocked_reason", "approvals_required",
)  # fmt: skip


def every_row() -> dict[str, tuple[int, str]]:
    """Each table's number of rows and the transactions that wrote them."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        names = [name for (name,) in cursor.fetchall()]
        found = {}
        for name in names:
            cursor.execute(
                f"SELECT count(*), coalesce(string_agg(xmin::text || ctid::text, ',' ORDER BY ctid), '') FROM {name}"
            )
            found[name] = cursor.fetchone()
    return found


def dry_run(api: Api, shipment: str, event_type: str = POD, **fields: Any) -> Any:
    body = {"shipment_id": shipment, "event_type": event_type, "occurred_at": PAST, **fields}
    return api.post("/webhooks/shipment_event?dry_run=1", body)


def nothing(api: Api, token: int, shipment: str) -> None:
    api.intent(token)


def two_intents(api: Api, token: int, shipment: str) -> None:
    api.intent(token)
    api.intent(token, 77, "JPY")


def custom_schedule(api: Api, token: int, shipment: str) -> None:
    items = [{"event_type": POD, "share": "0.60"}, {"event_type": PICKUP, "share": "0.40"}]
    api.intent(token, schedule={"type": "custom", "items": items})


def full_on_pod(api: Api, token: int, shipment: str) -> None:
    api.intent(token, "10001", schedule={"type": "full_on_pod"})


def a_share_of_nothing(api: Api, token: int, shipment: str) -> None:
    api.intent(token, "0.01")


def one_cancelled(api: Api, token: int, shipment: str) -> None:
    number = api.intent(token)
    api.intent(token)
    assert api.post(f"/payment_intents/{number}/cancel", {"reason": "lost"}).status_code == 200


def already_handled(api: Api, token: int, shipment: str) -> None:
    api.intent(token)
    for event_type in EventType:
        api.event(shipment, event_type, event_id=f"before-{event_type}")


def settled_by_request(api: Api, token: int, shipment: str) -> None:
    number = api.intent(token)
    api.intent(token)
    assert api.post(f"/payment_intents/{number}/settle").status_code == 200


def rail_off(api: Api, token: int, shipment: str) -> None:
    api.intent(token)
    switches.turn_off(provider=SettlementProvider.INTERNAL_LEDGER, reason="r", actor="t", now=timezone.now())


def recipient_off(api: Api, token: int, shipment: str) -> None:
    recipients.put(f"R{token}", "Bozza", actor="t", user=None, now=timezone.now())
    api.intent(token, recipient_id=f"R{token}")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rails_recipient SET payouts_enabled = false, revision = revision + 1")
    assert not Recipient.objects.get(recipient_id=f"R{token}").payouts_enabled


def token_cancelled(api: Api, token: int, shipment: str) -> None:
    api.intent(token)
    api.put(f"/freight_tokens/{token}", {"shipment_id": shipment, "status": "cancelled"})


def risk_is_worse_now(api: Api, token: int, shipment: str) -> None:
    api.intent(token)
    api.put(f"/freight_tokens/{token}", {"shipment_id": shipment, "risk_score": "0.67"})


def parked(api: Api, token: int, shipment: str) -> None:
    """No intent at all."""


SITUATIONS = (
    nothing, two_intents, custom_schedule, full_on_pod, a_share_of_nothing, one_cancelled, already_handled,
    settled_by_request, rail_off, recipient_off, token_cancelled, risk_is_worse_now, parked,
)  # fmt: skip


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("risk", ["0.15", "0.5", "0.81", None])
def test_sending_the_event_does_what_the_dry_run_said(
    api: Api, situation: Callable[[Api, int, str], None], risk: str | None
) -> None:
    token, shipment = api.token(risk=risk)
    situation(api, token, shipment)
    for event_type in (*EventType, "IN_TRANSIT"):
        rehearsed = dry_run(api, shipment, event_type)
        assert rehearsed.status_code == 200, rehearsed.content
        said = rehearsed.json()
        assert (said["dry_run"], said["milestone_settlements_created"]) == (True, 0)
        there = set(MilestoneSettlement.objects.values_list("pk", flat=True))
        sent = api.event(shipment, event_type)
        assert sent.status_code == 200
        milestones_now = api.send("GET", f"/audit/shipments/{shipment}").json().get("milestones", [])
        made = [each for each in milestones_now if each["id"] not in there]
        assert sent.json()["milestone_settlements_created"] == len(said["would_create"]) == len(made)
        key = lambda each: each["payment_intent_id"]  # noqa: E731
        for promised, real in zip(sorted(said["would_create"], key=key), sorted(made, key=key), strict=True):
            assert {name: promised[name] for name in SAID_AGAIN} == {name: real[name] for name in SAID_AGAIN}
            assert bool(promised["settlement_delayed_until"]) == bool(real["settlement_delayed_until"])


def test_a_dry_run_writes_no_row_of_any_table(live: Api) -> None:
    token, shipment = live.token(risk="0.5")
    live.intent(token)
    live.event(shipment, PICKUP, event_id="sent")
    before = every_row()
    extras: tuple[dict[str, Any], ...] = ({}, {"event_id": "sent"}, {"x": 1})
    for event_type, fields in product((*EventType, "CREATED", "ping"), extras):
        assert dry_run(live, shipment, event_type, **fields).status_code in {200, 409}
    assert dry_run(live, "NEVER-HEARD-OF").status_code == 200
    assert every_row() == before


def test_the_database_itself_lets_a_dry_run_write_nothing(live: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    token, shipment = live.token()
    live.intent(token)

    def writes(**_: Any) -> Any:
        Shipment.objects.create(shipment_id="SNEAKED-IN", created_at=timezone.now())

    monkeypatch.setattr(milestones, "plan", writes)
    message = a_message(platform_source(), shipment)
    with pytest.raises(DatabaseError, match="read-only transaction"):
        rehearsal.of_message(message)
    assert not Shipment.objects.filter(shipment_id="SNEAKED-IN").exists()


def test_planning_takes_no_number_of_a_sequence(api: Api) -> None:
    token, shipment = api.token()
    api.intent(token)
    pk = Shipment.objects.get(shipment_id=shipment).pk
    event = SupposedEvent(source_pk=platform_source().pk, event_type=EventType.POD_CONFIRMED)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        assert [new.id for new in milestones.plan(shipment_pk=pk, event=event)] == [0]


def test_a_dry_run_logs_nothing_that_did_not_happen(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    token, shipment = api.token()
    api.intent(token)
    with caplog.at_level(logging.INFO, logger="settlements"):
        dry_run(api, shipment)
        assert [each.getMessage() for each in caplog.records if each.name.startswith("settlements")] == []
        api.event(shipment)
    assert "Smart Settlement: releasing immediately" in caplog.text
    assert "Created milestone settlement" in caplog.text


def test_a_dry_run_says_that_a_message_is_a_repeat_and_what_its_first_answer_was(api: Api) -> None:
    token, shipment = api.token()
    api.intent(token)
    first = api.event(shipment, event_id="m").json()
    said = dry_run(api, shipment, event_id="m").json()
    assert (said["would_create"], said["first_answer"]) == ([], first)
    assert "repeat" in said["message"]
    refused = dry_run(api, shipment, PICKUP, event_id="m")
    assert (refused.status_code, refused.json()["code"]) == (409, "message_id_reused")


def test_a_dry_run_says_why_nothing_more_would_be_created(api: Api) -> None:
    token, shipment = api.token()
    assert "parked" in dry_run(api, shipment).json()["message"]
    number = api.intent(token)
    assert dry_run(api, shipment).json()["message"] == "Would create 1 milestone settlement(s)."
    assert "releases nothing" in dry_run(api, shipment, "CREATED").json()["message"]
    api.event(shipment)
    assert "already handled" in dry_run(api, shipment, x=1).json()["message"]
    api.intent(token, schedule={"type": "full_on_pod"})
    assert "1 payment intent(s) release nothing at PICKUP" in dry_run(api, shipment, PICKUP).json()["message"]
    api.post(f"/payment_intents/{number}/cancel", {"reason": "lost"})
    assert "1 payment intent(s) are cancelled" in dry_run(api, shipment, PICKUP).json()["message"]


def a_message(row: EventSource, shipment: str, event_type: str = POD) -> inbox.Message:
    carrier = row.kind == EventSource.CARRIER
    allowed = frozenset(row.allowed_event_types) if carrier else None
    return inbox.Message(
        source=Source(row.pk, row.carrier_id, allowed),
        actor="test",
        message_id=f"{shipment}:{event_type}",
        body="{}",
        body_hash=b"x",
        shipment_id=shipment,
        event_type=event_type,
        occurred_at=timezone.now(),
        occurred_at_was_naive=False,
    )


def test_a_carrier_is_told_of_its_own_intents_alone_and_refused_as_it_really_would_be(api: Api) -> None:
    source = an_event_source(carrier_id="C1")
    own, shipment = api.token(carrier_id="C1")
    other, _ = api.token(shipment=shipment, carrier_id="C2")
    mine = api.intent(own)
    api.intent(other)
    found = rehearsal.of_message(a_message(source, shipment))
    assert [new.intent_id for new in found.would_create] == [mine]
    assert found.message == "Would create 1 milestone settlement(s)."
    with pytest.raises(inbox.EventTypeNotAllowed):
        rehearsal.of_message(a_message(source, shipment, "CLAIM_WINDOW_CLOSED"))
    _, foreign = api.token(carrier_id="C2")
    with pytest.raises(inbox.ShipmentNotReached):
        rehearsal.of_message(a_message(source, foreign))


@pytest.mark.parametrize("word", ["yes", "", "TRUE", "2", "1 "])
def test_other_words_for_a_dry_run_are_refused_and_nothing_is_stored(api: Api, word: str) -> None:
    answer = api.post(f"/webhooks/shipment_event?dry_run={word}", {"shipment_id": 1})
    assert (answer.status_code, answer.json()["code"]) == (400, "dry_run_invalid")
    assert not Shipment.objects.exists()


@pytest.mark.parametrize(("word", "dry"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_a_dry_run_is_asked_for_by_one_or_true(api: Api, word: str, dry: bool) -> None:
    body = {"shipment_id": "S", "event_type": POD, "occurred_at": PAST}
    answer = api.post(f"/webhooks/shipment_event?dry_run={word}", body)
    assert ("dry_run" in answer.json()) is dry
    assert Shipment.objects.exists() is not dry


@pytest.mark.parametrize(
    "change", [{"event_type": "x"}, {"occurred_at": "2999-01-01T00:00:00Z"}, {"shipment_id": None}]
)
def test_a_wrong_event_is_refused_alike_in_a_dry_run(api: Api, change: dict[str, Any]) -> None:
    body = {"shipment_id": "S", "event_type": POD, "occurred_at": PAST, **change}
    answers = [api.post(f"/webhooks/shipment_event{query}", body) for query in ("", "?dry_run=1")]
    assert {answer.status_code for answer in answers} == {400}
    assert answers[0].json()["code"] == answers[1].json()["code"]


@pytest.mark.parametrize("body", [{"event_type": "ping"}, {"event_type": "PING", "shipment_id": 7, "x": []}])
def test_a_ping_is_answered_and_nothing_is_stored(live: Api, body: dict[str, Any]) -> None:
    before = every_row()
    answer = live.post("/webhooks/shipment_event", body)
    assert answer.status_code == 200
    told = answer.json()
    assert told.pop("processed_at")
    assert told.pop("message").startswith("Pong")
    assert told == {
        "shipment_id": str(body["shipment_id"]) if "shipment_id" in body else None,
        "event_type": "PING",
        "milestone_settlements_created": 0,
    }
    assert every_row() == before


@pytest.mark.parametrize("wrong", [{"shipment_id": ""}, {"occurred_at": "yesterday"}])
def test_what_a_ping_says_beside_must_be_right_all_the_same(api: Api, wrong: dict[str, str]) -> None:
    assert api.post("/webhooks/shipment_event", {"event_type": "ping", **wrong}).status_code == 400
