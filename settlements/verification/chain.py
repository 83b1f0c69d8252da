"""Is the history whole? Every intent has a chain of audit events without a gap, each hash what its row says.

The canonical form is written here a second time, from its description in `settlements/audit.py`, so that a mistake
of the writer does not excuse itself.
"""

import hashlib
from typing import Any

import orjson

from settlements.verification.differences import Difference, rows_of

_EVENTS = """
    SELECT i.id, a.sequence, a.settlement_id, a.action, a.from_status, a.to_status, a.reason, a.triggered_by,
           a.approved_by, a.data, to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00',
           a.prev_hash, a.hash
    FROM settlements_paymentintent i LEFT JOIN settlements_auditevent a ON a.intent_id = i.id
    ORDER BY i.id, a.sequence
"""


def check() -> int:
    """The number of audit events; raises Difference for a missing one, a gap, or a hash that does not fit."""
    events, current, sequence, before = 0, None, 0, bytes(32)
    with rows_of(_EVENTS) as rows:
        for row in rows:
            intent_id, stored_sequence = row[:2]
            if intent_id != current:
                current, sequence, before = intent_id, 0, bytes(32)
            sequence += 1
            if stored_sequence is None:
                raise Difference(f"intent {intent_id}: it has no audit event")
            if stored_sequence != sequence:
                raise Difference(f"intent {intent_id}, audit event {sequence}: missing, {stored_sequence} follows")
            before = _checked(row, before)
            events += 1
    return events


def _checked(row: tuple[Any, ...], before: bytes) -> bytes:
    """The hash of an audit event that follows the one with hash `before`."""
    name = f"intent {row[0]}, audit event {row[1]}"
    prev_hash, stored = bytes(row[11]), bytes(row[12])
    if prev_hash != before:
        raise Difference(f"{name}: it does not carry the hash of the one before it")
    if hashlib.sha256(before + _canonical(row)).digest() != stored:
        raise Difference(f"{name}: hash does not match its content")
    return stored


def _canonical(row: tuple[Any, ...]) -> bytes:
    """JSON with sorted keys and no spaces; times in UTC with six decimals; an absent settlement is null."""
    (
        intent_id, sequence, settlement_id, action, from_status, to_status, reason, triggered_by,
        approved_by, data, created_at, _, _,
    ) = row  # fmt: skip
    return orjson.dumps(
        {
            "action": action,
            "approved_by": approved_by,
            "created_at": created_at,
            "data": orjson.loads(data),
            "from_status": from_status,
            "intent_id": intent_id,
            "reason": reason,
            "sequence": sequence,
            "settlement_id": settlement_id,
            "to_status": to_status,
            "triggered_by": triggered_by,
        },
        option=orjson.OPT_SORT_KEYS,
    )
