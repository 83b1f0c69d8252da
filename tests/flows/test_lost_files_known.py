"""What is known of a lost file bars what people may say of it, and what they said bars what may become of it."""

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from rails import handover, staged_files, switches
from rails.ach import reversals
from rails.base import SettlementProvider
from rails.models import (
    AchEntry,
    AchFile,
    AchOutcome,
    FileVerdict,
    RailAttempt,
    Recipient,
    ReversalReason,
    Verdict,
    WireEntry,
)
from settlements import lost_files, submitting, wires
from settlements.lost_files import LostFileRefused
from settlements.models import MilestoneSettlement, OfficeEvent
from settlements.reasons import ReasonRefused
from settlements.refusals import Refusal
from settlements.statuses import SettlementStatus as S
from settlements.wires import WireWordRefused
from tests.factories import POD, a_user, an_intent, now, settlement_of
from tests.flows.conftest import at_once
from tests.flows.lost import WHY, Bank, by_another, dies, evidence, judged, proven, said, status
from tests.flows.lost import bank as bank
from tests.flows.lost import lost as lost
from tests.flows.lost import recipient as recipient
from tests.flows.lost import staged as staged
from tests.flows.resolving import retry
from tests.rails.ach import bank as ach_bank
from tests.rails.ach.samples import bank_file, returned

pytestmark = pytest.mark.django_db


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


@pytest.mark.parametrize("bank", ["ach"], indirect=True)
def test_a_return_of_a_lost_files_payment_waits_and_stops_no_other_file_from_settling(
    bank: Bank, lost: MilestoneSettlement, recipient: Recipient, settings: Any
) -> None:
    later = settlement_of(an_intent(recipient=recipient, payment_method="ach"), POD)
    bank.submit(bank.next_window)
    assert status(later) == S.APPROVED
    said(bank, Verdict.NEVER_SENT)
    trace = AchFile.objects.order_by("pk")[0].entries.get(kind="PAYMENT").trace_number
    ach_bank.sends(settings.ACH, bank_file(("CCD", [returned("R01", trace=trace, amount_minor=700_000)])))
    bank.hear(ach_bank.days_later(8))
    assert (status(later), status(lost)) == (S.SETTLED, S.RELEASING)
    row = FileVerdict.objects.get()
    with pytest.raises(LostFileRefused, match="a file of the bank answers it"):
        lost_files.confirm(row, reason=WHY, user=a_user(), now=now())
    with pytest.raises(DatabaseError, match="was not never sent"), transaction.atomic():
        by_another(row)
    lost_files.take_back(row, reason="they have it", user=a_user(), now=now())
    with pytest.raises(LostFileRefused, match="a file of the bank answers it"):
        said(bank, Verdict.NEVER_SENT)
    judged(bank, Verdict.AT_THE_BANK)
    bank.hear(ach_bank.days_later(8))
    bank.submit(ach_bank.days_later(8))
    bank.hear(ach_bank.days_later(8))
    assert status(lost) == S.RETURNED
    assert AchOutcome.objects.filter(fate="RETURNED").count() == 1
    proven()


def test_never_sent_is_not_confirmed_before_a_worker_looked_into_the_outbox(
    bank: Bank, lost: MilestoneSettlement
) -> None:
    row = said(bank, Verdict.NEVER_SENT)
    with pytest.raises(LostFileRefused, match="No worker has looked"):
        lost_files.confirm(row, reason=WHY, user=a_user(), now=now())
    with pytest.raises(DatabaseError, match="never_sent_is_confirmed_after_a_look"), transaction.atomic():
        by_another(row, looked_at=None)
    bank.hear()
    lost_files.confirm(row, reason=WHY, user=a_user(), now=now())
    assert bank.file().state == "NEVER_SENT"


@pytest.mark.parametrize("rail_is_on", [True, False])
def test_an_outbox_that_comes_back_and_knows_that_the_file_left_it_is_believed(
    bank: Bank, staged: MilestoneSettlement, tmp_path: Path, rail_is_on: bool
) -> None:
    """Handed over, killed before the commit; the disk is away when people judge, and back before they are done."""
    handover.hand_over(bank.outbox, bank.file().name, bank.file().sha256)
    aside = tmp_path / "aside"
    bank.outbox.rename(aside)
    bank.outbox.mkdir()
    bank.submit()
    row = said(bank, Verdict.NEVER_SENT)
    shutil.rmtree(bank.outbox)
    aside.rename(bank.outbox)
    if not rail_is_on:
        provider = SettlementProvider(bank.method.upper())
        switches.turn_off(provider=provider, reason=WHY, actor="user:a", now=now())
    bank.hear()
    with pytest.raises(LostFileRefused, match="the file had left it"):
        lost_files.confirm(row, reason=WHY, user=a_user(), now=now())
    lost_files.take_back(row, reason="it was sent", user=a_user(), now=now())
    if rail_is_on:
        assert bank.submit() == submitting.Report(accepted=1)
        assert (status(staged), len(bank.at_the_bank())) == (S.APPROVED, 1)


