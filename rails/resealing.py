"""Puts what is sealed under the newest key: batch by batch, each text only while it is still the one that was read.

It may run at any time, several at once, and be killed: what was done stays done, and the next run does the rest.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from django.db import connection

from rails import sealing

logger = logging.getLogger(__name__)

BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Row:
    """One sealed text of a row, as it is stored."""

    pk: int
    sealed: str


AnyRow = TypeVar("AnyRow", bound=Row)


class Place(ABC, Generic[AnyRow]):
    """A table in which something is sealed."""

    name: str

    @abstractmethod
    def waiting(self, *, after: int, most: int) -> Sequence[AnyRow]:
        """The first rows behind this one, by number, that are not wholly under the newest key."""

    @abstractmethod
    def renewed(self, row: AnyRow) -> AnyRow:
        """The same under the newest key; raises CannotUnseal."""

    @abstractmethod
    def write(self, pairs: Sequence[tuple[AnyRow, AnyRow]]) -> int:
        """Stores the second of each pair where the first still stands; how many that were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a run did: rows that were renewed, that changed meanwhile, and that no configured key opens."""

    renewed: int
    changed: int
    unreadable: int


def rotate(place: Place[AnyRow], *, batch: int = BATCH) -> Done:
    """Renews all that waits at a place. Opens no transaction: each batch is one statement."""
    after = renewed = changed = unreadable = 0
    while rows := place.waiting(after=after, most=batch):
        after = rows[-1].pk
        pairs = [(row, new) for row in rows if (new := _renewed(place, row)) is not None]
        written = place.write(pairs) if pairs else 0
        unreadable += len(rows) - len(pairs)
        changed += len(pairs) - written
        renewed += written
    return Done(renewed=renewed, changed=changed, unreadable=unreadable)


def anything_left(place: Place[AnyRow]) -> bool:
    """Whether something there is still under an older key."""
    return bool(place.waiting(after=0, most=1))


def _renewed(place: Place[AnyRow], row: AnyRow) -> AnyRow | None:
    try:
        return place.renewed(row)
    except sealing.CannotUnseal as error:
        logger.error("Not sealed anew: %s", error)
        return None


class SealedColumn(Place[Row]):
    """A table whose column `sealed` holds one text per row, bound to `label:id`."""

    def __init__(self, name: str, *, table: str, label: str) -> None:
        self.name = name
        self._table = table
        self._label = label

    def waiting(self, *, after: int, most: int) -> Sequence[Row]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, sealed FROM {self._table} WHERE id > %s AND split_part(sealed, ':', 1) <> %s "
                "ORDER BY id LIMIT %s",
                [after, sealing.key_id(), most],
            )
            return [Row(*found) for found in cursor.fetchall()]

    def renewed(self, row: Row) -> Row:
        return Row(row.pk, sealing.reseal(row.sealed, belongs_to=f"{self._label}:{row.pk}"))

    def write(self, pairs: Sequence[tuple[Row, Row]]) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {self._table} AS kept SET sealed = new.sealed "
                "FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS new (id, before, sealed) "
                "WHERE kept.id = new.id AND kept.sealed = new.before",
                [
                    [old.pk for old, _ in pairs],
                    [old.sealed for old, _ in pairs],
                    [new.sealed for _, new in pairs],
                ],
            )
            return int(cursor.rowcount)
