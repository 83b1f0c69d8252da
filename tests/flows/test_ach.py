"""ACH from the event to the bank's file, to its silence or its answer; the books say the same at each step."""

import errno
import os
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction

from rails import destinations, handover, ledger, switches
from rails.accounts import AccountCode, AccountKey
from rails.ach import handling, inbox, reversals
from rails.ach.configuration import AchConfiguration
from rails.ach.rail import AchRail
from rails.base import Applied, Instruction, SettlementProvider
from rails.models import AchEntry, AchFile, AchInboundItem, AchOutcome, RailAttempt, Recipient, ReversalReason
from rails.money import Money
from settlements import approvals, submitting, verify
from settlements.models import AuditEvent, MilestoneSettlement
from settlements.refusals import Refusal
from settlements.statuses import SettlementStatus as S
from tests.factories import PICKUP, POD, a_recipient, a_user, an_intent, approval_row, now, settlement_of
from tests.flows.resolving import retry
from tests.rails.ach.bank import MONDAY, at_the_bank, configured, days_later, sends, taken
from tests.rails.ach.samples import RDFI, bank_file, changed, returned

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(tmp_path: Path, settings: Any) -> AchConfiguration:
    settings.ACH = configured(tmp_path)
    configuration: AchConfiguration = settings.ACH
    return configuration


@pytest.fixture
def recipient(bank: AchConfiguration) -> Recipient:
    recipient = a_recipient()
    account = {
        "routing_number": RDFI,
        "account_number": "5512345678",
        "account_type": "checking",
        "holder_name": "Bozza Haulage",
        "sec_code": "CCD",
    }
    destinations.propose(recipient.pk, [destinations.read("ach", account)], actor="test", now=now())
    return recipient


@pytest.fixture
def clerk() -> User:
    return a_user()


def submit(at: datetime = MONDAY) -> submitting.Report:
    return submitting.submit(AchRail(), clock=lambda: at)


def hear(at: datetime) -> dict[Applied, int]:
    return submitting.hear(AchRail(), clock=lambda: at)


def releasing(recipient: Recipient, event: str = POD) -> MilestoneSettlement:
    settlement = settlement_of(an_intent(recipient=recipient, payment_method="ach"), event)
    assert settlement.status == S.RELEASING
    return settlement


def sent(recipient: Recipient) -> MilestoneSettlement:
    settlement = releasing(recipient)
    assert submit() == submitting.Report(accepted=1)
    settlement.refresh_from_db()
    assert settlement.status == S.APPROVED
    return settlement


def status(settlement: MilestoneSettlement) -> str:
    settlement.refresh_from_db()
    return settlement.status


def balance(code: AccountCode) -> Money:
    return ledger.balance(AccountKey(code, "USD"))


def proven() -> None:
    for _ in verify.everything():
        pass


def test_it_waits_for_the_cut_off_and_goes_out_in_one_file(bank: AchConfiguration, recipient: Recipient) -> None:
    early = [releasing(recipient) for _ in range(3)]
    assert submit(days_later(-0.5)) == submitting.Report()
    assert at_the_bank(bank) == []
    assert submit() == submitting.Report(accepted=3)
    (path,) = at_the_bank(bank)
    file = taken(path)
    assert file.totals.credits_minor == 3 * 700_000
    references = {
        settlement.reference for settlement in MilestoneSettlement.objects.filter(pk__in=[s.pk for s in early])
    }
    assert references <= {entry.record["trace_number"] for _, entry in file.entries()}
    assert balance(AccountCode.ACH_CLEARING) == Money(2_100_000, "USD")
    assert balance(AccountCode.BANK_ACCOUNT) == Money(-2_100_000, "USD")
    proven()


def test_what_comes_after_the_file_waits_untouched(bank: AchConfiguration, recipient: Recipient) -> None:
    sent(recipient)
    late = releasing(recipient)
    assert submit() == submitting.Report()
    attempt = RailAttempt.objects.get(milestone_id=late.pk)
    assert (attempt.state, attempt.tries) == ("PREPARED", 0)
    assert submit(days_later(1)) == submitting.Report(accepted=1)


def test_silence_settles_it_and_empties_the_clearing_account(bank: AchConfiguration, recipient: Recipient) -> None:
    settlement = sent(recipient)
    hear(days_later(3))
    assert status(settlement) == S.APPROVED
    assert hear(days_later(4)) == {Applied.APPLIED: 1}
    assert status(settlement) == S.SETTLED
    assert balance(AccountCode.ACH_CLEARING) == Money(0, "USD")
    assert hear(days_later(5)) == {}
    proven()


def test_a_return_brings_it_back_before_it_settled(bank: AchConfiguration, recipient: Recipient) -> None:
    settlement = sent(recipient)
    sends(bank, bank_file(("CCD", [returned("R03", trace=settlement.reference or "", amount_minor=700_000)])))
    assert hear(days_later(2)) == {Applied.APPLIED: 1}
    assert status(settlement) == S.RETURNED
    event = AuditEvent.objects.filter(settlement_id=settlement.pk).latest("id")
    assert event.reason == "R03 No account or unable to locate account"
    assert balance(AccountCode.ACH_CLEARING) == balance(AccountCode.BANK_ACCOUNT) == Money(0, "USD")
    assert hear(days_later(9)) == {}
    assert status(settlement) == S.RETURNED
    proven()


