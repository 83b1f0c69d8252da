"""What readers see: intents with their sums and schedule, milestones, history; a fixed number of statements each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, F, Func, OuterRef, Q, QuerySet, TextField

from rails.money import Money
from settlements.models import (
    ArchivedChain,
    AuditEvent,
    Hold,
    MilestoneSettlement,
    PaymentIntent,
    PaymentScheduleItem,
    Shipment,
)
from settlements.statuses import IntentStatus, RiskTier, SettlementStatus

APPROVED = frozenset({SettlementStatus.APPROVED, SettlementStatus.SETTLED})
SETTLED = frozenset({SettlementStatus.SETTLED})
PENDING = frozenset({SettlementStatus.PENDING, SettlementStatus.DELAYED, SettlementStatus.RELEASING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """One milestone settlement as it stands; `version` is what a decision about it must quote."""

    id: int
    intent_id: int
    event_type: str
    amount: Money
    status: SettlementStatus
    strategy: str
    explanation: str
    rule: str
    policy_version: str
    risk_tier: str
    risk_score: Decimal | None
    origin: str
    rail: str
    reference: str
    settlement_delayed_until: datetime | None
    blocked_reason: str
    approvals: int
    approvals_required: int
    held: bool
    version: str
    created_at: datetime
    released_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleItem:
    """One line of an intent's schedule and what became of it; `status` None while no event has come."""

    event_type: str
    share: Decimal
    amount: Money
    status: SettlementStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The amounts of one currency (SPEC section 3): approved includes settled."""

    approved: Money
    settled: Money
    pending: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A payment intent with everything its readers need."""

    row: PaymentIntent
    amount: Money
    sums: Sums
    unreleased: Money
    schedule_type: str
    items: Sequence[ScheduleItem]
    version: str


class Version(Func):
    """The version of a settlement, computed by the database."""

    function = "settlements_settlement_version"
    output_field = TextField()

    def __init__(self) -> None:
        super().__init__("pk", "intent_id", "amount_minor", "currency", "rail", "strategy")


class IntentVersion(Func):
    """The version of an intent, computed by the database."""

    function = "settlements_intent_version"
    output_field = TextField()


def intents(
    *,
    skip: int,
    limit: int,
    status: IntentStatus | None = None,
    risk_tier: RiskTier | None = None,
    carrier_id: str = "",
) -> tuple[int, list[Intent]]:
    """How many intents match, and one page of them, newest first; of one carrier's tokens if one is named."""
    wanted = _within_reach(carrier_id)
    if status:
        wanted = wanted.filter(status=status)
    if risk_tier:
        wanted = wanted.filter(risk_tier=risk_tier)
    return wanted.count(), _with_sums(wanted.order_by("-pk")[skip : skip + limit])


def intent(intent_id: int, *, carrier_id: str = "") -> Intent | None:
    """One intent, or None; with a carrier only if it hauls the intent's freight."""
    found = _with_sums(_within_reach(carrier_id).filter(pk=intent_id))
    return found[0] if found else None


def milestones_of_intent(intent_id: int) -> list[Milestone]:
    """The milestones of an intent, in the order they came to be."""
    return _milestones(MilestoneSettlement.objects.filter(intent_id=intent_id))


def milestones_of_shipment(shipment_id: str, *, carrier_id: str = "") -> list[Milestone] | None:
    """The milestones of all intents of a shipment; None for a shipment nobody has told of.

    With a carrier only those of the freight it hauls; None where it hauls nothing.
    """
    shipment = Shipment.objects.filter(shipment_id=shipment_id).first()
    if shipment is None or (carrier_id and not shipment.tokens.filter(carrier_id=carrier_id).exists()):
        return None
    return _milestones(
        MilestoneSettlement.objects.filter(intent__in=_within_reach(carrier_id), intent__shipment=shipment)
    )


def milestone(settlement_id: int, *, carrier_id: str = "") -> Milestone | None:
    """One milestone, or None; with a carrier only if it hauls the freight."""
    within_reach = {"intent__freight_token__carrier_id": carrier_id} if carrier_id else {}
    found = _milestones(MilestoneSettlement.objects.filter(pk=settlement_id, **within_reach))
    return found[0] if found else None


