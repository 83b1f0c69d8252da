"""What waits for people to decide: the review queue, read in one statement however much waits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import connection

from compliance import queue_sql
from compliance.filters import AMOUNT_DIGITS, EVERYTHING, Filters
from rails.money import EXPONENTS, Money
from settlements.models import Approval
from settlements.statuses import EventType, ReleaseStrategy, RiskTier, SettlementStatus

# Currencies side by side, in thousandths of a unit: as many digits as any currency has.
_CURRENCIES: Final = list(EXPONENTS)
_FACTORS: Final = [10 ** (AMOUNT_DIGITS - digits) for digits in EXPONENTS.values()]
_LARGEST_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """A settlement that waits; `version` is what a decision will be bound to.

    `due_by` is when the target for a decision is reached, None for what releases by itself: that goes `releases_at`.
    """

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
    hold_reason: str | None
    due_by: datetime | None
    releases_at: datetime | None
    blocked_reason: str
    assignee: str | None

    @property
    def held(self) -> bool:
        """Whether a hold is open."""
        return self.hold_reason is not None


def queue(
    *, skip: int, limit: int, filters: Filters = EVERYTHING, milestone_id: int | None = None, now: datetime
) -> tuple[int, list[QueueItem]]:
    """How many are asked for, and one page of them: overdue first, then the largest, then the oldest; what is delayed
    by when it releases itself. Sizes are compared by figure, whatever the currency.

    With `milestone_id` the queue is that settlement, if it waits. One statement.
    """
    asked = {name: value is not False for name, value in _given(filters).items()}
    if milestone_id is not None:
        asked["milestone_id"] = True
    with connection.cursor() as cursor:
        cursor.execute(
            queue_sql.page(filters.state, asked),
            {**_values(filters, now), "milestone": milestone_id, "skip": skip, "limit": limit},
        )
        rows = cursor.fetchall()
    return rows[0][0], [_item(*row[1:]) for row in rows if row[1] is not None]


def keys(filters: Filters, *, now: datetime) -> tuple[str, dict[str, Any]]:
    """The statement that yields the ids of all that is asked for, with its parameters by name."""
    asked = {name: value is not False for name, value in _given(filters).items()}
    return queue_sql.keys(filters.state, asked), _values(filters, now)


def selected(milestone_ids: Sequence[int], *, now: datetime) -> dict[int, QueueItem]:
    """These settlements by their ids, whether they wait or not; one that does not exist is missing. One statement."""
    with connection.cursor() as cursor:
        limits: dict[str, Any] = {"ids": list(milestone_ids), "skip": 0, "limit": len(milestone_ids)}
        cursor.execute(queue_sql.SELECTED, {**_values(EVERYTHING, now), **limits})
        found = [_item(*row[1:]) for row in cursor.fetchall() if row[1] is not None]
    return {item.milestone_id: item for item in found}


def approved_by(user_id: int | None, items: Iterable[QueueItem]) -> set[int]:
    """Which of these the user has approved as they are now, by milestone id. One statement."""
    versions = {item.milestone_id: item.version for item in items}
    own = Approval.objects.filter(approver_id=user_id, decision=Approval.APPROVE, settlement_id__in=list(versions))
    found = own.values_list("settlement_id", "version")
    return {milestone_id for milestone_id, version in found if versions[milestone_id] == version}


def overdue_before(now: datetime) -> datetime:
    """What has waited since before this moment has missed the target."""
    return now - _target()


def _target() -> timedelta:
    return timedelta(hours=settings.CHAINPAY_REVIEW_TARGET_HOURS)


def _given(filters: Filters) -> dict[str, Any]:
    values = {field.name: getattr(filters, field.name) for field in fields(filters)}
    return {name: value for name, value in values.items() if name != "state" and value is not None}


def _values(filters: Filters, now: datetime) -> dict[str, Any]:
    """What the statement's placeholders stand for, whichever of them it has."""
    return {
        **_given(filters),
        "currencies": _CURRENCIES,
        "factors": _FACTORS,
        "overdue_before": overdue_before(now),
        "min_amount": _thousandths(filters.min_amount),
        "max_amount": _thousandths(filters.max_amount),
        "older": now - timedelta(hours=filters.older_than_hours or 0),
        "younger": now - timedelta(hours=filters.younger_than_hours or 0),
        "number": _number(filters.q),
        "beginning": _beginning(filters.q or ""),
    }


def _thousandths(figure: Decimal | None) -> int | None:
    return None if figure is None else int(figure.scaleb(AMOUNT_DIGITS))


def _number(word: str | None) -> int | None:
    is_id = word is not None and word.isascii() and word.isdigit() and len(word) <= 19 and int(word) <= _LARGEST_ID
    return int(word) if is_id and word else None


def _beginning(word: str) -> str:
    """The pattern of what begins with a word, taken literally."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _item(*row: Any) -> QueueItem:
    (
        milestone_id, version, intent_id, shipment_id, event_type, amount_minor, currency, strategy, status,
        tier, score, reason, rail, recipient_id, recipient_name, waiting_since, overdue,
        approvals, approvals_required, hold_reason, delayed_until, blocked_reason, assignee,
    ) = row  # fmt: skip
    delayed = status == SettlementStatus.DELAYED
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
        hold_reason=hold_reason,
        due_by=None if delayed else waiting_since + _target(),
        releases_at=delayed_until if delayed else None,
        blocked_reason=blocked_reason,
        assignee=assignee,
    )
