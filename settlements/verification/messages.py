"""Are the shipment events the messages that were received? Each body against the hash that was taken of it then."""

import hashlib
from typing import Any

from settlements import strict_json
from settlements.verification.differences import Difference, Rule, count, keep, rows_of

_MESSAGES = """
    SELECT e.id, e.body, e.body_hash, e.event_type, coalesce(p.shipment_id, 'nothing')
    FROM settlements_shipmentevent e LEFT JOIN settlements_shipment p ON p.id = e.shipment_id ORDER BY e.id
"""
_RULES = [
    # More may be of it: an intent that is made later has its events behind it.
    Rule(
        "shipment event {0}: it is said to have brought {1} settlements, but {2} are of it",
        """
        SELECT e.id, e.settlements_created, count(s.id) FROM settlements_shipmentevent e
        LEFT JOIN settlements_milestonesettlement s ON s.event_id = e.id
        GROUP BY e.id HAVING count(s.id) < e.settlements_created ORDER BY e.id
        """,
    ),
]


def check() -> int:
    """The number of shipment events; raises Difference for the first that is not the message received."""
    with rows_of(_MESSAGES) as rows:
        for event_id, body, body_hash, event_type, shipment_id in rows:
            message = _received(body, bytes(body_hash))
            if message is None:
                raise Difference(f"shipment event {event_id}: its message is not the one that was received")
            says = (str(message.get("event_type", "nothing")).upper(), str(message.get("shipment_id", "nothing")))
            if says != (event_type, shipment_id):
                raise Difference(
                    f"shipment event {event_id}: it is said to be {event_type} of shipment {shipment_id}, "
                    f"but its message says {says[0]} of {says[1]}"
                )
    keep(_RULES)
    return count("settlements_shipmentevent")


def _received(body: str, body_hash: bytes) -> dict[str, Any] | None:
    """The message, read as it was at intake, if the hash was taken of it; None for every other text."""
    as_stored = body.encode()
    try:
        message = strict_json.read(as_stored)
    except strict_json.MalformedJSON:
        return None
    if type(message) is not dict:
        return None
    # Of the text itself, which most messages are spelled like, or of what it says.
    if body_hash not in (hashlib.sha256(as_stored).digest(), hashlib.sha256(strict_json.canonical(message)).digest()):
        return None
    return message
