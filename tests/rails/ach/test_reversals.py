"""A payment is taken back only for Nacha's reasons, only in time, and counts as back only when that went through."""

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError

from rails.ach import handling, reversals
from rails.ach.configuration import AchConfiguration
from rails.ach.rail import AchRail
from rails.ach.reversals import ReversalRefused
from rails.base import Notice, RailOutcome
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


def test_a_reversal_that_went_through_brings_the_payment_back(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee()))
    ask(ach, officer, MONDAY)
    assert hear(days_later(1)) == []
    confirmed, back = hear(days_later(9))
    assert confirmed.outcome is RailOutcome.CONFIRMED
    assert back.outcome is RailOutcome.RETURNED
    assert (back.milestone_id, back.attempt_number) == (1, 1)
    assert back.reason == "Reversed: it duplicates another entry"


def test_a_reversal_that_came_back_leaves_the_payment(ach: AchConfiguration, officer: User) -> None:
    paid(order(1, payee(), 100))
    ask(ach, officer, MONDAY)
    hear(days_later(1))
    trace = AchEntry.objects.get(kind="REVERSAL").trace_number
    sends(ach, bank_file(("CCD", [returned("R01", trace=trace, transaction_code="26")])))
    assert [notice.outcome for notice in hear(days_later(9))] == [RailOutcome.CONFIRMED]
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
    assert [notice.outcome for notice in hear(days_later(9))] == [RailOutcome.CONFIRMED]
    assert AchOutcome.objects.filter(fate="RETURNED", entry__kind="PAYMENT").count() == 0
