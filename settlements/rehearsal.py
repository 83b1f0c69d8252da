"""What an event would bring: planned in a transaction that can not write, so that nothing but an answer comes of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction

from settlements import inbox, milestones
from settlements.candidates import REACHES
from settlements.inbox import Message, Receipt
from settlements.lifecycle import NewSettlement
from settlements.milestones import SupposedEvent
from settlements.models import ShipmentEvent
from settlements.statuses import EventType

_SHIPMENT = "SELECT id FROM settlements_shipment WHERE shipment_id = %s"
# Why the intents that the event reaches get nothing from it: each is counted once, under the first that holds.
_LEFT_OUT = f"""
    SELECT count(*),
           count(*) FILTER (WHERE found.has_it),
           count(*) FILTER (WHERE NOT found.has_it AND found.is_closed),
           count(*) FILTER (WHERE NOT found.has_it AND NOT found.is_closed AND NOT found.wants_it)
    FROM (
        SELECT i.status IN ('CANCELLED', 'REJECTED') AS is_closed,
               EXISTS (SELECT 1 FROM settlements_milestonesettlement m
                       WHERE m.intent_id = i.id AND m.event_type = e.event_type) AS has_it,
               EXISTS (SELECT 1 FROM settlements_paymentscheduleitem item
                       WHERE item.intent_id = i.id AND item.event_type = e.event_type) AS wants_it
        FROM settlements_paymentintent i
        JOIN settlements_freighttoken t ON t.id = i.freight_token_id
        JOIN settlements_eventsource src ON src.id = %s
        CROSS JOIN (SELECT %s::text AS event_type) e
        WHERE i.shipment_id = %s AND {REACHES}
    ) found
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What would be created and, as a sentence, why nothing more; `earlier` is the first answer to a repeat."""

    shipment_id: str
    event_type: str
    would_create: tuple[NewSettlement, ...] = ()
    message: str
    earlier: Receipt | None = None


def of_message(message: Message) -> Rehearsal:
    """What `inbox.receive` would do with this message now; raises the refusals that it raises."""
    with _reading_only():
        inbox.check_reach(message)
        earlier = inbox.earlier(message)
        would_create: tuple[NewSettlement, ...] = ()
        if earlier is not None:
            words = "A repeat: this message was received before, so it changes nothing and gets its first answer again."
        else:
            would_create, words = _plan(_shipment(message.shipment_id), message.event_type, message.source.pk)
    return Rehearsal(
        shipment_id=message.shipment_id,
        event_type=message.event_type,
        would_create=would_create,
        message=words,
        earlier=earlier,
    )


def of_event(event_id: int) -> Rehearsal:
    """What processing a stored event again would create now. Raises ShipmentEvent.DoesNotExist."""
    with _reading_only():
        event = ShipmentEvent.objects.select_related("shipment").get(pk=event_id)
        would_create, words = _plan(event.shipment_id, event.event_type, event.source_id, stored=event)
    return Rehearsal(
        shipment_id=event.shipment.shipment_id, event_type=event.event_type, would_create=would_create, message=words
    )


@contextmanager
def _reading_only() -> Iterator[None]:
    """A transaction in which PostgreSQL refuses every write, every lock on a row, and every number of a sequence."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        yield


def _shipment(shipment_id: str) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(_SHIPMENT, [shipment_id])
        row = cursor.fetchone()
    return row[0] if row else None


def _plan(
    shipment_pk: int | None, event_type: str, source_pk: int, *, stored: ShipmentEvent | None = None
) -> tuple[tuple[NewSettlement, ...], str]:
    if event_type not in EventType.__members__:
        return (), f"{event_type} releases nothing: it would only be stored."
    if shipment_pk is None:
        return (), _PARKED
    event = SupposedEvent(
        source_pk=source_pk,
        event_type=EventType(event_type),
        event_id=stored.pk if stored else None,
        received_at=stored.received_at if stored else None,
    )
    would_create = milestones.plan(shipment_pk=shipment_pk, event=event)
    with connection.cursor() as cursor:
        cursor.execute(_LEFT_OUT, [source_pk, event_type, shipment_pk])
        intents, done, closed, unscheduled = cursor.fetchone()
    return tuple(would_create), _in_words(len(would_create), event_type, intents, done, closed, unscheduled)


_PARKED = "There is no payment intent for this event yet: it would be parked, and applied when one comes."


def _in_words(number: int, event_type: str, intents: int, done: int, closed: int, unscheduled: int) -> str:
    """What would happen, and how many of the intents are left out for which reason."""
    if not intents:
        return _PARKED
    reasons = [
        f"{count} payment intent(s) {why}"
        for count, why in (
            (done, f"already have their {event_type} milestone"),
            (closed, "are cancelled or rejected"),
            (unscheduled, f"release nothing at {event_type}"),
        )
        if count
    ]
    if done == intents:
        reasons = [f"already handled, {reasons[0]}"]
    return f"Would create {number} milestone settlement(s){': ' if reasons else ''}{'; '.join(reasons)}."
