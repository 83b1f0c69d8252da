"""A shipment's story in one line: messages received and what became of the settlements, in their order; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from settlements.models import AuditEvent, ShipmentEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing that happened: a message (`event`) or a move of a settlement (`move`)."""

    at: datetime
    event: ShipmentEvent | None = None
    move: AuditEvent | None = None


def timeline(events: Sequence[ShipmentEvent], history: Sequence[AuditEvent]) -> list[Moment]:
    """Oldest first. A message stands before what it brought about in the same instant; holds and notes are no moves."""
    received = [Moment(at=event.received_at, event=event) for event in events]
    moves = [
        Moment(at=event.created_at, move=event)
        for event in sorted(history, key=lambda event: event.sequence)
        if event.settlement_id is not None and event.from_status != event.to_status
    ]
    return sorted([*reversed(received), *moves], key=lambda moment: moment.at)
