"""The same three tables, partitioned by month: by ranges of ids, which are given in the order of time.

Each is cut by the key that keeps its unique constraints whole and that its hot statements name: audit events by their
intent, postings by their entry, shipment events by their own id. Nothing of the schema is written down here a second
time: constraints, indexes, triggers and views are read from the database and made again (docs/adr/0084).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import psycopg

# Unique constraints that a month can not keep: what keeps them instead.
MESSAGE_KEYS: Final = "settlements_messagekey"
_KEYS: Final = f"""
    CREATE TABLE {MESSAGE_KEYS} (
        source_id bigint NOT NULL REFERENCES settlements_eventsource (id), message_id text NOT NULL,
        event_id bigint NOT NULL, CONSTRAINT one_key_per_source_and_message PRIMARY KEY (source_id, message_id)
    )
"""
# Deliveries name their audit event by its id; ids of events are unique by their one sequence, the pair by the database.
_DELIVERIES: Final = """
    ALTER TABLE settlements_delivery ADD COLUMN intent_id bigint,
        ADD CONSTRAINT delivery_tells_an_audit_event
        FOREIGN KEY (intent_id, audit_event_id) REFERENCES settlements_auditevent (intent_id, id)
"""
# A key that is not reached.
_FAR: Final = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How a table is cut: the column whose ranges are the months, and its primary key."""

    table: str
    key: str
    primary_key: str
    dropped: tuple[str, ...] = ()


CUTS: Final = (
    Cut(
        table="settlements_shipmentevent", key="id", primary_key="id", dropped=("one_event_per_source_and_message",)
    ),
    Cut(table="settlements_auditevent", key="intent_id", primary_key="intent_id, id"),
    Cut(table="rails_posting", key="entry_id", primary_key="entry_id, id"),
)  # fmt: skip


def of(table: str, month: int) -> str:
    """The name of one month's partition."""
    return f"{table}_m{month:02}"


def cut(connection: psycopg.Connection[Any], bounds: Mapping[str, Sequence[int]]) -> None:
    """Replaces the three tables by partitioned ones with the same rows.

    `bounds` are, of each table, the first keys of all months but the first; the last one ends far away.
    """
    connection.execute("SET maintenance_work_mem = '256MB'")
    following = views(connection)
    for view, _ in following:
        connection.execute(f"DROP VIEW {view}".encode())
    connection.execute(_KEYS.encode())
    connection.execute(
        f"INSERT INTO {MESSAGE_KEYS} SELECT source_id, message_id, id FROM settlements_shipmentevent".encode()
    )
    for each in CUTS:
        _cut(connection, each, bounds[each.table])
    connection.execute(_DELIVERIES.encode())
    for view, definition in following:
        connection.execute(f"CREATE VIEW {view} AS {definition}".encode())


def add_empty(connection: psycopg.Connection[Any], number: int) -> None:
    """More months after the last one, with nothing in them."""
    for each in CUTS:
        for place in range(number):
            month = of(each.table, len(_months(connection, each.table)) + 1)
            connection.execute(
                f"CREATE TABLE {month} PARTITION OF {each.table}"
                f" FOR VALUES FROM ({_FAR + place}) TO ({_FAR + place + 1})".encode()
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What stands on a table, as PostgreSQL writes it: to be made again on another one of its name."""

    constraints: list[tuple[str, str, str]]
    pointing: list[tuple[str, str, str]]
    indexes: list[tuple[str]]
    triggers: list[tuple[str, bool]]
    referenced: list[str]
    index_names: list[str]
    trigger_names: list[str]


def _cut(connection: psycopg.Connection[Any], cut: Cut, bounds: Sequence[int]) -> None:
    table, whole = cut.table, f"{cut.table}_whole"
    standing = made(connection, table)
    for child, name, _ in standing.pointing:
        connection.execute(f"ALTER TABLE {child} DROP CONSTRAINT {name}".encode())
    connection.execute(f"ALTER TABLE {table} RENAME TO {whole}".encode())
    connection.execute(
        f"CREATE TABLE {table} (LIKE {whole} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE"
        f" INCLUDING IDENTITY) PARTITION BY RANGE ({cut.key})".encode()
    )
    edges = ["MINVALUE", *map(str, bounds), str(_FAR)]
    for month, (start, end) in enumerate(pairwise(edges), start=1):
        name = of(table, month)
        connection.execute(f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ({start}) TO ({end})".encode())
    connection.execute(f"INSERT INTO {table} SELECT * FROM {whole}".encode())
    connection.execute(
        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {whole}))".encode()
    )
    connection.execute(f"DROP TABLE {whole}".encode())
    make_again(connection, cut, standing, len(edges) - 1)


def make_again(connection: psycopg.Connection[Any], cut: Cut, made: Made, number: int) -> None:
    """Foreign keys are not checked once more: the rows kept them a moment ago."""
    table = cut.table
    connection.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({cut.primary_key})".encode())
    if cut.primary_key != "id":
        connection.execute(f"CREATE INDEX {table}_by_id ON {table} (id)".encode())
    for name, kind, definition in made.constraints:
        if name not in cut.dropped:
            known = " NOT VALID" if kind == "f" else ""
            connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}{known}".encode())
    for (definition,) in made.indexes:
        connection.execute(definition.encode())
    for definition, on_truncate in made.triggers:
        connection.execute(definition.encode())
        # Those of rows are made for every partition by PostgreSQL, those of statements are not.
        for month in range(1, number + 1) if on_truncate else ():
            connection.execute(definition.replace(f" ON public.{table} ", f" ON public.{of(table, month)} ").encode())
    for child, name, definition in made.pointing if cut.primary_key == "id" else ():
        connection.execute(f"ALTER TABLE {child} ADD CONSTRAINT {name} {definition} NOT VALID".encode())


def made(connection: psycopg.Connection[Any], table: str) -> Made:
    """What stands on the table."""
    return Made(
        constraints=_rows(
            connection,
            "SELECT conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = to_regclass(%s) AND contype IN ('u', 'f')",
            table,
        ),
        pointing=_rows(
            connection,
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE confrelid = to_regclass(%s) AND contype = 'f'",
            table,
        ),
        indexes=_rows(
            connection,
            "SELECT indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT IN (%s || '_key', %s || '_by_id')"
            " AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s))",
            *[table] * 4,
        ),
        triggers=_rows(
            connection,
            "SELECT pg_get_triggerdef(oid), tgtype & 32 > 0 FROM pg_trigger"
            " WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal",
            table,
        ),
        referenced=_names(
            connection,
            "SELECT DISTINCT confrelid::regclass::text FROM pg_constraint WHERE conrelid = to_regclass(%s)"
            " AND contype = 'f'",
            table,
        ),
        index_names=_names(
            connection,
            "SELECT indexname FROM pg_indexes WHERE tablename = %s AND indexname <> %s || '_pkey'",
            table,
            table,
        ),
        trigger_names=_names(
            connection, "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal", table
        ),
    )


def views(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Our views by their full names and what they are; they follow a table that gets another name."""
    return _rows(
        connection,
        "SELECT schemaname || '.' || viewname, definition FROM pg_views "
        "WHERE schemaname IN ('reporting', 'archived') ORDER BY 1",
    )


def _names(connection: psycopg.Connection[Any], query: str, *words: str) -> list[str]:
    return [row[0] for row in _rows(connection, query, *words)]


def _months(connection: psycopg.Connection[Any], table: str) -> list[tuple[Any, ...]]:
    return _rows(connection, "SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(%s)", table)


def _rows(connection: psycopg.Connection[Any], query: str, *words: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), list(words)).fetchall()
