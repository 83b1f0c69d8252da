"""A file that was staged and that the outbox then lost: two people say whether the bank has it; nothing goes twice."""

import shutil
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from rails import destinations, handover, staged_files
from rails.ach.rail import AchRail
from rails.base import RemoteRail
from rails.models import AchFile, AchOutcome, FileVerdict, RailAttempt, Recipient, Verdict, WireFile
from rails.staged_files import StagedFile
from rails.wire.rail import WireRail
from settlements import bank_work, lost_files, submitting, verify
from settlements.lost_files import LostFileRefused
from settlements.models import MilestoneSettlement, OfficeEvent
from settlements.reasons import ReasonRefused
from settlements.refusals import Refusal
from settlements.statuses import BankWorkKind
from settlements.statuses import SettlementStatus as S
from tests.factories import POD, a_recipient, a_user, an_intent, approval_row, approve, now, settlement_of
from tests.flows.conftest import at_once
from tests.flows.resolving import retry
from tests.rails.ach import bank as ach_bank
from tests.rails.ach.samples import RDFI, bank_file, returned
from tests.rails.wire import bank as wire_bank

pytestmark = pytest.mark.django_db
WHY = "their desk looked for it by name and total"


@dataclass(frozen=True)
class Bank:
    """A rail that pays by files, with a directory of its own."""

    rail: RemoteRail
    outbox: Path
    method: str
    account: dict[str, str]
    monday: datetime
    next_window: datetime

    def submit(self, at: datetime | None = None) -> submitting.Report:
        wake()
        return submitting.submit(self.rail, clock=lambda: at or self.monday)

    def hear(self, at: datetime | None = None) -> None:
        submitting.hear(self.rail, clock=lambda: at or self.monday)

    def file(self) -> StagedFile:
        model: Any = AchFile if self.method == "ach" else WireFile
        row: StagedFile = model.objects.order_by("pk")[0]
        return row

    def at_the_bank(self) -> list[Path]:
        return sorted(path for path in self.outbox.iterdir() if not path.name.startswith("."))

    def staging(self) -> list[str]:
        place = self.outbox / handover.STAGING
        return sorted(path.name for path in place.iterdir()) if place.exists() else []

    def lose(self) -> None:
        """Another, empty disk is mounted in the outbox's place."""
        shutil.rmtree(self.outbox)
        self.outbox.mkdir()


@pytest.fixture(params=["ach", "wire"])
def bank(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Bank:
    if request.param == "ach":
        settings.ACH = ach_bank.configured(tmp_path)
        return Bank(
            rail=AchRail(),
            outbox=settings.ACH.outbox,
            method="ach",
            account={
                "routing_number": RDFI,
                "account_number": "5512345678",
                "account_type": "checking",
                "holder_name": "Bozza Haulage",
                "sec_code": "CCD",
            },
            monday=ach_bank.MONDAY,
            next_window=ach_bank.days_later(1),
        )
    settings.WIRE = wire_bank.configured(tmp_path)
    return Bank(
        rail=WireRail(),
        outbox=settings.WIRE.outbox,
        method="wire",
        account={**wire_bank.CREDITOR, **wire_bank.IBAN},
        monday=wire_bank.MONDAY,
        next_window=wire_bank.next_day(),
    )


@pytest.fixture
def recipient(bank: Bank) -> Recipient:
    recipient = a_recipient()
    destinations.propose(recipient.pk, [destinations.read(bank.method, bank.account)], actor="test", now=now())
    return recipient


@pytest.fixture
def staged(bank: Bank, recipient: Recipient, monkeypatch: pytest.MonkeyPatch) -> MilestoneSettlement:
    """A payment whose file lies staged when the process dies."""
    settlement = settlement_of(an_intent(recipient=recipient, payment_method=bank.method), POD)
    if bank.method == "wire":
        for _ in range(2):
            approve(settlement, a_user())
    with monkeypatch.context() as dying:
        dying.setattr(handover, "hand_over", _dies)
        assert bank.submit() == submitting.Report(unknown=1)
    return settlement


@pytest.fixture
def lost(bank: Bank, staged: MilestoneSettlement) -> MilestoneSettlement:
    bank.lose()
    assert bank.submit() == submitting.Report(unknown=1)
    return staged


def _dies(*_: Any) -> None:
    raise handover.OutboxUnusable("the disk does not answer")


def wake() -> None:
    """What rests between two tries is due again."""
    RailAttempt.objects.filter(state="SUBMITTED").update(leased_until=None)


def status(settlement: MilestoneSettlement) -> str:
    settlement.refresh_from_db()
    return settlement.status


def said(bank: Bank, verdict: Verdict, reference: str = "") -> FileVerdict:
    given = reference or ("BANK-77" if verdict is Verdict.AT_THE_BANK else "")
    return lost_files.propose(bank.file(), verdict, bank_reference=given, reason=WHY, user=a_user(), now=now())


def judged(bank: Bank, verdict: Verdict) -> FileVerdict:
    return lost_files.confirm(said(bank, verdict), reason="asked them myself", user=a_user(), now=now())


def by_another(row: FileVerdict) -> None:
    """The second person, past the domain."""
    others = {"confirmed_actor": "user:b", "confirmed_reason": "so", "confirmed_at": now()}
    FileVerdict.objects.filter(pk=row.pk).update(confirmed_by=a_user(), **others)


def proven() -> None:
    for _ in verify.everything():
        pass


def work() -> list[tuple[str, str]]:
    return [(item.name, item.words) for item in bank_work.listed()[1] if item.kind is BankWorkKind.LOST]


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


@pytest.mark.parametrize("state", ["NEVER_SENT", "HANDED_OVER"])
@pytest.mark.parametrize("by_two", [False, True])
@pytest.mark.parametrize("verdict", [None, *Verdict])
def test_the_database_lets_a_lost_file_go_only_as_two_people_say(
    bank: Bank, lost: MilestoneSettlement, state: str, by_two: bool, verdict: Verdict | None
) -> None:
    file, moved = bank.file(), {"state": state, "handed_over_at": now() if state == "HANDED_OVER" else None}
    says = {Verdict.AT_THE_BANK: "HANDED_OVER", Verdict.NEVER_SENT: "NEVER_SENT"}
    may = (says[verdict] == state and by_two) if verdict is not None else state == "HANDED_OVER"
    rows: Any = type(file).objects.filter(pk=file.pk)
    with transaction.atomic():
        if verdict is not None:
            row = said(bank, verdict)
            if by_two:
                by_another(row)
        if may:
            rows.update(**moved)
        else:
            with pytest.raises(DatabaseError), transaction.atomic():
                rows.update(**moved)
        transaction.set_rollback(True)


def test_a_confirmed_verdict_without_its_file_is_refused_at_the_end_of_the_transaction(
    bank: Bank, lost: MilestoneSettlement
) -> None:
    row = said(bank, Verdict.NEVER_SENT)
    with transaction.atomic(), connection.cursor() as cursor:
        by_another(row)
        with pytest.raises(DatabaseError, match="the file follows it"):
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    "change",
    [
        {"reason": " "},
        {"proposed_actor": ""},
        {"verdict": "PERHAPS"},
        {"verdict": "AT_THE_BANK", "bank_reference": " "},
        {"ach_file": None, "wire_file": None},
        {"confirmed_at": now()},
    ],
)
def test_a_verdict_without_who_what_or_why_is_refused_by_the_database(
    bank: Bank, lost: MilestoneSettlement, change: dict[str, Any]
) -> None:
    of: dict[str, Any] = {f"{bank.method}_file": bank.file()}
    whole = {"verdict": "NEVER_SENT", "reason": WHY, "proposed_by": a_user(), "proposed_actor": "user:a", **of}
    with pytest.raises(DatabaseError), transaction.atomic():
        FileVerdict.objects.create(**{**whole, **change})
    FileVerdict.objects.create(**whole)


