"""What a person may ask of an intent as a whole: settle it, confirm it, or assess its risk without acting."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from rails import registry
from settlements import approvals, audit, candidates, intents, lifecycle, milestones, objections, policy, release
from settlements.approvals import Officer
from settlements.lifecycle import Move
from settlements.models import MilestoneSettlement, PaymentIntent
from settlements.policy import Decision
from settlements.refusals import Kind, Refusal
from settlements.statuses import EventType, IntentStatus, ReleaseStrategy, RiskTier, SettlementStatus

_VERSION = "SELECT settlements_intent_version(%s)"
_WAITING = (SettlementStatus.PENDING, SettlementStatus.DELAYED)


class NotApproved(Refusal):
    """Only an approved payment can be confirmed."""

    code = "payment_not_approved"


class RemoteRail(Refusal):
    """A remote rail's settlements settle when the provider confirms them."""

    code = "remote_rail_settles_itself"


class IntentVersionStale(Refusal):
    """Amount, recipient, rail or decision changed since the version was read; read it again."""

    code = "version_stale"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Force:
    """An officer's approval of everything that waits, of the intent as it was at `version`."""

    officer: Officer
    reason: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a settle request came to: `action_taken` is approved, delayed or rejected (SPEC section 8)."""

    action_taken: str
    tier: RiskTier
    created: int
    released: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The risk as it stands and what each event would do; nothing is written."""

    intent: PaymentIntent
    tier: RiskTier
    decisions: Sequence[Decision]
    at_settle: Decision


def intent_version(intent_id: int) -> str:
    """What `force_approval` is bound to: the intent's amount, recipient, the recipient's edits and the method."""
    with connection.cursor() as cursor:
        cursor.execute(_VERSION, [intent_id])
        row: tuple[str] = cursor.fetchone()
    return row[0]


def settle(intent_id: int, *, actor: str, reason: str = "", force: Force | None = None, now: datetime) -> Settled:
    """Creates the missing settlements by request and releases what the tier allows, or what an officer forces.

    Raises IntentNotFound, IntentCancelled, IntentVersionStale and approvals' refusals; nothing is written then.
    """
    with transaction.atomic():
        intent, shipment = intents.locked(intent_id)
        if force:
            objections.lock_recipient(intent_id)
        if force and force.version != intent_version(intent_id):
            raise IntentVersionStale("The payment intent has changed since you read it.", field="version")
        audit.record(
            [audit.Draft(intent_id=intent_id, action="settle_requested", triggered_by=actor, reason=reason)], now=now
        )
        created = milestones.process_requested(
            shipment_pk=shipment.pk, intent_id=intent_id, actor=actor, reason=reason, now=now
        )
        waiting = candidates.read(_waiting_ids(intent_id))
        release.release(waiting, actor=actor, reason=reason, now=now)
        if force:
            _force(intent_id, force, now=now)
        return _result(intent, len(created), forced=force is not None)


def _waiting_ids(intent_id: int) -> list[int]:
    waiting = MilestoneSettlement.objects.filter(intent_id=intent_id, status__in=_WAITING, amount_minor__gt=0)
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def _force(intent_id: int, force: Force, *, now: datetime) -> None:
    for settlement_id in _waiting_ids(intent_id):
        approvals.approve_locked(settlement_id, officer=force.officer, reason=force.reason, version=None, now=now)


def _result(intent: PaymentIntent, created: int, *, forced: bool) -> Settled:
    rows = MilestoneSettlement.objects.filter(intent=intent, amount_minor__gt=0).values_list("status", flat=True)
    statuses = [SettlementStatus(status) for status in rows]
    released = sum(status in {*release.LEFT, SettlementStatus.SETTLED} for status in statuses)
    waits_or_refused = not {SettlementStatus.PENDING, SettlementStatus.REJECTED}.isdisjoint(statuses)
    token = intent.freight_token
    risk = candidates.risk_picture(intent.risk_score, token.risk_score, token.status)
    tier = policy.decide_at_settle(risk, EventType.POD_CONFIRMED).tier
    if statuses and released == len(statuses):
        action = "approved"
    elif not forced and tier is not RiskTier.HIGH and SettlementStatus.DELAYED in statuses and not waits_or_refused:
        action = "delayed"
    else:
        action = "rejected"
    return Settled(
        action_taken=action,
        tier=tier,
        created=created,
        released=released,
        waiting=sum(status in _WAITING for status in statuses),
    )


def complete(intent_id: int, *, actor: str, now: datetime) -> int:
    """Confirms the funds of an approved intent on a local rail: APPROVED becomes SETTLED; how many did.

    Raises IntentNotFound, NotApproved, RemoteRail.
    """
    with transaction.atomic():
        intent = _locked_even_if_cancelled(intent_id)
        if intent.status != IntentStatus.APPROVED:
            raise NotApproved(f"Payment must be in APPROVED status, currently {intent.status.lower()}")
        approved = list(
            MilestoneSettlement.objects.filter(intent_id=intent_id, status=SettlementStatus.APPROVED)
            .order_by("pk")
            .values_list("pk", "rail")
        )
        for _, rail in approved:
            if not registry.is_local(method=rail):
                raise RemoteRail(f"A settlement on rail {rail} settles when the provider confirms")
        lifecycle.transition(
            [
                Move(
                    settlement_id=pk,
                    intent_id=intent_id,
                    old=SettlementStatus.APPROVED,
                    new=SettlementStatus.SETTLED,
                    action="settled",
                    actor=actor,
                    reason="funds confirmed by request",
                )
                for pk, _ in approved
            ],
            now=now,
        )
        return len(approved)


def _locked_even_if_cancelled(intent_id: int) -> PaymentIntent:
    try:
        return intents.locked(intent_id)[0]
    except intents.IntentCancelled:
        return PaymentIntent.objects.get(pk=intent_id)


def assess(intent: PaymentIntent) -> Assessment:
    """The decisions as they would be taken now for each milestone, and for a settle request."""
    token = intent.freight_token
    risk = candidates.risk_picture(intent.risk_score, token.risk_score, token.status)
    at_settle = policy.decide_at_settle(risk, EventType.POD_CONFIRMED)
    return Assessment(
        intent=intent,
        tier=at_settle.tier,
        decisions=[policy.decide_at_event(risk, event_type) for event_type in EventType],
        at_settle=at_settle,
    )


def delay_seconds(decision: Decision) -> int:
    """How long a decision makes money wait by itself; 0 at once, and 0 where a person decides."""
    return settings.CHAINPAY_HOLD_SECONDS if decision.strategy is ReleaseStrategy.DELAYED else 0
