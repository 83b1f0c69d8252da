"""What came of one fault: a row of the table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.faults import RELEASES
from tests.chaos.judging import Wrong
from tests.chaos.run import Report

_MOST_SHOWN: Final = 5
_NOTHING: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Counts of what must never be; `away` is the longest time without a served request, in seconds, None where
    nobody asked; `books` is what verify_books complains of; `not_run` says why there is nothing to tell."""

    fault: str
    done: str = ""
    lost: int = 0
    twice: int = 0
    wrong: int = 0
    away: float | None = None
    books: str = ""
    seconds: float = 0.0
    complaints: Sequence[str] = field(default=())
    not_run: str = ""

    @property
    def passed(self) -> bool:
        """Whether it was run and nothing was violated."""
        return not (self.lost or self.twice or self.wrong or self.books or self.not_run)

    def told(self) -> list[str]:
        """What was wrong, in words."""
        told = [*self.complaints[:_MOST_SHOWN], *([f"verify_books: {self.books}"] if self.books else [])]
        told += [f"NOT RUN: {self.not_run}"] if self.not_run else []
        more = len(self.complaints) - _MOST_SHOWN
        return [f"{self.fault}: {each}" for each in told] + ([f"{self.fault}: and {more} more"] if more > 0 else [])


_HEAD: Final = ("fault", "what was done", "lost", "twice", "wrong", "away, s", "books", "s")


def table(verdicts: Sequence[Verdict]) -> str:
    """All of them as a table of Markdown."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *(_row(each) for each in verdicts)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(verdict: Verdict) -> tuple[str, ...]:
    if verdict.not_run:
        return verdict.fault, f"NOT RUN: {verdict.not_run}", *[_NOTHING] * 6
    away = _NOTHING if verdict.away is None else f"{verdict.away:.1f}"
    counts = (str(verdict.lost), str(verdict.twice), str(verdict.wrong))
    books = "DIFFER" if verdict.books else "proven"
    return verdict.fault, verdict.done, *counts, away, books, f"{verdict.seconds:.0f}"


def of_a_run(report: Report) -> Verdict:
    """The run of releases through Stripe as a row."""
    counted = Counter(violation.wrong for violation in report.violations)
    lost = sum(counted.pop(each, 0) for each in (Wrong.LOST, Wrong.UNPAID, Wrong.STUCK))
    twice = counted.pop(Wrong.TWICE, 0)
    books = [violation.sentence for violation in report.violations if violation.wrong is Wrong.BOOKS]
    counted.pop(Wrong.BOOKS, 0)
    kills, deaths = sum(report.trouble.values()), sum(report.deaths.values())
    return Verdict(
        fault=RELEASES,
        done=f"{report.settlements.total()} releases, {sum(report.faults.values())} faults at Stripe, {kills} kills, "
        f"{deaths} deaths from inside",
        lost=lost,
        twice=twice,
        wrong=counted.total(),
        books="; ".join(books),
        seconds=report.seconds,
        complaints=[str(violation) for violation in report.violations],
    )
