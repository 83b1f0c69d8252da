"""An installation that pays by wire, recipients to pay, and a look at what was handed to the bank."""

import stat
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

from lxml import etree

from rails import destinations, recipients
from rails.base import Answer, Instruction, SettlementResult
from rails.money import EXPONENTS, Money
from rails.wire.configuration import WireConfiguration
from rails.wire.rail import WireRail

NAMESPACE: Final = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}
DEBTOR: Final = {
    "name": "ChainPay Inc",
    "street": "Harbor Street",
    "building_number": "1",
    "postal_code": "10004",
    "town": "New York",
    "country": "US",
}
IBAN: Final = {"iban": "DE89370400440532013000", "bic": "COBADEFFXXX"}
FEDWIRE: Final = {"account_number": "5512345678", "routing_number": "121000248"}
CREDITOR: Final = {
    "creditor_name": "Bozza Spedition GmbH",
    "street": "Hafenstrasse",
    "building_number": "12",
    "postal_code": "20457",
    "town": "Hamburg",
    "country": "DE",
}
# A Monday that is a banking day everywhere, just after a cut-off in New York.
MONDAY: Final = datetime(2026, 11, 30, 21, 30, 5, tzinfo=UTC)
_numbers = count(1)


def configured(place: Path, **changes: Any) -> WireConfiguration:
    """Accounts in every currency; a cut-off a day at 16:30 in New York; an outbox of its own."""
    outbox = place / "outbox"
    outbox.mkdir(mode=0o700, exist_ok=True)
    day = {"cut_offs": ["16:30"], "time_zone": "America/New_York"}
    accounts = {currency: {**IBAN, **day} for currency in EXPONENTS}
    accounts["USD"] = {"account_number": "4412345678", "routing_number": "021000021", **day}
    read = WireConfiguration.read(
        outbox=outbox, inbox=None, debtor=DEBTOR, accounts=accounts, window_minutes=60, every_day=False
    )
    return replace(read, **changes)


def payee(account: Mapping[str, str] = IBAN, **details: str) -> int:
    """The row id of a new recipient that can be wired to."""
    recipient, _ = recipients.put(f"CARRIER-{next(_numbers)}", "Bozza Haulage", actor="demo", now=MONDAY)
    wanted = destinations.read("wire", {**CREDITOR, **account, **details})
    destinations.propose(recipient.pk, [wanted], actor="service:tms", now=MONDAY)
    return recipient.pk


def order(
    milestone_id: int, recipient_id: int | None, minor: int = 7000, currency: str = "USD", **others: Any
) -> Instruction:
    return Instruction(milestone_id=milestone_id, amount=Money(minor, currency), recipient_id=recipient_id, **others)


def pay(*instructions: Instruction, now: datetime = MONDAY) -> list[Answer]:
    return list(WireRail().process_settlements(instructions, now=now))


def paid(*instructions: Instruction, now: datetime = MONDAY) -> list[SettlementResult]:
    answers = pay(*instructions, now=now)
    assert all(isinstance(answer, SettlementResult) and answer.success for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, SettlementResult)]


def next_day(now: datetime = MONDAY) -> datetime:
    return now + timedelta(days=1)


def at_the_bank(configuration: WireConfiguration) -> list[Path]:
    """The files that the bank finds, in their order; nobody else may read them."""
    found = sorted(path for path in configuration.outbox.iterdir() if not path.name.startswith("."))
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in found)
    return found


def look(document: Any, path: str) -> list[str]:
    """The texts of a path like `PmtInf/CdtTrfTxInf/PmtId/EndToEndId`, anywhere in the document."""
    steps = "/".join(f"p:{step}" for step in path.split("/"))
    return [element.text for element in document.iterfind(f".//{steps}", NAMESPACE)]


def read(path: Path) -> Any:
    return etree.parse(str(path)).getroot()
