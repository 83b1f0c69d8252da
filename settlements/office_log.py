"""The only writer of office events: acts that no single payment intent owns, in one chain of hashes.

The hash is SHA-256 over the previous hash (32 bytes; zeros for the first) followed by the canonical form: UTF-8 JSON
without spaces, keys sorted, times as RFC 3339 in UTC with six decimals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import orjson
from django.db import connection

from settlements.audit import NOTHING_BEFORE, NotInTransaction, chained


class OfficeAction(StrEnum):
    """What an office event tells of."""

    EXPORT_BEGUN = "export_begun"
    EXPORTED = "exported"
    EXPORT_BROKEN_OFF = "export_broken_off"
    EXPORT_DOWNLOADED = "export_downloaded"
    DAY_CLOSED = "day_closed"
    DIFFERENCE_RESOLVED = "difference_resolved"
    DOSSIER_MADE = "dossier_made"
    AUDIT_ARCHIVED = "audit_archived"
    LOST_FILE_PROPOSED = "lost_file_proposed"
    LOST_FILE_CONFIRMED = "lost_file_confirmed"
    LOST_FILE_TAKEN_BACK = "lost_file_taken_back"
    ENTRY_BOOKED = "entry_booked"
    ROWS_SEALED = "rows_sealed"


# One at a time: held until the transaction ends, so that the next writer sees this one's row.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('settlements_officeevent'))"
_HEAD: Final = "SELECT sequence, hash FROM settlements_officeevent ORDER BY sequence DESC LIMIT 1"
_INSERT: Final = """
    INSERT INTO settlements_officeevent (sequence, action, subject, actor, reason, data, created_at, prev_hash, hash)
    VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s) RETURNING id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeDraft:
    """What was done, before it has its place in the chain; `data` holds strings, integers, booleans, nulls and these
    in lists and mappings, never floats. `subject` names what it was done to: `settlements.csv`, `2026-11-28`."""

    action: OfficeAction
    subject: str
    actor: str
    reason: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def canonical(draft: OfficeDraft, *, sequence: int, created_at: datetime) -> bytes:
    """The bytes that are hashed."""
    return orjson.dumps(
        {
            "action": draft.action.value,
            "actor": draft.actor,
            "created_at": created_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "data": dict(draft.data),
            "reason": draft.reason,
            "sequence": sequence,
            "subject": draft.subject,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def record(draft: OfficeDraft, *, now: datetime) -> int:
    """Appends the act to the chain, in the transaction of the act itself; the id of its row. Raises NotInTransaction.

    Writers wait for each other from here to the end of their transactions: call it last.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction("office events are written with what they tell of")
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)
        cursor.execute(_HEAD)
        sequence, before = cursor.fetchone() or (0, NOTHING_BEFORE)
        sequence, before = sequence + 1, bytes(before)
        digest = chained(before, canonical(draft, sequence=sequence, created_at=now))
        told = [draft.action.value, draft.subject, draft.actor, draft.reason, orjson.dumps(dict(draft.data)).decode()]
        cursor.execute(_INSERT, [sequence, *told, now, before, digest])
        row: tuple[int] = cursor.fetchone()
    return row[0]
