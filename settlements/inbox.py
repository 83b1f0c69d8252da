"""Shipment events: stored once, then processed, in one database transaction."""

import logging
from collections.abc import Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, OperationalError, connection, transaction

from settlements import inbox_batch, locks, milestones
from settlements.group_commit import GroupCommit
from settlements.received import Message as Message
from settlements.received import Receipt as Receipt
from settlements.received import processed
from settlements.refusals import Kind, Refusal
from settlements.sources import Source
from settlements.statements import back_to_mark, mark, pipelined
from settlements.statuses import EventState, EventType

logger = logging.getLogger(__name__)

ATTEMPTS = 3
SWEEPS_BEFORE_FAILED = 10
_CONFLICTS = {"40P01", "40001"}  # deadlock detected, could not serialise
_SERVER_GONE = ("08", "57P")  # connection exceptions; shut down or restarted by its operator

# Whether source and secret are still what they were when the message was found to be theirs: what was revoked ends here
# at once, also while the message waited for the lock of the shipment (the first argument).
_SOURCE_AS_KNOWN = "settlements_source_as_known({locked}, %s::bigint, %s::bigint, %s::bigint)"
# Locks the shipment and stores the message as processed, which it is when this transaction commits.
# No row: the message was stored before, the shipment is a new one, or the source has changed.
_STORE = f"""
    WITH shipment AS (SELECT id FROM settlements_shipment WHERE shipment_id = %s FOR UPDATE)
    INSERT INTO settlements_shipmentevent (source_id, message_id, body_hash, shipment_id, event_type, occurred_at,
        occurred_at_was_naive, received_at, received_from, body, state, processed_at, settlements_created, sweeps,
        error)
    SELECT %s, %s, %s, shipment.id, %s, %s, %s, now(), %s, %s, 'PROCESSED', %s, 0, 0, '' FROM shipment
    WHERE {_SOURCE_AS_KNOWN.format(locked="shipment.id")}
    ON CONFLICT (source_id, message_id) DO NOTHING
    RETURNING id, shipment_id
"""
_EARLIER = f"""
    SELECT source.as_known, e.id, e.body_hash, e.event_type, e.state, e.processed_at, e.settlements_created,
        p.shipment_id
    FROM (SELECT {_SOURCE_AS_KNOWN.format(locked="0")} AS as_known) source
    LEFT JOIN settlements_shipmentevent e ON e.source_id = %s AND e.message_id = %s
    LEFT JOIN settlements_shipment p ON p.id = e.shipment_id
"""
_FAILED = """
    UPDATE settlements_shipmentevent SET error = %s, sweeps = sweeps + %s, processed_at = NULL,
        state = CASE WHEN sweeps + %s >= %s THEN 'FAILED' ELSE 'WAITING' END
    WHERE id = %s AND (state = 'WAITING' OR %s = 0)
"""
_FOREIGN = """
    SELECT count(*) > 0 AND NOT bool_or(t.carrier_id = %s) FROM settlements_freighttoken t
    JOIN settlements_shipment p ON p.id = t.shipment_id WHERE p.shipment_id = %s
"""


class SourceChanged(Exception):
    """The source or its secrets are no longer what they were when the message was found to be its own."""


class MessageReused(Refusal):
    """This message id came before with another body; take a new one."""

    code = "message_id_reused"
    kind = Kind.CONFLICT


class ShipmentNotReached(Refusal):
    """The shipment is none of this source's carrier."""

    code = "shipment_not_found"
    kind = Kind.NOT_FOUND


class EventTypeNotAllowed(Refusal):
    """The source may not post this event type."""

    code = "event_type_not_allowed"
    kind = Kind.FORBIDDEN


@dataclass(frozen=True, slots=True)
class _Arrival:
    message: Message
    at: datetime


def _receive_together(arrivals: Sequence[_Arrival]) -> list[Receipt | None]:
    messages, now = [each.message for each in arrivals], max(each.at for each in arrivals)
    # What is logged of several is no more of the leader's request than of the others': in a context of nobody's.
    context = copy_context() if len(messages) == 1 else Context()
    return context.run(inbox_batch.receive, messages, now=now)


