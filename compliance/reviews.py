"""What an officer sees of one settlement before deciding: why it waits, what was paid, what happened; a fixed number
of statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection

from compliance import recipient_record, schedule_picture, what_would_differ, work_cases
from compliance.models import Assignment, Evidence
from compliance.recipient_record import RecipientRecord
from compliance.schedule_picture import Bar, Piece
from compliance.timeline import Moment, timeline
from compliance.what_would_differ import Circumstances
from compliance.work_cases import Tried
from rails import destinations
from rails.destinations import OnRail
from rails.money import Money
from settlements import audit, candidates, queries
from settlements.locks import SettlementNotFound
from settlements.models import (
    Approval,
    ArchivedChain,
    AuditEvent,
    Hold,
    MilestoneSettlement,
    PaymentScheduleItem,
    ShipmentEvent,
)
from settlements.policy import explained
from settlements.statuses import LIVE_TOKEN_STATUSES, EventType, Origin, ReleaseStrategy, SettlementStatus

# What one screen shows of a shipment with an endless story; the rest is in the lists of the admin.
MOST_ROWS = 100

_NOW = f"""
    SELECT settlements_settlement_version(s.id, s.intent_id, s.amount_minor, s.currency, s.rail, s.strategy),
           {candidates.APPROVALS}, {candidates.ELIGIBLE},
           coalesce((SELECT w.enabled FROM rails_railswitch w WHERE w.rail = upper(s.rail)), true)
    FROM settlements_milestonesettlement s JOIN settlements_paymentintent i ON i.id = s.intent_id WHERE s.id = %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleLine:
    """One item of the intent's schedule, and what became of it; `status` is empty before its event."""

    event_type: str
    percent: Decimal
    amount: Money
    milestone_id: int | None
    status: str
    released_at: datetime | None
    reference: str
    is_this: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One settlement with what speaks for and against its release; `version` binds a decision to it."""

    settlement: MilestoneSettlement
    amount: Money
    intent_amount: Money
    paid: Money
    version: str
    approvals_now: int
    eligible: bool
    overdue: bool
    hold: Hold | None
    assignment: Assignment | None
    schedule: Sequence[ScheduleLine]
    attempts: Sequence[Tried]
    events: Sequence[ShipmentEvent]
    approvals: Sequence[Approval]
    holds: Sequence[Hold]
    history: Sequence[AuditEvent]
    archived: Sequence[ArchivedChain]
    notes: Sequence[AuditEvent]
    evidence: Sequence[Evidence]
    moments: Sequence[Moment]
    bars: Sequence[Bar]
    record: RecipientRecord | None
    rail_on: bool
    paid_to: OnRail | None
    destination_obstacle: str

    @property
    def waits(self) -> bool:
        """Whether it may still be held, rejected or, once eligible, approved."""
        live = self.settlement.intent.cancelled_at is None and self.amount.minor > 0
        return live and self.settlement.status in {SettlementStatus.PENDING, SettlementStatus.DELAYED}

    @property
    def explanation(self) -> str:
        """Why it was decided so, and why people release it."""
        settlement = self.settlement
        strategy = ReleaseStrategy(settlement.strategy)
        return explained(settlement.explanation, strategy=strategy, rail=settlement.rail, amount=self.amount)

    @property
    def decidable(self) -> bool:
        """Whether an officer may approve or reject it now."""
        return self.waits and self.eligible

    @property
    def expedites(self) -> bool:
        """Whether an approval would release it before its hold is over."""
        return self.settlement.status == SettlementStatus.DELAYED

    @property
    def conditions(self) -> list[str]:
        """What would have to differ for a release at once, all of it together."""
        return what_would_differ.for_release_at_once(self._circumstances)

    @property
    def fewer_officers(self) -> str:
        """What would have to differ for one officer to be enough; empty when one is."""
        if self.settlement.approvals_required == 1:
            return ""
        limits = settings.CHAINPAY_FOUR_EYES_ABOVE
        return what_would_differ.for_one_approver(self.amount, self.settlement.rail, limits)

    @property
    def legend(self) -> list[tuple[schedule_picture.Part, Money]]:
        """What the parts of the schedule come to, by what became of them."""
        return schedule_picture.legend(self.bars)

    @property
    def _circumstances(self) -> Circumstances:
        """The worse of what the stored decision had and what is now: neither alone would let the money go."""
        decided, intent = self.settlement.inputs, self.settlement.intent
        recipient, token = intent.recipient, intent.freight_token
        status = token.status if decided["token_status"] in LIVE_TOKEN_STATUSES else decided["token_status"]
        return Circumstances(
            risk=candidates.risk_picture(
                _score(decided["snapshot_score"]), _worse(_score(decided["current_score"]), token.risk_score), status
            ),
            event_type=EventType(self.settlement.event_type),
            origin=Origin(self.settlement.origin),
            rail=self.settlement.rail,
            held=self.hold is not None,
            rail_on=self.rail_on,
            recipient_usable=recipient is None or recipient.payouts_enabled,
            destination_obstacle=self.destination_obstacle,
        )

    @property
    def approvals_missing(self) -> int:
        """How many officers must still approve."""
        return max(self.settlement.approvals_required - self.approvals_now, 0)


def find(milestone_id: int, *, now: datetime) -> Review:
    """The review of a settlement, whatever its status; raises SettlementNotFound."""
    settlement = (
        MilestoneSettlement.objects.select_related(
            "intent__shipment", "intent__freight_token", "intent__recipient", "intent__created_by", "event"
        )
        .filter(pk=milestone_id)
        .first()
    )
    if settlement is None:
        raise SettlementNotFound(milestone_id)
    intent = settlement.intent
    paid_to, destination_obstacle = _destination(settlement.rail, intent.recipient_id)
    version, approvals_now, eligible, rail_on = _now(milestone_id)
    siblings = list(
        MilestoneSettlement.objects.filter(intent_id=intent.pk).only(
            "event_type", "status", "released_at", "reference", "intent_id", "event_id"
        )
    )
    schedule = _schedule(settlement, siblings)
    released = {SettlementStatus.APPROVED, SettlementStatus.SETTLED}
    paid = sum(line.amount.minor for line in schedule if line.status in released)
    events = list(
        ShipmentEvent.objects.filter(shipment_id=intent.shipment_id)
        .select_related("source")
        .defer("body")
        .order_by("-pk")[:MOST_ROWS]
    )
    history = list(AuditEvent.objects.filter(intent_id=intent.pk).order_by("-sequence")[:MOST_ROWS])
    holds = list(Hold.objects.filter(settlement_id=milestone_id).order_by("-pk"))
    return Review(
        settlement=settlement,
        amount=Money(settlement.amount_minor, settlement.currency),
        intent_amount=Money(intent.amount_minor, intent.currency),
        paid=Money(paid, intent.currency),
        version=version,
        approvals_now=approvals_now,
        eligible=eligible,
        overdue=_overdue(settlement, now),
        hold=next((hold for hold in holds if hold.lifted_at is None), None),
        assignment=Assignment.objects.filter(settlement_id=milestone_id, ended_at__isnull=True)
        .select_related("assignee")
        .first(),
        schedule=schedule,
        attempts=work_cases.tried(milestone_id),
        events=events,
        approvals=list(
            Approval.objects.filter(settlement_id=milestone_id).select_related("approver").order_by("pk")[:MOST_ROWS]
        ),
        holds=holds,
        history=history,
        archived=queries.archived(intent.pk),
        notes=list(
            AuditEvent.objects.filter(settlement_id=milestone_id, action=audit.NOTE_ADDED).order_by("-pk")[:MOST_ROWS]
        ),
        evidence=list(
            Evidence.objects.filter(settlement_id=milestone_id)
            .select_related("uploaded_by")
            .order_by("-pk")[:MOST_ROWS]
        ),
        moments=timeline(events, history, brought_by={one.pk: one.event_id for one in siblings}),
        bars=_bars(schedule),
        record=recipient_record.record(intent.recipient_id, besides=milestone_id) if intent.recipient_id else None,
        rail_on=rail_on,
        paid_to=paid_to,
        destination_obstacle=destination_obstacle,
    )


def _destination(rail: str, recipient_pk: int | None) -> tuple[OnRail | None, str]:
    """Where the money would go, and what stands in the way of that; nothing for a rail that needs no destination."""
    if rail not in destinations.RAILS:
        return None, ""
    found = {each.rail: each for each in destinations.by_rail(recipient_pk)} if recipient_pk else {}
    on_rail = found.get(rail)
    return on_rail, on_rail.obstacle if on_rail else destinations.obstacle(recipient_pk, rail)


def _worse(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The higher score; unknown is worse than any."""
    return None if one is None or other is None else max(one, other)


