"""The rubber-stamp report as a file: the columns of docs/overseeing.md, and a trace of who took it."""

import hashlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType

from compliance import inert_csv, stamps
from compliance.models import Opening
from compliance.stamps import Stamp, Wanted
from settlements.approvals import Officer

logger = logging.getLogger(__name__)

COLUMNS: Final = (
    "approval_id", "approved_at", "officer", "channel", "verdict", "opened_at", "seconds", "milestone_id",
    "payment_intent_id", "shipment_id", "event_type", "amount", "currency", "reason",
)  # fmt: skip


def filename(wanted: Wanted) -> str:
    """What the file is called: its days."""
    return f"rubber-stamps-{wanted.first}-to-{wanted.last}.csv"


def trace(wanted: Wanted, *, by: Officer) -> None:
    """Keeps who took which approvals with them, before the first line leaves."""
    LogEntry.objects.create(
        user_id=by.pk,
        content_type=ContentType.objects.get_for_model(Opening),
        object_repr="Rubber-stamp report",
        action_flag=CHANGE,
        change_message=f"Exported as CSV: {_in_words(wanted)}",
    )
    logger.info("Rubber-stamp report export begins: by=%s, %s", by.actor, _in_words(wanted))


def stream(wanted: Wanted, *, by: Officer) -> Iterator[bytes]:
    """The file, line by line; its length and hash are logged when the last line has left."""
    digest, count = hashlib.sha256(), -1
    for line in inert_csv.lines(COLUMNS, map(_cells, stamps.every(wanted))):
        piece = line.encode()
        digest.update(piece)
        count += 1
        yield piece
    logger.info("Rubber-stamp report exported: by=%s, rows=%d, sha256=%s", by.actor, count, digest.hexdigest())


def seconds(took: timedelta) -> Decimal:
    """As a number with three digits, of the microseconds that the database keeps."""
    return (Decimal(took // timedelta(microseconds=1)) / 1_000_000).quantize(Decimal("0.001"))


def _cells(stamp: Stamp) -> list[str]:
    return [
        str(stamp.approval_id),
        _moment(stamp.approved_at),
        stamp.officer,
        stamp.channel.lower(),
        stamp.verdict.lower(),
        _moment(stamp.opened_at) if stamp.opened_at else "",
        "" if stamp.took is None else str(seconds(stamp.took)),
        str(stamp.milestone_id),
        str(stamp.payment_intent_id),
        stamp.shipment_id,
        stamp.event_type,
        str(stamp.amount.major),
        stamp.amount.currency,
        stamp.reason,
    ]


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _in_words(wanted: Wanted) -> str:
    officer = "all" if wanted.officer_id is None else wanted.officer_id
    return (
        f"first={wanted.first}, last={wanted.last}, officer={officer}, "
        f"under={seconds(wanted.under)}, only_flagged={wanted.only_flagged}"
    )
