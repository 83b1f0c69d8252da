"""Every change of state leaves an audit event, and each event is tied to the one before it."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from settlements import audit, intents
from settlements.models import AuditEvent, PaymentIntent
from settlements.verification import chain
from tests.factories import HIGH, LOW, PICKUP, POD, a_user, an_intent, approve, now, post_event, settlement_of

pytestmark = pytest.mark.django_db


def history(intent: PaymentIntent) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(intent=intent).order_by("sequence"))


def test_every_change_of_state_is_one_event_in_its_order() -> None:
    intent = an_intent(risk=HIGH)
    settlement = settlement_of(intent, POD)
    approve(settlement, a_user(username="anna"), "papers are in order")
    told = [(e.sequence, e.action, e.from_status, e.to_status, e.approved_by) for e in history(intent)]
    assert told == [
        (1, "intent_created", "", "", ""),
        (2, "settlement_created", "", "PENDING", ""),
        (3, "approval_recorded", "PENDING", "PENDING", "user:anna"),
        (4, "released", "PENDING", "APPROVED", "user:anna"),
    ]


def test_each_event_carries_the_hash_of_the_one_before_it() -> None:
    intent = an_intent()
    post_event(intent.shipment.shipment_id, POD)
    post_event(intent.shipment.shipment_id, PICKUP)
    events = history(intent)
    assert len(events) == 3
    assert [bytes(event.prev_hash) for event in events] == [bytes(32), *(bytes(event.hash) for event in events[:-1])]


def test_chains_of_two_intents_of_one_shipment_do_not_meet() -> None:
    first = an_intent()
    second = an_intent(token=first.freight_token)
    post_event(first.shipment.shipment_id, POD)
    intents.cancel(second.pk, reason="mistake", actor="test", now=now())
    post_event(first.shipment.shipment_id, PICKUP)
    assert [event.sequence for event in history(first)] == [1, 2, 3]
    assert [event.action for event in history(second)] == ["intent_created", "settlement_created", "intent_cancelled"]
    assert chain.check() == 6


def test_the_hash_can_be_computed_by_anybody_who_reads_the_row() -> None:
    intent = an_intent(risk=LOW, token__shipment_id='SHIP-\u00fc\u4e2d\U0001f69a"\\\x7f')
    post_event(intent.shipment.shipment_id, POD)
    for event in history(intent):
        canonical = json.dumps(
            {
                "action": event.action,
                "approved_by": event.approved_by,
                "created_at": event.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
                "data": event.data,
                "from_status": event.from_status,
                "intent_id": event.intent_id,
                "reason": event.reason,
                "sequence": event.sequence,
                "settlement_id": event.settlement_id,
                "to_status": event.to_status,
                "triggered_by": event.triggered_by,
            },
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        assert hashlib.sha256(bytes(event.prev_hash) + canonical).digest() == bytes(event.hash)
    assert chain.check() == 2


def test_a_whole_second_is_written_with_its_six_zeros() -> None:
    intent = an_intent()
    moment = datetime(2025, 11, 7, 15, 30, 15, tzinfo=UTC)
    audit.record([audit.Draft(intent_id=intent.pk, action="noted", triggered_by="test")], now=moment)
    assert chain.check() == 2


def test_many_drafts_of_one_intent_follow_each_other_within_a_batch() -> None:
    one, two = an_intent(), an_intent()
    drafts = [
        audit.Draft(intent_id=intent.pk, action=f"noted {number}", triggered_by="test", data={"n": number, "x": None})
        for number in range(5)
        for intent in (one, two)
    ]
    audit.record(drafts, now=now())
    assert [event.action for event in history(one)][1:] == [f"noted {number}" for number in range(5)]
    assert chain.check() == 12


@pytest.mark.django_db(transaction=True)
def test_an_event_is_never_written_outside_the_transaction_of_its_change() -> None:
    with pytest.raises(audit.NotInTransaction):
        audit.record([audit.Draft(intent_id=1, action="noted", triggered_by="test")], now=now())
