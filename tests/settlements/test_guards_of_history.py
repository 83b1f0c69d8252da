"""The database keeps who decided what and what happened, and lets only the independent approve."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from rails import recipients
from settlements import holds
from settlements.models import (
    Approval,
    AuditEvent,
    EventSource,
    FreightToken,
    Hold,
    MilestoneSettlement,
    PaymentIntent,
    PaymentSchedule,
    PaymentScheduleItem,
    Shipment,
    ShipmentEvent,
)
from settlements.proof.seals import SEALED
from tests.factories import (
    HIGH,
    LOW,
    PICKUP,
    POD,
    a_recipient,
    a_user,
    an_intent,
    approval_row,
    now,
    platform_source,
    settlement_of,
    version_of,
)
from tests.settlements import by_hand
from tests.settlements.conftest import Refused, Sql

pytestmark = pytest.mark.django_db

APPEND_ONLY = [AuditEvent, Approval, PaymentSchedule, PaymentScheduleItem]
NEVER_DELETED = [PaymentIntent, MilestoneSettlement, Hold, Shipment, FreightToken, ShipmentEvent, EventSource]


class TestAnApproval:
    def test_is_not_given_by_the_creator_of_the_intent_even_as_superuser(self, refused: Refused) -> None:
        creator = a_user(is_superuser=True)
        settlement = settlement_of(an_intent(risk=HIGH, creator=creator), POD)
        with refused("the creator of an intent does not approve its release"):
            approval_row(settlement, creator)
        approval_row(settlement, creator, decision="REJECT")

    def test_is_not_given_by_who_edited_the_recipient_until_it_was_paid_again(self, refused: Refused) -> None:
        editor, recipient = a_user(is_superuser=True), a_recipient()
        settlement = settlement_of(an_intent(risk=HIGH, recipient=recipient), POD)
        recipients.put(recipient.recipient_id, "Another Name", actor="test", now=now(), user=editor)
        with refused("who edited the recipient since its last payment does not approve a release to it"):
            approval_row(settlement, editor)
        settlement_of(an_intent(risk=LOW, recipient=recipient), POD)
        approval_row(settlement, editor)

    def test_is_not_given_by_who_created_the_recipient(self, refused: Refused) -> None:
        editor = a_user()
        settlement = settlement_of(an_intent(risk=HIGH, recipient=a_recipient(user=editor)), POD)
        with refused("who edited the recipient since its last payment"):
            approval_row(settlement, editor)

    def test_of_a_version_that_is_gone_is_refused(self, refused: Refused) -> None:
        recipient = a_recipient()
        settlement = settlement_of(an_intent(risk=HIGH, recipient=recipient), POD)
        seen = version_of(settlement.pk)
        recipients.set_payouts(recipient_id=recipient.recipient_id, enabled=False, actor="test", now=now())
        with refused("a decision is about the settlement as it is now"):
            approval_row(settlement, a_user(), version=seen)
        with refused("a decision is about the settlement as it is now"):
            approval_row(settlement, a_user(), version="made up")

    def test_is_about_something_that_waits(self, refused: Refused) -> None:
        for settlement in (settlement_of(an_intent(), POD), settlement_of(an_intent(risk=HIGH), PICKUP)):
            with refused("this settlement does not wait for a decision"):
                approval_row(settlement, a_user())

    def test_has_a_reason(self, pending: MilestoneSettlement, refused: Refused) -> None:
        with refused("a_decision_has_a_reason"):
            approval_row(pending, a_user(), reason="")

    @pytest.mark.parametrize("channel", ["", "UNKNOWN", "item", "phone"])
    def test_tells_how_it_came(self, channel: str, pending: MilestoneSettlement, refused: Refused) -> None:
        with refused("a decision tells how it came"):
            approval_row(pending, a_user(), channel=channel)


class TestHistory:
    @pytest.mark.parametrize("model", [*APPEND_ONLY, *NEVER_DELETED])
    def test_is_never_deleted(self, model: Any, pending: MilestoneSettlement) -> None:
        with pytest.raises(DatabaseError, match=r"Cannot (update or )?delete rows"), transaction.atomic():
            model.objects.all()._raw_delete("default")

    @pytest.mark.parametrize("model", APPEND_ONLY)
    def test_is_never_updated(self, model: Any, pending: MilestoneSettlement, sql: Sql) -> None:
        with pytest.raises(DatabaseError, match="Cannot update rows"), transaction.atomic():
            sql(f"UPDATE {model._meta.db_table} SET id = id")

    @pytest.mark.parametrize("model", [*APPEND_ONLY, *NEVER_DELETED])
    def test_is_never_truncated(self, model: Any, pending: MilestoneSettlement, sql: Sql) -> None:
        sql("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match="Cannot truncate table"), transaction.atomic():
            sql(f"TRUNCATE {model._meta.db_table} CASCADE")

    @pytest.mark.parametrize(
        ("sequence", "prev", "words"),
        [
            (0, "last", "an audit event carries the hash of the one before it"),
            (1, "last", "the first audit event of an intent follows nothing"),
            (1, "nothing", "one_audit_event_per_intent_and_sequence"),
            (2, "nothing", "an audit event carries the hash of the one before it"),
            (3, "last", "an audit event carries the hash of the one before it"),
        ],
    )
    def test_has_no_gap_no_fork_and_no_wrong_link(self, sequence: int, prev: str, words: str, refused: Refused) -> None:
        last = AuditEvent.objects.get(intent=an_intent())
        with refused(words):
            _audit_row(last, sequence, bytes(last.hash) if prev == "last" else bytes(32))
        _audit_row(last, 2, bytes(last.hash))
        with refused("one_audit_event_per_intent_and_sequence"):
            _audit_row(last, 2, bytes(last.hash))

    def test_of_a_hold_is_written_once_and_lifted_once(self, pending: MilestoneSettlement, refused: Refused) -> None:
        hold = Hold.objects.get(settlement=pending)
        with refused("a hold can only be lifted, once"):
            by_hand.change(hold, reason="another")
        with refused("lifting_has_a_reason"):
            by_hand.change(hold, lifted_at=now(), lifted_by="test")
        holds.lift(pending.pk, reason="settled", actor="test", now=now())
        with refused("a hold can only be lifted, once"):
            by_hand.change(hold, lifted_at=None)

    @pytest.mark.parametrize("column", ["body", *SEALED["settlements_shipmentevent"]])
    def test_of_a_message_is_word_for_word(self, column: str, pending: MilestoneSettlement, refused: Refused) -> None:
        event = ShipmentEvent.objects.get()
        values = {"id": 2**40, "shipment_id": 2**40, "body_hash": bytes(32), "event_type": PICKUP}
        values |= {"occurred_at": now(), "occurred_at_was_naive": True, "received_at": now()}
        values["source_id"] = by_hand.insert(
            "settlements_eventsource", name="other", kind="platform", carrier_id="", allowed_event_types=[], revision=1,
            created_by="",
            active=True, created_at=now(),
        )  # fmt: skip
        with refused("these columns never change"):
            by_hand.change(event, **{column: values.get(column, "another")})

    def test_of_a_message_is_stored_once(self, pending: MilestoneSettlement, refused: Refused) -> None:
        event = ShipmentEvent.objects.get()
        assert event.source == platform_source()
        event.pk = None
        with refused("one_event_per_source_and_message"):
            event.save(force_insert=True)


def _audit_row(like: AuditEvent, sequence: int, prev_hash: bytes) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO settlements_auditevent (intent_id, sequence, action, from_status, to_status, reason, "
            "triggered_by, approved_by, data, created_at, prev_hash, hash) "
            "VALUES (%s, %s, 'forged', '', '', '', 'test', '', '{}', now(), %s, %s)",
            [like.intent_id, sequence, prev_hash, bytes(range(32))],
        )
