"""What no audit event repeats is sealed afterwards: digests of rows that never change, in the office's chain.

Each seal covers the next rows of one table by their ids: `sha256` is over the rows in the order of their ids, each as
the JSON array of its `columns` (times in UTC, bytes in hexadecimal), with a line feed between them. Nothing is added
to the transactions that write the rows.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from django.db import connection, transaction

from settlements import office_log
from settlements.office_log import OfficeAction, OfficeDraft

logger = logging.getLogger(__name__)

# Columns that the guards of each table never let change; sealed texts and what is still to be heard of are none.
SEALED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "rails_account": ("id", "code", "kind", "currency", "recipient_id", "opened_at"),
        "rails_journalentry": (
            "id", "reference", "kind", "milestone_id", "attempt_number", "occurrence", "currency", "amount_minor",
            "reverses_id", "follows_id", "description", "posted_at", "booked_on", "created_at",
        ),
        "rails_posting": (
            "id", "entry_id", "debit_account_id", "credit_account_id", "currency", "amount_minor", "posted_at",
        ),
        "rails_railattempt": (
            "id", "milestone_id", "number", "provider", "amount_minor", "currency", "recipient_id", "destination_id",
            "prepared_at",
        ),
        "rails_railnotice": (
            "id", "attempt_id", "source", "outcome", "applied", "reference", "amount_minor", "currency", "reason",
            "occurred_at", "created_at",
        ),
        "rails_stripeevent": (
            "id", "event_id", "type", "account", "about_id", "about", "came_by", "occurred_at", "received_at",
        ),
        "rails_achfile": (
            "id", "name", "purpose", "window_day", "window_cut_off", "same_day", "effective_entry_date",
            "creation_date", "id_modifier", "sha256", "entry_count", "entry_hash", "debits_minor", "credits_minor",
            "created_at",
        ),
        "rails_achentry": (
            "id", "file_id", "kind", "milestone_id", "attempt_number", "trace_number", "batch_number", "sec",
            "transaction_code", "rdfi", "destination_id", "amount_minor",
        ),
        "rails_achoutcome": (
            "id", "entry_id", "fate", "source", "reason", "occurred_at", "said_by_id", "bank_reference", "created_at",
        ),
        "rails_achinboundfile": (
            "id", "sha256", "name", "size", "faults", "is_bare", "item_count", "debits_minor", "credits_minor",
            "uploaded_by_id", "actor", "reason", "read_at",
        ),
        "rails_achinbounditem": (
            "id", "file_id", "line", "kind", "code", "trace_number", "entry_id", "amount_minor", "standing", "is_late",
            "words",
        ),
        "rails_wirefile": (
            "id", "name", "message_id", "currency", "window_opens", "execution_date", "sha256", "entry_count",
            "amount_minor", "created_at",
        ),
        "rails_wireentry": (
            "id", "file_id", "milestone_id", "attempt_number", "end_to_end_id", "uetr", "destination_id", "currency",
            "amount_minor",
        ),
        "rails_wireanswer": (
            "id", "entry_id", "word", "bank_reference", "amount_minor", "reason", "said_by_id", "actor", "said_at",
        ),
        "rails_wiremessage": (
            "id", "sha256", "name", "size", "kind", "message_id", "fault", "fault_line", "read_at",
        ),
        "rails_railreconciliation": (
            "id", "provider", "since", "ours", "theirs", "differences", "error", "actor", "started_at", "finished_at",
        ),
        "rails_raildifference": (
            "id", "reconciliation_id", "kind", "milestone_id", "attempt_number", "reference", "ours", "theirs",
            "amount_minor", "returned_minor", "currency", "occurred_at", "first_seen_at",
        ),
        "settlements_shipmentevent": (
            "id", "source_id", "message_id", "body_hash", "shipment_id", "event_type", "occurred_at",
            "occurred_at_was_naive", "received_at", "received_from",
        ),
        "settlements_bookscheck": (
            "id", "actor", "night", "started_at", "finished_at", "rows", "proven", "failed_check", "difference",
            "error", "notes",
        ),
    }
)  # fmt: skip
_ROWS_A_SEAL: Final = 50_000
_SEALS_A_RUN: Final = 20
_PATIENCE_SECONDS: Final = 30

_SEALED_UP_TO: Final = """
    SELECT seal->>'table', max((seal->>'last')::bigint) FROM settlements_officeevent o
    CROSS JOIN LATERAL jsonb_array_elements(o.data->'seals') AS seal WHERE o.action = 'rows_sealed' GROUP BY 1
