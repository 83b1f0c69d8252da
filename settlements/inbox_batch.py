"""Messages of different shipments stored and processed together: four statements and one transaction for all of them.

Only what is plain is done here, and repeats of what is stored and processed get their answer. What waits for a lock, is
refused or fails is left alone: the inbox receives it by itself then, as if nobody had tried.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson
from django.db import connection, transaction

from settlements import lead_connection, milestones
from settlements.received import Message, Receipt, processed
from settlements.statements import pipelined
from settlements.statuses import EventState, EventType

logger = logging.getLogger(__name__)

MOST: Final = 64
PATIENCE_SECONDS: Final = 0.003

# Whether the carrier in whose name a message comes may reach the shipment.
_REACHED = """(carrier = '' OR (SELECT count(*) = 0 OR bool_or(t.carrier_id = carrier)
                           FROM settlements_freighttoken t WHERE t.shipment_id = {shipment}))"""

# Looks for messages that were stored before, whose answer needs no lock. Of the others it locks the shipments that
# nobody holds, and stores them. It waits for no shipment, so nothing is held up by one that is busy, and no batch waits
# for another's. Each message and each shipment is looked up by its index, whatever the planner expects.
_STORE = f"""
    WITH looked AS (
        SELECT w.*, e.event, e.event_shipment, e.event_hash, e.state, e.processed_at, e.settlements_created
        FROM json_to_recordset(%s::json) AS w (reference text, source bigint, revision bigint, secret bigint,
            carrier text, message_id text, body_hash text, event_type text, occurred_at timestamptz, was_naive boolean,
            actor text, body text)
        LEFT JOIN LATERAL (
            SELECT id AS event, shipment_id AS event_shipment, body_hash AS event_hash, state, processed_at,
                settlements_created
            FROM settlements_shipmentevent WHERE source_id = w.source AND message_id = w.message_id LIMIT 1
        ) e ON true
    ), shipment AS (
        SELECT free.id, looked.* FROM looked CROSS JOIN LATERAL (
            SELECT p.id FROM settlements_shipment p WHERE p.shipment_id = looked.reference FOR UPDATE SKIP LOCKED
        ) free WHERE looked.event IS NULL
    ), stored AS (
        INSERT INTO settlements_shipmentevent (source_id, message_id, body_hash, shipment_id, event_type, occurred_at,
            occurred_at_was_naive, received_at, received_from, body, state, processed_at, settlements_created, sweeps,
            error)
        SELECT source, message_id, decode(body_hash, 'hex'), id, event_type, occurred_at, was_naive, now(), actor, body,
            'PROCESSED', %s, 0, 0, ''
        FROM shipment
        WHERE settlements_source_as_known(id, source, revision, secret)
          AND {_REACHED.format(shipment="shipment.id")}
        ON CONFLICT (source_id, message_id) DO NOTHING
        RETURNING id, shipment_id
    )
    SELECT shipment.reference, stored.id, shipment.id, NULL AS state, NULL AS processed_at, NULL AS settlements_created
    FROM stored JOIN shipment ON shipment.id = stored.shipment_id
    UNION ALL
    SELECT reference, event, event_shipment, state, processed_at, settlements_created FROM looked
    WHERE processed_at IS NOT NULL AND event_hash = decode(body_hash, 'hex')
      AND reference = (SELECT p.shipment_id FROM settlements_shipment p WHERE p.id = event_shipment)
      AND settlements_source_as_known(event, source, revision, secret)
      AND {_REACHED.format(shipment="event_shipment")}
"""


def receive(messages: Sequence[Message], *, now: datetime) -> list[Receipt | None]:
    """Stores and processes messages; None for one that is left alone, of which nothing stays.

    They are of different shipments, but for copies of one message: the first is handled, the others are its repeats.
    """
    firsts = {each.shipment_id: each for each in reversed(messages)}
    try:
        with lead_connection.lent(), transaction.atomic(durable=True), pipelined():
            receipts = _receive(list(firsts.values()), now)
    except Exception:  # whose fault it is shows when each is received by itself
        logger.warning("%s events could not be received together; each goes alone", len(messages), exc_info=True)
        return [None] * len(messages)
    return [_own(receipts.get(each.shipment_id), repeated=firsts[each.shipment_id] is not each) for each in messages]


def _own(receipt: Receipt | None, *, repeated: bool) -> Receipt | None:
    return replace(receipt, repeated=True) if receipt and repeated else receipt


def _receive(messages: Sequence[Message], now: datetime) -> dict[str, Receipt]:
    by_reference = {each.shipment_id: each for each in messages}
    stored: dict[str, tuple[int, int]] = {}
    receipts: dict[str, Receipt] = {}
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [orjson.dumps([_row(message) for message in messages]).decode(), now])
        for reference, event_id, shipment_pk, state, processed_at, created in cursor.fetchall():
            if state is None:
                stored[reference] = event_id, shipment_pk
            else:
                event_type = by_reference[reference].event_type
                receipts[reference] = Receipt(
                    event_id, reference, event_type, EventState(state), processed_at, created, repeated=True
                )
    if not stored:
        return receipts
    paying = [ids for reference, ids in stored.items() if _creates(by_reference[reference])]
    events, shipments = zip(*paying, strict=True) if paying else ((), ())
    made = milestones.process_milestones(shipment_pks=shipments, event_ids=events, now=now)
    created_by = Counter(new.event_id for new in made)
    states = processed({event_id: created_by[event_id] for event_id, _ in stored.values()}, now=now)
    for reference, (event_id, _) in stored.items():
        event_type = by_reference[reference].event_type
        receipts[reference] = Receipt(event_id, reference, event_type, states[event_id], now, created_by[event_id])
    return receipts


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