def test_a_return_brings_it_back_after_it_settled(bank: AchConfiguration, recipient: Recipient) -> None:
    settlement = sent(recipient)
    hear(days_later(4))
    assert status(settlement) == S.SETTLED
    sends(bank, bank_file(("CCD", [returned("R10", trace=settlement.reference or "", amount_minor=700_000)])))
    assert hear(days_later(50)) == {Applied.APPLIED: 1}
    assert status(settlement) == S.RETURNED
    assert balance(AccountCode.ACH_CLEARING) == balance(AccountCode.BANK_ACCOUNT) == Money(0, "USD")
    proven()


def test_a_return_that_came_before_the_answer_was_recorded_is_taken_down_too(
    bank: AchConfiguration, recipient: Recipient
) -> None:
    settlement = releasing(recipient)
    attempt = RailAttempt.objects.get(milestone_id=settlement.pk)
    RailAttempt.objects.update(state="SUBMITTED", submitted_at=now(), tries=1, leased_until=now())
    AchRail().process_settlements(
        [
            Instruction(
                milestone_id=settlement.pk,
                amount=Money(attempt.amount_minor, "USD"),
                recipient_id=recipient.pk,
                destination_id=attempt.destination_id,
            )
        ],
        now=MONDAY,
    )
    trace = AchEntry.objects.get(milestone_id=settlement.pk).trace_number
    sends(bank, bank_file(("CCD", [returned("R03", trace=trace, amount_minor=700_000)])))
    assert hear(days_later(2)) == {Applied.APPLIED: 1}
    assert status(settlement) == S.RETURNED
    submit(days_later(2))
    assert status(settlement) == S.RETURNED
    proven()


def test_after_a_return_people_may_pay_again_to_an_account_that_is_right(
    bank: AchConfiguration, recipient: Recipient
) -> None:
    settlement = sent(recipient)
    sends(bank, bank_file(("CCD", [returned("R06", trace=settlement.reference or "", amount_minor=700_000)])))
    hear(days_later(2))
    assert AchOutcome.objects.get().reason == "R06 Returned at the request of our bank"
    assert destinations.usable(recipient.pk, "ach") is not None


def test_a_notification_of_change_stops_the_next_payment(bank: AchConfiguration, recipient: Recipient) -> None:
    settlement = sent(recipient)
    waits = releasing(recipient)
    sends(bank, bank_file(("COR", [changed("C01", "9988776655", trace=settlement.reference or "")])))
    hear(days_later(1))
    assert submit(days_later(1)) == submitting.Report()
    assert status(waits) == S.RELEASING
    assert status(settlement) == S.APPROVED
    assert settlement_of(an_intent(recipient=recipient, payment_method="ach"), PICKUP).status == S.DELAYED


def test_a_file_that_the_bank_refused_brings_all_back(
    bank: AchConfiguration, recipient: Recipient, clerk: User
) -> None:
    settlements = [releasing(recipient) for _ in range(3)]
    submit()
    handling.refuse_file(AchFile.objects.get().pk, reason="Wrong origin", user=clerk, actor="user:c", now=MONDAY)
    assert hear(MONDAY) == {Applied.APPLIED: 3}
    assert {status(settlement) for settlement in settlements} == {S.RETURNED}
    assert balance(AccountCode.ACH_CLEARING) == balance(AccountCode.BANK_ACCOUNT) == Money(0, "USD")
    proven()


def test_whoever_refused_the_file_does_not_approve_the_next(
    bank: AchConfiguration, recipient: Recipient, clerk: User
) -> None:
    settlement = sent(recipient)
    handling.refuse_file(AchFile.objects.get().pk, reason="Wrong origin", user=clerk, actor="user:c", now=MONDAY)
    assert hear(MONDAY) == {Applied.APPLIED: 1}
    with pytest.raises(approvals.NotIndependent):
        retry(settlement, clerk)
    with pytest.raises(DatabaseError, match="does not approve its next"), transaction.atomic():
        approval_row(settlement, clerk)


def test_whoever_uploaded_the_return_does_not_approve_the_next(
    bank: AchConfiguration, recipient: Recipient, clerk: User
) -> None:
    settlement = sent(recipient)
    content = bank_file(("CCD", [returned("R03", trace=settlement.reference or "", amount_minor=700_000)]))
    inbox.upload(bank, name="mail.ach", content=content, user=clerk, actor="user:c", reason="mail", now=days_later(2))
    assert hear(days_later(2)) == {Applied.APPLIED: 1}
    with pytest.raises(approvals.NotIndependent):
        retry(settlement, clerk)
    with pytest.raises(DatabaseError, match="does not approve its next"), transaction.atomic():
        approval_row(settlement, clerk)


