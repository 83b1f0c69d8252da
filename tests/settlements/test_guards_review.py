"""Direct SQL around the review: above the four-eyes amount, past the risk, by who may not, without a reason."""

from typing import Any

import pytest

from rails import recipients
from rails.money import EXPONENTS, Money
from settlements import four_eyes
from settlements.intents import ScheduleRequest
from settlements.models import Approval, FourEyesLimit, Hold, MilestoneSettlement, PaymentIntent
from settlements.statuses import ScheduleType
from tests.factories import (
    HIGH,
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
NEEDS_TWO = "above the four-eyes amount a settlement needs two approvers"
BLANKS = ["", " ", "\t \n"]


def all_on_pod(amount: Money, **intent: Any) -> PaymentIntent:
    schedule = ScheduleRequest(type=ScheduleType.FULL_ON_POD)
    return an_intent(amount=amount.text, currency=amount.currency, schedule=schedule, **intent)


def waiting(amount: int = 10_000, **intent: Any) -> MilestoneSettlement:
    return settlement_of(an_intent(risk=HIGH, amount=amount, **intent), POD)


class TestAboveTheFourEyesAmount:
    @pytest.mark.parametrize("currency", EXPONENTS)
    def test_a_settlement_is_not_stored_for_one_approver(self, currency: str, refused: Refused, settings: Any) -> None:
        limit = settings.CHAINPAY_FOUR_EYES_ABOVE.get(currency, Money.zero(currency))
        if limit.minor:
            by_hand.insert_settlement(all_on_pod(limit), POD, approvals_required=1)
        above = all_on_pod(Money(limit.minor + 1, currency))
        with refused(NEEDS_TWO):
            by_hand.insert_settlement(above, POD, approvals_required=1)
        by_hand.insert_settlement(above, POD, approvals_required=2)

    def test_a_released_one_is_not_stored_for_one_approver_either(self, refused: Refused) -> None:
        intent, settlement_id = all_on_pod(Money(2_000_000, "USD")), by_hand.next_settlement_id()
        reference = by_hand.book(settlement_id, Money(2_000_000, "USD"))
        columns = {"id": settlement_id, "status": "APPROVED", "reference": reference, "released_at": now()}
        with refused(NEEDS_TWO):
            by_hand.insert_settlement(intent, POD, **columns)

    def test_one_approver_releases_nothing_whatever_else_he_writes(self, refused: Refused) -> None:
        settlement, officer = waiting(20_000), a_user(is_superuser=True)
        approval_row(settlement, officer)
        with refused("the number of approvals required is only ever raised"):
            by_hand.change(settlement, approvals_required=1)
        with refused("never change"):
            by_hand.change(settlement, amount_minor=1)
        with refused("one_approval_per_officer_and_version"):
            approval_row(settlement, officer)
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement)

    def test_an_officer_who_approved_before_and_after_an_edit_is_one(self, refused: Refused) -> None:
        recipient = a_recipient()
        settlement, officer = waiting(20_000, recipient=recipient), a_user()
        approval_row(settlement, officer)
        recipients.put(recipient.recipient_id, "Another Name", actor="test", now=now())
        approval_row(settlement, officer)
        assert Approval.objects.filter(settlement=settlement).count() == 2
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement)
        approval_row(settlement, a_user())
        by_hand.release(settlement)

    def test_a_rejection_is_no_second_approval(self, refused: Refused) -> None:
        settlement = waiting(20_000)
        approval_row(settlement, a_user())
        approval_row(settlement, a_user(), decision="REJECT")
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement)

    def test_an_approver_who_edits_the_recipient_afterwards_has_voided_the_approval(self, refused: Refused) -> None:
        recipient = a_recipient()
        settlement, officer = waiting(recipient=recipient), a_user()
        approval_row(settlement, officer)
        recipients.put(recipient.recipient_id, "My Own Account", actor="test", user=officer, now=now())
        with refused(NEEDS_APPROVERS):
            by_hand.release(settlement)
        with refused("who edited the recipient since its last payment"):
            approval_row(settlement, officer)