@pytest.mark.parametrize("bank", ["wire"], indirect=True)
def test_a_wire_that_the_bank_speaks_of_was_sent(bank: Bank, lost: MilestoneSettlement) -> None:
    evidence(bank)
    with pytest.raises(LostFileRefused, match="a file of the bank speaks of its wire"):
        said(bank, Verdict.NEVER_SENT)
    with pytest.raises(DatabaseError, match="was not never sent"), transaction.atomic():
        FileVerdict.objects.create(
            wire_file_id=bank.file().pk, verdict="NEVER_SENT", reason=WHY, proposed_by=a_user(), proposed_actor="a"
        )


@pytest.mark.parametrize("bank", ["wire"], indirect=True)
def test_a_wire_that_was_paid_after_all_is_on_record_and_is_not_paid_again(
    bank: Bank, lost: MilestoneSettlement
) -> None:
    judged(bank, Verdict.NEVER_SENT)
    bank.submit()
    assert status(lost) == S.FAILED
    entry = WireEntry.objects.get()
    with pytest.raises(WireWordRefused, match="nothing to refuse"):
        wires.refuse(entry.pk, bank_reference="IMAD-1", reason=WHY, user=a_user(), now=now())
    wires.confirm(entry.pk, bank_reference="IMAD-2", reason="their statement shows it", user=a_user(), now=now())
    with pytest.raises(Refusal):
        retry(lost, a_user())
    assert bank.submit(bank.next_window) == submitting.Report()
    assert RailAttempt.objects.count() == 1
    assert status(lost) == S.FAILED
    proven()


@pytest.mark.parametrize("bank", ["ach"], indirect=True)
def test_what_counts_as_never_sent_does_not_arrive(bank: Bank, lost: MilestoneSettlement) -> None:
    judged(bank, Verdict.NEVER_SENT)
    with pytest.raises(DatabaseError, match="does not arrive"), transaction.atomic():
        AchOutcome.objects.create(
            entry=AchEntry.objects.get(kind="PAYMENT"), fate="CONFIRMED", source="x", occurred_at=now()
        )


@pytest.mark.parametrize("bank", ["ach"], indirect=True)
def test_the_silence_about_a_file_that_was_judged_late_counts_from_then(bank: Bank, lost: MilestoneSettlement) -> None:
    late = ach_bank.days_later(30)
    row = said(bank, Verdict.AT_THE_BANK)
    lost_files.confirm(row, reason=WHY, user=a_user(), now=late)
    bank.submit(late)
    bank.hear(late)
    assert status(lost) == S.APPROVED
    bank.hear(ach_bank.days_later(37))
    assert status(lost) == S.SETTLED


@pytest.mark.parametrize("bank", ["ach"], indirect=True)
def test_a_reversal_in_a_file_that_was_never_sent_comes_to_nothing(
    bank: Bank, recipient: Recipient, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settlement = settlement_of(an_intent(recipient=recipient, payment_method="ach"), POD)
    assert bank.submit() == submitting.Report(accepted=1)
    payment = AchEntry.objects.get(kind="PAYMENT")
    reversals.ask(
        settings.ACH,
        payment.pk,
        permitted_reason=ReversalReason.DUPLICATE,
        reason=WHY,
        user=a_user(),
        actor="user:a",
        now=bank.monday,
    )
    with monkeypatch.context() as dying:
        dying.setattr(handover, "hand_over", dies)
        bank.hear(bank.next_window)
    bank.lose()
    bank.hear(bank.next_window)
    file = AchFile.objects.get(purpose="REVERSALS")
    row = lost_files.propose(file, Verdict.NEVER_SENT, reason=WHY, user=a_user(), now=now())
    bank.hear(bank.next_window)
    lost_files.confirm(row, reason=WHY, user=a_user(), now=now())
    bank.hear(bank.next_window)
    outcome = AchOutcome.objects.get(entry__kind="REVERSAL")
    assert (outcome.fate, outcome.reason, outcome.heard_at is not None) == (
        "RETURNED", "The file never reached the bank", True,
    )  # fmt: skip
    bank.hear(ach_bank.days_later(10))
    assert status(settlement) == S.SETTLED
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
