"""The database refuses moves and releases that the domain would never ask for."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from rails import recipients
from rails.money import Money
from settlements import holds
from settlements.models import MilestoneSettlement
from settlements.statuses import SettlementStatus as S
from settlements.transitions import INITIAL, may_follow
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
    settlement_of,
)
from tests.settlements import by_hand
from tests.settlements.conftest import Refused, Sql

pytestmark = pytest.mark.django_db

NEEDS_APPROVERS = "this release needs more approvers than have approved what it is now"


def waiting(risk: Any = HIGH, event_type: str = POD, **intent: Any) -> MilestoneSettlement:
    return settlement_of(an_intent(risk=risk, **intent), event_type)


# Where the attempt stands before a settlement on a remote rail becomes this.
ATTEMPT_BEFORE = {S.RELEASING: "PREPARED", S.APPROVED: "ACCEPTED"}


@pytest.mark.parametrize("new", S)
@pytest.mark.parametrize("old", S)
def test_the_database_allows_exactly_the_moves_of_the_table(old: S, new: S, behind_the_guards: Sql) -> None:
    settlement = waiting(LOW)
    remote = S.RELEASING in (old, new)
    behind_the_guards(
        "UPDATE settlements_milestonesettlement SET status = %s, rail = %s, settlement_delayed_until = now(), "
        "settled_at = now() WHERE id = %s",
        old.value,
        "stripe" if remote else "internal_ledger",
        settlement.pk,
    )
    if remote:
        behind_the_guards(by_hand.ATTEMPT, ATTEMPT_BEFORE.get(new, "REFUSED"), settlement.pk)
    if old in {S.FAILED, S.RETURNED}:
        approval_row(settlement, a_user())
    if old is new or may_follow(old, new):
        by_hand.change(settlement, status=new.value)
    else:
        with pytest.raises(DatabaseError, match="Invalid transition"), transaction.atomic():
            by_hand.change(settlement, status=new.value)


@pytest.mark.parametrize("status", S)
def test_a_settlement_begins_only_in_an_initial_status(status: S, refused: Refused) -> None:
    intent = an_intent()
    remote = status not in {S.APPROVED, S.PENDING, S.DELAYED}
    settlement_id = by_hand.next_settlement_id()
    columns = {
        "id": settlement_id,
        "status": status.value,
        "rail": "stripe" if remote else "internal_ledger",
        "reference": by_hand.book(settlement_id, Money(700_000, "USD")) if status is S.APPROVED else "by hand",
        "released_at": now(),
        "settled_at": now(),
    }
    if status is S.RELEASING:
        with refused("a release by a provider has its attempt"):
            by_hand.insert_settlement(intent, POD, **columns)
    elif status in INITIAL:
        assert by_hand.insert_settlement(intent, POD, **columns) == settlement_id
    else:
        with refused("a settlement does not begin in this status"):
            by_hand.insert_settlement(intent, POD, **columns)


class TestARelease:
    def test_after_review_needs_an_approver(self, refused: Refused) -> None:
        settlement = waiting()
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement)
        approval_row(settlement, a_user())
        by_hand.release(settlement)

    def test_not_yet_eligible_needs_an_approver(self, refused: Refused) -> None:
        settlement = waiting(HIGH, CLAIM)
        by_hand.change(settlement, strategy="PENDING")
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement)

    def test_above_the_four_eyes_amount_needs_two_approvers_who_differ(self, refused: Refused) -> None:
        settlement = waiting(amount=20_000)
        officer = a_user()
        approval_row(settlement, officer)
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement)
        with refused("one_approval_per_officer_and_version"):
            approval_row(settlement, officer)
        approval_row(settlement, a_user())
        by_hand.release(settlement)

    def test_is_not_authorised_by_a_rejection(self, refused: Refused) -> None:
        settlement = waiting()
        approval_row(settlement, a_user(), decision="REJECT")
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement)

    def test_is_not_authorised_by_an_approval_of_another_recipient_record(self, refused: Refused) -> None:
        recipient = a_recipient()
        settlement = waiting(recipient=recipient)
        approval_row(settlement, a_user())
        recipients.put(recipient.recipient_id, "Another Name", actor="test", now=now())
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement)

    def test_is_not_authorised_by_an_approval_of_a_looser_strategy(self, refused: Refused) -> None:
        settlement = waiting()
        approval_row(settlement, a_user())
        by_hand.change(settlement, strategy="PENDING")
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement)

    def test_is_not_authorised_by_an_approval_for_another_rail(self, refused: Refused) -> None:
        settlement = waiting()
        by_hand.change(settlement, rail="stripe")
        approval_row(settlement, a_user())
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement, rail="internal_ledger")

    def test_does_not_happen_before_its_date(self, refused: Refused) -> None:
        settlement = waiting(MEDIUM, PICKUP)
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement)

    def test_happens_before_its_date_when_an_officer_approved(self) -> None:
        settlement = waiting(MEDIUM, PICKUP)
        approval_row(settlement, a_user())
        by_hand.release(settlement)

    def test_happens_without_anybody_once_its_date_has_come(self, behind_the_guards: Sql) -> None:
        settlement = waiting(MEDIUM, PICKUP)
        behind_the_guards(
            "UPDATE settlements_milestonesettlement SET settlement_delayed_until = clock_timestamp() WHERE id = %s",
            settlement.pk,
        )
        by_hand.release(settlement)

    def test_that_was_decided_to_be_delayed_has_a_date(self, refused: Refused) -> None:
        intent = an_intent(risk=MEDIUM)
        settlement_id = by_hand.insert_settlement(intent, PICKUP, strategy="DELAYED", settlement_delayed_until=None)
        with refused(NEEDS_APPROVERS):
            by_hand.release(MilestoneSettlement.objects.get(pk=settlement_id))

    def test_does_not_happen_while_a_hold_is_open(self, refused: Refused) -> None:
        settlement = waiting()
        approval_row(settlement, a_user())
        holds.place(settlement.pk, reason="dispute", actor="test", now=now())
        with refused("nothing is released while a hold is open"):
            by_hand.release(settlement)
        holds.lift(settlement.pk, reason="settled", actor="test", now=now())
        by_hand.release(settlement)

    def test_does_not_happen_for_a_cancelled_intent(self, refused: Refused) -> None:
        settlement = waiting()
        approval_row(settlement, a_user())
        by_hand.change(settlement.intent, status="CANCELLED", cancelled_at=now())
        with refused("nothing is released for a cancelled intent"):
            by_hand.release(settlement)

    def test_by_the_ledger_has_its_journal_entry(self, refused: Refused) -> None:
        settlement = waiting()
        approval_row(settlement, a_user())
        with refused("a release by the internal ledger has its journal entry"):
            by_hand.change(settlement, status="APPROVED", reference="INTERNAL_LEDGER:x:1", released_at=now())
        with refused("a release by the internal ledger has its journal entry"):
            by_hand.release(settlement, reference="INTERNAL_LEDGER:x:1")

    def test_by_the_ledger_does_not_pass_through_releasing(self, refused: Refused) -> None:
        settlement = waiting()
        approval_row(settlement, a_user())
        with refused("a local rail approves at once"):
            by_hand.change(settlement, status="RELEASING")

    def test_by_another_rail_does_not_skip_releasing(self, refused: Refused, behind_the_guards: Sql) -> None:
        settlement = waiting()
        by_hand.change(settlement, rail="stripe")
        approval_row(settlement, a_user())
        with refused("a local rail approves at once"):
            by_hand.release(settlement)
        with refused("a release by a provider has its attempt"):
            by_hand.change(settlement, status="RELEASING")
        behind_the_guards(by_hand.ATTEMPT, "PREPARED", settlement.pk)
        by_hand.change(settlement, status="RELEASING")

    @pytest.mark.parametrize(
        "wrong", ["amount_minor = 1", "currency = 'EUR'", "provider = 'ACH'", "state = 'SUBMITTED'"]
    )
    def test_has_an_attempt_of_just_this_payment(self, wrong: str, refused: Refused, behind_the_guards: Sql) -> None:
        settlement = waiting()
        by_hand.change(settlement, rail="stripe")
        behind_the_guards(by_hand.ATTEMPT, "PREPARED", settlement.pk)
        behind_the_guards(f"UPDATE rails_railattempt SET {wrong} WHERE milestone_id = %s", settlement.pk)
        approval_row(settlement, a_user())
        if wrong.startswith("state"):
            by_hand.change(settlement, status="RELEASING")
        else:
            with refused("a release by a provider has its attempt"):
                by_hand.change(settlement, status="RELEASING")

    def test_by_wire_needs_two_approvers_whatever_the_strategy(self, refused: Refused, behind_the_guards: Sql) -> None:
        intent = an_intent()
        with refused("a wire needs two approvers"):
            by_hand.insert_settlement(intent, POD, rail="wire", approvals_required=1)
        with refused(NEEDS_APPROVERS):
            by_hand.insert_settlement(intent, POD, rail="wire", approvals_required=2, status="RELEASING")
        settlement_id = by_hand.insert_settlement(intent, POD, rail="wire", approvals_required=2)
        settlement = MilestoneSettlement.objects.get(pk=settlement_id)
        behind_the_guards(by_hand.ATTEMPT, "PREPARED", settlement.pk)
        approval_row(settlement, a_user())
        with refused(NEEDS_APPROVERS):
            by_hand.change(settlement, status="RELEASING")
        approval_row(settlement, a_user())
        by_hand.change(settlement, status="RELEASING")

    @pytest.mark.parametrize("old", ["FAILED", "RETURNED"])
    def test_that_is_tried_again_is_authorised_again(self, old: str, refused: Refused, behind_the_guards: Sql) -> None:
        settlement = waiting()
        behind_the_guards(
            "UPDATE settlements_milestonesettlement SET rail = 'stripe', status = %s, reference = 'tr_1', "
            "released_at = now() WHERE id = %s",
            old,
            settlement.pk,
        )
        approval_row(settlement, a_user())
        # An approval is of one attempt: when that is refused it is void.
        behind_the_guards(by_hand.ATTEMPT, "REFUSED", settlement.pk)
        behind_the_guards(by_hand.ATTEMPT, "PREPARED", settlement.pk)
        with refused(NEEDS_APPROVERS):
            by_hand.change(settlement, status="RELEASING")
        approval_row(settlement, a_user())
        by_hand.change(settlement, status="RELEASING")

    def test_that_a_provider_confirms_is_recorded_without_anybody(
        self, refused: Refused, behind_the_guards: Sql
    ) -> None:
        settlement = waiting()
        amount = Money(settlement.amount_minor, settlement.currency)
        behind_the_guards(
            "UPDATE settlements_milestonesettlement SET rail = 'stripe', status = 'RELEASING', reference = 'tr_1' "
            "WHERE id = %s",
            settlement.pk,
        )
        behind_the_guards(by_hand.ATTEMPT, "SUBMITTED", settlement.pk)

        def provider_says(state: str) -> None:
            behind_the_guards(
                "UPDATE rails_railattempt SET state = %s, reference = 'tr_1', returned_minor = %s "
                "WHERE milestone_id = %s",
                state,
                amount.minor if state == "RETURNED" else 0,
                settlement.pk,
            )

        def becomes(status: str) -> None:
            by_hand.change(settlement, status=status, released_at=now(), settled_at=now())

        for status in ("APPROVED", "FAILED"):
            with refused("what a provider said stands on its attempt first"):
                becomes(status)
        provider_says("ACCEPTED")
        with refused("what a provider took is booked as released"):
            becomes("APPROVED")
        by_hand.book(settlement.pk, amount)
        with refused("what a provider said stands on its attempt first"):
            by_hand.change(settlement, status="APPROVED", reference="tr_2", released_at=now())
        becomes("APPROVED")
        for status in ("SETTLED", "RETURNED"):
            with refused("what a provider said stands on its attempt first"):
                becomes(status)
        provider_says("CONFIRMED")
        becomes("SETTLED")
        with refused("what a provider said stands on its attempt first"):
            becomes("APPROVED")
        provider_says("ACCEPTED")
        becomes("APPROVED")
        provider_says("RETURNED")
        becomes("RETURNED")

    @pytest.mark.parametrize("strategy", ["MANUAL_REVIEW", "PENDING"])
    def test_is_not_smuggled_in_by_insert(self, strategy: str, refused: Refused) -> None:
        intent, settlement_id = an_intent(), by_hand.next_settlement_id()
        reference = by_hand.book(settlement_id, Money(700_000, "USD"))
        with refused(NEEDS_APPROVERS):
            by_hand.insert_settlement(
                intent, POD, id=settlement_id, status="APPROVED", strategy=strategy, reference=reference,
                released_at=now(),
            )  # fmt: skip

    def test_before_its_date_is_not_smuggled_in_by_insert(self, refused: Refused) -> None:
        intent, settlement_id = an_intent(), by_hand.next_settlement_id()
        reference = by_hand.book(settlement_id, Money(700_000, "USD"))
        with refused(NEEDS_APPROVERS):
            by_hand.insert_settlement(
                intent, POD, id=settlement_id, status="APPROVED", strategy="DELAYED", reference=reference,
                released_at=now(), settlement_delayed_until=now() + timedelta(seconds=60),
            )  # fmt: skip

    def test_has_a_reference_and_a_date(self, refused: Refused) -> None:
        settlement = waiting()
        approval_row(settlement, a_user())
        with refused("released_has_a_reference_and_a_date"):
            by_hand.release(settlement, released_at=None)


class TestAReleaseEntry:
    def test_is_never_above_the_settlements_amount(self, refused: Refused) -> None:
        settlement = waiting()
        with refused("an entry never moves more than its settlement"):
            by_hand.book(settlement.pk, Money(settlement.amount_minor + 1, "USD"))

    def test_is_never_in_another_currency(self, refused: Refused) -> None:
        settlement = waiting()
        with refused("an entry never moves more than its settlement"):
            by_hand.book(settlement.pk, Money(settlement.amount_minor, "EUR"))

    def test_is_not_committed_for_a_settlement_that_stays_pending(self, refused: Refused) -> None:
        settlement = waiting()
        with refused("money is booked as released only for a settlement that is"):
            by_hand.book(settlement.pk, Money(settlement.amount_minor, "USD"))

    def test_is_not_written_a_second_time(self) -> None:
        settlement = waiting(LOW)
        with pytest.raises(AssertionError, match="stands in its way"):
            by_hand.book(settlement.pk, Money(settlement.amount_minor, "USD"), attempt=2)
