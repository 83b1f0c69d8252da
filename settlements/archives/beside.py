"""Looking at archived audit events as if they had never left: beside their table, under its name.

The schema `archived` has a view of the events' name, which shows the table and what was read out of files. Within the
block it comes first wherever a table is not called by its schema's name, so every question finds what it found before.
What is loaded is seen by its transaction alone and never committed. The guards call the events by their schema's name,
so that nothing shown here is true for them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection, transaction

from settlements.archives import files
from settlements.archives.lines import COLUMNS, Line

# The events' own table, whatever stands beside it.
TABLE: Final = "public.settlements_auditevent"
_AT_A_TIME: Final = 2_000
_ANY: Final = "SELECT EXISTS (SELECT 1 FROM settlements_auditarchive)"
_LOAD: Final = f"COPY archived.readout ({', '.join(COLUMNS)}) FROM STDIN"
_NOT_REMOVED: Final = f"""
    DELETE FROM archived.readout f USING {TABLE} a
    WHERE a.intent_id = f.intent_id AND a.sequence = f.sequence AND (a.id, a.hash) = (f.id, f.hash)
"""
_TWICE: Final = f"""
    SELECT a.intent_id, a.sequence FROM archived.readout f
    JOIN {TABLE} a ON a.intent_id = f.intent_id AND a.sequence = f.sequence ORDER BY 1, 2 LIMIT 1
"""
_ONLY_READS: Final = "SELECT current_setting('transaction_read_only') = 'on'"
_PATH: Final = "SELECT set_config('search_path', %s, true)"


class OnlyReads(Exception):
    """On a database that only reads nothing can be shown beside a table."""


def are_any() -> bool:
    """Whether anything was ever archived."""
    with connection.cursor() as cursor:
        cursor.execute(_ANY)
        row: tuple[bool] = cursor.fetchone()
    return row[0]


@contextmanager
def shown() -> Iterator[None]:
    """Within the block the table has what `load` is given too; nothing that is written within it is committed.

    Inside a transaction that may write until the block begins; else raises OnlyReads.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ONLY_READS)
            if cursor.fetchone()[0]:
                raise OnlyReads("Archived audit events can not be verified on a database that only reads.")
            cursor.execute("SELECT current_setting('search_path')")
            before: str = cursor.fetchone()[0]
            # Whoever left anything there is not to be believed.
            cursor.execute("DELETE FROM archived.readout")
            cursor.execute(_PATH, ["archived, public"])
        yield
        with connection.cursor() as cursor:
            cursor.execute(_PATH, [before])
        transaction.set_rollback(True)


@contextmanager
def hidden() -> Iterator[None]:
    """Within the block, inside of `shown` or not, there is the table alone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path')")
        before: str = cursor.fetchone()[0]
        cursor.execute(_PATH, ["public"])
    yield
    with connection.cursor() as cursor:
        cursor.execute(_PATH, [before])


def load(lines: Iterable[Line]) -> Iterator[Line]:
    """Passes the lines of one file on and adds them to what is shown, but for the last of each intent, which stays.

    `settle` follows when those of all files have passed.
    """
    waiting: list[Line] = []
    for line in lines:
        if waiting and waiting[-1].intent_id != line.intent_id:
            waiting.pop()
        elif len(waiting) >= _AT_A_TIME:
            _copy(waiting)
            waiting = []
        waiting.append(line)
        yield line
    _copy(waiting[:-1])


def settle() -> None:
    """What is recorded and was not removed yet stands in both places, and is shown once.

    Raises files.Damaged where it is not the same.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NOT_REMOVED)
        cursor.execute(_TWICE)
        twice = cursor.fetchone()
    if twice:
        raise files.Damaged(f"payment intent {twice[0]}, audit event {twice[1]}: an archive has another than the table")


def _copy(lines: list[Line]) -> None:
    with connection.cursor() as cursor, cursor.copy(_LOAD) as rows:
        for line in lines:
            rows.write_row(line.row)
