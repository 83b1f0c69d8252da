"""A file that was staged and that the outbox then lost: two people say whether the bank has it; nothing goes twice."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, transaction

from rails import handover
from rails.models import (
    FileVerdict,
    Verdict,
)
from settlements import lost_files, submitting
from settlements.lost_files import LostFileRefused
from settlements.models import MilestoneSettlement, OfficeEvent
from settlements.refusals import Refusal
from settlements.statuses import SettlementStatus as S
from tests.factories import a_user, approval_row, now
from tests.flows.lost import WHY, Bank, judged, proven, said, status, work
from tests.flows.lost import bank as bank
from tests.flows.lost import lost as lost
from tests.flows.lost import recipient as recipient
from tests.flows.lost import staged as staged
from tests.flows.resolving import retry

pytestmark = pytest.mark.django_db


def test_a_disk_that_does_not_answer_loses_nothing(bank: Bank, staged: MilestoneSettlement) -> None:
    assert work() == []
    assert bank.submit() == submitting.Report(accepted=1)
    assert len(bank.at_the_bank()) == 1


def test_a_lost_file_is_work_for_people_and_never_made_anew(bank: Bank, lost: MilestoneSettlement) -> None:
    ((name, words),) = work()
    assert (name, words) == (bank.file().name, f"{name} was never staged in this outbox")
    assert bank.submit(bank.next_window) == submitting.Report(unknown=1)
    assert status(lost) == S.RELEASING
    assert bank.at_the_bank() == []


def test_it_goes_on_by_itself_when_the_disk_is_back(bank: Bank, staged: MilestoneSettlement, tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    bank.outbox.rename(aside)
    bank.outbox.mkdir()
    bank.submit()
    assert len(work()) == 1
    shutil.rmtree(bank.outbox)
    aside.rename(bank.outbox)
    assert bank.submit() == submitting.Report(accepted=1)
    assert work() == []
    with pytest.raises(LostFileRefused, match="not lost"):
        said(bank, Verdict.NEVER_SENT)


def test_bytes_that_were_changed_are_not_handed_over(bank: Bank, staged: MilestoneSettlement) -> None:
    path = bank.outbox / handover.STAGING / bank.file().name
    path.write_bytes(path.read_bytes() + b" ")
    bank.submit()
    assert bank.at_the_bank() == []
    assert "was changed after it was staged" in work()[0][1]


def test_what_the_bank_has_counts_as_handed_over(bank: Bank, lost: MilestoneSettlement) -> None:
    verdict = said(bank, Verdict.AT_THE_BANK)
    assert "says that the bank has it" in work()[0][1]
    assert bank.submit() == submitting.Report(unknown=1)
    lost_files.confirm(verdict, reason="asked them myself", user=a_user(), now=now())
    assert work() == []
    assert bank.submit() == submitting.Report(accepted=1)
    assert (status(lost), bank.file().state) == (S.APPROVED, "HANDED_OVER")
    assert bank.at_the_bank() == []
    proven()


def test_what_the_bank_never_got_is_paid_once_after_others_approved_that(bank: Bank, lost: MilestoneSettlement) -> None:
    verdict = judged(bank, Verdict.NEVER_SENT)
    assert bank.submit() == submitting.Report(refused=1)
    assert (status(lost), bank.file().state) == (S.FAILED, "NEVER_SENT")
    assert verdict.confirmed_by is not None
    for who in (verdict.proposed_by, verdict.confirmed_by):
        with pytest.raises(Refusal):
            retry(lost, who)
        with pytest.raises(DatabaseError, match="does not approve its next attempt"), transaction.atomic():
            approval_row(lost, who)
    for _ in range(2 if bank.method == "wire" else 1):
        retry(lost, a_user())
    assert bank.submit(bank.next_window) == submitting.Report(accepted=1)
    assert status(lost) == S.APPROVED
    assert len(bank.at_the_bank()) == 1
    proven()


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize("verdict", Verdict)
def test_a_judged_file_is_not_handed_over_wherever_it_turns_up(
    bank: Bank, staged: MilestoneSettlement, tmp_path: Path, verdict: Verdict, confirmed: bool
) -> None:
    aside = tmp_path / "aside"
    bank.outbox.rename(aside)
    bank.outbox.mkdir()
    bank.submit()
    row = said(bank, verdict)
    bank.look()
    if confirmed:
        lost_files.confirm(row, reason="asked them myself", user=a_user(), now=now())
    shutil.rmtree(bank.outbox)
    aside.rename(bank.outbox)
    for _ in range(2):
        bank.submit()
        bank.hear()
    assert bank.at_the_bank() == []
    if not confirmed:
        lost_files.take_back(row, reason="the disk is back", user=a_user(), now=now())
        bank.submit()
        assert len(bank.at_the_bank()) == 1
        assert status(staged) == S.APPROVED


def test_what_is_left_of_a_judged_file_is_removed(
    bank: Bank, staged: MilestoneSettlement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = tmp_path / "aside"
    bank.outbox.rename(aside)
    bank.outbox.mkdir()
    bank.submit()
    judged(bank, Verdict.NEVER_SENT)
    shutil.rmtree(bank.outbox)
    aside.rename(bank.outbox)
    name = bank.file().name
    assert name in bank.staging()
    bank.submit()
    for _ in range(2 if bank.method == "wire" else 1):
        retry(staged, a_user())
    monkeypatch.setattr(f"rails.{bank.method}.files._ABANDONED_AFTER", timedelta(0))
    bank.submit(bank.next_window)
    assert not [left for left in bank.staging() if left.startswith(name)]
    assert len(bank.at_the_bank()) == 1


def test_one_person_alone_decides_nothing(bank: Bank, lost: MilestoneSettlement) -> None:
    verdict = said(bank, Verdict.NEVER_SENT)
    with pytest.raises(LostFileRefused, match="does not confirm"):
        lost_files.confirm(verdict, reason=WHY, user=verdict.proposed_by, now=now())
    with pytest.raises(LostFileRefused, match="already"):
        said(bank, Verdict.AT_THE_BANK)
    with pytest.raises(DatabaseError), transaction.atomic():
        FileVerdict.objects.update(
            confirmed_by=verdict.proposed_by, confirmed_actor="x", confirmed_reason="y", confirmed_at=now()
        )
    assert bank.submit() == submitting.Report(unknown=1)
    assert status(lost) == S.RELEASING


def test_each_word_on_a_lost_file_is_in_the_offices_chain(bank: Bank, lost: MilestoneSettlement) -> None:
    lost_files.take_back(said(bank, Verdict.AT_THE_BANK), reason="misread it", user=a_user(), now=now())
    judged(bank, Verdict.NEVER_SENT)
    told = list(OfficeEvent.objects.order_by("sequence").values_list("action", "subject", "data__verdict"))
    name = bank.file().name
    assert told == [
        ("lost_file_proposed", name, "AT_THE_BANK"),
        ("lost_file_taken_back", name, "AT_THE_BANK"),
        ("lost_file_proposed", name, "NEVER_SENT"),
        ("lost_file_confirmed", name, "NEVER_SENT"),
    ]
    proven()
