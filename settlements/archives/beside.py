"""Looking at archived audit events as if they had never left: beside their table, under its name.

A view of the transaction's own shows the table and, in a table of its own, what was read out of the files. Its schema
comes first wherever a table is not called by its schema's name, so every question finds what it found before.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection

from settlements.archives import files
from settlements.archives.lines import COLUMNS, Line

_AT_A_TIME: Final = 2_000
_ANY: Final = "SELECT EXISTS (SELECT 1 FROM settlements_auditarchive)"
# The first makes the connection forget what it has planned for the table of this name.
_BEGIN: Final = (
    "DROP VIEW IF EXISTS pg_temp.settlements_auditevent",
    "CREATE TEMPORARY TABLE settlements_fromarchives (LIKE {table} INCLUDING INDEXES) ON COMMIT DROP",
    "CREATE TEMPORARY VIEW settlements_auditevent AS"
    " SELECT {columns} FROM {table} UNION ALL SELECT {columns} FROM pg_temp.settlements_fromarchives",
)
_END: Final = (
    "DROP VIEW IF EXISTS pg_temp.settlements_auditevent",
    "DROP TABLE IF EXISTS pg_temp.settlements_fromarchives",
)
_LOAD: Final = f"COPY pg_temp.settlements_fromarchives ({', '.join(COLUMNS)}) FROM STDIN"
_NOT_REMOVED: Final = """
    DELETE FROM pg_temp.settlements_fromarchives f USING {table} a
    WHERE a.intent_id = f.intent_id AND a.sequence = f.sequence AND (a.id, a.hash) = (f.id, f.hash)
"""
_TWICE: Final = """
    SELECT a.intent_id, a.sequence FROM pg_temp.settlements_fromarchives f
    JOIN {table} a ON a.intent_id = f.intent_id AND a.sequence = f.sequence ORDER BY 1, 2 LIMIT 1
"""


def are_any() -> bool:
    """Whether anything was ever archived."""
    with connection.cursor() as cursor:
        cursor.execute(_ANY)
        row: tuple[bool] = cursor.fetchone()
    return row[0]


def table() -> str:
    """The events' own table by its full name, whatever stands beside it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        row: tuple[str] = cursor.fetchone()
    return f"{connection.ops.quote_name(row[0])}.settlements_auditevent"


@contextmanager
def shown() -> Iterator[None]:
    """Within the block the table has what `load` is given too; inside a transaction that may write until it begins."""
    words = {"table": table(), "columns": ", ".join(COLUMNS)}
    with connection.cursor() as cursor:
        for statement in _BEGIN:
            cursor.execute(statement.format(**words))
    yield
    # With its transaction it goes in any case, by whichever way that ends; one that only reads could not remove it.
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only') = 'on'")
        if not cursor.fetchone()[0]:
            for statement in _END:
                cursor.execute(statement)


def load(lines: Iterable[Line]) -> Iterator[Line]:
    """Passes the lines of one file on and adds them to what is shown, but for the last of each intent, which stays.

    `settle` follows when all have passed.
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
        cursor.execute(_NOT_REMOVED.format(table=table()))
        cursor.execute(_TWICE.format(table=table()))
        twice = cursor.fetchone()
    if twice:
        raise files.Damaged(f"payment intent {twice[0]}, audit event {twice[1]}: an archive has another than the table")


def _copy(lines: list[Line]) -> None:
    with connection.cursor() as cursor, cursor.copy(_LOAD) as rows:
        for line in lines:
            rows.write_row(line.row)
