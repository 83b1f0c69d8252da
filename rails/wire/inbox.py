"""The bank's files: each read once, whatever it is called, and kept as evidence; a broken one is put aside whole.

What they say moves no money and no settlement: a person judges it (`answers`).
"""

import hashlib
import logging
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from django.db import IntegrityError, transaction

from rails.models import WireEntry, WireEvidence, WireMessage, WireWord
from rails.money import Money
from rails.wire.bank_messages import MessageFault, Said, parse

logger = logging.getLogger(__name__)

DONE: Final = ".done"
QUARANTINE: Final = ".quarantine"
LARGEST: Final = 20 * 1024 * 1024
_MOST_FILES: Final = 100  # in one look
_SETTLED_AFTER_SECONDS: Final = 5  # a file that was written to more recently may not be whole


def read(inbox: Path, *, settled_after: float = _SETTLED_AFTER_SECONDS) -> int:
    """Reads what lies in the inbox and moves it out of it; how many files that were."""
    try:
        names = sorted(name for name in os.listdir(inbox) if not name.startswith("."))
    except OSError as error:
        logger.error("The wire inbox can not be read: %s", error.strerror)
        return 0
    return sum(_read_one(inbox, name, settled_after) for name in names[:_MOST_FILES])


def _read_one(inbox: Path, name: str, settled_after: float) -> bool:
    try:
        descriptor = os.open(inbox / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False  # gone, a link, or not ours to read
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or time.time() - found.st_mtime < settled_after:
        os.close(descriptor)
        return False
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(LARGEST + 1)
        digest = hashlib.sha256(content)
        while part := file.read(LARGEST):
            digest.update(part)
    fault = _take_in(name, content, digest.hexdigest(), found.st_size)
    _put_away(inbox, name, digest.hexdigest(), QUARANTINE if fault else DONE)
    return True


def _take_in(name: str, content: bytes, sha256: str, size: int) -> bool:
    """Writes down what the file says, once; whether it is a faulty one."""
    known = WireMessage.objects.filter(sha256=sha256).first()
    if known is not None:
        return known.fault != ""
    message = WireMessage(sha256=sha256, name=name[:200].encode(errors="replace").decode(), size=size)
    said: Sequence[Said] = ()
    try:
        if size > LARGEST:
            raise MessageFault(f"the file is larger than {LARGEST} bytes")
        parsed = parse(content)
        message.kind, message.message_id, said = parsed.kind, parsed.message_id[:200], parsed.said
    except MessageFault as fault:
        message.fault, message.fault_line = fault.reason, fault.line
        logger.error("Bank file %s is put aside: line %s, %s", sha256[:16], fault.line, fault.reason)
    try:
        with transaction.atomic():
            message.save(force_insert=True)
            WireEvidence.objects.bulk_create(_evidence(message, said))
    except IntegrityError:
        logger.info("Bank file %s was read by another process", sha256[:16])
    return message.fault != ""


def _evidence(message: WireMessage, said: Sequence[Said]) -> Iterator[WireEvidence]:
    by_reference, by_file = _wires(said)
    place = 0
    for each in said:
        entries: list[WireEntry | None] = [*by_file.get(each.file_message_id, ())]
        entries = entries or [by_reference.get(each.end_to_end_id)]
        for entry in entries:
            place += 1
            doubtful = entry is not None and _is_another_amount(each, entry)
            yield WireEvidence(
                message=message,
                entry=entry,
                place=place,
                end_to_end_id=entry.end_to_end_id if entry else each.end_to_end_id,
                status=f"{each.status}, not the amount that was sent" if doubtful else each.status,
                proposes="" if doubtful else each.proposes or "",
                bank_reference=each.bank_reference[:70],
                currency=each.amount.currency if each.amount else "",
                amount_minor=each.amount.minor if each.amount else None,
                reason=each.reason,
                booked_on=each.booked_on,
            )


def _is_another_amount(said: Said, entry: WireEntry) -> bool:
    """A debit is of the whole wire, a return at most of it; anything else is for a person to find out."""
    if said.amount is None:
        return False
    sent = Money(entry.amount_minor, entry.currency)
    if said.amount.currency != sent.currency:
        return True
    return said.amount > sent if said.proposes == WireWord.RETURNED else said.amount != sent


def _wires(said: Sequence[Said]) -> tuple[dict[str, WireEntry], dict[str, list[WireEntry]]]:
    references = [each.end_to_end_id for each in said if each.end_to_end_id]
    files = [each.file_message_id for each in said if each.file_message_id]
    by_reference = {each.end_to_end_id: each for each in WireEntry.objects.filter(end_to_end_id__in=references)}
    by_file: dict[str, list[WireEntry]] = {}
    for entry in WireEntry.objects.filter(file__message_id__in=files).select_related("file").order_by("id"):
        by_file.setdefault(entry.file.message_id, []).append(entry)
    return by_reference, by_file


def _put_away(inbox: Path, name: str, sha256: str, where: str) -> None:
    """Moves the file where it is read no more, under a name that none has; nobody else may read it there."""
    place = inbox / where
    place.mkdir(mode=0o700, exist_ok=True)
    kept = place / f"{sha256[:32]}-{name[-100:]}"
    with suppress(FileNotFoundError):  # another process was quicker
        os.rename(inbox / name, kept)
        os.chmod(kept, 0o600)
