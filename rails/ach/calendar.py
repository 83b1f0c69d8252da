"""When the Federal Reserve moves ACH payments: banking days, cut-offs, effective entry dates, deadlines of returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays

from rails.ach.returns import Days, Deadline

_SATURDAY: Final = 5
_SUNDAY: Final = 6
_DAY: Final = timedelta(days=1)


def is_banking_day(day: date) -> bool:
    """Whether the Federal Reserve Banks are open: no weekend, no holiday of theirs."""
    return day.weekday() < _SATURDAY and day not in _closed(day.year)


@cache
def _closed(year: int) -> frozenset[date]:
    """The holidays of a year as the Reserve Banks keep them.

    One that falls on a Sunday is kept on Monday; one on a Saturday is not kept at all, Friday is a banking day. The
    library's own observed days follow the federal government, which closes on that Friday.
    """
    days: Iterator[date] = iter(holidays.country_holidays("US", years=year, observed=False))
    return frozenset(day + _DAY if day.weekday() == _SUNDAY else day for day in days)


def next_banking_day(day: date) -> date:
    """The first banking day after a day."""
    return add_banking_days(day, 1)


def add_banking_days(day: date, count: int) -> date:
    """The banking day so many banking days after a day (before it, when negative); none: the day itself."""
    step = _DAY if count > 0 else -_DAY
    for _ in range(abs(count)):
        day += step
        while not is_banking_day(day):
            day += step
    return day


def banking_days_between(first: date, last: date) -> int:
    """How many banking days lie after the first day, up to and with the last one."""
    return sum(is_banking_day(first + _DAY * number) for number in range(1, (last - first).days + 1))


def julian_day(day: date) -> str:
    """A date as the operator writes the settlement date: the day of the year in three digits."""
    return f"{day.timetuple().tm_yday:03}"


def last_timely_day(deadline: Deadline, settled_on: date) -> date | None:
    """The last day on which a return still comes in time; None for a deadline that is no number of days.

    After 60 calendar days it must be there when the next banking day begins.
    """
    if deadline.days is Days.BANKING:
        return add_banking_days(settled_on, deadline.count)
    if deadline.days is Days.CALENDAR:
        return next_banking_day(settled_on + _DAY * deadline.count)
    return None


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One cut-off of one banking day; whatever waits then goes into its file."""

    day: date
    cut_off: time
    same_day: bool

    @property
    def name(self) -> str:
        """Its name everywhere: "2025-11-07 17:00", with "same day" where it is."""
        return f"{self.day} {self.cut_off:%H:%M}{' same day' if self.same_day else ''}"

    @property
    def effective_entry_date(self) -> date:
        """When the receivers are to have the money: today, or the next banking day."""
        return self.day if self.same_day else next_banking_day(self.day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """The bank's cut-offs, in its time zone, and how long after one its file may still be handed over.

    `every_day` has windows on closed days too, for trying out; what goes out then is settled on the next banking day.
    """

    zone: ZoneInfo
    cut_offs: tuple[time, ...]
    same_day_cut_offs: tuple[time, ...] = ()
    open_for: timedelta = timedelta(hours=2)
    every_day: bool = False

    def of(self, day: date) -> list[Window]:
        """The windows of a day, in order; none if the banks are closed."""
        is_open = is_banking_day(day)
        plain = [Window(day, cut_off, False) for cut_off in self.cut_offs if is_open or self.every_day]
        return sorted([*plain, *(Window(day, cut_off, True) for cut_off in self.same_day_cut_offs if is_open)])

    def closes(self, window: Window) -> datetime:
        """The moment of its cut-off; of an hour that the clock strikes twice or skips, the earlier reading."""
        return datetime.combine(window.day, window.cut_off, tzinfo=self.zone)

    def open_window(self, now: datetime) -> Window | None:
        """The window whose file is to be built now: the last cut-off that is past, and not for too long."""
        today = self.local(now).date()
        for window in reversed([*self.of(today - _DAY), *self.of(today)]):
            closes = self.closes(window).timestamp()
            if closes <= now.timestamp():
                return window if now.timestamp() < closes + self.open_for.total_seconds() else None
        return None

    def next_window(self, now: datetime) -> Window:
        """The next cut-off to come."""
        day = self.local(now).date()
        while True:
            for window in self.of(day):
                if self.closes(window).timestamp() > now.timestamp():
                    return window
            day += _DAY

    def local(self, now: datetime) -> datetime:
        """A moment by the bank's clock."""
        return now.astimezone(self.zone)
