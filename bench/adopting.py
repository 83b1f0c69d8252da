"""`make bench ARGS="--only adopting"`: audit events and postings get partitions by month while events come in.

The table as it is becomes the first partition, as docs/adr/0084 describes it; nothing is copied. One thread receives
events all the while, each of which has to make its settlement; what is told is how long each step took and how long the
slowest event waited meanwhile.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final

import django
import psycopg
from django.db import DatabaseError, OperationalError, connections
from psycopg import errors

from bench import months
from bench.months import CUTS, Cut

TABLES: Final = ("settlements_auditevent", "rails_posting")
# How far ahead of the newest key the first partition ends: more than comes in while the steps are made.
_AHEAD: Final = 100_000
_LOCK_TIMEOUT: Final = "200ms"
_TRIES: Final = 50


@dataclass(slots=True)
class Traffic:
    """Events received one after the other by a thread of its own; the slowest since it was last asked, in seconds."""

    inbox: Any
    references: Iterator[str]
    slowest: float = 0.0
    received: int = 0
    again: int = 0
    trouble: list[DatabaseError] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until it is told to end, or something goes wrong."""
        try:
            for reference in takewhile(lambda _: not self._over.is_set(), self.references):
                began = time.monotonic()
                self._receive(reference)
                self.slowest, self.received = max(self.slowest, time.monotonic() - began), self.received + 1
        except DatabaseError as trouble:
            self.trouble.append(trouble)
        finally:
            connections.close_all()

    def _receive(self, reference: str) -> None:
        """A deadlock is tried again, as the inbox does."""
        from settlements import inbox

        for left in reversed(range(inbox.ATTEMPTS)):
            try:
                self.inbox.receive_one(reference)
            except OperationalError as trouble:
                if not left or not inbox.is_conflict(trouble):
                    raise
                self.again += 1
            else:
                return

    def since(self) -> str:
        """How many events came since the last time, and how long the slowest took."""
        time.sleep(2.0)  # the last ones of the step
        told = f"{self.received} events meanwhile, the slowest {1000 * self.slowest:.0f} ms, {self.again} tried again"
        self.slowest, self.received, self.again = 0.0, 0, 0
        return told

    def end(self) -> None:
        """No more of them."""
        self._over.set()


