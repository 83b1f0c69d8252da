"""The only writer of audit events: each carries the hash of the one before it of the same intent.

The hash is SHA-256 over the previous hash (32 bytes; zeros for the first) followed by the canonical form: UTF-8 JSON
without spaces, keys sorted, times as RFC 3339 in UTC with six decimals, absent settlement as null.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import connection

from settlements import outbox

NOTHING_BEFORE = bytes(32)

# What staff write for each other beside a settlement: callers of a carrier learn that there is such an event (the chain
# has no gap), not what it says.
NOTE_ADDED, EVIDENCE_ADDED = "note_added", "evidence_added"
AMONG_STAFF = frozenset({NOTE_ADDED, EVIDENCE_ADDED})
# By this a person ends a piece of work that no status tells of: the work list asks for it.
WORK_CLOSED = "work_closed"

_HEADS = """
    SELECT wanted.id, head.sequence, head.hash FROM unnest(%s::bigint[]) AS wanted (id)
    CROSS JOIN LATERAL (
        SELECT a.sequence, a.hash FROM settlements_auditevent a
        WHERE a.intent_id = wanted.id ORDER BY a.sequence DESC LIMIT 1
    ) head
"""

# What subscribers are told of these events is written by the same statement: with the change, or not at all.
_INSERT = f"""
    WITH told AS (INSERT INTO settlements_auditevent (intent_id, sequence, settlement_id, action, from_status,
        to_status, reason, triggered_by, approved_by, data, created_at, prev_hash, hash)
    SELECT n.intent_id, n.sequence, n.settlement_id, n.action, n.from_status, n.to_status, n.reason,
        n.triggered_by, n.approved_by, n.data, %s::timestamptz, decode(n.prev_hash, 'hex'), decode(n.hash, 'hex')
    FROM json_to_recordset(%s::json) AS n (intent_id bigint, sequence int, settlement_id bigint, action text,
        from_status text, to_status text, reason text, triggered_by text, approved_by text, data jsonb,
        prev_hash text, hash text)
    RETURNING id, intent_id, settlement_id, action, from_status, to_status, created_at)
    {outbox.OF_AUDIT_EVENTS}
"""


@dataclass(frozen=True, slots=True)
class Head:
    """The last event of an intent's chain."""

    sequence: int
    hash: bytes


START = Head(0, NOTHING_BEFORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What happened, before it has its place in the chain; `data` holds strings, integers, booleans and nulls only."""

    intent_id: int
    action: str
    triggered_by: str
    settlement_id: int | None = None
    from_status: str = ""
    to_status: str = ""
    reason: str = ""
    approved_by: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class NotInTransaction(RuntimeError):
    """An audit event was to be written outside the transaction of the change it tells of."""


def canonical(draft: Draft, *, sequence: int, created_at: datetime) -> bytes:
    """The bytes that are hashed."""
    return orjson.dumps(
        {
            "action": draft.action,
            "approved_by": draft.approved_by,
            "created_at": created_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "data": dict(draft.data),
            "from_status": draft.from_status,
            "intent_id": draft.intent_id,
            "reason": draft.reason,
            "sequence": sequence,
            "settlement_id": draft.settlement_id,
            "to_status": draft.to_status,
            "triggered_by": draft.triggered_by,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def chained(previous: bytes, canonical_form: bytes) -> bytes:
    """The hash of an event."""
    return hashlib.sha256(previous + canonical_form).digest()


def heads(intent_ids: Sequence[int]) -> dict[int, Head]:
    """The chain heads of these intents; an intent without events is missing. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_HEADS, [list(intent_ids)])
        return {intent_id: Head(sequence, bytes(hash_)) for intent_id, sequence, hash_ in cursor.fetchall()}


def record(drafts: Sequence[Draft], *, now: datetime, known_heads: dict[int, Head] | None = None) -> None:
    """Appends the drafts, in their order, to the chains of their intents, whose shipments the caller has locked.

    `known_heads` saves reading them again; it is brought up to date. Raises NotInTransaction.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction("audit events are written with the change they tell of")
    if not drafts:
        return
    chain = heads([draft.intent_id for draft in drafts]) if known_heads is None else known_heads
    rows = []
    for draft in drafts:
        before = chain.get(draft.intent_id, START)
        sequence = before.sequence + 1
        digest = chained(before.hash, canonical(draft, sequence=sequence, created_at=now))
        chain[draft.intent_id] = Head(sequence, digest)
        rows.append(
            {
                "intent_id": draft.intent_id,
                "sequence": sequence,
                "settlement_id": draft.settlement_id,
                "action": draft.action,
                "from_status": draft.from_status,
                "to_status": draft.to_status,
                "reason": draft.reason,
                "triggered_by": draft.triggered_by,
                "approved_by": draft.approved_by,
                "data": dict(draft.data),
                "prev_hash": before.hash.hex(),
                "hash": digest.hex(),
            }
        )
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [now, orjson.dumps(rows).decode()])
