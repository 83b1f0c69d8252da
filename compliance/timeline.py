"""A shipment's story in one line: messages received and what became of the settlements, in their order; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from settlements.models import AuditEvent, ShipmentEvent

# What leaves a settlement where it is, and says why it stays there or what became of a part of it.
STANDS: Final = frozenset({"release_blocked", "approval_void", "partly_returned", "provider_contradicts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing that happened: a message (`event`) or a move of a settlement (`move`)."""

    at: datetime
    event: ShipmentEvent | None = None
    move: AuditEvent | None = None


def timeline(
    events: Sequence[ShipmentEvent], history: Sequence[AuditEvent], *, brought_by: Mapping[int, int | None]
) -> list[Moment]:
    """Oldest first; holds and notes are no moves, but that a release waits is one. `brought_by` names the message of
    each settlement.

    A message stands before what it brought about, whichever of two clocks was ahead, and moves keep their order.
    """
    received = {event.pk: event.received_at for event in events}
    placed = [(event.received_at, 0, Moment(at=event.received_at, event=event)) for event in events]
    latest = None
    for move in sorted(history, key=lambda event: event.sequence):
        if move.settlement_id is None or (move.from_status == move.to_status and move.action not in STANDS):
            continue
        brought = received.get(brought_by.get(move.settlement_id) or 0, move.created_at)
        latest = max(move.created_at, brought, latest or move.created_at)
        placed.append((latest, 1, Moment(at=move.created_at, move=move)))
    return [moment for _, _, moment in sorted(placed, key=lambda place: place[:2])]
