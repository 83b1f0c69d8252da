"""Messages of different shipments stored and processed together: four statements and one transaction for all of them.

Only what is plain is done here. What waits for a lock, was stored before, is refused or fails is left alone: the inbox
receives it by itself then, as if nobody had tried.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from django.db import connection, transaction

from settlements import milestones
from settlements.received import Message, Receipt, processed
from settlements.statements import pipelined
from settlements.statuses import EventType

logger = logging.getLogger(__name__)

MOST: Final = 64

# Locks the shipments that nobody holds, and stores their messages. It waits for no shipment, so nothing is held up by
# one that is busy, and no batch waits for another's. Each shipment is looked up by its index, whatever the planner
# expects.
_STORE = """
    WITH wanted AS (
        SELECT * FROM json_to_recordset(%s::json) AS w (reference text, source bigint, revision bigint, secret bigint,
            carrier text, message_id text, body_hash text, event_type text, occurred_at timestamptz, was_naive boolean,
            actor text, body text)
    ), shipment AS (
        SELECT free.id, wanted.* FROM wanted CROSS JOIN LATERAL (
            SELECT p.id FROM settlements_shipment p WHERE p.shipment_id = wanted.reference FOR UPDATE SKIP LOCKED
        ) free
    ), stored AS (
        INSERT INTO settlements_shipmentevent (source_id, message_id, body_hash, shipment_id, event_type, occurred_at,
            occurred_at_was_naive, received_at, received_from, body, state, processed_at, settlements_created, sweeps,
            error)
        SELECT source, message_id, decode(body_hash, 'hex'), id, event_type, occurred_at, was_naive, now(), actor, body,
            'PROCESSED', %s, 0, 0, ''
        FROM shipment
        WHERE settlements_source_as_known(id, source, revision, secret)
          AND (carrier = '' OR NOT EXISTS (SELECT 1 FROM settlements_freighttoken t WHERE t.shipment_id = shipment.id)
               OR EXISTS (SELECT 1 FROM settlements_freighttoken t
                          WHERE t.shipment_id = shipment.id AND t.carrier_id = carrier))
        ON CONFLICT (source_id, message_id) DO NOTHING
        RETURNING id, shipment_id
    )
    SELECT stored.id, shipment.id, shipment.reference FROM stored JOIN shipment ON shipment.id = stored.shipment_id
"""


def receive(messages: Sequence[Message], *, now: datetime) -> list[Receipt | None]:
    """Stores and processes messages of different shipments; None for one that is left alone, of which nothing stays."""
    try:
        with transaction.atomic(durable=True), pipelined():
            receipts = _receive(messages, now)
    except Exception:  # whose fault it is shows when each is received by itself
        logger.warning("%s events could not be received together; each goes alone", len(messages), exc_info=True)
        return [None] * len(messages)
    return [receipts.get(message.shipment_id) for message in messages]


def _receive(messages: Sequence[Message], now: datetime) -> dict[str, Receipt]:
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [orjson.dumps([_row(message) for message in messages]).decode(), now])
        stored = {reference: (event_id, shipment_pk) for event_id, shipment_pk, reference in cursor.fetchall()}
    if not stored:
        return {}
    paying = [stored[each.shipment_id] for each in messages if _creates(each) and each.shipment_id in stored]
    events, shipments = zip(*paying, strict=True) if paying else ((), ())
    made = milestones.process_milestones(shipment_pks=shipments, event_ids=events, now=now)
    created = Counter(new.event_id for new in made)
    states = processed({event_id: created[event_id] for event_id, _ in stored.values()}, now=now)
    return {
        each.shipment_id: Receipt(each.shipment_id, each.event_type, states[event_id], now, created[event_id])
        for each in messages
        if each.shipment_id in stored
        for event_id in stored[each.shipment_id][:1]
    }


def _creates(message: Message) -> bool:
    return message.event_type in EventType.__members__


def _row(message: Message) -> dict[str, Any]:
    source = message.source
    return {
        "reference": message.shipment_id,
        "source": source.pk,
        "revision": source.revision,
        "secret": source.secret,
        "carrier": source.carrier_id,
        "message_id": message.message_id,
        "body_hash": message.body_hash.hex(),
        "event_type": message.event_type,
        "occurred_at": message.occurred_at,
        "was_naive": message.occurred_at_was_naive,
        "actor": message.actor,
        "body": message.body,
    }