def _score(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _now(milestone_id: int) -> tuple[str, int, bool, bool]:
    with connection.cursor() as cursor:
        cursor.execute(_NOW, [milestone_id])
        row: tuple[Any, ...] = cursor.fetchone()
    return row[0], row[1], row[2], row[3]


def _overdue(settlement: MilestoneSettlement, now: datetime) -> bool:
    if settlement.status != SettlementStatus.PENDING:
        return False
    return settlement.created_at < now - timedelta(hours=settings.CHAINPAY_REVIEW_TARGET_HOURS)


def _schedule(settlement: MilestoneSettlement, siblings: Sequence[MilestoneSettlement]) -> list[ScheduleLine]:
    items = PaymentScheduleItem.objects.filter(intent_id=settlement.intent_id).order_by("position")
    by_event = {sibling.event_type: sibling for sibling in siblings}
    return [_line(item, by_event.get(item.event_type), settlement) for item in items]


def _bars(schedule: Sequence[ScheduleLine]) -> list[Bar]:
    return schedule_picture.bars(
        [
            Piece(event_type=line.event_type, amount=line.amount, status=line.status, is_this=line.is_this)
            for line in schedule
        ]
    )


def _line(
    item: PaymentScheduleItem, sibling: MilestoneSettlement | None, settlement: MilestoneSettlement
) -> ScheduleLine:
    return ScheduleLine(
        event_type=item.event_type,
        percent=item.share.scaleb(2),
        amount=Money(item.amount_minor, item.currency),
        milestone_id=sibling.pk if sibling else None,
        status=sibling.status if sibling else "",
        released_at=sibling.released_at if sibling else None,
        reference=sibling.reference if sibling else "",
        is_this=sibling is not None and sibling.pk == settlement.pk,
    )
