"""How officers approve: which approvals came without the item's page having been opened, and how fast the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from django.db import connection

from rails.money import Money
from settlements.statuses import Channel

_ROWS_AT_A_TIME: Final = 2_000

# An opening counts for the officer who had it, at the version they approved, and before they did. Approvals older
# than the question (UNKNOWN) are judged by nothing: nobody kept their openings.
_JUDGED = """
    SELECT a.id, a.created_at, a.channel, a.approver_id, a.settlement_id, a.reason, o.opened_at,
           a.created_at - o.opened_at AS took,
           CASE WHEN a.channel = 'UNKNOWN' THEN 'UNKNOWN'
                WHEN o.opened_at IS NULL THEN 'NOT_OPENED'
                WHEN a.created_at - o.opened_at < %(under)s::interval THEN 'HASTY'
                ELSE 'READ' END AS verdict
    FROM settlements_approval a
    CROSS JOIN LATERAL (
        SELECT max(opening.opened_at) AS opened_at FROM compliance_opening opening
        WHERE opening.settlement_id = a.settlement_id AND opening.officer_id = a.approver_id
          AND opening.version = a.version AND opening.opened_at <= a.created_at
    ) o
    WHERE a.decision = 'APPROVE'
      AND a.created_at >= %(since)s::timestamptz AND a.created_at < %(until)s::timestamptz
      AND (%(officer)s::bigint IS NULL OR a.approver_id = %(officer)s::bigint)
"""
_FIGURES = f"""
    SELECT grouping(j.channel), u.username, j.channel, count(*),
           count(*) FILTER (WHERE j.verdict = 'UNKNOWN'), count(*) FILTER (WHERE j.verdict = 'NOT_OPENED'),
           count(*) FILTER (WHERE j.verdict = 'HASTY'),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY j.took), min(j.took)
    FROM ({_JUDGED}) j JOIN auth_user u ON u.id = j.approver_id
    GROUP BY GROUPING SETS ((u.username, j.channel), (u.username))
    ORDER BY u.username, j.channel NULLS FIRST
"""
_SINGLE = """
    SELECT j.id, j.created_at, u.username, j.channel, j.verdict, s.id, s.intent_id, shipment.shipment_id,
           s.event_type, s.amount_minor, s.currency, j.reason, j.opened_at, j.took
    FROM ({page}) j
    JOIN auth_user u ON u.id = j.approver_id
    JOIN settlements_milestonesettlement s ON s.id = j.settlement_id
    JOIN settlements_paymentintent i ON i.id = s.intent_id
    JOIN settlements_shipment shipment ON shipment.id = i.shipment_id
    ORDER BY j.created_at DESC, j.id DESC
"""
_FLAGGED = f"SELECT * FROM ({_JUDGED}) judged WHERE judged.verdict IN ('NOT_OPENED', 'HASTY')"
_NEWEST = "ORDER BY created_at DESC, id DESC LIMIT %(limit)s::bigint OFFSET %(skip)s::bigint"
_PAGE = {False: _SINGLE.format(page=f"{_JUDGED} {_NEWEST}"), True: _SINGLE.format(page=f"{_FLAGGED} {_NEWEST}")}
_ALL = {False: _SINGLE.format(page=_JUDGED), True: _SINGLE.format(page=_FLAGGED)}
_OFFICERS = """
    SELECT u.id, u.username FROM auth_user u
    WHERE EXISTS (SELECT 1 FROM settlements_approval a WHERE a.approver_id = u.id AND a.decision = 'APPROVE')
    ORDER BY u.username
"""


class Verdict(StrEnum):
    """What the openings say of an approval: read, faster than the threshold, not opened at all, or from before."""

    READ = "READ"
    HASTY = "HASTY"
    NOT_OPENED = "NOT_OPENED"
    UNKNOWN = "UNKNOWN"

    @property
    def flagged(self) -> bool:
        """Whether somebody should look at the approval."""
        return self in {Verdict.HASTY, Verdict.NOT_OPENED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which approvals: of these UTC days (both included), of one officer or all; `under` makes one hasty."""

    first: date
    last: date
    officer_id: int | None = None
    under: timedelta = timedelta(seconds=10)
    only_flagged: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """As the statements name them."""
        return {
            "since": datetime.combine(self.first, time(), UTC),
            "until": datetime.combine(self.last, time(), UTC) + timedelta(days=1),
            "officer": self.officer_id,
            "under": self.under,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How an officer approved: altogether (`channel` None) or by one channel; times from opening to approving."""

    officer: str
    channel: Channel | None
    approvals: int
    unknown: int
    unopened: int
    hasty: int
    median: timedelta | None
    fastest: timedelta | None

    @property
    def flagged(self) -> int:
        """How many somebody should look at."""
        return self.unopened + self.hasty

    @property
    def share_unopened(self) -> Decimal | None:
        """Percent of those approvals that can be judged; None when none can."""
        judged = self.approvals - self.unknown
        return (Decimal(100 * self.unopened) / judged).quantize(Decimal("0.1")) if judged else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """One approval, with the last opening before it."""

    approval_id: int
    approved_at: datetime
    officer: str
    channel: Channel
    verdict: Verdict
    milestone_id: int
    payment_intent_id: int
    shipment_id: str
    event_type: str
    amount: Money
    reason: str
    opened_at: datetime | None
    took: timedelta | None


def figures(wanted: Wanted) -> list[Figures]:
    """Per officer the sum and then each channel, officers by name. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, wanted.parameters)
        rows = cursor.fetchall()
    return [
        Figures(
            officer=username,
            channel=None if is_sum else Channel(channel),
            approvals=approvals,
            unknown=unknown,
            unopened=unopened,
            hasty=hasty,
            median=median,
            fastest=fastest,
        )
        for is_sum, username, channel, approvals, unknown, unopened, hasty, median, fastest in rows
    ]


def page(wanted: Wanted, *, skip: int, limit: int) -> list[Stamp]:
    """Single approvals, newest first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_PAGE[wanted.only_flagged], {**wanted.parameters, "skip": skip, "limit": limit})
        return [_stamp(*row) for row in cursor.fetchall()]


def every(wanted: Wanted) -> Iterator[Stamp]:
    """All of them, newest first, some thousand in memory at a time."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(_ALL[wanted.only_flagged], wanted.parameters)
        while rows := cursor.fetchmany(_ROWS_AT_A_TIME):
            yield from (_stamp(*row) for row in rows)


def officers() -> Sequence[tuple[int, str]]:
    """Who has ever approved anything: id and login."""
    with connection.cursor() as cursor:
        cursor.execute(_OFFICERS)
        rows: list[tuple[int, str]] = cursor.fetchall()
    return rows


def _stamp(*row: Any) -> Stamp:
    (
        approval_id, approved_at, officer, channel, verdict, milestone_id, intent_id, shipment_id, event_type,
        amount_minor, currency, reason, opened_at, took,
    ) = row  # fmt: skip
    return Stamp(
        approval_id=approval_id,
        approved_at=approved_at,
        officer=officer,
        channel=Channel(channel),
        verdict=Verdict(verdict),
        milestone_id=milestone_id,
        payment_intent_id=intent_id,
        shipment_id=shipment_id,
        event_type=event_type,
        amount=Money(amount_minor, currency),
        reason=reason,
        opened_at=opened_at,
        took=took,
    )
