"""One moment of the database, kept open on a connection of its own while an export reads it.

Repeatable read and read only: lines and figures are of the same moment, whatever is written meanwhile. The transaction
holds an advisory lock by the export's number, so that others can tell an export that is being made from one whose maker
died: PostgreSQL lets go of it with the connection.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, Self

import psycopg
from django.db import connection
from psycopg import IsolationLevel

from settlements.exports import statements
from settlements.exports.datasets import Dataset
from settlements.exports.selections import Selection
from settlements.exports.statements import Figures

# The first of the lock's two numbers; it means nothing and is nobody else's.
_EXPORTS: Final = 1_733_061_551
_LOCK: Final = "SELECT pg_try_advisory_xact_lock(%s::int, mod(%s::bigint, 2147483647)::int)"
# Who stands still for so long inside its transaction is not coming back.
_SETTINGS: Final = "SET LOCAL idle_in_transaction_session_timeout = '15min'"

_FIRST_PORTION: Final = 1_000
_PORTION: Final = 20_000
_CANCEL_SECONDS: Final = 5.0


class UnderWay(Exception):
    """Another process makes this export at this moment."""


class Snapshot:
    """Reads one dataset as of one moment. Close it, whatever happens."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self._raw = raw

    @classmethod
    def open(cls, export_id: int) -> Self:
        """The moment is now. Raises UnderWay, and psycopg's errors where the database can not be reached."""
        raw = connection.get_new_connection(connection.get_connection_params())
        try:
            raw.isolation_level, raw.read_only = IsolationLevel.REPEATABLE_READ, True
            with raw.cursor() as cursor:
                cursor.execute(_SETTINGS)
                cursor.execute(_LOCK, [_EXPORTS, export_id])
                if not cursor.fetchone()[0]:
                    raise UnderWay
        except BaseException:
            raw.close()
            raise
        return cls(raw)

    def lines(self, dataset: Dataset, selection: Selection, *, key: str) -> Iterator[bytes]:
        """The CSV, one line at a time as PostgreSQL sends it, names of columns first; nothing but a line is held."""
        yield statements.header(dataset)
        after, limit = 0, _FIRST_PORTION
        with psycopg.Cursor(self._raw) as cursor:
            while True:
                copy = statements.portion(dataset, selection, key=key, after=after, limit=limit)
                count, last = 0, b""
                with cursor.copy(statements.bound(self._raw, copy, selection)) as lines:
                    for line in lines:
                        last, count = bytes(line), count + 1
                        yield last
                if count < limit:
                    return
                # The key is the first column of every dataset.
                after, limit = int(last.partition(b",")[0]), _PORTION

    def figures(self, dataset: Dataset, selection: Selection, *, key: str) -> Figures:
        """Of the same rows, at the same moment."""
        statement = statements.bound(self._raw, statements.figures(dataset, selection, key=key), selection)
        with psycopg.Cursor(self._raw) as cursor:
            return statements.figured(cursor.execute(statement).fetchall())

    def close(self) -> None:
        """Ends the transaction and the connection, in the middle of a statement too."""
        with suppress(psycopg.Error):
            self._raw.cancel_safe(timeout=_CANCEL_SECONDS)
        self._raw.close()


def is_free(export_id: int) -> bool:
    """Whether nobody makes this export now; in a transaction, and until its end nobody begins."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [_EXPORTS, export_id])
        return bool(cursor.fetchone()[0])
