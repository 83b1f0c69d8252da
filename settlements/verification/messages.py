"""Are the shipment events the messages that were received? Each body against the hash that was taken of it then."""

import hashlib
import json
from decimal import Decimal
from typing import Any

import orjson

from settlements.verification.differences import Difference, Rule, count, keep, rows_of

# Most bodies are not spelled as they are hashed: without spaces, keys in order, decimals as texts.
_SPELLED_OTHERWISE = """
    SELECT e.id, e.body, e.body_hash FROM settlements_shipmentevent e
    WHERE sha256(convert_to(e.body, 'UTF8')) <> e.body_hash ORDER BY e.id
"""
_RULES = [
    Rule(
        "shipment event {0}: it is said to be {1} of shipment {2}, but its message says {3} of {4}",
        """
        SELECT e.id, e.event_type, p.shipment_id, coalesce(upper(e.body::jsonb->>'event_type'), 'nothing'),
               coalesce(e.body::jsonb->>'shipment_id', 'nothing')
        FROM settlements_shipmentevent e JOIN settlements_shipment p ON p.id = e.shipment_id
        WHERE (e.event_type, p.shipment_id) IS DISTINCT FROM
            (upper(e.body::jsonb->>'event_type'), e.body::jsonb->>'shipment_id') ORDER BY e.id
        """,
    ),
    Rule(
        "shipment event {0}: it is said to have brought {1} settlements, but {2} are of it",
        """
        SELECT e.id, e.settlements_created, count(s.id) FROM settlements_shipmentevent e
        LEFT JOIN settlements_milestonesettlement s ON s.event_id = e.id
        GROUP BY e.id HAVING count(s.id) <> e.settlements_created ORDER BY e.id
        """,
    ),
]


def check() -> int:
    """The number of shipment events; raises Difference for the first that is not the message received."""
    with rows_of(_SPELLED_OTHERWISE) as rows:
        for event_id, body, body_hash in rows:
            if hashlib.sha256(_canonical(body)).digest() != bytes(body_hash):
                raise Difference(f"shipment event {event_id}: its message is not the one that was received")
    keep(_RULES)
    return count("settlements_shipmentevent")


def _canonical(body: str) -> bytes:
    """The message without what whitespace and the order of keys add; b"" for what is no JSON."""
    try:
        return orjson.dumps(json.loads(body, parse_float=Decimal), default=_exact, option=orjson.OPT_SORT_KEYS)
    except ValueError:
        return b""


def _exact(value: Any) -> str:
    return str(value)