"""
# Who writes to a table holds this lock from before it takes a number to the end of its transaction.
_WRITERS: Final = """
    SELECT DISTINCT l.virtualtransaction FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.pid <> pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND l.relation IN (SELECT t::regclass FROM unnest(%s::text[]) AS t)
"""
_WRITTEN_THE_SAME: Final = "SET LOCAL TimeZone = 'UTC'; SET LOCAL bytea_output = 'hex'"


@dataclass(frozen=True, slots=True)
class Seal:
    """The digest of the rows of a table with an id above `after` and up to `last`."""

    table: str
    columns: tuple[str, ...]
    after: int
    last: int
    rows: int
    sha256: str


def seal_new(*, actor: str, now: datetime, sleep: Callable[[float], None] = time.sleep) -> int:
    """Seals what was written since the last time, in a transaction of its own; how many rows.

    Nothing while a transaction that may still add to them does not end: the next run seals it.
    """
    ends = _ends()
    if not _have_ended(_writers(), sleep):
        logger.warning("Nothing was sealed: a transaction has been writing for %s seconds", _PATIENCE_SECONDS)
        return 0
    return seal_up_to(ends, actor=actor, now=now)


def seal_up_to(ends: Mapping[str, int], *, actor: str, now: datetime) -> int:
    """Seals the rows of each table up to an id below which none is added any more; how many rows. One at a time."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_WRITTEN_THE_SAME)
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('settlements_seal'))")
            cursor.execute(_SEALED_UP_TO)
            before = dict(cursor.fetchall())
        seals = [
            seal
            for table, columns in SEALED.items()
            for seal in _seals(table, columns, before.get(table, 0), ends.get(table, 0))
        ]
        if seals:
            rows = sum(seal.rows for seal in seals)
            data = {"rows": rows, "seals": [asdict(seal) for seal in seals]}
            draft = OfficeDraft(action=OfficeAction.ROWS_SEALED, subject=f"{rows} rows", actor=actor, data=data)
            office_log.record(draft, now=now)
    return sum(seal.rows for seal in seals)


def digest_of(table: str, columns: tuple[str, ...]) -> str:
    """The statement that gives number and digest of the rows above one id and up to another (two parameters)."""
    row = f"json_build_array({', '.join(columns)})::text"
    return f"""
        SELECT count(*), encode(sha256(convert_to(coalesce(string_agg({row}, E'\\n' ORDER BY id), ''), 'UTF8')), 'hex')
        FROM {table} WHERE id > %s AND id <= %s
    """


def _seals(table: str, columns: tuple[str, ...], after: int, end: int) -> list[Seal]:
    found: list[Seal] = []
    with connection.cursor() as cursor:
        while after < end and len(found) < _SEALS_A_RUN:
            cursor.execute(
                f"SELECT max(id) FROM (SELECT id FROM {table} WHERE id > %s AND id <= %s ORDER BY id LIMIT %s) AS next",
                [after, end, _ROWS_A_SEAL],
            )
            last: int | None = cursor.fetchone()[0]
            if last is None:
                break
            cursor.execute(digest_of(table, columns), [after, last])
            rows, sha256 = cursor.fetchone()
            found.append(Seal(table, columns, after, last, rows, sha256))
            after = last
    return found


def _ends() -> dict[str, int]:
    """The highest id of each table as of now."""
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{table}', coalesce(max(id), 0) FROM {table}" for table in SEALED))
        return dict(cursor.fetchall())


def _writers() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS, [list(SEALED)])
        return {transaction_id for (transaction_id,) in cursor.fetchall()}


def _have_ended(writers: set[str], sleep: Callable[[float], None]) -> bool:
    """Whether these end in time; whoever begins later takes higher numbers."""
    for _ in range(_PATIENCE_SECONDS):
        writers &= _writers() if writers else set()
        if not writers:
            return True
        sleep(1.0)
    return False
