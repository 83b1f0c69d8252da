"""A file that lies staged when its outbox is lost, by ACH and by wire, and what people say of it."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rails import destinations, handover, staged_files
from rails.ach.rail import AchRail
from rails.base import RemoteRail
from rails.models import (
    AchFile,
    FileVerdict,
    RailAttempt,
    Recipient,
    Verdict,
    WireEntry,
    WireEvidence,
    WireFile,
    WireMessage,
)
from rails.staged_files import StagedFile
from rails.wire.rail import WireRail
from settlements import bank_work, lost_files, submitting, verify
from settlements.models import MilestoneSettlement
from settlements.statuses import BankWorkKind
from tests.factories import POD, a_recipient, a_user, an_intent, approve, now, settlement_of
from tests.rails.ach import bank as ach_bank
from tests.rails.ach.samples import RDFI
from tests.rails.wire import bank as wire_bank

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

    def look(self) -> None:
        """A worker comes to the file once more."""
        with suppress(handover.HandOverError):
            staged_files.finish(self.file(), self.outbox, now=now())

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
        dying.setattr(handover, "hand_over", dies)
        assert bank.submit() == submitting.Report(unknown=1)
    return settlement


@pytest.fixture
def lost(bank: Bank, staged: MilestoneSettlement) -> MilestoneSettlement:
    bank.lose()
    assert bank.submit() == submitting.Report(unknown=1)
    return staged


def dies(*_: Any) -> None:
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
    row = said(bank, verdict)
    bank.look()
    return lost_files.confirm(row, reason="asked them myself", user=a_user(), now=now())


def by_another(row: FileVerdict, **others: Any) -> None:
    """The second person, past the domain."""
    said_so = {"confirmed_actor": "user:b", "confirmed_reason": "so", "confirmed_at": now(), "looked_at": now()}
    FileVerdict.objects.filter(pk=row.pk).update(confirmed_by=a_user(), **(said_so | others))


def proven() -> None:
    for _ in verify.everything():
        pass


def evidence(bank: Bank) -> None:
    """A file of the bank that speaks of the wire."""
    message = WireMessage.objects.create(sha256="0" * 64, name="camt.xml", size=1, kind="camt.054")
    entry = WireEntry.objects.get(file_id=bank.file().pk)
    WireEvidence.objects.create(message=message, entry=entry, place=1, status="BOOK", proposes="CONFIRMED")


def work() -> list[tuple[str, str]]:
    return [(item.name, item.words) for item in bank_work.listed()[1] if item.kind is BankWorkKind.LOST]
