"""The floor of the sweep: set-based SQL, a thousand at a time, on plain tables of the same shape without guards.

A batch is one transaction: claim, update, an entry and a posting for each. No hold, switch or risk is looked at, and no
audit event is written.
"""

import time

import psycopg

from bench import cpu
from bench.figures import Work

BATCH = 1_000

_TABLES = {
    "swept_settlement": "settlements_milestonesettlement",
    "swept_entry": "rails_journalentry",
    "swept_posting": "rails_posting",
}
_KEYS = (
    "CREATE INDEX ON swept_settlement (settlement_delayed_until) WHERE status = 'DELAYED'",
    "CREATE UNIQUE INDEX ON swept_entry (milestone_id, kind, attempt_number)",
    "CREATE INDEX ON swept_posting (entry_id)",
)
_FILL = """
    INSERT INTO swept_settlement OVERRIDING SYSTEM VALUE
    SELECT * FROM settlements_milestonesettlement WHERE status = 'DELAYED' AND amount_minor > 0
"""
_CLAIM = """
    SELECT id FROM swept_settlement WHERE status = 'DELAYED' AND settlement_delayed_until <= now()
    ORDER BY settlement_delayed_until LIMIT %s FOR UPDATE SKIP LOCKED
"""
_UPDATE = """
    UPDATE swept_settlement SET status = 'APPROVED', released_at = now(), updated_at = now(),
        reference = 'INTERNAL_LEDGER:' || to_char(now(), 'YYYYMMDD"T"HH24MISS"Z"') || ':' || id
    WHERE id = ANY(%s::bigint[])
"""
_ENTRIES = """
    INSERT INTO swept_entry (kind, reference, milestone_id, attempt_number, occurrence, currency, amount_minor,
        description, posted_at, created_at)
    SELECT 'release', reference, id, 1, 1, currency, amount_minor, '', released_at, now()
    FROM swept_settlement WHERE id = ANY(%s::bigint[])
"""
_POSTINGS = """
    INSERT INTO swept_posting (entry_id, debit_account_id, credit_account_id, currency, amount_minor, posted_at)
    SELECT id, 1, 2, currency, amount_minor, posted_at FROM swept_entry
    WHERE milestone_id = ANY(%s::bigint[]) AND kind = 'release' AND attempt_number = 1
"""


def lay_out(database_url: str) -> None:
    """Makes the plain tables anew, empty."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for plain, real in _TABLES.items():
            connection.execute(f"DROP TABLE IF EXISTS {plain}")
            connection.execute(f"CREATE TABLE {plain} (LIKE {real} INCLUDING DEFAULTS INCLUDING IDENTITY)")
            connection.execute(f"ALTER TABLE {plain} ADD PRIMARY KEY (id)")
        # The product's day of an entry is computed by PostgreSQL, here by nobody.
        connection.execute("ALTER TABLE swept_entry DROP COLUMN IF EXISTS booked_on")
        for key in _KEYS:
            connection.execute(key)


def fill(database_url: str) -> None:
    """The settlements that are due in the product are due here, too."""
    with psycopg.connect(database_url) as connection:
        connection.execute(_FILL)


def run(database_url: str) -> Work:
    """Batches until one finds nothing, on one connection."""
    released = 0
    with psycopg.connect(database_url, autocommit=True, prepare_threshold=0) as connection:
        began, used = time.monotonic(), time.process_time()
        while due := _batch(connection):
            released += due
        elapsed, client = time.monotonic() - began, time.process_time() - used
        return Work(released, elapsed, client, cpu.of_processes([connection.info.backend_pid]))


def count(database_url: str) -> tuple[int, int, int]:
    """How many settlements it has released, and how many entries and postings it has written."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM swept_settlement WHERE status = 'APPROVED'),"
            " (SELECT count(DISTINCT milestone_id) FROM swept_entry), (SELECT count(*) FROM swept_posting)"
        ).fetchone()
    assert row is not None
    return row


def _batch(connection: psycopg.Connection[tuple[int]]) -> int:
    with connection.transaction():
        due = [row[0] for row in connection.execute(_CLAIM, [BATCH])]
        if due:
            for statement in (_UPDATE, _ENTRIES, _POSTINGS):
                connection.execute(statement, [due])
    return len(due)
