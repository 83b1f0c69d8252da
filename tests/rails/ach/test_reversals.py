"""A payment is taken back only for Nacha's reasons, only in time, and counts as back only when that went through."""

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction

from rails.ach import handling, reversals, words
from rails.ach.configuration import AchConfiguration
from rails.ach.rail import AchRail
from rails.ach.reversals import ReversalRefused
from rails.base import Applied, Notice, RailOutcome
from rails.models import AchEntry, AchFile, AchInboundItem, AchOutcome, AchReversal, ReversalReason
from tests.rails.ach.bank import MONDAY, at_the_bank, days_later, order, paid, payee, sends, taken
from tests.rails.ach.samples import bank_file, returned

pytestmark = pytest.mark.django_db


@pytest.fixture
def officer() -> User:
    return User.objects.create_user("finance1")


def ask(ach: AchConfiguration, officer: User, now: datetime, **others: Any) -> AchReversal:
    return reversals.ask(
        ach,
        AchEntry.objects.get(milestone_id=1, kind="PAYMENT").pk,
        permitted_reason=others.get("permitted_reason", ReversalReason.DUPLICATE),
        reason="Paid twice",
        user=officer,
        actor="finance1",
        now=now,
    )


def hear(now: datetime) -> list[Notice]:
    return list(AchRail().hear(now=now))


def test_a_reversal_goes_out_with_the_next_window(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee(), 700))
    reversal = ask(ach, officer, MONDAY)
    assert str(reversal.last_day) == "2026-12-08"
    hear(days_later(1))
    first, second = (taken(path) for path in at_the_bank(ach))
    payment, back = (next(iter(file.entries()))[1].record for file in (first, second))
    assert second.batches[0].header.trimmed("company_entry_description") == "REVERSAL"
    for name in ("rdfi_identification", "account_number", "amount", "individual_identification", "individual_name"):
        assert payment[name] == back[name]
    assert (payment["transaction_code"], back["transaction_code"]) == ("22", "27")
    offset = list(second.entries())[1][1]
    assert (offset.transaction_code, offset.amount_minor) == ("22", 700)
    reversal.refresh_from_db()
    assert reversal.sent_as is not None
    assert AchFile.objects.get(purpose="REVERSALS").state == "HANDED_OVER"
    hear(days_later(1))
    assert len(at_the_bank(ach)) == 2


def came_back(ach: AchConfiguration, code: str = "R01", name: str = "back.ach") -> None:
    """The receiver's bank returns the reversing entry."""
    trace = AchEntry.objects.get(kind="REVERSAL").trace_number
    sends(ach, bank_file(("CCD", [returned(code, trace=trace, transaction_code="26")])), name)


def test_a_reversal_counts_by_itself_only_when_it_can_not_come_back_any_more(
    ach: AchConfiguration, officer: User
) -> None:
    """Effective on December 2nd: a consumer may object until January 31st, a Sunday; and three banking days more."""
    paid(order(1, payee()))
    ask(ach, officer, MONDAY)
    assert hear(days_later(1)) == []
    file = AchFile.objects.get(purpose="REVERSALS")
    assert (str(file.effective_entry_date), str(words.assumed_on(ach, file))) == ("2026-12-02", "2027-02-04")
    (confirmed,) = hear(days_later(65))
    assert confirmed.outcome is RailOutcome.CONFIRMED
    AchRail().heard([(confirmed, Applied.APPLIED)], now=days_later(65))
    (back,) = hear(days_later(66))
    assert back.outcome is RailOutcome.RECLAIMED
    assert (back.milestone_id, back.attempt_number) == (1, 1)
    assert back.reason == "Reversed: it duplicates another entry"
    assert back.reference_id == AchEntry.objects.get(kind="PAYMENT").trace_number


@pytest.mark.parametrize(("code", "day"), [("R01", 3), ("R29", 4), ("R11", 40), ("R10", 62), ("R31", 65)])
def test_until_then_whatever_comes_back_leaves_the_payment(
    ach: AchConfiguration, officer: User, code: str, day: int
) -> None:
    paid(order(1, payee(), 100))
    ask(ach, officer, MONDAY)
    hear(days_later(1))
    came_back(ach, code)
    assert [notice.outcome for notice in hear(days_later(day))][1:] == []
    assert {notice.outcome for notice in hear(days_later(200))} <= {RailOutcome.CONFIRMED}
    assert AchOutcome.objects.get(entry__kind="REVERSAL").heard_at is not None


