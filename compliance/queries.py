"""What waits for people to decide: the review queue, read in one statement however much waits."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection

from rails.money import EXPONENTS, Money
from settlements import candidates
from settlements.statuses import EventType, ReleaseStrategy, RiskTier, SettlementStatus

# Currencies side by side, in thousandths of a unit: as many digits as any currency has.
_DIGITS = max(EXPONENTS.values())

# Complete approvals take a settlement out of the queue: it waits for the sweep then, with a blocked_reason. The few
# blocked ones are counted, for an approval may have become void since; the others never have complete approvals.
WAITS = f"""
    {candidates.WAITS_FOR_PEOPLE}
    AND (s.blocked_reason = '' OR {candidates.APPROVALS} < s.approvals_required)
"""
# The whole queue is narrow rows from the partial index of what is PENDING; only the page is looked up in full.
_QUEUE = f"""
    WITH waiting AS MATERIALIZED (
        SELECT s.id, s.created_at, s.created_at < %(overdue_before)s::timestamptz AS overdue,
               s.amount_minor * scale.factor AS size
        FROM settlements_milestonesettlement s
        JOIN settlements_paymentintent i ON i.id = s.intent_id
        JOIN unnest(%(currencies)s::text[], %(factors)s::bigint[]) AS scale (currency, factor)
            ON scale.currency = s.currency
        WHERE {WAITS} {{only}}
    ), page AS (
        SELECT * FROM waiting ORDER BY overdue DESC, size DESC, created_at, id
        LIMIT %(limit)s::bigint OFFSET %(skip)s::bigint
    )
    SELECT total.number, s.id,
           settlements_settlement_version(s.id, s.intent_id, s.amount_minor, s.currency, s.rail, s.strategy),
           s.intent_id, shipment.shipment_id, s.event_type, s.amount_minor, s.currency, s.strategy, s.status,
           s.risk_tier, s.risk_score, s.explanation, s.rail, r.recipient_id, r.name, s.created_at, page.overdue,
           {candidates.APPROVALS}, s.approvals_required,
           EXISTS (SELECT 1 FROM settlements_hold h WHERE h.settlement_id = s.id AND h.lifted_at IS NULL)
    FROM (SELECT count(*) AS number FROM waiting) total
    LEFT JOIN page ON true
    LEFT JOIN settlements_milestonesettlement s ON s.id = page.id
    LEFT JOIN settlements_paymentintent i ON i.id = s.intent_id
    LEFT JOIN settlements_shipment shipment ON shipment.id = i.shipment_id
    LEFT JOIN rails_recipient r ON r.id = i.recipient_id
    ORDER BY page.overdue DESC, page.size DESC, page.created_at, page.id
"""
_ALL = _QUEUE.format(only="")
_ONE = _QUEUE.format(only="AND s.id = %(milestone)s::bigint")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """A settlement that waits for a decision; `version` is what the decision will be bound to."""

    milestone_id: int
    version: str
    payment_intent_id: int
    shipment_id: str
    event_type: EventType
    amount: Money
    strategy: ReleaseStrategy
    status: SettlementStatus
    risk_tier: RiskTier
    risk_score: Decimal | None
    reason: str
    rail: str
    recipient_id: str | None
    recipient_name: str | None
    waiting_since: datetime
    overdue: bool
    approvals: int
    approvals_required: int
    held: bool


def queue(*, skip: int, limit: int, milestone_id: int | None = None, now: datetime) -> tuple[int, list[QueueItem]]:
    """How many wait, and one page of them: overdue first, then the largest (by figure, whatever currency), then oldest.

    With `milestone_id` the queue is that settlement, if it waits. One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ALL if milestone_id is None else _ONE,
            {
                "overdue_before": now - timedelta(hours=settings.CHAINPAY_REVIEW_TARGET_HOURS),
                "currencies": list(EXPONENTS),
                "factors": [10 ** (_DIGITS - digits) for digits in EXPONENTS.values()],
                "milestone": milestone_id,
                "skip": skip,
                "limit": limit,
            },
        )
        rows = cursor.fetchall()
    return rows[0][0], [_item(*row[1:]) for row in rows if row[1] is not None]


def _item(*row: Any) -> QueueItem:
    (
        milestone_id, version, intent_id, shipment_id, event_type, amount_minor, currency, strategy, status,
        tier, score, reason, rail, recipient_id, recipient_name, waiting_since, overdue,
        approvals, approvals_required, held,
    ) = row  # fmt: skip
    return QueueItem(
        milestone_id=milestone_id,
        version=version,
        payment_intent_id=intent_id,
        shipment_id=shipment_id,
        event_type=EventType(event_type),
        amount=Money(amount_minor, currency),
        strategy=ReleaseStrategy(strategy),
        status=SettlementStatus(status),
        risk_tier=RiskTier(tier),
        risk_score=score,
        reason=reason,
        rail=rail,
        recipient_id=recipient_id,
        recipient_name=recipient_name,
        waiting_since=waiting_since,
        overdue=overdue,
        approvals=approvals,
        approvals_required=approvals_required,
        held=held,
    )
