"""A year of paid intents, some million rows of the three tables that only grow, written by one statement per table.

One paid intent is made by the domain; the others are its copies, with ids, references and times of their own and hashes
that follow one another. Only a recomputation of the hashes would tell them from real ones. Triggers and foreign keys
sleep while they are written, which nothing but a bench should do.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction

from bench.copies import REFERENCES, TABLES
from tests.factories import CLAIM, PICKUP, POD, an_intent, platform_source, settlement_of

# What grows for ever, and the rows of each that one paid intent leaves: 10 in all.
GROWING: Final = {"settlements_shipmentevent": 3, "settlements_auditevent": 4, "rails_posting": 3}
SECONDS: Final = 365 * 86_400
_AT_A_TIME: Final = 2  # tables, a connection each

# Of a copy: its number as digits of one length, so that texts come in the order of time; and how far back it lies.
_DIGITS: Final = "lpad(n::text, 9, '0')"
_BACK: Final = "make_interval(secs => %(seconds)s::float8 * (%(copies)s - n) / %(copies)s)"
_AUDIT_HASH: Final = "sha256(convert_to((t.intent_id + n * {step}) || ':' || {sequence}, 'UTF8'))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """What was written: so many intents, and rows of the three tables in all."""

    intents: int
    rows: int

    def bounds(self, months: int) -> dict[str, list[int]]:
        """The first keys of all months but the first, by table: audit events are cut by their intent."""
        starts = [1 + self.intents * month // months for month in range(1, months)]
        return {
            "settlements_shipmentevent": [3 * (start - 1) + 1 for start in starts],
            "settlements_auditevent": starts,
            "rails_posting": [3 * (start - 1) + 1 for start in starts],
        }


def lay(rows: int) -> Year:
    """Writes a year of intents with about that many rows of the three tables; the newest end now."""
    platform_source()
    intent = an_intent()
    for event_type in (PICKUP, POD, CLAIM):
        settlement_of(intent, event_type)
    copies = max(rows // sum(GROWING.values()) - 1, 1)
    steps = {table: _step(table) for table in TABLES}
    with ThreadPoolExecutor(_AT_A_TIME) as writers:
        for _ in writers.map(lambda table: _write(table, steps, copies), TABLES):
            pass
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return Year(intents=copies + 1, rows=(copies + 1) * sum(GROWING.values()))


def _write(table: str, steps: dict[str, int], copies: int) -> None:
    """All copies of a table's rows, on a connection of this thread's own."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        # Apart from what is being written, which would be read over and over.
        cursor.execute(f"CREATE TEMPORARY TABLE template_of_{table} ON COMMIT DROP AS SELECT * FROM {table}")
        cursor.execute(_copied(table, steps), {"copies": copies, "seconds": SECONDS})
        if _is_identity(table):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
    connection.close()


def _copied(table: str, steps: dict[str, int]) -> str:
    columns = _columns(table)
    values = ", ".join(_value(table, name, kind, steps) for name, kind in columns)
    names = ", ".join(name for name, _ in columns)
    return f"""
        INSERT INTO {table} ({names}) SELECT {values} FROM generate_series(1, %(copies)s::bigint) AS n
        CROSS JOIN LATERAL (SELECT * FROM template_of_{table} WHERE n > 0 ORDER BY id) AS t
    """


def _value(table: str, name: str, kind: str, steps: dict[str, int]) -> str:
    """The column of the copy number n of the row t."""
    own = f"t.{name}"
    step = steps["settlements_paymentintent"]
    if table == "settlements_auditevent" and name == "hash":
        return _AUDIT_HASH.format(step=step, sequence="t.sequence")
    if table == "settlements_auditevent" and name == "prev_hash":
        earlier = _AUDIT_HASH.format(step=step, sequence="(t.sequence - 1)")
        return f"CASE t.sequence WHEN 1 THEN t.prev_hash ELSE {earlier} END"
    if name == "id":
        return f"{own} + n * {steps[table]}"
    if name in REFERENCES and kind == "bigint":
        return f"{own} + n * {steps[REFERENCES[name]]}"
    if (name, kind) == ("shipment_id", "text") or name == "message_id":
        return f"{own} || '-' || {_DIGITS}"
    if name == "reference":
        return f"CASE {own} WHEN '' THEN '' ELSE {own} || '-' || {_DIGITS} END"
    if kind == "timestamp with time zone":
        return f"{own} - {_BACK}"
    if kind == "date":
        return f"({own} - {_BACK})::date"
    return own


def _columns(table: str) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = %s ORDER BY ordinal_position",
            [table],
        )
        return [(name, kind) for name, kind in cursor.fetchall()]


def _is_identity(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id') IS NOT NULL", [table])
        return bool(cursor.fetchone()[0])


def _step(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")
        return int(cursor.fetchone()[0])