def _content(arrival: _Arrival) -> tuple[Source, str, bytes]:
    """What copies of one message have in common: who answers for it, its id and its body."""
    message = arrival.message
    return message.source, message.message_id, message.body_hash


_TOGETHER = GroupCommit(
    _receive_together,
    key=lambda arrival: arrival.message.shipment_id,
    content=_content,
    most=inbox_batch.MOST,
    patience=inbox_batch.PATIENCE_SECONDS,
)


def receive(message: Message, *, now: datetime) -> Receipt:
    """Stores a message and processes it; a repeat changes nothing and returns the first answer.

    Together with the messages that other threads receive at the same time, where nothing is out of the ordinary.
    `now` is the time of the call: what is received together bears the latest.
    Raises what `receive_alone` raises.
    """
    if may_post(message):
        receipt = _TOGETHER.answer(_Arrival(message, now))
        if receipt is not None:
            return receipt
    return receive_alone(message, now=now)


def receive_alone(message: Message, *, now: datetime) -> Receipt:
    """The same in a transaction of the message's own, which waits for its shipment.

    If processing fails the stored event stays, waiting for the sweep. A deadlock or a lost connection is tried again
    at once: if the lost one had committed, the second attempt finds the message stored.
    Raises MessageReused, ShipmentNotReached, EventTypeNotAllowed, SourceChanged: nothing is stored then.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic(durable=True):
                return _receive(message, now=now, last_attempt=attempt == ATTEMPTS)
        except OperationalError as error:
            if attempt == ATTEMPTS or not (is_conflict(error) or _is_lost_connection(error)):
                raise
            logger.info("Event %s met a deadlock or a lost connection; attempt %s", message.message_id, attempt + 1)
        except DatabaseError as error:
            return _keep(message, error, now=now)
    raise AssertionError("the last attempt returns or raises")


def _keep(message: Message, error: DatabaseError, *, now: datetime) -> Receipt:
    """Stores what was refused as late as at COMMIT, where only deferred guards speak, and leaves it to the sweep.

    A source that changed between two looks at it is refused by the table's own guard: that is SourceChanged too.
    """
    with transaction.atomic(durable=True):
        stored = _store(message, now)
        if stored is None:
            found = earlier(message)
            if found is not None:
                return found
            raise error
        logger.error("Shipment event %s was refused at commit and waits for the sweep", stored[0], exc_info=error)
        note_failure(stored[0], error, swept=False)
    return Receipt(stored[0], message.shipment_id, message.event_type, EventState.WAITING, None, 0)


def _is_lost_connection(error: OperationalError) -> bool:
    """Whether the connection broke: the client noticed (no SQLSTATE) or the server said so as it went away."""
    state = getattr(error.__cause__, "sqlstate", None)
    return not connection.in_atomic_block and (state is None or state.startswith(_SERVER_GONE))


def is_conflict(error: OperationalError) -> bool:
    """Whether the database asks to try the same transaction again."""
    return getattr(error.__cause__, "sqlstate", None) in _CONFLICTS


def _receive(message: Message, *, now: datetime, last_attempt: bool) -> Receipt:
    check_reach(message)
    # Twice, for the shipment may be new, and a copy of this message may have stored it and itself meanwhile.
    for _ in range(2):
        stored = _store(message, now)
        if stored is not None:
            event_id, shipment_pk = stored
            return _process(event_id, shipment_pk, message, now=now, last_attempt=last_attempt)
        repeated = earlier(message)
        if repeated is not None:
            return repeated
        locks.of_reference(message.shipment_id)
    raise RuntimeError(f"message {message.message_id!r} is neither new nor stored")


def _store(message: Message, now: datetime) -> tuple[int, int] | None:
    """The event's and the shipment's row ids; what is written from here on can be taken back."""
    with pipelined(), connection.cursor() as cursor:
        cursor.execute(
            _STORE,
            [
                message.shipment_id,
                message.source.pk,
                message.message_id,
                message.body_hash,
                message.event_type,
                message.occurred_at,
                message.occurred_at_was_naive,
                message.actor,
                message.body,
                now,
                *_as_known(message.source),
            ],
        )
        mark()
        row: tuple[int, int] | None = cursor.fetchone()
    return row


def may_post(message: Message) -> bool:
    """Whether the source may post such an event type at all."""
    allowed = message.source.allowed_event_types
    return allowed is None or message.event_type in allowed


def check_reach(message: Message) -> None:
    """Raises EventTypeNotAllowed or ShipmentNotReached for what the source may not post."""
    source = message.source
    if not may_post(message):
        _refuse_memories(source)
        raise EventTypeNotAllowed(f"This source may not post {message.event_type}.", field="event_type")
    if not source.carrier_id:
        return
    with connection.cursor() as cursor:
        cursor.execute(_FOREIGN, [source.carrier_id, message.shipment_id])
        if cursor.fetchone()[0]:
            raise ShipmentNotReached(f"Shipment {message.shipment_id} not found.", field="shipment_id")


def _process(event_id: int, shipment_pk: int, message: Message, *, now: datetime, last_attempt: bool) -> Receipt:
    try:
        with pipelined():
            created, state = apply(event_id, shipment_pk, message.event_type, actor=message.actor, now=now)
    except Exception as error:  # the one sanctioned broad catch: no accepted event is ever lost
        if not last_attempt and isinstance(error, OperationalError) and is_conflict(error):
            raise
        back_to_mark()
        logger.exception("Shipment event %s is stored and waits for the sweep", event_id)
        note_failure(event_id, error, swept=False)
        return Receipt(event_id, message.shipment_id, message.event_type, EventState.WAITING, None, 0)
    return Receipt(event_id, message.shipment_id, message.event_type, state, now, created)


def apply(event_id: int, shipment_pk: int, event_type: str, *, actor: str, now: datetime) -> tuple[int, EventState]:
    """Creates what a stored event of a locked shipment brings, and tells how many; it is the event's first answer."""
    created = create_missing(event_id, shipment_pk, event_type, actor=actor, now=now)
    return created, processed({event_id: created}, now=now)[event_id]