def test_a_reversal_that_went_through_brings_it_back(bank: AchConfiguration, recipient: Recipient, clerk: User) -> None:
    settlement = sent(recipient)
    reversals.ask(
        bank,
        AchEntry.objects.get(milestone_id=settlement.pk).pk,
        permitted_reason=ReversalReason.WRONG_AMOUNT,
        reason="Typed wrongly",
        user=clerk,
        actor="user:c",
        now=MONDAY,
    )
    hear(days_later(1))
    assert status(settlement) == S.APPROVED
    hear(days_later(90))
    assert status(settlement) == S.RETURNED
    assert len(at_the_bank(bank)) == 2
    proven()


def test_whoever_dealt_with_the_return_does_not_approve_the_next(
    bank: AchConfiguration, recipient: Recipient, clerk: User
) -> None:
    settlement = sent(recipient)
    late = returned("R03", trace=settlement.reference or "", amount_minor=700_000)
    sends(bank, bank_file(("CCD", [late])))
    hear(days_later(30))
    item = AchInboundItem.objects.get(waits=True)
    handling.deal_with(item.pk, reason="Our bank dishonored it", user=clerk, actor="user:c", now=days_later(31))
    assert status(settlement) == S.RETURNED
    with pytest.raises(approvals.NotIndependent):
        retry(settlement, clerk)
    with pytest.raises(DatabaseError, match="does not approve its next"), transaction.atomic():
        approval_row(settlement, clerk)


def test_whoever_dealt_with_a_notification_of_change_may_approve_the_next(
    bank: AchConfiguration, recipient: Recipient, clerk: User
) -> None:
    settlement = sent(recipient)
    trace = settlement.reference or ""
    sends(bank, bank_file(("COR", [changed("C08", "99887766", trace=trace)])), "changes.ach")
    sends(bank, bank_file(("CCD", [returned("R06", trace=trace, amount_minor=700_000)])))
    hear(days_later(1))
    item = AchInboundItem.objects.get(kind="CHANGE")
    handling.deal_with(item.pk, reason="It asks for nothing", user=clerk, actor="user:c", now=days_later(1))
    assert "on its way" in retry(settlement, clerk)


def test_whoever_asked_for_the_reversal_does_not_approve_the_next(
    bank: AchConfiguration, recipient: Recipient, clerk: User
) -> None:
    settlement = sent(recipient)
    reversals.ask(
        bank,
        AchEntry.objects.get(milestone_id=settlement.pk, kind="PAYMENT").pk,
        permitted_reason=ReversalReason.WRONG_AMOUNT,
        reason="Typed wrongly",
        user=clerk,
        actor="user:c",
        now=MONDAY,
    )
    hear(days_later(1))
    hear(days_later(90))
    assert status(settlement) == S.RETURNED
    with pytest.raises(approvals.NotIndependent):
        retry(settlement, clerk)
    with pytest.raises(DatabaseError, match="does not approve its next"), transaction.atomic():
        approval_row(settlement, clerk)
    assert "on its way" in retry(settlement, a_user())


def test_a_full_disk_is_told_with_what_waits_and_nothing_is_lost(
    bank: AchConfiguration, recipient: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    releasing(recipient)
    with monkeypatch.context() as full:
        full.setattr(handover, "_write", no_space)
        assert submit() == submitting.Report(not_yet=1)
    attempt = RailAttempt.objects.get()
    assert (attempt.state, attempt.submitted_at) == ("PREPARED", None)
    assert "No space left on device" in attempt.error
    assert not AchFile.objects.exists()
    RailAttempt.objects.update(leased_until=None)
    assert submit() == submitting.Report(accepted=1)
    assert len(at_the_bank(bank)) == 1
    proven()


def no_space(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_ach_pays_dollars_alone(bank: AchConfiguration, recipient: Recipient) -> None:
    with pytest.raises((Refusal, ValueError), match="USD"):
        an_intent(recipient=recipient, payment_method="ach", currency="EUR")


def test_the_switch_holds_it_back_and_lets_it_go(bank: AchConfiguration, recipient: Recipient) -> None:
    waits = releasing(recipient)
    switches.turn_off(provider=SettlementProvider.ACH, reason="audit", actor="test", now=now())
    assert submit() == submitting.Report()
    switches.turn_on(provider=SettlementProvider.ACH, reason="done", actor="test", now=now())
    assert submit() == submitting.Report(accepted=1)
    assert status(waits) == S.APPROVED


def test_a_same_day_window_is_none_for_what_is_too_large(
    bank: AchConfiguration, recipient: Recipient, settings: Any
) -> None:
    table = replace(bank.timetable, same_day_cut_offs=(time(10),))
    settings.ACH = replace(bank, timetable=table, same_day_limit=Money(1_000_00, "USD"))
    morning = MONDAY.replace(hour=15)
    large = releasing(recipient)
    assert submit(morning) == submitting.Report()
    assert RailAttempt.objects.get(milestone_id=large.pk).tries == 0
    assert submit() == submitting.Report(accepted=1)