def main() -> int:
    """Lays rows, starts the traffic, goes through the steps; 1 when an event was lost or a step is not what it says."""
    parser = argparse.ArgumentParser(prog="python -m bench.adopting", description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000, help="of the three tables in all (default: 300000)")
    parser.add_argument("--events", type=int, default=5_000, help="at most, received meanwhile (default: 5000)")
    words = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chainpay.settings")
    os.environ.setdefault("CHAINPAY_LOG_LEVEL", "WARNING")
    django.setup()
    from bench import receiving, shipments, year

    url = os.environ["DATABASE_URL"]
    laid = year.lay(words.rows)
    references = iter(shipments.prepare(words.events, tokens_after=laid.intents))
    traffic = Traffic(receiving.Inbox(shipments.source().name, references, 1), references)
    thread = threading.Thread(target=traffic.run)
    thread.start()
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            time.sleep(5.0)
            print(f"before: {traffic.since()}", flush=True)
            for cut in CUTS:
                if cut.table in TABLES:
                    _adopt(connection, cut, traffic)
    finally:
        traffic.end()
        thread.join()
    if traffic.trouble:
        raise traffic.trouble[0]
    with psycopg.connect(url) as connection:
        for table in TABLES:
            print(connection.execute(
                f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1 ORDER BY 1".encode()).fetchall()
            )  # fmt: skip
    return 0


def _adopt(connection: psycopg.Connection[Any], cut: Cut, traffic: Traffic) -> None:
    table, key = cut.table, cut.key
    row = connection.execute(f"SELECT max({key}) + {_AHEAD} FROM {table}".encode()).fetchone()
    bound = row[0] if row else 0
    before = (
        f"CREATE UNIQUE INDEX CONCURRENTLY {table}_key ON {table} ({cut.primary_key})",
        f"CREATE INDEX CONCURRENTLY {table}_by_id ON {table} (id)",
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_until CHECK ({key} < {bound}) NOT VALID",
        f"ALTER TABLE {table} VALIDATE CONSTRAINT {table}_until",
    )
    for statement in before:
        _step(connection, statement, traffic)
    began, tries, held = time.monotonic(), 0, None
    while held is None:
        tries += 1
        held = _swapped(connection, cut, bound)
        if tries == _TRIES and held is None:
            raise RuntimeError(f"{table} was never free for {_LOCK_TIMEOUT}")
    print(f"{table} swapped at try {tries}, {time.monotonic() - began:.2f} s in all, locked for {1000 * held:.0f} ms;"
          f" {traffic.since()}", flush=True)  # fmt: skip
    names = connection.execute(
        b"SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s) AND NOT convalidated AND contype = 'f'",
        [table],
    ).fetchall()
    for (name,) in names:
        _step(connection, f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}", traffic)
    _step(connection, f"ALTER TABLE {table}_before DROP CONSTRAINT {table}_until", traffic)
    _step(connection, f"ANALYZE {table}", traffic)


def _swapped(connection: psycopg.Connection[Any], cut: Cut, bound: int) -> float | None:
    """As `_swap`; None where somebody else held a lock for too long."""
    try:
        return _swap(connection, cut, bound)
    except (errors.LockNotAvailable, errors.DeadlockDetected):
        time.sleep(0.2)
        return None


def _swap(connection: psycopg.Connection[Any], cut: Cut, bound: int) -> float:
    """The one transaction in which everybody waits; for how long it held its lock, in seconds."""
    table, old = cut.table, f"{cut.table}_before"
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'".encode())
        standing = months.made(connection, table)
        # All that the statements below will want, at once: who waits for one table must not hold another.
        wanted = [*standing.referenced, table, *(child for child, _, _ in standing.pointing)]
        connection.execute(f"LOCK TABLE {', '.join(wanted)} IN ACCESS EXCLUSIVE MODE".encode())
        began = time.monotonic()
        views = months.views(connection)
        for statement in (
            *(f"DROP VIEW {view}" for view, _ in views),
            *(f"ALTER TABLE {child} DROP CONSTRAINT {name}" for child, name, _ in standing.pointing),
            *(f"DROP TRIGGER {name} ON {table}" for name in standing.trigger_names),
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey",
            f"ALTER TABLE {table} ADD PRIMARY KEY USING INDEX {table}_key",
            f"ALTER TABLE {table} RENAME TO {old}",
            *(f"ALTER INDEX {name} RENAME TO {name[:55]}_before" for name in standing.index_names),
            f"CREATE TABLE {table} (LIKE {old} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE"
            f" INCLUDING IDENTITY EXCLUDING INDEXES) PARTITION BY RANGE ({cut.key})",
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_until",
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {old}))",
            f"ALTER TABLE {old} ALTER COLUMN id DROP IDENTITY",
        ):
            connection.execute(statement.encode())
        months.make_again(connection, cut, standing, 0)
        connection.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {old} FOR VALUES FROM (MINVALUE) TO ({bound})".encode()
        )
        connection.execute(
            f"CREATE TABLE {table}_next PARTITION OF {table} FOR VALUES FROM ({bound}) TO (MAXVALUE)".encode()
        )
        for view, definition in views:
            connection.execute(f"CREATE VIEW {view} AS {definition}".encode())
        held = time.monotonic() - began
    return held


def _step(connection: psycopg.Connection[Any], statement: str, traffic: Traffic) -> None:
    began = time.monotonic()
    connection.execute(statement.encode())
    print(f"{time.monotonic() - began:>8.2f} s  {statement}: {traffic.since()}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
