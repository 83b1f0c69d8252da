"""An installation that pays by ACH, recipients to pay, and a bank: it takes files away, and answers them."""

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import achkit
from achlens.core.validator import validate

from rails import destinations, recipients
from rails.ach import inbox
from rails.ach.calendar import Timetable
from rails.ach.codes import AccountType
from rails.ach.configuration import AchConfiguration, OffsetAccount
from rails.ach.rail import AchRail
from rails.ach.reader import read
from rails.ach.records import NachaFile
from rails.base import Answer, Instruction, SettlementResult
from rails.models import AchInboundFile, Destination
from rails.money import Money
from tests.rails.ach.samples import BANK, COMPANY, RDFI

NEW_YORK: Final = ZoneInfo("America/New_York")
# A Monday that is a banking day, just after a cut-off in New York.
MONDAY: Final = datetime(2026, 11, 30, 22, 0, 5, tzinfo=UTC)
OUR_ACCOUNT: Final = "4412345678"
_numbers = count(1)


def configured(place: Path, **changes: Any) -> AchConfiguration:
    """A cut-off a day at 17:00 in New York; directories of its own."""
    for name in ("outbox", "inbox"):
        (place / name).mkdir(mode=0o700, exist_ok=True)
    plain = AchConfiguration(
        outbox=place / "outbox",
        inbox=place / "inbox",
        company_name="ChainPay",
        company_id=COMPANY,
        odfi=BANK,
        immediate_origin=COMPANY,
        immediate_origin_name="ChainPay",
        immediate_destination=BANK,
        immediate_destination_name="First Bank",
        offset=OffsetAccount(routing_number=BANK, account_number=OUR_ACCOUNT, account_type=AccountType.CHECKING),
        timetable=Timetable(zone=NEW_YORK, cut_offs=(time(17),)),
    )
    return replace(plain, **changes)


def payee(**details: str) -> int:
    """The row id of a new recipient that can be paid by ACH."""
    number = next(_numbers)
    recipient, _ = recipients.put(f"ACH-CARRIER-{number}", "Bozza Haulage", actor="demo", now=MONDAY)
    account = {
        "routing_number": RDFI,
        "account_number": f"55{number:08}",
        "account_type": "checking",
        "holder_name": "Bozza Haulage",
        "sec_code": "CCD",
    }
    destinations.propose(recipient.pk, [destinations.read("ach", account | details)], actor="service:tms", now=MONDAY)
    return recipient.pk


def destination_of(recipient_id: int) -> Destination:
    return Destination.objects.get(recipient_id=recipient_id, rail="ach", state="ACTIVE")


def order(
    milestone_id: int, recipient_id: int | None, minor: int = 7000, currency: str = "USD", **others: Any
) -> Instruction:
    return Instruction(milestone_id=milestone_id, amount=Money(minor, currency), recipient_id=recipient_id, **others)


def pay(*instructions: Instruction, now: datetime = MONDAY) -> list[Answer]:
    return list(AchRail().process_settlements(instructions, now=now))


def paid(*instructions: Instruction, now: datetime = MONDAY) -> list[SettlementResult]:
    answers = pay(*instructions, now=now)
    assert all(isinstance(answer, SettlementResult) and answer.success for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, SettlementResult)]


def days_later(days: float, now: datetime = MONDAY) -> datetime:
    return now + timedelta(days=days)


def at_the_bank(configuration: AchConfiguration) -> list[Path]:
    """The files that the bank finds, in their order; nobody else may read them."""
    found = sorted(path for path in configuration.outbox.iterdir() if not path.name.startswith("."))
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in found)
    return found


def taken(path: Path) -> NachaFile:
    """The bank takes a file: it is valid to two others and to us, and balanced."""
    content = path.read_bytes()
    report = validate(content.decode("ascii"))
    assert report.valid
    assert not report.findings, report.findings
    assert achkit.validate(content.decode("ascii"))["ok"]
    file = read(content)
    assert file.totals.debits_minor == file.totals.credits_minor
    assert all(batch.totals.debits_minor == batch.totals.credits_minor for batch in file.batches)
    return file


def sends(configuration: AchConfiguration, content: bytes, name: str = "returns.ach") -> Path:
    """The bank puts a file into the inbox, whole and some time ago."""
    path = configuration.inbox / name
    path.write_bytes(content)
    long_ago = datetime.now(UTC).timestamp() - 60
    os.utime(path, (long_ago, long_ago))
    return path


def looked(configuration: AchConfiguration, now: datetime = MONDAY) -> Sequence[AchInboundFile]:
    """The inbox is read; all the files there ever were, the oldest first."""
    assert inbox.read(configuration, now=now).nothing_unread
    return list(AchInboundFile.objects.order_by("pk"))
