"""What people confirmed as arrived on the internal ledger, which moves no money of its own and so books nothing."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.db import connection

# Something dated into a closed day can still be written by a transaction that was under way. It counts in the day that
# is closed next: each close remembers what it saw of the days of a week, and the next one counts what is new in them.
LOOK_BACK: Final = timedelta(days=7)
_CONFIRMED: Final = """
    SELECT (a.created_at AT TIME ZONE 'UTC')::date, s.currency, count(*), sum(s.amount_minor)::bigint
    FROM settlements_auditevent a JOIN settlements_milestonesettlement s ON s.id = a.settlement_id
    WHERE a.to_status = 'SETTLED' AND a.from_status <> 'SETTLED' AND s.rail = 'internal_ledger'
      AND a.created_at >= %s AND a.created_at < %s
    GROUP BY 1, 2 ORDER BY 1, 2
"""

# Day -> currency -> count and minor units.
Seen = Mapping[date, Mapping[str, tuple[int, int]]]


def seen(day: date) -> Seen:
    """What is confirmed by now of a day and the week before it."""
    first, end = _midnight(day - LOOK_BACK), _midnight(day + timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute(_CONFIRMED, [first, end])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    found: dict[date, dict[str, tuple[int, int]]] = {}
    for on, currency, count, minor in rows:
        found.setdefault(on, {})[currency] = (count, minor)
    return found


def new(now: Seen, before: Seen) -> dict[str, tuple[int, int]]:
    """Currency -> count and minor units of what was not seen at the close before."""
    found: dict[str, tuple[int, int]] = {}
    for on, by_currency in now.items():
        for currency, (count, minor) in by_currency.items():
            old = before.get(on, {}).get(currency, (0, 0))
            so_far = found.get(currency, (0, 0))
            found[currency] = (so_far[0] + count - old[0], so_far[1] + minor - old[1])
    return {currency: each for currency, each in found.items() if each != (0, 0)}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