def test_a_verdict_stays_as_it_was_written(bank: Bank, lost: MilestoneSettlement) -> None:
    row = judged(bank, Verdict.NEVER_SENT)
    for change in ({"reason": "another"}, {"confirmed_reason": "another"}, {"verdict": "AT_THE_BANK"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            FileVerdict.objects.update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        row.delete()
    with pytest.raises(LostFileRefused, match="already"):
        lost_files.take_back(row, reason="no", user=a_user(), now=now())


@pytest.mark.parametrize("reference", ["", " ", "a\nb", "x" * 71])
def test_that_the_bank_has_it_needs_its_reference(bank: Bank, lost: MilestoneSettlement, reference: str) -> None:
    with pytest.raises(LostFileRefused) as refused:
        lost_files.propose(
            bank.file(), Verdict.AT_THE_BANK, bank_reference=reference, reason=WHY, user=a_user(), now=now()
        )
    assert refused.value.field == "bank_reference"
    with pytest.raises(ReasonRefused):
        lost_files.propose(bank.file(), Verdict.NEVER_SENT, reason=" ", user=a_user(), now=now())
    assert not OfficeEvent.objects.exists()


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


@pytest.mark.parametrize("bank", ["ach"], indirect=True)
def test_a_return_of_a_lost_files_payment_waits_and_stops_no_other_file_from_settling(
    bank: Bank, lost: MilestoneSettlement, recipient: Recipient, settings: Any
) -> None:
    later = settlement_of(an_intent(recipient=recipient, payment_method="ach"), POD)
    bank.submit(bank.next_window)
    assert status(later) == S.APPROVED
    trace = AchFile.objects.order_by("pk")[0].entries.get(kind="PAYMENT").trace_number
    ach_bank.sends(settings.ACH, bank_file(("CCD", [returned("R01", trace=trace, amount_minor=700_000)])))
    bank.hear(ach_bank.days_later(8))
    assert (status(later), status(lost)) == (S.SETTLED, S.RELEASING)
    judged(bank, Verdict.AT_THE_BANK)
    bank.hear(ach_bank.days_later(8))
    bank.submit(ach_bank.days_later(8))
    bank.hear(ach_bank.days_later(8))
    assert status(lost) == S.RETURNED
    assert AchOutcome.objects.filter(fate="RETURNED").count() == 1
    proven()


@pytest.mark.django_db(transaction=True)
def test_a_verdict_waits_for_a_hand_over_that_is_under_way(
    bank: Bank, lost: MilestoneSettlement, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever moves the file holds its row, so nobody says meanwhile that it never went."""
    moving, go_on, users = threading.Event(), threading.Event(), a_user()

    def slowly(*_: Any) -> handover.Handed:
        moving.set()
        assert go_on.wait(20)
        return handover.Handed.NOW

    def hand_over() -> str:
        staged_files.finish(bank.file(), bank.outbox, now=now())
        return ""

    def judge() -> str:
        assert moving.wait(20)
        threading.Timer(0.3, go_on.set).start()
        try:
            lost_files.propose(bank.file(), Verdict.NEVER_SENT, reason=WHY, user=users, now=now())
        except LostFileRefused as refused:
            return refused.detail
        return "taken down"

    monkeypatch.setattr(handover, "hand_over", slowly)
    assert at_once([hand_over, judge])[1] == "The file is not lost: nobody has to judge it."
    assert bank.file().state == "HANDED_OVER"
    assert not FileVerdict.objects.exists()
