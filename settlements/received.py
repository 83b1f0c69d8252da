"""A message as it is received, what it is answered, and how that answer is kept with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from settlements import event_states, outbox
from settlements.sources import Source
from settlements.statements import bigints
from settlements.statuses import EventState

# Only of an event that created nothing has to be asked why. The ids are said twice, so that each is looked up by index
# whatever the planner expects of the table.
_PROCESSED = f"""
    WITH e AS (UPDATE settlements_shipmentevent e SET
        settlements_created = done.created, processed_at = %(now)s, error = '',
        state = CASE WHEN done.created = 0 THEN {event_states.STATE} ELSE 'PROCESSED' END
    FROM unnest(%(ids)s::bigint[], %(created)s::bigint[]) AS done (id, created)
    WHERE e.id = done.id AND e.id = ANY(%(ids)s::bigint[]) RETURNING e.*),
    told AS ({outbox.OF_PROCESSED_EVENTS})
    SELECT id, state FROM e
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as received: `message_id` tells repeats, `body` is kept word for word."""

    source: Source
    actor: str
    message_id: str
    body: str
    body_hash: bytes
    shipment_id: str
    event_type: str
    occurred_at: datetime
    occurred_at_was_naive: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a message, stored as the event; a repeat gets the first one again."""

    event_id: int
    shipment_id: str
    event_type: str
    state: EventState
    processed_at: datetime | None
    settlements_created: int
    repeated: bool = False


def processed(created: Mapping[int, int], *, now: datetime) -> dict[int, EventState]:
    """Keeps of stored events (by id) how many settlements each has created; the states they are in now."""
    with connection.cursor() as cursor:
        cursor.execute(_PROCESSED, {"now": now, "ids": bigints(created), "created": bigints(created.values())})
        return {event_id: EventState(state) for event_id, state in cursor.fetchall()}
