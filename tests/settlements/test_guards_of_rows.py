"""The database keeps what was written: amounts, decisions and schedules."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from settlements.models import (
    MilestoneSettlement,
    PaymentIntent,
    PaymentScheduleItem,
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
    now,
    settlement_of,
)
from tests.settlements import by_hand
from tests.settlements.conftest import Refused, Sql

pytestmark = pytest.mark.django_db


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

    @pytest.mark.parametrize("column", ["risk_tier", "risk_score", "rule", "explanation", "inputs", "policy_version"])
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
        with refused("somebody_approves"):
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
        with (
            pytest.raises(DatabaseError, match="zero_is_pending_or_cancelled"),
            transaction.atomic(),
        ):
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


def _copy_of(intent: PaymentIntent, **columns: Any) -> int:
    return by_hand.insert("settlements_paymentintent", **{**_columns_of(intent), **columns})


def _copy_item(item: PaymentScheduleItem, intent_id: int, **columns: Any) -> None:
    values = {**_columns_of(item), "intent_id": intent_id, **columns}
    by_hand.insert("settlements_paymentscheduleitem", **values)


def _columns_of(row: PaymentIntent | PaymentScheduleItem) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key}
