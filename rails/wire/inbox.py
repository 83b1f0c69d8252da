"""The bank's files: each read once, whatever it is called, and kept as evidence; a broken one is put aside whole.

What they say moves no money and no settlement: a person judges it (`answers`).
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from django.db import IntegrityError, transaction

from rails import pickup
from rails.models import WireEntry, WireEvidence, WireMessage, WireWord
from rails.money import Money
from rails.pickup import WHOLE_AFTER_SECONDS, Kept, Picked, PickedUp
from rails.wire.bank_messages import MessageFault, Said, parse

logger = logging.getLogger(__name__)

LARGEST: Final = 20 * 1024 * 1024


def read(inbox: Path, *, whole_after: float = WHOLE_AFTER_SECONDS) -> PickedUp:
    """Reads what lies in the inbox and moves it out of it. Raises nothing for a file that can not be read."""
    return pickup.pick_up(inbox, _take_in, largest=LARGEST, whole_after=whole_after)


def _take_in(picked: Picked) -> Kept:
    """Writes down what the file says, once."""
    known = WireMessage.objects.filter(sha256=picked.sha256).first()
    if known is not None:
        return _where(known)
    name = picked.name[:200].encode(errors="replace").decode()
    message = WireMessage(sha256=picked.sha256, name=name, size=picked.size)
    said: Sequence[Said] = ()
    try:
        if picked.size > LARGEST:
            raise MessageFault(f"the file is larger than {LARGEST} bytes")
        parsed = parse(picked.content)
        message.kind, message.message_id, said = parsed.kind, parsed.message_id[:200], parsed.said
    except MessageFault as fault:
        message.fault, message.fault_line = fault.reason, fault.line
        logger.error("Bank file %s is put aside: line %s, %s", picked.sha256[:16], fault.line, fault.reason)
    try:
        with transaction.atomic():
            message.save(force_insert=True)
            WireEvidence.objects.bulk_create(_evidence(message, said))
    except IntegrityError:
        logger.info("Bank file %s was read by another process", picked.sha256[:16])
    return _where(message)


def _where(message: WireMessage) -> Kept:
    return Kept.QUARANTINE if message.fault else Kept.DONE


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
