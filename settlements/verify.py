"""Can everything be proven? History, books, settlements and intents against each other, in one snapshot."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connection, transaction

from settlements.verification import attempts, books, chain, intents, office, releases, replay

CHECKS: tuple[tuple[str, Callable[[], int]], ...] = (
    ("audit events are chained", chain.check),
    ("office events are chained", office.check),
    ("settlements replay to what they are", replay.check),
    ("journal entries balance", books.check),
    ("settlements are out and booked once", releases.check),
    ("attempts at providers are booked and told", attempts.check),
    ("intents are the sum of their parts", intents.check),
)


@dataclass(frozen=True, slots=True)
class Proven:
    """A check that found no difference, and how many rows it covered."""

    what: str
    count: int


def everything() -> Iterator[Proven]:
    """Runs the checks one after the other; raises `differences.Difference` at the first row that contradicts another.

    All read one snapshot and write nothing, beside a live system. Inside a caller's transaction they see that one.
    """
    if connection.in_atomic_block:
        yield from _checks()
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield from _checks()


def _checks() -> Iterator[Proven]:
    for what, check in CHECKS:
        yield Proven(what, check())