def history(intent_id: int) -> list[AuditEvent]:
    """The audit trail of an intent, oldest first, but for what `archived` tells of."""
    return list(AuditEvent.objects.filter(intent_id=intent_id).order_by("sequence"))


def archived(intent_id: int) -> list[ArchivedChain]:
    """Which of an intent's audit events lie in which archive, oldest first; the last of each stays in the table too."""
    parts = ArchivedChain.objects.filter(intent_id=intent_id).select_related("archive")
    return list(parts.order_by("first_sequence"))


def sums(milestones: Iterable[Milestone], currency: str) -> Sums:
    """The sums of the milestones in one currency."""
    parts = [milestone for milestone in milestones if milestone.amount.currency == currency]

    def total(statuses: frozenset[SettlementStatus]) -> Money:
        return Money(sum(part.amount.minor for part in parts if part.status in statuses), currency)

    return Sums(approved=total(APPROVED), settled=total(SETTLED), pending=total(PENDING))


def _within_reach(carrier_id: str) -> QuerySet[PaymentIntent]:
    found = PaymentIntent.objects.all()
    return found.filter(freight_token__carrier_id=carrier_id) if carrier_id else found


def _milestones(wanted: QuerySet[MilestoneSettlement]) -> list[Milestone]:
    current = Q(approvals__decision="APPROVE", approvals__version=F("current_version"))
    rows = (
        wanted.alias(current_version=Version())
        .annotate(
            version=F("current_version"),
            approvals_given=Count("approvals__approver", filter=current, distinct=True),
            held=Exists(Hold.objects.filter(settlement=OuterRef("pk"), lifted_at__isnull=True)),
        )
        .order_by("pk")
    )
    return [_milestone(row) for row in rows]


def _milestone(row: Any) -> Milestone:
    return Milestone(
        id=row.pk,
        intent_id=row.intent_id,
        event_type=row.event_type,
        amount=Money(row.amount_minor, row.currency),
        status=SettlementStatus(row.status),
        strategy=row.strategy,
        explanation=row.explanation,
        rule=row.rule,
        policy_version=row.policy_version,
        risk_tier=row.risk_tier,
        risk_score=row.risk_score,
        origin=row.origin,
        rail=row.rail,
        reference=row.reference,
        settlement_delayed_until=row.settlement_delayed_until,
        blocked_reason=row.blocked_reason,
        approvals=row.approvals_given,
        approvals_required=row.approvals_required,
        held=row.held,
        version=row.version,
        created_at=row.created_at,
        released_at=row.released_at,
        settled_at=row.settled_at,
    )


def _with_sums(wanted: QuerySet[PaymentIntent]) -> list[Intent]:
    rows = list(
        wanted.select_related("freight_token", "shipment", "recipient", "schedule").annotate(
            version=IntentVersion("pk")
        )
    )
    items: dict[int, list[ScheduleItem]] = {row.pk: [] for row in rows}
    status = MilestoneSettlement.objects.filter(intent=OuterRef("intent"), event_type=OuterRef("event_type"))
    found = PaymentScheduleItem.objects.filter(intent__in=items).annotate(settlement=status.values("status")[:1])
    for item in found.order_by("intent_id", "position"):
        items[item.intent_id].append(_schedule_item(item))
    return [_intent(row, items[row.pk]) for row in rows]


def _schedule_item(item: Any) -> ScheduleItem:
    return ScheduleItem(
        event_type=item.event_type,
        share=item.share,
        amount=Money(item.amount_minor, item.currency),
        status=SettlementStatus(item.settlement) if item.settlement else None,
    )


def _intent(row: Any, items: Sequence[ScheduleItem]) -> Intent:
    amount = Money(row.amount_minor, row.currency)

    def total(statuses: frozenset[SettlementStatus]) -> Money:
        return Money(sum(item.amount.minor for item in items if item.status and item.status in statuses), row.currency)

    approved = total(APPROVED)
    return Intent(
        row=row,
        amount=amount,
        sums=Sums(approved=approved, settled=total(SETTLED), pending=total(PENDING)),
        unreleased=amount - approved,
        schedule_type=row.schedule.type,
        items=items,
        version=row.version,
    )
