"""Can everything be proven? History, books, settlements and intents against each other, in one snapshot."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from settlements.verification import (
    accounts,
    attempts,
    books,
    chain,
    checkpoints,
    copies,
    days,
    exports,
    guards,
    intents,
    messages,
    office,
    people,
    releases,
    replay,
    told,
    views,
)
from settlements.verification.differences import rows_are_told

CHECKS: tuple[tuple[str, Callable[[], int]], ...] = (
    ("audit events are chained", chain.check),
    ("office events are chained", office.check),
    ("checkpoints are signed and their heads stand", checkpoints.check),
    ("settlements replay to what they are", replay.check),
    ("journal entries balance", books.check),
    ("closed days are what the journal says", days.check),
    ("settlements are out and booked once", releases.check),
    ("attempts at providers are booked and told", attempts.check),
    ("intents are the sum of their parts", intents.check),
    ("postings are on the accounts they belong to", accounts.check),
    ("settlements and intents say what was told of them", told.check),
    ("decisions and holds are as they were told", people.check),
    ("shipment events are the messages received", messages.check),
    ("exports are on record as they left", exports.check),
    ("reporting views show what the tables hold", views.check),
    ("guards are awake and references lead to rows", guards.check),
)

# What lies outside of the database is compared outside of its snapshot, or what is made meanwhile would be missing.
BESIDE: tuple[tuple[str, Callable[[], int]], ...] = (("published checkpoints are those stored", copies.check),)

# Hears the name of the check that is under way, and how many rows it has looked at so far.
Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Proven:
    """A check that found no difference, how many rows it covered, and how many seconds it took."""

    what: str
    count: int
    seconds: float


def everything(*, progress: Progress = lambda what, rows: None) -> Iterator[Proven]:
    """Runs the checks one after the other; raises `differences.Difference` at the first row that contradicts another.

    All but the copies outside of the database read one snapshot and write nothing, beside a live system. Inside a
    caller's transaction they see that one.
    """
    if connection.in_atomic_block:
        yield from _each(CHECKS, progress)
    else:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield from _each(CHECKS, progress)
    yield from _each(BESIDE, progress)


def _each(checks: Sequence[tuple[str, Callable[[], int]]], progress: Progress) -> Iterator[Proven]:
    for what, check in checks:
        began = time.monotonic()
        yield Proven(what, _run(what, check, progress), time.monotonic() - began)


def _run(what: str, check: Callable[[], int], progress: Progress) -> int:
    seen = 0

    def tell(rows: int) -> None:
        nonlocal seen
        seen += rows
        progress(what, seen)

    progress(what, 0)
    with rows_are_told(tell):
        return check()
