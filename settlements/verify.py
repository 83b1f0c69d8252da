"""Can everything be proven? History, books, settlements and intents against each other, in one snapshot."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial

from django.db import connection, transaction

from settlements.archives import beside, records
from settlements.verification import (
    accounts,
    archives,
    attempts,
    books,
    chain,
    checkpoints,
    copies,
    days,
    exports,
    guards,
    house,
    intents,
    messages,
    office,
    people,
    releases,
    replay,
    seals,
    sessions,
    told,
    views,
)
from settlements.verification.differences import rows_are_told

Check = tuple[str, Callable[[], int]]

# The first shows the others what was archived.
CHECKS: tuple[Check, ...] = (
    ("archived audit events are in their files", archives.check),
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
    ("entries of no settlement are as they were told", house.check),
    ("sealed rows are those that were sealed", seals.check),
    ("reporting views show what the tables hold", views.check),
    ("guards are awake and references lead to rows", guards.check),
)

# What lies outside of the database is compared outside of its snapshot, or what is made meanwhile would be missing.
BESIDE: tuple[Check, ...] = (
    ("published checkpoints are those stored", copies.check),
    # The last: who archives goes on from a file that this one finds, if all else is proven.
    (records.STRANGERS, archives.strangers),
)

# How many checks at once: what Python hashes beside what PostgreSQL compares.
AT_ONCE = 2

# Hears the name of the check that is under way, and how many rows it has looked at so far.
Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Proven:
    """A check that found no difference, how many rows it covered, and how many seconds it took."""

    what: str
    count: int
    seconds: float


def everything(*, at_once: int = AT_ONCE, progress: Progress = lambda what, rows: None) -> Iterator[Proven]:
    """Runs the checks, so many at once; raises `differences.Difference` at the first row that contradicts another.

    First is what the first check in the order of CHECKS finds. All but the copies outside of the database read one
    snapshot and write nothing, beside a live system. Inside a caller's transaction they see that one, one by one; one
    by one as well where audit events are archived, for no other session sees what is shown beside their table.
    """
    if connection.in_atomic_block:
        with transaction.atomic(), beside.shown() if beside.are_any() else nullcontext():
            yield from _each(CHECKS, progress)
    else:
        with sessions.one_moment():
            # Asked within the moment: what is archived first after it is not seen in it.
            archived = beside.are_any()
            if not archived:
                yield from _each(CHECKS, progress) if at_once < 2 else _at_once(CHECKS, at_once, progress)
        if archived:
            with sessions.one_moment(beside.shown()):
                yield from _each(CHECKS, progress)
    yield from _each(BESIDE, progress)


def _each(checks: Sequence[Check], progress: Progress) -> Iterator[Proven]:
    for what, check in checks:
        progress(what, 0)
        yield _proven(what, check, partial(progress, what))


def _at_once(checks: Sequence[Check], at_once: int, progress: Progress) -> Iterator[Proven]:
    jobs = [partial(_proven, what, check) for what, check in checks]
    answers = sessions.run(jobs, sessions=at_once, tell=lambda place, rows: progress(checks[place][0], rows))
    with closing(answers):
        for what, _ in checks:
            # Named before its outcome is known, so that whoever listens knows of which check that is.
            progress(what, 0)
            yield next(answers)


def _proven(what: str, check: Callable[[], int], tell: Callable[[int], None]) -> Proven:
    began, seen = time.monotonic(), 0

    def add(rows: int) -> None:
        nonlocal seen
        seen += rows
        tell(seen)

    with rows_are_told(add):
        count = check()
    return Proven(what, count, time.monotonic() - began)
