"""Verifying the books on record: by a person's command or once a night, and what stands in red until it is proven."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection

from settlements import verify
from settlements.models import BooksCheck
from settlements.proof import unsigned
from settlements.verification import guards
from settlements.verification.differences import Difference
from settlements.verify import Progress, Proven

logger = logging.getLogger(__name__)

NIGHT_BEGINS_AT: Final = timedelta(hours=2)
# Where a person reads what to do.
RUNBOOK: Final = "The books can not be proven"
BY_CLOCK: Final = "beat"
_LATE_AFTER: Final = timedelta(hours=36)
# The advisory lock of the night's run; the number means nothing and is nobody else's.
_ALONE: Final = 5_033_164_803

# What stands is the last run that found a difference, or else the last that broke off, unless one that began later
# proved the books: what breaks off later disproves no difference.
_STANDING: Final = """
    SELECT f.id FROM settlements_bookscheck f WHERE f.failed_check <> '' AND NOT EXISTS (
        SELECT 1 FROM settlements_bookscheck p WHERE p.failed_check = '' AND p.started_at > f.started_at)
    ORDER BY f.difference = '', f.started_at DESC LIMIT 1
"""
_LATEST: Final = "SELECT max(finished_at) FROM settlements_bookscheck"
# 1 while something stands in red or the nights are missed, for the figure beside the work list; `{now}` is a moment.
COUNT: Final = f"""(SELECT (EXISTS ({_STANDING})
    OR coalesce(({_LATEST}) < %(now)s::timestamptz - interval '{_LATE_AFTER.total_seconds():.0f} seconds', false)
    )::int)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Why the books are not known to be right: `check` is the run that found it or broke off, or the last, long ago."""

    check: BooksCheck
    late: bool

    @property
    def broke_off(self) -> bool:
        """Whether nothing was found, because the run could not be carried through."""
        return not self.late and not self.check.difference

    @property
    def sentence(self) -> str:
        """What was found, or that nobody looked."""
        if self.late:
            return f"Nobody has verified the books since {self.check.finished_at:%Y-%m-%d %H:%M} UTC."
        return self.check.difference or f"The check broke off: {self.check.error}"


def verify_on_record(
    *,
    actor: str,
    clock: Callable[[], datetime],
    night: date | None = None,
    at_once: int = verify.AT_ONCE,
    progress: Progress = lambda what, rows: None,
) -> tuple[BooksCheck, list[Proven]]:
    """Runs every check, so many at once, and stores what came of it; a difference is logged as an error.

    What breaks a check itself is stored too, never as the run of a night, which is then still to be done, and raised
    again. On a database that only reads nothing is stored, and the
    answer has no id.
    """
    started_at, proven, under_way = clock(), list[Proven](), [""]

    def tell(what: str, rows: int) -> None:
        # Others may be ahead of the one whose outcome comes next; that one was the last to begin.
        if not rows:
            under_way[0] = what
        progress(what, rows)

    def ended(*, of: date | None, **outcome: str) -> BooksCheck:
        return BooksCheck(
            actor=actor,
            night=of,
            started_at=started_at,
            finished_at=max(clock(), started_at),
            rows=sum(each.count for each in proven),
            proven=[{"check": each.what, "rows": each.count, "seconds": f"{each.seconds:.1f}"} for each in proven],
            notes=[] if "error" in outcome else _notes(now=started_at),
            **outcome,
        )

    try:
        for each in verify.everything(at_once=at_once, progress=tell):
            proven.append(each)
    except Difference as difference:
        logger.error("The books can not be proven: %s (%s). Runbook: %s", difference, under_way[0], RUNBOOK)
        return _stored(ended(of=night, failed_check=under_way[0], difference=str(difference))), proven
    except Exception as trouble:
        logger.exception("Verifying the books broke off at: %s. Runbook: %s", under_way[0], RUNBOOK)
        _stored(ended(of=None, failed_check=under_way[0] or "beginning", error=_in_words(trouble)))
        raise
    return _stored(ended(of=night)), proven


def verify_tonight(*, clock: Callable[[], datetime]) -> BooksCheck | None:
    """The night's run, unless it was done or is under way; None then. May be called at any time, by any number.

    One that broke off is not done: the next call tries again.
    """
    night = (clock() - NIGHT_BEGINS_AT).date()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_ALONE])
        if not cursor.fetchone()[0]:
            return None
        try:
            if BooksCheck.objects.filter(night=night).exists():
                return None
            check, _ = verify_on_record(actor=BY_CLOCK, clock=clock, night=night)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ALONE])
    return check


def alarm(*, now: datetime) -> Alarm | None:
    """What stands in red: the last difference that no later run has disproven, or that the nights are missed."""
    standing = BooksCheck.objects.raw(f"SELECT * FROM settlements_bookscheck WHERE id = ({_STANDING})")
    for check in standing:
        return Alarm(check=check, late=False)
    latest = BooksCheck.objects.order_by("-finished_at").first()
    if latest is not None and is_long_ago(latest, now=now):
        return Alarm(check=latest, late=True)
    return None


def is_long_ago(check: BooksCheck, *, now: datetime) -> bool:
    """Whether a run says nothing of today's books any more."""
    return check.finished_at < now - _LATE_AFTER


def _notes(*, now: datetime) -> list[str]:
    """What contradicts nothing and has to be known: what could not be compared, and what is not signed."""
    since = unsigned.late_since(now=now)
    notes = guards.notes() + ([] if since is None else [unsigned.sentence(since)])
    for note in notes:
        logger.warning("Verifying the books: %s", note)
    return notes


def _stored(check: BooksCheck) -> BooksCheck:
    if _only_reads():
        return check
    check.save(force_insert=True)
    return check


def _only_reads() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only') = 'on'")
        row: tuple[Any] = cursor.fetchone()
    return bool(row[0])


def _in_words(trouble: Exception) -> str:
    # The first line: what a statement was is in the log.
    return (str(trouble).strip() or type(trouble).__name__).splitlines()[0][:500]
