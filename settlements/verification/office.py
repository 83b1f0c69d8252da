"""Are the acts of the back office whole? One chain without a gap, each hash what its row says.

The canonical form is written here a second time, from its description in `settlements/office_log.py`.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson

from settlements.verification.differences import Difference, rows_of

_EVENTS = """
    SELECT sequence, action, subject, actor, reason, data, created_at, prev_hash, hash
    FROM settlements_officeevent ORDER BY sequence
"""


def check() -> int:
    """The number of office events; raises Difference for a gap or a hash that does not fit."""
    sequence, before = 0, bytes(32)
    with rows_of(_EVENTS) as rows:
        for row in rows:
            sequence += 1
            if row[0] != sequence:
                raise Difference(f"office event {sequence}: missing, {row[0]} follows")
            if bytes(row[7]) != before:
                raise Difference(f"office event {sequence}: it does not carry the hash of the one before it")
            if hashlib.sha256(before + _canonical(row)).digest() != bytes(row[8]):
                raise Difference(f"office event {sequence}: hash does not match its content")
            before = bytes(row[8])
    return sequence


def _canonical(row: tuple[Any, ...]) -> bytes:
    """JSON with sorted keys and no spaces; times in UTC with six decimals."""
    sequence, action, subject, actor, reason, data, created_at, _, _ = row
    moment: datetime = created_at.astimezone(UTC)
    return orjson.dumps(
        {
            "action": action,
            "actor": actor,
            "created_at": f"{moment:%Y-%m-%dT%H:%M:%S.%f}+00:00",
            "data": orjson.loads(data),
            "reason": reason,
            "sequence": sequence,
            "subject": subject,
        },
        option=orjson.OPT_SORT_KEYS,
    )