def create_missing(event_id: int, shipment_pk: int, event_type: str, *, actor: str, now: datetime) -> int:
    """Creates the milestones that a stored event brings and that are not there yet; how many."""
    if event_type not in EventType.__members__:
        return 0
    return len(milestones.process_milestones(shipment_pks=[shipment_pk], event_ids=[event_id], actor=actor, now=now))


def in_words(error: Exception) -> str:
    """An error as it is kept with its event."""
    return f"{type(error).__name__}: {error}".replace("\x00", "")[:2000]


def note_failure(event_id: int, error: Exception, *, swept: bool) -> None:
    """Keeps what went wrong; after ten sweeps the event is marked failed.

    A sweep tells of it outside the shipment's lock: an event that another has processed meanwhile stays processed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FAILED, [in_words(error), int(swept), int(swept), SWEEPS_BEFORE_FAILED, event_id, int(swept)])


def _refuse_memories(source: Source) -> None:
    """Raises SourceChanged unless the source is still what it was when it was read."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SOURCE_AS_KNOWN.format(locked='0')}", _as_known(source))
        if not cursor.fetchone()[0]:
            raise SourceChanged(f"source {source.pk} has changed since it was read")


def _as_known(source: Source) -> tuple[int, int | None, int | None]:
    return source.pk, source.revision, source.secret


def earlier(message: Message) -> Receipt | None:
    """The first answer to this message, if it was stored before; raises MessageReused, SourceChanged."""
    with connection.cursor() as cursor:
        cursor.execute(_EARLIER, [*_as_known(message.source), message.source.pk, message.message_id])
        row: tuple[Any, ...] = cursor.fetchone()
    as_known, event_id, body_hash, event_type, state, processed_at, created, shipment_id = row
    if not as_known:
        raise SourceChanged(f"source {message.source.pk} has changed since it was read")
    if body_hash is None:
        return None
    if bytes(body_hash) != message.body_hash:
        raise MessageReused("This message id was used before for another message.")
    return Receipt(event_id, shipment_id, event_type, EventState(state), processed_at, created, repeated=True)
