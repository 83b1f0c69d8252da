"""Stored events processed again: by the sweep what still waits, by a person whatever there is; never twice the same."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection, transaction

from settlements import event_states, inbox
from settlements.models import ShipmentEvent
from settlements.statuses import EventState, EventType

logger = logging.getLogger(__name__)

_WAITING = "SELECT id FROM settlements_shipmentevent WHERE state = 'WAITING' ORDER BY id LIMIT %s"
_SHIPMENT_OF = """
    SELECT p.id FROM settlements_shipment p
    WHERE p.id = (SELECT e.shipment_id FROM settlements_shipmentevent e WHERE e.id = %s) FOR UPDATE
"""
# Read after the lock is held, so that what another has made of the event meanwhile is seen.
_EVENT = "SELECT shipment_id, event_type, received_from, state FROM settlements_shipmentevent WHERE id = %s"
_BACK_TO_WAITING = "UPDATE settlements_shipmentevent SET state = 'WAITING' WHERE id = %s AND state = 'FAILED'"
_FAILED_AGAIN = "UPDATE settlements_shipmentevent SET error = %s WHERE id = %s RETURNING state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What processing an event again came to: its state, how many settlements were created now, or what went wrong."""

    event_id: int
    event_type: str
    state: EventState
    created: int = 0
    error: str = ""

    @property
    def in_words(self) -> str:
        """A sentence for who asked."""
        if self.error:
            return f"It failed, and nothing was changed: {self.error}"
        if self.created:
            return f"Created {self.created} milestone settlement{'s' if self.created > 1 else ''}."
        if self.event_type not in EventType.__members__:
            return "Nothing to create: this event type releases nothing."
        return _NOTHING_CREATED.get(self.state, "Nothing was missing.")


_NOTHING_CREATED = {
    EventState.PARKED: "Still parked: the shipment has no payment intent yet.",
    EventState.DUPLICATE: "Nothing was missing: another event had brought these milestones.",
}


def sweep(*, now: datetime, limit: int = 1_000) -> int:
    """Processes stored events whose processing failed, each in its own transaction; the number that succeeded."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [limit])
        waiting = [row[0] for row in cursor.fetchall()]
    return sum(_sweep_one(event_id, now=now) for event_id in waiting)


def _sweep_one(event_id: int, *, now: datetime) -> bool:
    try:
        with transaction.atomic(durable=True):
            return _process_waiting(event_id, now=now)
    except Exception as error:  # as in the inbox: one bad event never stops the others
        logger.exception("Shipment event %s could not be processed by the sweep", event_id)
        inbox.note_failure(event_id, error, swept=True)
        return False


def _process_waiting(event_id: int, *, now: datetime) -> bool:
    """Processes a stored event that still waits; False when it does not, or its shipment is busy."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_SHIPMENT_OF} SKIP LOCKED", [event_id])
        if cursor.fetchone() is None:
            return False
        cursor.execute(_EVENT, [event_id])
        shipment_pk, event_type, actor, state = cursor.fetchone()
    if state != EventState.WAITING:
        return False
    created, state = inbox.apply(event_id, shipment_pk, event_type, actor=actor, now=now)
    logger.info("Shipment event %s processed by the sweep: %s, %s created", event_id, state.value.lower(), created)
    return True


def process_again(event_id: int, *, actor: str, now: datetime) -> Outcome:
    """Processes a stored event in whatever state, any number of times: only what is missing is created, as `actor`.

    It waits for the shipment's lock. If it fails the event stays as it was, with the error. What was answered to the
    sender of a message is not changed by it, unless that was "stored, not processed yet".
    Raises ShipmentEvent.DoesNotExist.
    """
    for attempt in range(1, inbox.ATTEMPTS + 1):
        try:
            with transaction.atomic(durable=True):
                outcome = _process_any(event_id, actor=actor, now=now)
        except ShipmentEvent.DoesNotExist:
            raise
        except Exception as error:  # as in the inbox: what failed is told, and the event is kept
            if attempt < inbox.ATTEMPTS and isinstance(error, OperationalError) and inbox.is_conflict(error):
                continue
            logger.exception("Shipment event %s could not be processed again, as %s asked", event_id, actor)
            return _failed(event_id, error)
        logger.info("Shipment event %s processed again by %s: %s", event_id, actor, outcome.in_words)
        return outcome
    raise AssertionError("the last attempt returns or raises")


def _process_any(event_id: int, *, actor: str, now: datetime) -> Outcome:
    with connection.cursor() as cursor:
        cursor.execute(_SHIPMENT_OF, [event_id])
        cursor.execute(_EVENT, [event_id])
        row = cursor.fetchone()
        if row is None:
            raise ShipmentEvent.DoesNotExist(f"There is no shipment event {event_id}.")
        # A failed event brings nothing (no intent that comes later gets its milestones) until it waits again.
        cursor.execute(_BACK_TO_WAITING, [event_id])
    shipment_pk, event_type, _, before = row
    if before in {EventState.WAITING, EventState.FAILED}:
        created, state = inbox.apply(event_id, shipment_pk, event_type, actor=actor, now=now)
    else:
        created = inbox.create_missing(event_id, shipment_pk, event_type, actor=actor, now=now)
        state = event_states.tell(event_id)
    return Outcome(event_id=event_id, event_type=event_type, state=state, created=created)


def _failed(event_id: int, error: Exception) -> Outcome:
    """Keeps what went wrong beside the event, which is otherwise as it was."""
    words = inbox.in_words(error)
    event_type = ShipmentEvent.objects.values_list("event_type", flat=True).get(pk=event_id)
    with connection.cursor() as cursor:
        cursor.execute(_FAILED_AGAIN, [words, event_id])
        return Outcome(event_id=event_id, event_type=event_type, state=EventState(cursor.fetchone()[0]), error=words)
