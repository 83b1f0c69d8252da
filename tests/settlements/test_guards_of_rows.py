"""The database keeps what was written: amounts, decisions, schedules and history."""

from datetime import timedelta
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
from settlements.statuses import STRATEGIES_FROM_LOOSE_TO_STRICT as STRATEGIES
from settlements.statuses import ReleaseStrategy
from tests.factories import (
    CLAIM,
    HIGH,
    LOW,
    MEDIUM,
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


@pytest.fixture
def pending() -> MilestoneSettlement:
    """Waits for review, with an approval and a hold."""
    settlement = settlement_of(an_intent(risk=HIGH), POD)
    approval_row(settlement, a_user())
    holds.place(settlement.pk, reason="dispute", actor="test", now=now())
    return settlement


class TestASettlement:
    @pytest.mark.parametrize(
        "column", ["id", "intent_id", "event_type", "amount_minor", "currency", "origin", "event_id", "created_at"]
    )
    def test_stays_what_it_is_about(self, column: str, pending: MilestoneSettlement, refused: Refused) -> None:
        values: dict[str, Any] = {
            "id": by_hand.next_settlement_id(),
            "intent_id": an_intent().pk,
            "event_type": CLAIM,
            "amount_minor": pending.amount_minor - 1,
            "currency": "EUR",
            "origin": "SETTLE",
            "event_id": None,
            "created_at": now(),
        }
        with refused("never change"):
            by_hand.change(pending, **{column: values[column]})

    @pytest.mark.parametrize("new", ReleaseStrategy)
    @pytest.mark.parametrize("old", ReleaseStrategy)
    def test_is_never_decided_more_loosely(self, old: ReleaseStrategy, new: ReleaseStrategy, refused: Refused) -> None:
        settlement_id = by_hand.insert_settlement(an_intent(), POD, strategy=old.value)
        settlement = MilestoneSettlement.objects.get(pk=settlement_id)
        if STRATEGIES.index(new) >= STRATEGIES.index(old):
            by_hand.change(settlement, strategy=new.value)
        else:
            with refused("a strategy is never loosened"):
                by_hand.change(settlement, strategy=new.value)

    @pytest.mark.parametrize(
        "column", ["risk_tier", "risk_score", "rule", "explanation", "inputs", "policy_version"]
    )
    def test_keeps_why_it_was_decided(self, column: str, pending: MilestoneSettlement, refused: Refused) -> None:
        values = {"risk_tier": "LOW", "risk_score": LOW, "inputs": "{}"}
        with refused("a decision is only ever replaced by a stricter one"):
            by_hand.change(pending, **{column: values.get(column, "another")})
        by_hand.change(pending, **{column: values.get(column, "another")}, strategy="PENDING")

    @pytest.mark.parametrize("column", ["reference", "released_at", "settled_at"])
    def test_keeps_what_is_told_of_its_release(self, column: str, refused: Refused) -> None:
        released = settlement_of(an_intent(), POD)
        with refused("what is told of a release changes only with the status"):
            by_hand.change(released, **{column: "another" if column == "reference" else now()})

    def test_is_never_due_earlier(self, refused: Refused) -> None:
        settlement = settlement_of(an_intent(risk=MEDIUM), PICKUP)
        until = settlement.settlement_delayed_until
        assert until is not None
        for earlier in (until - timedelta(microseconds=1), None):
            with refused("a hold never ends earlier than it was set to"):
                by_hand.change(settlement, settlement_delayed_until=earlier)
        by_hand.change(settlement, settlement_delayed_until=until + timedelta(days=1))

    @pytest.mark.parametrize(("required", "words"), [(1, "only ever raised"), (0, "only ever raised")])
    def test_never_needs_fewer_approvers(self, required: int, words: str, refused: Refused) -> None:
        settlement = settlement_of(an_intent(risk=HIGH, amount=20_000), POD)
        with refused(words):
            by_hand.change(settlement, approvals_required=required)
        by_hand.change(settlement, approvals_required=3)

    def test_needs_one_approver_at_least(self, refused: Refused) -> None:
        with refused("a_wire_needs_two_approvers"):
            by_hand.insert_settlement(an_intent(), POD, approvals_required=0)

    def test_keeps_its_rail_once_submitted(self, refused: Refused) -> None:
        submitted = settlement_of(an_intent(), POD)
        with refused("the rail is frozen once the settlement was submitted"):
            by_hand.change(submitted, rail="stripe")

    @pytest.mark.parametrize("amount_minor", [699_999, 700_001, 0])
    def test_has_the_amount_of_its_schedule_item(self, amount_minor: int, refused: Refused) -> None:
        with refused("settlement_has_the_amount_of_its_item"):
            by_hand.insert_settlement(an_intent(), POD, amount_minor=amount_minor)

    def test_has_the_currency_of_its_schedule_item(self, refused: Refused) -> None:
        with refused("settlement_has_the_amount_of_its_item"):
            by_hand.insert_settlement(an_intent(), POD, currency="EUR")

    def test_is_the_only_one_of_its_intent_and_event(self, refused: Refused) -> None:
        intent = an_intent()
        settlement_of(intent, POD)
        with refused("one_settlement_per_intent_and_event"):
            by_hand.insert_settlement(intent, POD)

    @pytest.mark.parametrize("status", ["DELAYED", "APPROVED", "RELEASING", "REJECTED"])
    def test_of_amount_zero_only_waits_or_is_cancelled(self, status: str, sql: Sql) -> None:
        settlement = settlement_of(an_intent(risk=HIGH), PICKUP)
        assert (settlement.amount_minor, settlement.status) == (0, "PENDING")
        with pytest.raises(DatabaseError), transaction.atomic():
            by_hand.change(settlement, status=status, settlement_delayed_until=now(), reference="x", released_at=now())
        by_hand.change(settlement, status="CANCELLED")

    def test_of_amount_zero_is_refused_even_with_every_trigger_asleep(self, behind_the_guards: Sql) -> None:
        settlement = settlement_of(an_intent(risk=HIGH), PICKUP)
        with pytest.raises(DatabaseError, match="zero_is_pending_or_cancelled"), transaction.atomic():
            behind_the_guards(
                "UPDATE settlements_milestonesettlement SET status = 'APPROVED', reference = 'x', released_at = now() "
                "WHERE id = %s",
                settlement.pk,
            )

    @pytest.mark.parametrize("event_type", [PICKUP, POD])
    def test_is_not_added_to_a_cancelled_intent(self, event_type: str, refused: Refused) -> None:
        intent = an_intent(risk=HIGH)
        by_hand.change(intent, status="CANCELLED", cancelled_at=now())
        with refused("a cancelled or rejected intent gets no settlements"):
            by_hand.insert_settlement(intent, event_type)


class TestAnIntent:
    @pytest.mark.parametrize(
        "column",
        ["freight_token_id", "shipment_id", "amount_minor", "currency", "recipient_id", "risk_score", "risk_tier",
         "created_by_id", "created_by_actor", "created_at"],
    )  # fmt: skip
    def test_keeps_what_it_was_created_with(self, column: str, refused: Refused) -> None:
        other = an_intent(risk=HIGH, recipient=a_recipient(), creator=a_user(), amount=7, currency="EUR")
        by_hand_value = "somebody" if column == "created_by_actor" else getattr(other, column)
        with refused("these columns never change"):
            by_hand.change(an_intent(), **{column: by_hand_value})

    def test_is_cancelled_for_good(self, refused: Refused) -> None:
        intent = an_intent()
        by_hand.change(intent, status="CANCELLED", cancelled_at=now())
        with refused("a cancelled intent stays cancelled"):
            by_hand.change(intent, status="PENDING", cancelled_at=None)
        with refused("cancelled_has_a_date"):
            by_hand.change(intent, status="PENDING")

    @pytest.mark.parametrize(
        ("column", "value"), [("amount_minor", 1), ("share", "0.000000000001"), ("currency", "EUR")]
    )
    def test_is_not_created_with_a_schedule_that_does_not_sum(
        self, column: str, value: object, refused: Refused
    ) -> None:
        intent = an_intent(risk=HIGH)
        items = {item.event_type: item for item in PaymentScheduleItem.objects.filter(intent=intent)}
        with refused("the items of a schedule sum to the amount of their intent"):
            copy = _copy_of(intent)
            for event_type in (POD, CLAIM):
                _copy_item(items[event_type], copy)
            _copy_item(items[PICKUP], copy, **{column: value})

    def test_is_not_created_without_a_schedule(self, refused: Refused) -> None:
        with refused("the items of a schedule sum to the amount of their intent"):
            _copy_of(an_intent())

    @pytest.mark.parametrize("amount_minor", [0, -1])
    def test_is_of_more_than_nothing(self, amount_minor: int, refused: Refused) -> None:
        with refused("intent_amount_is_positive"):
            _copy_of(an_intent(), amount_minor=amount_minor)

    def test_has_the_shipment_of_its_token(self, refused: Refused) -> None:
        with refused("intent_has_the_shipment_of_its_token"):
            _copy_of(an_intent(), shipment_id=an_intent().shipment_id)


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


class TestHistory:
    @pytest.mark.parametrize("model", [*APPEND_ONLY, *NEVER_DELETED])
    def test_is_never_deleted(self, model: Any, pending: MilestoneSettlement) -> None:
        with pytest.raises(DatabaseError, match=r"Cannot (update or )?delete rows"), transaction.atomic():
            model.objects.all()._raw_delete("default")

    @pytest.mark.parametrize("model", APPEND_ONLY)
    def test_is_never_updated(self, model: Any, pending: MilestoneSettlement, sql: Sql) -> None:
        with pytest.raises(DatabaseError, match="Cannot update or delete rows"), transaction.atomic():
            sql(f"UPDATE {model._meta.db_table} SET id = id")

    @pytest.mark.parametrize("model", [*APPEND_ONLY, *NEVER_DELETED])
    def test_is_never_truncated(self, model: Any, pending: MilestoneSettlement, sql: Sql) -> None:
        sql("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match="never emptied"), transaction.atomic():
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
    def test_has_no_gap_no_fork_and_no_wrong_link(
        self, sequence: int, prev: str, words: str, refused: Refused
    ) -> None:
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

    @pytest.mark.parametrize("column", ["message_id", "body", "body_hash", "event_type", "source_id", "received_at"])
    def test_of_a_message_is_word_for_word(self, column: str, pending: MilestoneSettlement, refused: Refused) -> None:
        event = ShipmentEvent.objects.get()
        values = {"body_hash": bytes(32), "event_type": PICKUP, "received_at": now()}
        values["source_id"] = by_hand.insert(
            "settlements_eventsource", name="other", kind="platform", carrier_id="", allowed_event_types=[],
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


def _copy_of(intent: PaymentIntent, **columns: Any) -> int:
    return by_hand.insert("settlements_paymentintent", **{**_columns_of(intent), **columns})


def _copy_item(item: PaymentScheduleItem, intent_id: int, **columns: Any) -> None:
    values = {**_columns_of(item), "intent_id": intent_id, **columns}
    by_hand.insert("settlements_paymentscheduleitem", **values)


def _columns_of(row: PaymentIntent | PaymentScheduleItem) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key}


def _audit_row(like: AuditEvent, sequence: int, prev_hash: bytes) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO settlements_auditevent (intent_id, sequence, action, from_status, to_status, reason, "
            "triggered_by, approved_by, data, created_at, prev_hash, hash) "
            "VALUES (%s, %s, 'forged', '', '', '', 'test', '', '{}', now(), %s, %s)",
            [like.intent_id, sequence, prev_hash, bytes(range(32))],
        )
