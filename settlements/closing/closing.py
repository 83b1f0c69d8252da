"""Closing a day, once and for good; and looking at one before or after."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db import OperationalError, transaction
from psycopg.errors import LockNotAvailable

from rails import days
from rails.models import ClosedDay
from rails.money import Money
from settlements import office_log
from settlements.closing import documents, figures
from settlements.closing.confirmed import Seen
from settlements.closing.figures import DayFigures
from settlements.office_log import OfficeAction, OfficeDraft
from settlements.refusals import Kind, Refusal

_ONE: Final = timedelta(days=1)


class NothingBooked(Refusal):
    """Nothing is booked yet, so there is no day to close."""

    code = "nothing_booked"
    kind = Kind.CONFLICT


class DayNotOver(Refusal):
    """A day is closed when it is over in UTC."""

    code = "day_not_over"
    kind = Kind.CONFLICT


class DayOutOfOrder(Refusal):
    """Days are closed one after the other, from the first on which something was booked."""

    code = "day_out_of_order"
    kind = Kind.CONFLICT


class ClosedDayChanged(Refusal):
    """The figures of a closed day are not what was frozen, so no day is carried on from them."""

    code = "closed_day_changed"
    kind = Kind.CONFLICT


class JournalBusy(Refusal):
    """Bookings are under way that did not end in time; nothing was closed, and it can be tried again at once."""

    code = "journal_busy"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed day; `created` is False when it had been closed before."""

    row: ClosedDay
    created: bool


def next_to_close() -> date | None:
    """The first day that is open: the one after the last closed, else that of the first booking; None without any."""
    last = days.last_closed()
    return last.day + _ONE if last else days.first_booked()


def is_over(day: date, *, now: datetime) -> bool:
    """Whether a day has ended in UTC."""
    return day < now.astimezone(UTC).date()


def close(day: date, *, actor: str, now: datetime) -> Closed:
    """Freezes the figures of a day, in a transaction of its own; a day that is closed answers with what it was.

    Raises DayNotOver, DayOutOfOrder, NothingBooked, ClosedDayChanged when somebody changed the day before it past the
    guards, and JournalBusy when bookings do not end within two seconds.
    """
    try:
        with transaction.atomic():
            before = ClosedDay.objects.filter(day=day).first()
            if before is not None:
                return Closed(before, False)
            _check(day, next_to_close(), now=now)
            days.hold_the_journal()
            return _close_held(day, actor=actor, now=now)
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise JournalBusy("Bookings are under way at this moment; nothing was closed. Try again.") from error
        raise


def close_through(day: date, *, actor: str, now: datetime) -> Iterator[Closed]:
    """Closes every open day up to and with this one, in order, each in a transaction of its own. Raises as `close`."""
    first = next_to_close()
    if first is None:
        raise NothingBooked("Nothing is booked yet, so there is no day to close.")
    if first > day:
        yield close(day, actor=actor, now=now)
    while first <= day:
        yield close(first, actor=actor, now=now)
        first += _ONE


def preview(day: date, *, now: datetime) -> DayFigures:
    """The figures of a day that is open, as they are at this moment. Raises ClosedDayChanged."""
    return _figures(day, days.last_closed(), now=now)


def frozen_figures(row: ClosedDay) -> DayFigures:
    """What was frozen with a closed day. Raises ClosedDayChanged when it is not that any more."""
    changed = f"The frozen figures of {row.day} were changed past the database's guards; verify_books says what."
    if documents.digest(row.figures) != row.sha256:
        raise ClosedDayChanged(changed)
    try:
        return documents.read(row.figures)
    except documents.NotADocument as error:
        raise ClosedDayChanged(changed) from error


def _close_held(day: date, *, actor: str, now: datetime) -> Closed:
    # Somebody else may have closed it while this one waited.
    before = ClosedDay.objects.filter(day=day).first()
    if before is not None:
        return Closed(before, False)
    last = days.last_closed()
    _check(day, last.day + _ONE if last else days.first_booked(), now=now)
    found = _figures(day, last, now=now)
    text = documents.written(found)
    digest = documents.digest(text)
    row = ClosedDay.objects.create(day=day, closed_at=now, closed_by=actor, figures=text, sha256=digest)
    data = {"sha256": digest, "entries": found.entries, "moved": _moved(found), "open_items": len(found.open_items)}
    office_log.record(
        OfficeDraft(action=OfficeAction.DAY_CLOSED, subject=day.isoformat(), actor=actor, data=data), now=now
    )
    return Closed(row, True)


def _check(day: date, first: date | None, *, now: datetime) -> None:
    if not is_over(day, now=now):
        raise DayNotOver(f"{day} is not over: it ends at midnight UTC.")
    if first is None:
        raise NothingBooked("Nothing is booked yet, so there is no day to close.")
    if day < first:
        raise DayOutOfOrder(f"The first booking is of {first}; there is nothing to close before.")
    if day > first:
        raise DayOutOfOrder(f"{first} is open and is closed before {day}.")


def _figures(day: date, last: ClosedDay | None, *, now: datetime) -> DayFigures:
    carried: dict[int, int] = {}
    confirmed: Seen = {}
    if last is not None:
        frozen = frozen_figures(last)
        carried = {each.account_id: each.closing for each in frozen.accounts if each.closing}
        confirmed = frozen.confirmed
    return figures.read(day, carried=carried, after=last.day if last else None, confirmed_before=confirmed, now=now)


def _moved(found: DayFigures) -> dict[str, str]:
    """Currency -> the sum of the day's debits in major units, which is that of its credits."""
    sums: dict[str, int] = {}
    for each in found.accounts:
        sums[each.currency] = sums.get(each.currency, 0) + each.debits
    return {currency: Money(minor, currency).text for currency, minor in sums.items()}