def test_a_reversal_that_comes_back_after_it_counted_is_told(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee(), 100))
    ask(ach, officer, MONDAY)
    hear(days_later(1))
    AchRail().heard([(notice, Applied.APPLIED) for notice in hear(days_later(66))], now=days_later(66))
    came_back(ach, "R31")
    (failed,) = hear(days_later(80))
    assert failed.outcome is RailOutcome.RECLAIM_FAILED
    assert (failed.milestone_id, failed.attempt_number) == (1, 1)
    trace = AchEntry.objects.get(kind="REVERSAL").trace_number
    assert failed.reason == f"Reversing entry {trace} came back: R31 Permissible return of a corporate entry"
    item = AchInboundItem.objects.get()
    assert (item.standing, item.waits) == ("APPLIED", True)
    assert "the recipient has it" in item.words


def test_both_are_told_in_their_order_when_nobody_listened_meanwhile(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee(), 100))
    ask(ach, officer, MONDAY)
    hear(days_later(1))
    hear(days_later(66))
    came_back(ach, "R31")
    assert [notice.outcome for notice in hear(days_later(80))] == [
        RailOutcome.CONFIRMED,
        RailOutcome.RECLAIMED,
        RailOutcome.RECLAIM_FAILED,
    ]


class TestTheBanksWordOnAReversal:
    def say(self, ach: AchConfiguration, officer: User, now: datetime, **others: Any) -> AchOutcome:
        return reversals.went_through(
            ach,
            others.get("entry_id") or AchEntry.objects.get(kind="REVERSAL").pk,
            bank_reference=others.get("bank_reference", "ADV 4711"),
            reason="Their bank has debited it, says Jane",
            user=officer,
            actor="finance1",
            now=now,
        )

    @pytest.fixture
    def sent(self, ach: AchConfiguration, officer: User) -> AchEntry:
        paid(order(1, payee(), 100))
        ask(ach, officer, MONDAY)
        hear(days_later(1))
        return AchEntry.objects.get(kind="REVERSAL")

    def test_brings_the_payment_back_under_its_reference(
        self, ach: AchConfiguration, officer: User, sent: AchEntry
    ) -> None:
        self.say(ach, officer, days_later(7))
        (back,) = [notice for notice in hear(days_later(7)) if notice.outcome is not RailOutcome.CONFIRMED]
        assert back.outcome is RailOutcome.RECLAIMED
        assert back.reason == (
            "Reversed: it duplicates another entry. Under ADV 4711: Their bank has debited it, says Jane"
        )
        came_back(ach, "R11")
        assert hear(days_later(30))[-1].outcome is RailOutcome.RECLAIM_FAILED

    def test_is_not_taken_down_while_the_ordinary_returns_may_come(
        self, ach: AchConfiguration, officer: User, sent: AchEntry
    ) -> None:
        """Effective on Wednesday, two banking days are over with Friday."""
        for day in (1, 2, 4, 6):
            with pytest.raises(ReversalRefused, match="from 2026-12-07 on") as refusal:
                self.say(ach, officer, days_later(day))
            assert refusal.value.code == "ach_reversal_too_early"
        self.say(ach, officer, days_later(7))

    def test_is_taken_down_once_and_not_of_what_came_back(
        self, ach: AchConfiguration, officer: User, sent: AchEntry
    ) -> None:
        self.say(ach, officer, days_later(8))
        with pytest.raises(ReversalRefused, match="known already"):
            self.say(ach, officer, days_later(8))

    def test_is_refused_of_what_came_back_by_the_database_too(
        self, ach: AchConfiguration, officer: User, sent: AchEntry
    ) -> None:
        came_back(ach)
        hear(days_later(3))
        with pytest.raises(ReversalRefused, match="known already"):
            self.say(ach, officer, days_later(8))
        with pytest.raises(DatabaseError, match="did not go through"), transaction.atomic():
            AchOutcome.objects.create(entry=sent, fate="CONFIRMED", source="?", occurred_at=MONDAY)

    @pytest.mark.parametrize("reference", ["", "  ", "a\nb", "x" * 71])
    def test_needs_a_reference(self, ach: AchConfiguration, officer: User, sent: AchEntry, reference: str) -> None:
        with pytest.raises(ReversalRefused, match="reference"):
            self.say(ach, officer, days_later(8), bank_reference=reference)

    def test_is_about_reversals_alone(self, ach: AchConfiguration, officer: User, sent: AchEntry) -> None:
        payment = AchEntry.objects.get(kind="PAYMENT")
        with pytest.raises(ReversalRefused, match="no such"):
            self.say(ach, officer, days_later(8), entry_id=payment.pk)
        with pytest.raises(DatabaseError, match="of a reversal alone"), transaction.atomic():
            AchOutcome.objects.create(
                entry=payment,
                fate="CONFIRMED",
                source="?",
                reason="?",
                occurred_at=MONDAY,
                said_by=officer,
                bank_reference="?",
            )


