"""What the front page tells of the work: what waits, what went out and came back, what is due, what stands still.

Four statements, whatever the number of settlements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final

from django.conf import settings
from django.db import connection

from compliance.queue_sql import WAITS
from rails.money import Money
from settlements.admin_troubles import RELEASING_TOO_LONG
from settlements.statuses import RiskTier

DAYS: Final = 14
HOURS: Final = 24

# Upper ends of the age bands, the last one open.
_BAND_ENDS: Final = (timedelta(hours=4), timedelta(hours=24), timedelta(days=3))
BANDS: Final = ("under 4 h", "4 to 24 h", "1 to 3 days", "over 3 days")

_WAITING = f"""
    SELECT s.risk_tier, width_bucket(%(now)s::timestamptz - s.created_at, %(ends)s::interval[]), count(*),
           count(*) FILTER (WHERE s.created_at < %(overdue_before)s::timestamptz),
           min(s.created_at), (array_agg(s.id ORDER BY s.created_at, s.id))[1]
    FROM settlements_milestonesettlement s
    WHERE {WAITS}
    GROUP BY 1, 2
"""
# A release counts on the day it happened, whatever became of it; held back is what no release followed at once, on the
# day it came to be; a return is one move to RETURNED in the history. The statuses are literals, for the partial index.
_FLOWS = """
    SELECT 'RELEASED', (s.released_at AT TIME ZONE 'UTC')::date, s.currency, count(*), sum(s.amount_minor)
    FROM settlements_milestonesettlement s
    WHERE s.released_at >= %(since)s::timestamptz GROUP BY 2, 3
    UNION ALL
    SELECT 'HELD', (s.created_at AT TIME ZONE 'UTC')::date, s.currency, count(*), sum(s.amount_minor)
    FROM settlements_milestonesettlement s
    WHERE s.created_at >= %(since)s::timestamptz AND s.strategy <> 'IMMEDIATE' AND s.amount_minor > 0 GROUP BY 2, 3
    UNION ALL
    SELECT 'RETURNED', (a.created_at AT TIME ZONE 'UTC')::date, s.currency, count(*), sum(s.amount_minor)
    FROM settlements_auditevent a JOIN settlements_milestonesettlement s ON s.id = a.settlement_id
    WHERE a.to_status = 'RETURNED' AND a.from_status <> 'RETURNED' AND a.created_at >= %(since)s::timestamptz
    GROUP BY 2, 3
"""
# By the sweep's own index. What is due already counts in the first hour. Scalar sub-selects, looked up for the few that
# are due: the planner expects a third of what is delayed, and would read every intent for a join.
_DUE = """
    SELECT greatest(floor(extract(epoch FROM due.at - %(now)s::timestamptz) / 3600), 0)::int, due.currency,
           count(*), sum(due.amount_minor)
    FROM (
        SELECT coalesce(s.retry_at, s.settlement_delayed_until, s.created_at) AS at, s.currency, s.amount_minor
        FROM settlements_milestonesettlement s
        WHERE s.status = 'DELAYED'
          AND coalesce(s.retry_at, s.settlement_delayed_until, s.created_at) < %(until)s::timestamptz
          AND (SELECT i.cancelled_at IS NULL FROM settlements_paymentintent i WHERE i.id = s.intent_id)
          AND (SELECT h.id FROM settlements_hold h WHERE h.settlement_id = s.id AND h.lifted_at IS NULL) IS NULL
    ) due
    GROUP BY 1, 2
"""
# What is blocked is found where the queue finds what waits, for the reason stands in that index; the few that failed or
# came back by their status. Nothing is blocked that releases nothing.
_STUCK = """
    SELECT (SELECT count(*) FROM settlements_milestonesettlement s
            WHERE s.status = 'RELEASING' AND s.updated_at < %(releasing_since)s::timestamptz),
           (SELECT count(*) FROM settlements_milestonesettlement s
            WHERE s.status IN ('PENDING', 'DELAYED') AND s.amount_minor > 0 AND s.blocked_reason <> '')
           + (SELECT count(*) FROM settlements_milestonesettlement s
              WHERE s.status IN ('FAILED', 'RETURNED') AND s.blocked_reason <> ''),
           (SELECT count(*) FROM settlements_milestonesettlement s WHERE s.status = 'FAILED'),
           (SELECT count(*) FROM settlements_milestonesettlement s WHERE s.status = 'RETURNED'),
           (SELECT count(*) FROM settlements_shipmentevent e WHERE NOT e.state = 'PROCESSED' AND e.state = 'FAILED'),
           (SELECT count(*) FROM settlements_delivery d WHERE d.state = 'PARKED')
