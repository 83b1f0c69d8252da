"""A moment of the database that an export reads: on connections of its own, kept open until its last line.

Repeatable read and read only, two connections on one exported snapshot: lines and figures are of the same moment,
whatever is written meanwhile. The transaction of the first holds an advisory lock by the export's number, so that
others can tell an export that is being made from one whose maker died: PostgreSQL lets go of it with the connection.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, Final, Self

import psycopg
from django.db import connection
from psycopg import IsolationLevel
from psycopg.sql import SQL

from settlements.exports import statements
from settlements.exports.datasets import Dataset
from settlements.exports.pieces import Piece
from settlements.exports.selections import Selection
from settlements.exports.statements import Figures

# The first of the lock's two numbers; it means nothing and is nobody else's.
_EXPORTS: Final = 1_733_061_551
_LOCK: Final = "SELECT pg_try_advisory_xact_lock(%s::int, mod(%s::bigint, 2147483647)::int)"
# Who stands still for so long inside its transaction is not coming back.
_SETTINGS: Final = "SET LOCAL idle_in_transaction_session_timeout = '15min'"

_FIRST_PORTION: Final = 1_000
# Four of them are held at most: two that are being sent and two that are being rendered.
_PORTION: Final = 10_000
_LINES_OF_A_PIECE: Final = 200
_CANCEL_SECONDS: Final = 5.0


class UnderWay(Exception):
    """Another process makes this export at this moment."""


class Snapshot:
    """Reads one dataset as of one moment. Close it, whatever happens."""

    def __init__(self, *raw: psycopg.Connection[Any]) -> None:
        self._raw = raw
        self._readers = ThreadPoolExecutor(len(raw), thread_name_prefix="export")

    @classmethod
    def open(cls, export_id: int) -> Self:
        """The moment is now. Raises UnderWay, and psycopg's errors where the database can not be reached."""
        opened = []
        try:
            opened.append(_connected())
            with opened[0].cursor() as cursor:
                cursor.execute(_SETTINGS)
                ((free,),) = cursor.execute(_LOCK, [_EXPORTS, export_id]).fetchall()
                if not free:
                    raise UnderWay
                ((moment,),) = cursor.execute("SELECT pg_export_snapshot()").fetchall()
            opened.append(_connected())
            opened[1].execute(SQL("SET TRANSACTION SNAPSHOT {}").format(moment))
            opened[1].execute(_SETTINGS)
        except BaseException:
            for raw in opened:
                raw.close()
            raise
        return cls(*opened)

    def lines(self, dataset: Dataset, selection: Selection, *, key: str) -> Iterator[Piece]:
        """The CSV as PostgreSQL writes it, names of columns first, in pieces of whole lines.

        Each connection renders a portion, both at a time; while those are taken, the next two are rendered.
        """
        yield Piece(lines=1, content=statements.header(dataset), last_key=0)
        asked = partial(self._begin, dataset, selection, key)
        limit, begun = _FIRST_PORTION, asked(self._raw[:1], after=0, limit=_FIRST_PORTION)
        while begun:
            pieces = [piece for portion in begun for piece in portion.result()]
            full = sum(piece.lines for piece in pieces) == limit * len(begun)
            limit, begun = _PORTION, asked(self._raw, after=pieces[-1].last_key, limit=_PORTION) if full else []
            yield from pieces

    def figures(self, dataset: Dataset, selection: Selection, *, key: str) -> Figures:
        """Of the same rows, at the same moment."""
        statement = statements.bound(self._raw[0], statements.figures(dataset, selection, key=key), selection)
        with psycopg.Cursor(self._raw[0]) as cursor:
            return statements.figured(cursor.execute(statement).fetchall())

    def close(self) -> None:
        """Ends the transactions and the connections, in the middle of a statement too."""
        for raw in self._raw:
            with suppress(psycopg.Error):
                raw.cancel_safe(timeout=_CANCEL_SECONDS)
        self._readers.shutdown(cancel_futures=True)
        for raw in self._raw:
            raw.close()

    def _begin(
        self,
        dataset: Dataset,
        selection: Selection,
        key: str,
        readers: Sequence[psycopg.Connection[Any]],
        *,
        after: int,
        limit: int,
    ) -> list[Future[list[Piece]]]:
        """Portions that follow one another, each on its connection."""
        copies = [
            statements.portion(dataset, selection, key=key, after=after, skip=place * limit, limit=limit)
            for place in range(len(readers))
        ]
        return [
            self._readers.submit(_rendered, raw, statements.bound(raw, copy, selection))
            for raw, copy in zip(readers, copies, strict=True)
        ]


def _connected() -> psycopg.Connection[Any]:
    raw: psycopg.Connection[Any] = connection.get_new_connection(connection.get_connection_params())
    raw.isolation_level, raw.read_only = IsolationLevel.REPEATABLE_READ, True
    return raw


def _rendered(raw: psycopg.Connection[Any], copy: bytes) -> list[Piece]:
    pieces = []
    with psycopg.Cursor(raw) as cursor, cursor.copy(copy) as lines:
        coming = iter(lines)
        while held := list(islice(coming, _LINES_OF_A_PIECE)):
            # The key is the first column of every dataset.
            key = int(bytes(held[-1]).partition(b",")[0])
            pieces.append(Piece(lines=len(held), content=b"".join(held), last_key=key))
    return pieces


def is_free(export_id: int) -> bool:
    """Whether nobody makes this export now; in a transaction, and until its end nobody begins."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [_EXPORTS, export_id])
        return bool(cursor.fetchone()[0])
