"""When payments move: banking days of the Federal Reserve, cut-offs by the bank's clock, dates of entries."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rails.ach import calendar
from rails.ach.calendar import Timetable, Window

NEW_YORK = ZoneInfo("America/New_York")
TABLE = Timetable(zone=NEW_YORK, cut_offs=(time(17),), same_day_cut_offs=(time(10), time(14)))
DAYS = st.dates(date(2024, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("day", "is_open"),
    [
        (date(2026, 7, 3), True),  # Independence Day on a Saturday: the Fed stays open on Friday
        (date(2026, 7, 4), False),
        (date(2027, 7, 5), False),  # on a Sunday: closed on Monday
        (date(2027, 12, 24), True),  # Christmas on a Saturday
        (date(2021, 12, 31), True),  # New Year's Day 2022 on a Saturday
        (date(2023, 1, 2), False),  # New Year's Day on a Sunday
        (date(2028, 1, 3), True),  # New Year's Day 2028 is a Saturday
        (date(2025, 6, 19), False),
        (date(2025, 10, 13), False),
        (date(2025, 11, 11), False),
        (date(2025, 11, 27), False),
        (date(2025, 11, 28), True),
        (date(2025, 11, 29), False),
        (date(2025, 12, 24), True),
        (date(2025, 12, 26), True),
    ],
)
def test_banking_days_around_holidays(day, is_open):
    assert calendar.is_banking_day(day) is is_open


@pytest.mark.parametrize("year", range(2024, 2036))
def test_a_year_has_at_most_eleven_holidays_and_none_on_a_weekday_that_was_saturday(year):
    first = date(year, 1, 1)
    days = [first + timedelta(days=number) for number in range(366) if (first + timedelta(days=number)).year == year]
    closed = [day for day in days if day.weekday() < 5 and not calendar.is_banking_day(day)]
    assert 9 <= len(closed) <= 11


@given(DAYS)
def test_the_days_are_those_of_the_boards_list_of_holidays(day):
    """Counted once more by hand: K.8, "Holidays Observed by the Federal Reserve System"."""
    assert calendar.is_banking_day(day) is (day.weekday() < 5 and day not in _holidays(day.year))


def _holidays(year: int) -> set[date]:
    fixed = [date(year, month, number) for month, number in ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))]
    kept = {day + timedelta(days=1) if day.weekday() == 6 else day for day in fixed}
    mondays = [_monday(year, month, number) for month, number in ((1, 3), (2, 3), (9, 1), (10, 2))]
    last_of_may = max(day for day in (date(year, 5, 25) + timedelta(days=n) for n in range(7)) if day.weekday() == 0)
    thanksgiving = next(day for day in (date(year, 11, 22) + timedelta(days=n) for n in range(7)) if day.weekday() == 3)
    return kept | set(mondays) | {last_of_may, thanksgiving}


def _monday(year: int, month: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=-first.weekday() % 7 + 7 * (number - 1))


@given(DAYS, st.integers(1, 30))
def test_adding_banking_days_and_counting_them_agree(day, count):
    later = calendar.add_banking_days(day, count)
    assert calendar.is_banking_day(later)
    assert calendar.banking_days_between(day, later) == count


@given(DAYS, st.integers(1, 30))
def test_going_back_undoes_going_on(day, count):
    start = calendar.next_banking_day(day)
    assert calendar.add_banking_days(calendar.add_banking_days(start, count), -count) == start


@given(DAYS)
def test_no_days_is_the_day_itself(day):
    assert calendar.add_banking_days(day, 0) == day


@given(DAYS)
def test_the_effective_entry_date_is_a_banking_day_after_the_window_or_the_day_itself(day):
    for window in TABLE.of(day):
        assert calendar.is_banking_day(window.effective_entry_date)
        assert (window.effective_entry_date == day) is window.same_day


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=NEW_YORK)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (local(2025, 11, 7, 9, 59, 59), None),
        (local(2025, 11, 7, 10), Window(date(2025, 11, 7), time(10), True)),
        (local(2025, 11, 7, 11, 59, 59), Window(date(2025, 11, 7), time(10), True)),
        (local(2025, 11, 7, 12), None),
        (local(2025, 11, 7, 14), Window(date(2025, 11, 7), time(14), True)),
        (local(2025, 11, 7, 17), Window(date(2025, 11, 7), time(17), False)),
        (local(2025, 11, 7, 18, 59, 59), Window(date(2025, 11, 7), time(17), False)),
        (local(2025, 11, 7, 19), None),
        (local(2025, 11, 8, 17), None),  # Saturday
        (local(2025, 11, 11, 17), None),  # Veterans Day
    ],
)
def test_a_window_is_open_from_its_cut_off_for_a_while(now, expected):
    assert TABLE.open_window(now) == expected
    assert TABLE.open_window(now.astimezone(UTC)) == expected


def test_a_window_may_stay_open_over_midnight():
    late = Timetable(zone=NEW_YORK, cut_offs=(time(23, 30),))
    assert late.open_window(local(2025, 11, 8, 1)) == Window(date(2025, 11, 7), time(23, 30), False)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (local(2025, 11, 7, 16, 59), Window(date(2025, 11, 7), time(17), False)),
        (local(2025, 11, 7, 17), Window(date(2025, 11, 10), time(10), True)),
        (local(2025, 11, 10, 17), Window(date(2025, 11, 12), time(10), True)),
    ],
)
def test_the_next_window(now, expected):
    assert TABLE.next_window(now) == expected


@given(st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))
def test_what_opens_had_been_the_next_window_before(now):
    window = TABLE.open_window(now)
    if window is not None:
        assert TABLE.closes(window) <= now < TABLE.closes(window) + TABLE.open_for
    upcoming = TABLE.next_window(now)
    assert TABLE.closes(upcoming) > now
    assert TABLE.open_window(TABLE.closes(upcoming)) == upcoming


@pytest.mark.parametrize("now", [local(2025, 3, 9, 1, 59), local(2025, 11, 2, 1, 30), local(2025, 11, 2, 1, 30, 0)])
def test_the_night_in_which_the_clocks_change_has_no_trap(now):
    nightly = Timetable(zone=NEW_YORK, cut_offs=(time(2, 30),))
    assert nightly.next_window(now).day >= now.date()


def test_a_cut_off_is_local_time_in_winter_and_summer():
    (winter,) = Timetable(zone=NEW_YORK, cut_offs=(time(17),)).of(date(2025, 1, 15))
    (summer,) = Timetable(zone=NEW_YORK, cut_offs=(time(17),)).of(date(2025, 7, 15))
    assert TABLE.closes(winter).astimezone(UTC).hour == 22
    assert TABLE.closes(summer).astimezone(UTC).hour == 21


def test_a_settlement_day_is_written_as_the_day_of_the_year():
    assert calendar.julian_day(date(2025, 1, 2)) == "002"
    assert calendar.julian_day(date(2024, 12, 31)) == "366"


def test_a_window_has_a_name():
    assert Window(date(2025, 11, 7), time(17), False).name == "2025-11-07 17:00"
    assert Window(date(2025, 11, 7), time(10), True).name == "2025-11-07 10:00 same day"