"""


class Flow(StrEnum):
    """What is counted per day."""

    RELEASED = "RELEASED"
    HELD = "HELD"
    RETURNED = "RETURNED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for a decision now: per age band a number per tier; the oldest with since when."""

    bands: Sequence[tuple[str, dict[RiskTier, int]]]
    overdue: int
    oldest_id: int | None
    oldest_since: datetime | None

    @property
    def by_tier(self) -> dict[RiskTier, int]:
        """The sum of all bands."""
        return {tier: sum(numbers[tier] for _, numbers in self.bands) for tier in RiskTier}

    @property
    def total(self) -> int:
        """How many wait."""
        return sum(self.by_tier.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One UTC day: how many settlements, and how much per currency, in minor units."""

    day: date
    counts: dict[Flow, int]
    amounts: dict[str, dict[Flow, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What releases itself in the next hours: a number per hour from now, and the sum per currency."""

    per_hour: Sequence[int]
    sums: Sequence[Money]

    @property
    def total(self) -> int:
        """How many are due."""
        return sum(self.per_hour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """What goes on only when somebody looks, in numbers."""

    releasing: int
    blocked: int
    failed: int
    returned: int
    events: int
    deliveries: int


def waiting(*, now: datetime) -> Waiting:
    """What waits for people at this moment. One statement."""
    rows = _rows(
        _WAITING,
        now=now,
        ends=list(_BAND_ENDS),
        overdue_before=now - timedelta(hours=settings.CHAINPAY_REVIEW_TARGET_HOURS),
    )
    bands = [(name, dict.fromkeys(RiskTier, 0)) for name in BANDS]
    for tier, band, count, *_ in rows:
        bands[band][1][RiskTier(tier)] += count
    oldest_since, oldest_id = min(((row[4], row[5]) for row in rows), default=(None, None))
    return Waiting(bands=bands, overdue=sum(row[3] for row in rows), oldest_id=oldest_id, oldest_since=oldest_since)


def days(*, now: datetime) -> list[Day]:
    """The last days, today's the last of them; every day has every currency that one of them has. One statement."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=DAYS - 1)
    rows = _rows(_FLOWS, since=datetime.combine(first, time(), UTC))
    currencies = sorted({currency for _, _, currency, *_ in rows})
    found = {
        day: Day(
            day=day,
            counts=dict.fromkeys(Flow, 0),
            amounts={currency: dict.fromkeys(Flow, 0) for currency in currencies},
        )
        for day in (first + timedelta(days=number) for number in range(DAYS))
    }
    for flow, day, currency, count, minor in rows:
        # A clock that runs ahead may have written tomorrow.
        if day in found:
            found[day].counts[Flow(flow)] += count
            found[day].amounts[currency][Flow(flow)] += int(minor)
    return list(found.values())


def due(*, now: datetime) -> Due:
    """What the sweep releases in the next 24 hours, unless something stands in its way. One statement."""
    rows = _rows(_DUE, now=now, until=now + timedelta(hours=HOURS))
    per_hour, sums = [0] * HOURS, dict[str, int]()
    for hour, currency, count, minor in rows:
        per_hour[hour] += count
        sums[currency] = sums.get(currency, 0) + int(minor)
    return Due(per_hour=per_hour, sums=[Money(minor, currency) for currency, minor in sorted(sums.items())])


def stuck(*, now: datetime) -> Stuck:
    """What stands still. One statement."""
    ((releasing, blocked, failed, returned, events, deliveries),) = _rows(
        _STUCK, releasing_since=now - RELEASING_TOO_LONG
    )
    return Stuck(
        releasing=releasing, blocked=blocked, failed=failed, returned=returned, events=events, deliveries=deliveries
    )


def _rows(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
