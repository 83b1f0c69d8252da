"""What banks may still send back of the ACH files they have, and until which day we may reverse a payment."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.db import connection

from rails.ach.calendar import add_banking_days, last_timely_day
from rails.ach.payments import CURRENCY
from rails.ach.returns import LONGEST_DEADLINE, RETURNS, Deadline, Stage
from rails.ach.reversals import PERMITTED_DAYS
from rails.models import AchFilePurpose
from rails.money import Money

# Banking days and holidays after the calendar days of the longest deadline.
_GRACE: Final = timedelta(days=10)
_FILES: Final = """
    SELECT f.name, f.purpose, f.effective_entry_date, count(*), sum(e.amount_minor)::bigint
    FROM rails_achfile f JOIN rails_achentry e ON e.file_id = f.id AND e.kind <> 'OFFSET'
    WHERE f.state = 'HANDED_OVER' AND f.effective_entry_date >= %s AND (f.handed_over_at AT TIME ZONE 'UTC')::date <= %s
      AND NOT EXISTS (SELECT 1 FROM rails_achoutcome o WHERE o.entry_id = e.id AND o.fate = 'RETURNED')
    GROUP BY f.id ORDER BY f.effective_entry_date, f.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returnable:
    """What of a file has not come back, and the last day on which it still may, by this group of return codes."""

    file: str
    purpose: AchFilePurpose
    settled_on: date
    count: int
    minor: int
    codes: str
    until: date

    @property
    def amount(self) -> Money:
        """What may come back."""
        return Money(self.minor, CURRENCY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversible:
    """A file of payments, and the last day on which a reversing entry of one of them may go out."""

    file: str
    settled_on: date
    until: date


def codes_by_deadline() -> dict[Deadline, list[str]]:
    """The codes of returns whose deadline is a number of days."""
    found: dict[Deadline, list[str]] = {}
    for reason in RETURNS.values():
        if reason.stage is Stage.RETURN and reason.deadline.count:
            found.setdefault(reason.deadline, []).append(reason.code)
    return found


def returnable(on: date) -> list[Returnable]:
    """What may still come back after a day, the soonest deadline first; the files that the bank had on that day."""
    groups = codes_by_deadline()
    found = []
    for name, purpose, settled_on, count, minor in _files(on):
        for deadline, codes in groups.items():
            until = last_timely_day(deadline, settled_on)
            if until is not None and until > on:
                found.append(
                    Returnable(
                        file=name,
                        purpose=AchFilePurpose(purpose),
                        settled_on=settled_on,
                        count=count,
                        minor=minor,
                        codes=f"{deadline}: {', '.join(codes)}",
                        until=until,
                    )
                )
    return sorted(found, key=lambda each: (each.until, each.file))


def reversible(on: date) -> list[Reversible]:
    """The files of which a payment may still be reversed after a day."""
    return [
        Reversible(file=name, settled_on=settled_on, until=until)
        for name, purpose, settled_on, _, _ in _files(on)
        if purpose == AchFilePurpose.PAYMENTS and (until := add_banking_days(settled_on, PERMITTED_DAYS)) > on
    ]


def _files(on: date) -> Iterator[tuple[str, str, date, int, int]]:
    oldest = on - timedelta(days=LONGEST_DEADLINE.count) - _GRACE
    with connection.cursor() as cursor:
        cursor.execute(_FILES, [oldest, on])
        rows: list[tuple[str, str, date, int, int]] = cursor.fetchall()
    return iter(rows)