def test_a_reversal_that_came_back_leaves_the_payment(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee(), 100))
    ask(ach, officer, MONDAY)
    hear(days_later(1))
    came_back(ach)
    assert [notice.outcome for notice in hear(days_later(90))] == [RailOutcome.CONFIRMED]
    found = AchInboundItem.objects.get()
    assert (found.standing, found.waits) == ("APPLIED", True)
    assert "could not be taken back" in found.words


def test_a_payment_that_comes_back_meanwhile_is_not_reversed(ach: AchConfiguration, officer: User) -> None:
    (answer,) = paid(order(1, payee(), 100))
    reversal = ask(ach, officer, MONDAY)
    sends(ach, bank_file(("CCD", [returned("R03", trace=answer.reference_id or "")])))
    hear(days_later(0.5))
    hear(days_later(1))
    reversal.refresh_from_db()
    assert reversal.given_up_at is not None
    assert len(at_the_bank(ach)) == 1


def test_a_reversal_is_asked_for_once_and_in_time(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee()))
    with pytest.raises(ReversalRefused, match="by 2026-12-08"):
        ask(ach, officer, days_later(9))
    ask(ach, officer, days_later(7))
    with pytest.raises(ReversalRefused, match="being reversed"):
        ask(ach, officer, days_later(7))


def test_a_reversal_that_missed_its_last_day_is_given_up(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee()))
    reversal = ask(ach, officer, MONDAY)
    hear(days_later(10))
    reversal.refresh_from_db()
    assert reversal.given_up_at is not None
    assert len(at_the_bank(ach)) == 1


def test_what_came_back_or_is_not_there_is_not_reversed(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee()))
    file = AchFile.objects.get()
    handling.refuse_file(file.pk, reason="?", user=officer, actor="finance1", now=MONDAY)
    with pytest.raises(ReversalRefused, match="Only a payment that the bank has"):
        ask(ach, officer, MONDAY)
    with pytest.raises(ReversalRefused, match="no such payment"):
        reversals.ask(
            ach,
            AchEntry.objects.get(kind="OFFSET").pk,
            permitted_reason=ReversalReason.DUPLICATE,
            reason="?",
            user=officer,
            actor="finance1",
            now=MONDAY,
        )


def test_the_database_knows_the_permitted_reasons_too(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee()))
    with pytest.raises(DatabaseError, match="permitted_reason"):
        ask(ach, officer, MONDAY, permitted_reason="BUYERS_REMORSE")


def test_the_database_refuses_to_change_a_reversal(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee()))
    ask(ach, officer, MONDAY)
    with pytest.raises(DatabaseError, match="stays as it was asked for"):
        AchReversal.objects.update(reason="other")


def test_a_refused_file_of_reversals_brings_no_payment_back(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee()))
    ask(ach, officer, MONDAY)
    hear(days_later(1))
    file = AchFile.objects.get(purpose="REVERSALS")
    handling.refuse_file(file.pk, reason="?", user=officer, actor="finance1", now=days_later(1))
    assert [notice.outcome for notice in hear(days_later(90))] == [RailOutcome.CONFIRMED]
    assert AchOutcome.objects.filter(fate="RETURNED", entry__kind="PAYMENT").count() == 0
