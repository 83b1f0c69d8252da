"""What a file of the bank does: read once whatever it is called, applied whole, or kept out whole."""

import logging
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from rails.ach import reader
from rails.ach.items import items_of
from rails.ach.records import Fault, NachaError, NachaFile
from rails.models import AchInboundFile, AchInboundItem

logger = logging.getLogger(__name__)

LARGEST: Final = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A file as it came: size and digest are those of all of it, `content` is cut off somewhere above the limit."""

    name: str
    content: bytes = field(repr=False)
    sha256: str
    size: int
    actor: str
    user: User | None = None
    reason: str = ""


def take_in(arrived: Arrived, *, now: datetime, today: date) -> tuple[AchInboundFile, bool]:
    """The row of the file, and whether it is new. One transaction: all of the file is applied, or nothing.

    `today` is the date by the bank's clock. Raises `items.NotHandedOverYet`.
    """
    known = AchInboundFile.objects.filter(sha256=arrived.sha256).first()
    if known is not None:
        return known, False
    faults: tuple[Fault, ...] = ()
    try:
        file = _read(arrived)
    except NachaError as error:
        file, faults = NachaFile(), error.faults
    try:
        with transaction.atomic():
            row = _row(arrived, file, faults)
            row.save(force_insert=True)
            AchInboundItem.objects.bulk_create(items_of(row, file, now=now, today=today))
    except IntegrityError:
        known = AchInboundFile.objects.filter(sha256=arrived.sha256).first()
        if known is None:
            raise
        logger.info("ACH file %s was read by another process", arrived.sha256[:16])
        return known, False
    if faults:
        logger.error("ACH file %s is quarantined: %s", arrived.sha256[:16], faults[0])
    else:
        logger.info("ACH file %s applied: %s items", arrived.sha256[:16], row.item_count)
    return row, True


def _read(arrived: Arrived) -> NachaFile:
    """The file, of returns and notifications of change alone. Raises NachaError."""
    if arrived.size > LARGEST:
        raise NachaError((Fault(1, f"the file is larger than {LARGEST:,} bytes"),))
    file = reader.read(arrived.content)
    strangers = [
        Fault(entry.record.line, "the entry is neither a return nor a notification of change: no file for us")
        for _, entry in file.entries()
        if entry.is_forward
    ]
    if strangers:
        raise NachaError(tuple(strangers[: reader.MAX_FAULTS]))
    return file


def _row(arrived: Arrived, file: NachaFile, faults: tuple[Fault, ...]) -> AchInboundFile:
    totals = file.totals
    return AchInboundFile(
        sha256=arrived.sha256,
        name=_printable(arrived.name),
        size=arrived.size,
        faults=[{"line": fault.line, "reason": fault.reason} for fault in faults],
        is_bare=not faults and file.is_bare,
        item_count=sum(1 for _ in file.entries()),
        debits_minor=totals.debits_minor,
        credits_minor=totals.credits_minor,
        uploaded_by=arrived.user,
        actor=arrived.actor,
        reason=arrived.reason,
    )


def _printable(name: str) -> str:
    """The name as it can be shown: at most 200 characters of it."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)[-200:] or "?"
