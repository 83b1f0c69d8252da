"""What of a day is still open when it is closed: money in question, on its way, held, waiting for people, come back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final

from django.db import connection

from rails import days
from settlements import candidates

# What began after the day is no open item of it. Of what waits for people a hold says more than the review.
_ITEMS: Final = f"""
    SELECT 'UNANSWERED', lower(a.provider), a.currency, a.amount_minor, a.milestone_id, a.submitted_at,
           NULL::timestamptz, coalesce(nullif(a.question, ''), a.error)
    FROM rails_railattempt a WHERE a.state = 'SUBMITTED' AND a.submitted_at < %(end)s
    UNION ALL
    SELECT 'WAITING', lower(a.provider), a.currency, a.amount_minor, a.milestone_id, a.prepared_at,
           NULL::timestamptz, a.error
    FROM rails_railattempt a WHERE a.state = 'PREPARED' AND a.prepared_at < %(end)s
    UNION ALL
    SELECT 'KEPT', lower(a.provider), a.currency, a.owed_minor, a.milestone_id, a.answered_at,
           NULL::timestamptz, a.error
    FROM rails_railattempt a WHERE a.owed_minor > 0 AND a.answered_at < %(end)s
    UNION ALL
    SELECT 'HELD', s.rail, s.currency, s.amount_minor, s.id, h.placed_at, NULL::timestamptz, h.reason
    FROM settlements_hold h JOIN settlements_milestonesettlement s ON s.id = h.settlement_id
    WHERE h.lifted_at IS NULL AND h.placed_at < %(end)s AND s.status IN ('PENDING', 'DELAYED', 'FAILED', 'RETURNED')
    UNION ALL
    SELECT CASE s.status WHEN 'PENDING' THEN 'IN_REVIEW' ELSE s.status END, s.rail, s.currency, s.amount_minor, s.id,
           CASE WHEN s.status IN ('FAILED', 'RETURNED') THEN s.updated_at ELSE s.created_at END,
           CASE s.status WHEN 'DELAYED' THEN s.settlement_delayed_until END,
           coalesce(nullif(s.blocked_reason, ''), s.error)
    FROM settlements_milestonesettlement s
    WHERE s.status IN ('PENDING', 'DELAYED', 'FAILED', 'RETURNED') AND s.amount_minor > 0 AND NOT {candidates.HELD}
      AND CASE WHEN s.status IN ('FAILED', 'RETURNED') THEN s.updated_at ELSE s.created_at END < %(end)s
"""


class OpenKind(StrEnum):
    """What is open, the most pressing first."""

    UNANSWERED = "UNANSWERED"
    KEPT = "KEPT"
    RETURNED = "RETURNED"
    FAILED = "FAILED"
    ON_ITS_WAY = "ON_ITS_WAY"
    HELD = "HELD"
    IN_REVIEW = "IN_REVIEW"
    DELAYED = "DELAYED"
    WAITING = "WAITING"


_ORDER: Final = {kind: place for place, kind in enumerate(OpenKind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenItem:
    """One thing that is not over: how much (minor units), of which settlement, since when, and until when if known."""

    kind: OpenKind
    rail: str
    currency: str
    minor: int
    settlement_id: int
    since: datetime
    until: datetime | None
    words: str


def listed(day: date) -> list[OpenItem]:
    """The open items of a day, by kind, the oldest of each first."""
    end = datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)
    found = [*_on_its_way(day), *_others(end)]
    return sorted(found, key=lambda item: (_ORDER[item.kind], item.since, item.settlement_id))


def _on_its_way(day: date) -> Iterator[OpenItem]:
    for item in days.on_its_way(day):
        yield OpenItem(
            kind=OpenKind.ON_ITS_WAY,
            rail=item.rail,
            currency=item.currency,
            minor=item.minor,
            settlement_id=item.milestone_id,
            since=item.since,
            until=None,
            words="",
        )


def _others(end: datetime) -> Iterator[OpenItem]:
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS, {"end": end})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    for kind, rail, currency, minor, settlement_id, since, until, words in rows:
        yield OpenItem(
            kind=OpenKind(kind),
            rail=rail,
            currency=currency,
            minor=minor,
            settlement_id=settlement_id,
            since=since,
            until=until,
            words=words,
        )
