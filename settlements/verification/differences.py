"""How a check looks: rows read in constant memory, rules that no row may break, and the difference that names one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.db import connection

ROWS_AT_A_TIME = 2_000

_told: ContextVar[Callable[[int], None] | None] = ContextVar("told", default=None)


class Difference(Exception):
    """What is stored contradicts itself; the sentence names the first row that does."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A statement whose rows break a rule, and the sentence their columns fill in (`{0}`, `{1}`, ...)."""

    sentence: str
    broken_by: str


@contextmanager
def rows_of(statement: str) -> Iterator[Iterator[tuple[Any, ...]]]:
    """The rows of a statement, through a cursor of the server that is closed with the block; inside a transaction.

    A bare generator would be closed whenever the garbage collector comes, and that may be amid another statement.
    """
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement)
        batches = iter(lambda: cursor.fetchmany(ROWS_AT_A_TIME), [])
        yield chain.from_iterable(_counted(batches))


def _counted(batches: Iterator[list[tuple[Any, ...]]]) -> Iterator[list[tuple[Any, ...]]]:
    tell = _told.get()
    for batch in batches:
        yield batch
        if tell is not None:
            tell(len(batch))


@contextmanager
def rows_are_told(tell: Callable[[int], None]) -> Iterator[None]:
    """Within the block `tell` hears of every batch of rows that was looked at: how many they were."""
    token = _told.set(tell)
    try:
        yield
    finally:
        _told.reset(token)


def keep(rules: Sequence[Rule]) -> None:
    """Raises Difference for the first row that breaks the first broken rule."""
    with connection.cursor() as cursor:
        for rule in rules:
            cursor.execute(f"{rule.broken_by} LIMIT 1")
            row = cursor.fetchone()
            if row is not None:
                raise Difference(rule.sentence.format(*row))


def count(table: str) -> int:
    """How many rows a table has."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        row: tuple[int] = cursor.fetchone()
    return row[0]
