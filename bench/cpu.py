"""How much work was it? CPU time from /proc, which other programs on the machine stretch less than they do a clock."""

import os
from collections.abc import Iterable
from pathlib import Path

import psycopg

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def of_processes(pids: Iterable[int]) -> float:
    """Seconds of CPU that these processes have used; 0.0 for those that are gone and where there is no /proc."""
    total = 0
    for pid in pids:
        try:
            # proc(5): behind the command's closing bracket, utime and stime are the 12th and 13th word.
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(words[11]) + int(words[12])
    return total / _TICKS_PER_SECOND


def of_backends(database_url: str) -> float:
    """Seconds of CPU of all PostgreSQL backends that are connected to this database now."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return of_processes(row[0] for row in rows)
