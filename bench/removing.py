"""The oldest month's audit events removed: row by row, and as the partition that they are.

Neither is anything that the application may do: rows are deleted while the guards sleep, and a partition is taken off
by who owns the table.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg

from bench import months

TABLE: Final = "settlements_auditevent"


def a_month(plain: str, by_month: str, bounds: Mapping[str, Sequence[int]]) -> list[str]:
    """A line for each way, with the time and the WAL that it took."""
    end = bounds[TABLE][0]
    with (
        psycopg.connect(plain, autocommit=True) as rows,
        psycopg.connect(by_month, autocommit=True) as partitions,
    ):
        rows.execute("SET session_replication_role = replica")
        return [
            "\nThe first month's audit events removed:",
            _took(rows, "DELETE", f"DELETE FROM {TABLE} WHERE intent_id < {end}"),
            _took(rows, "and VACUUM", f"VACUUM {TABLE}"),
            _took(
                partitions,
                "DETACH ... CONCURRENTLY",
                f"ALTER TABLE {TABLE} DETACH PARTITION {months.of(TABLE, 1)} CONCURRENTLY",
            ),
            _took(partitions, "DROP", f"DROP TABLE {months.of(TABLE, 1)}"),
        ]


def _took(connection: psycopg.Connection[Any], name: str, statement: str) -> str:
    start, began = _wal(connection), time.monotonic()
    connection.execute(statement.encode())
    seconds, written = time.monotonic() - began, _wal(connection) - start
    return f"  {name:<26} {seconds:>8.2f} s  {written / 2**20:>9.1f} MiB of WAL"


def _wal(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')").fetchone()
    return int(row[0]) if row else 0
