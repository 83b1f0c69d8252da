"""Can everything be proven? History, books, settlements and intents against each other, in one snapshot."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from settlements.verification import attempts, books, chain, checkpoints, copies, intents, office, releases, replay

CHECKS: tuple[tuple[str, Callable[[], int]], ...] = (
    ("audit events are chained", chain.check),
    ("office events are chained", office.check),
    ("checkpoints are signed and their heads stand", checkpoints.check),
    ("settlements replay to what they are", replay.check),
    ("journal entries balance", books.check),
    ("settlements are out and booked once", releases.check),
    ("attempts at providers are booked and told", attempts.check),
    ("intents are the sum of their parts", intents.check),
)

# What lies outside of the database is compared outside of its snapshot, or what is made meanwhile would be missing.
BESIDE: tuple[tuple[str, Callable[[], int]], ...] = (("published checkpoints are those stored", copies.check),)


@dataclass(frozen=True, slots=True)
class Proven:
    """A check that found no difference, and how many rows it covered."""

    what: str
    count: int


def everything() -> Iterator[Proven]:
    """Runs the checks one after the other; raises `differences.Difference` at the first row that contradicts another.

    All but the copies outside of the database read one snapshot and write nothing, beside a live system. Inside a
    caller's transaction they see that one.
    """
    if connection.in_atomic_block:
        yield from _each(CHECKS)
    else:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield from _each(CHECKS)
    yield from _each(BESIDE)


def _each(checks: Sequence[tuple[str, Callable[[], int]]]) -> Iterator[Proven]:
    for what, check in checks:
        yield Proven(what, check())