class TestTheLimits:
    def test_are_those_of_the_environment(self, settings: Any) -> None:
        nothing = {currency: Money.zero(currency) for currency in EXPONENTS}
        assert four_eyes.in_force() == nothing | settings.CHAINPAY_FOUR_EYES_ABOVE

    def test_change_for_what_comes_after_and_leave_their_history(self, refused: Refused) -> None:
        before = waiting()
        assert before.approvals_required == 1
        new = four_eyes.keep({"USD": Money(100, "USD")}, now=now())
        assert {row.currency: row.above_minor for row in new if row.above_minor} == {"USD": 100}
        assert four_eyes.keep({"USD": Money(100, "USD")}, now=now()) == []
        assert waiting().approvals_required == 2
        assert settlement_of(all_on_pod(Money(100, "USD"), risk=HIGH), POD).approvals_required == 1
        assert settlement_of(all_on_pod(Money(1, "JPY"), risk=HIGH), POD).approvals_required == 2
        assert FourEyesLimit.objects.filter(currency="USD").count() == 2
        approval_row(before, a_user())
        by_hand.release(before)

    def test_are_zero_where_none_was_set(self, behind_the_guards: Sql, refused: Refused) -> None:
        behind_the_guards("DELETE FROM settlements_foureyeslimit")
        assert settlement_of(all_on_pod(Money(1, "USD"), risk=HIGH), POD).approvals_required == 2
        with refused(NEEDS_TWO):
            by_hand.insert_settlement(all_on_pod(Money(1, "USD")), POD)

    @pytest.mark.parametrize(
        ("statement", "words"),
        [
            ("UPDATE settlements_foureyeslimit SET above_minor = 9000000000000", "Cannot update rows"),
            ("DELETE FROM settlements_foureyeslimit", "Cannot delete rows"),
            ("TRUNCATE settlements_foureyeslimit", "Cannot truncate table"),
            ("INSERT INTO settlements_foureyeslimit (currency, above_minor, set_at) VALUES ('USD', -1, now())",
             "limit_is_not_negative"),
        ],
    )  # fmt: skip
    def test_are_only_ever_added_to(self, statement: str, words: str, sql: Sql, refused: Refused) -> None:
        with refused(words):
            sql(statement)


class TestHighRisk:
    @pytest.mark.parametrize("strategy", ["IMMEDIATE", "DELAYED"])
    def test_is_not_released_without_people(self, strategy: str, refused: Refused) -> None:
        with refused("at HIGH risk only people release"):
            by_hand.insert_settlement(an_intent(), POD, risk_tier="HIGH", strategy=strategy)

    @pytest.mark.parametrize("tier", ["LOW", "MEDIUM"])
    def test_of_an_intent_is_not_talked_down(self, tier: str, refused: Refused) -> None:
        intent = an_intent(risk=HIGH)
        with refused("the risk of an intent is the least that its settlements have"):
            by_hand.insert_settlement(intent, POD, risk_tier=tier)
        by_hand.insert_settlement(intent, POD, risk_tier="HIGH", strategy="MANUAL_REVIEW")

    def test_that_came_later_ends_in_review(self, refused: Refused) -> None:
        settlement = settlement_of(an_intent(risk=MEDIUM), PICKUP)
        for strategy in ("IMMEDIATE", "DELAYED"):
            with refused("at HIGH risk only people release"):
                by_hand.change(settlement, risk_tier="HIGH", strategy=strategy)
        by_hand.change(settlement, risk_tier="HIGH", strategy="MANUAL_REVIEW", status="PENDING")


class TestWhoDecides:
    @pytest.mark.parametrize("decision", ["APPROVE", "REJECT"])
    @pytest.mark.parametrize("lacking", ["is_active", "is_staff"])
    def test_is_an_active_member_of_staff(self, lacking: str, decision: str, refused: Refused) -> None:
        settlement, nobody = waiting(), a_user(is_superuser=True, **{lacking: False})
        with refused("an active member of staff decides"):
            approval_row(settlement, nobody, decision=decision)


class TestAReason:
    @pytest.mark.parametrize("reason", BLANKS)
    def test_of_a_decision_says_something(self, reason: str, refused: Refused) -> None:
        settlement, officer = waiting(), a_user()
        with refused("a_decision_has_a_reason"):
            approval_row(settlement, officer, reason=reason)

    @pytest.mark.parametrize("reason", BLANKS)
    def test_of_a_hold_says_something(self, reason: str, refused: Refused) -> None:
        settlement = waiting()
        with refused("a_hold_has_a_reason"):
            _hold(settlement, reason=reason)
        with refused("a_hold_names_who_placed_it"):
            _hold(settlement, placed_by=reason)

    @pytest.mark.parametrize("reason", BLANKS)
    def test_of_lifting_a_hold_says_something(self, reason: str, refused: Refused) -> None:
        settlement = waiting()
        hold = Hold.objects.get(pk=_hold(settlement))
        with refused("lifting_has_a_reason"):
            by_hand.change(hold, lifted_at=now(), lifted_by="user:otto", lift_reason=reason)
        with refused("lifting_has_a_reason"):
            by_hand.change(hold, lifted_at=now(), lifted_by=reason, lift_reason="settled")


def _hold(settlement: MilestoneSettlement, **columns: Any) -> int:
    values = {"reason": "dispute", "placed_by": "user:olga", "placed_at": now(), "lifted_by": "", "lift_reason": ""}
    return by_hand.insert("settlements_hold", settlement_id=settlement.pk, **{**values, **columns})
