"""A statement as CSV, on record before it leaves; cells are written as in every export (docs/exports.md)."""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import transaction

from settlements import office_log
from settlements.exports.cells import inert
from settlements.office_log import OfficeAction, OfficeDraft
from settlements.recipient_statements.statement import Statement

VERSION: Final = 1
COLUMNS: Final = (
    "what", "booked_on", "posted_at", "currency", "amount", "balance", "settlement_id", "event_type", "shipment_id",
    "rail", "reference", "since", "until", "why",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StatementFile:
    """What is handed over."""

    name: str
    content: bytes
    sha256: str


def made(found: Statement, *, actor: str, now: datetime) -> StatementFile:
    """The file, whose making is an office event with its SHA-256, rows and balances."""
    rows = list(_rows(found))
    content = _csv(rows)
    digest = hashlib.sha256(content).hexdigest()
    recipient = found.recipient.recipient_id
    data = {
        "version": VERSION,
        "recipient": recipient,
        "from": found.first.isoformat(),
        "to": found.last.isoformat(),
        "rows": len(rows),
        "bytes": len(content),
        "closing": {each.currency: each.closing.text for each in found.currencies},
        "sha256": digest,
    }
    draft = OfficeDraft(action=OfficeAction.EXPORTED, subject="recipient_statement", actor=actor, data=data)
    with transaction.atomic():
        office_log.record(draft, now=now)
    return StatementFile(f"chainpay_statement_{found.recipient.pk}_{found.first}_{found.last}.csv", content, digest)


def _rows(found: Statement) -> Iterator[Sequence[str]]:
    for each in found.currencies:
        yield _row(what="opening", booked_on=f"{found.first}", currency=each.currency, balance=each.opening.text)
        for line in each.lines:
            yield _row(
                what=line.kind.value,
                booked_on=f"{line.booked_on}",
                posted_at=_time(line.posted_at),
                currency=each.currency,
                amount=line.amount.text,
                balance=line.balance.text,
                settlement_id=str(line.settlement_id or ""),
                event_type=line.event_type,
                shipment_id=line.shipment_id,
                rail=line.rail,
                reference=line.reference,
                why=line.description,
            )
        yield _row(what="closing", booked_on=f"{found.last}", currency=each.currency, balance=each.closing.text)
    for item in found.held:
        yield _row(
            what=f"waits:{item.kind.value.lower()}",
            currency=item.amount.currency,
            amount=item.amount.text,
            settlement_id=str(item.settlement_id),
            event_type=item.event_type,
            shipment_id=item.shipment_id,
            since=_time(item.since),
            until=_time(item.until) if item.until else "",
            why=item.why,
        )


def _row(**cells: str) -> Sequence[str]:
    return [cells.get(name, "") for name in COLUMNS]


# Somebody's texts; everything else is ours, and an amount may be negative.
_TEXTS: Final = frozenset({"shipment_id", "reference", "why"})


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([inert(cell) if name in _TEXTS else cell for name, cell in zip(COLUMNS, row, strict=True)])
    return written.getvalue().encode()


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
