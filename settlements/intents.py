"""Payment intents: creating them with their schedule, choosing the rail, cancelling."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from rails.models import Recipient
from rails.money import Money
from settlements import audit, event_states, lifecycle, locks, methods, milestones, reasons, schedules, tokens
from settlements.lifecycle import Move
from settlements.methods import Method
from settlements.models import (
    FreightToken,
    MilestoneSettlement,
    PaymentIntent,
    PaymentSchedule,
    PaymentScheduleItem,
)
from settlements.policy import WIRE, score_text, tier_of
from settlements.refusals import Kind, Refusal
from settlements.statuses import (
    LIVE_TOKEN_STATUSES,
    EventType,
    IntentStatus,
    ReleaseStrategy,
    ScheduleType,
    SettlementStatus,
)
from settlements.tokens import TokenPush

_NOT_SUBMITTED = (SettlementStatus.PENDING, SettlementStatus.DELAYED)
_CANCELLABLE = (*_NOT_SUBMITTED, SettlementStatus.FAILED, SettlementStatus.RETURNED)


class TokenNotLive(Refusal):
    """The token is neither active nor locked, so no money may go."""

    code = "freight_token_not_active"


class ScheduleRefused(Refusal):
    """The schedule can not be built: its shares must sum to exactly 1, each event type once."""

    code = "schedule_invalid"


class IntentCancelled(Refusal):
    """The intent was cancelled; nothing more can be asked of it."""

    code = "payment_intent_cancelled"
    kind = Kind.CONFLICT


class NothingToCancel(Refusal):
    """Nothing of the intent waits any more: all its money has gone its way."""

    code = "nothing_to_cancel"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRequest:
    """The schedule a client asked for."""

    type: ScheduleType = ScheduleType.MILESTONE
    items: Sequence[tuple[EventType, Decimal]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentRequest:
    """What a client asked for; the recipient comes from here, else from the token, the method else from the rules."""

    freight_token_id: int
    amount: Money
    description: str = ""
    payment_method: str | None = None
    recipient_id: str | None = None
    schedule: ScheduleRequest = field(default_factory=ScheduleRequest)


def create(
    request: IntentRequest,
    *,
    actor: str,
    user_id: int | None = None,
    fetched: TokenPush | None = None,
    now: datetime,
) -> int:
    """Stores an intent with its schedule and the milestones of all events accepted before; the intent's id.

    `fetched` is the request's token as ChainFreight has it, if it was unknown here; it is stored with the intent.
    Creating an intent and processing an event of the same shipment wait for each other, so neither misses the other.
    Raises TokenNotFound, TokenNotLive, ScheduleRefused, RecipientNotFound, and what `methods.check` raises.
    """
    if request.payment_method is not None:
        methods.known(request.payment_method)
    with transaction.atomic():
        if fetched is not None:
            tokens.add(request.freight_token_id, fetched, now=now)
        token = tokens.find(request.freight_token_id)
        shipment = locks.of_reference(token.shipment.shipment_id)
        token.refresh_from_db(fields=["status", "risk_score", "risk_category", "recipient"])
        if token.status not in LIVE_TOKEN_STATUSES:
            raise TokenNotLive(
                f"Freight token {token.pk} is {token.status}; it must be active or locked.", field="freight_token_id"
            )
        recipient = tokens.recipient_named(request.recipient_id) if request.recipient_id else token.recipient
        intent = _store(request, token, recipient, actor=actor, user_id=user_id, now=now)
        milestones.process_milestones(shipment_pks=[shipment.pk], intent_ids=[intent.pk], actor=actor, now=now)
        event_states.unpark(shipment.pk)
        return intent.pk


def _store(
    request: IntentRequest,
    token: FreightToken,
    recipient: Recipient | None,
    *,
    actor: str,
    user_id: int | None,
    now: datetime,
) -> PaymentIntent:
    tier = tier_of(token.risk_score)
    try:
        items = schedules.build(request.schedule.type, tier=tier, amount=request.amount, custom=request.schedule.items)
    except schedules.InvalidSchedule as error:
        raise ScheduleRefused(str(error), field="schedule") from error
    method = methods.choose(
        request.payment_method,
        whole=request.amount,
        parts=[item.amount for item in items if item.amount.minor > 0],
        recipient=recipient,
    )
    intent = PaymentIntent.objects.create(
        freight_token=token,
        shipment_id=token.shipment_id,
        amount_minor=request.amount.minor,
        currency=request.amount.currency,
        description=request.description,
        payment_method=method.word,
        recipient=recipient,
        risk_score=token.risk_score,
        risk_category=token.risk_category,
        risk_tier=tier,
        created_by_id=user_id,
        created_by_actor=actor,
        created_at=now,
    )
    PaymentSchedule.objects.create(intent=intent, type=request.schedule.type)
    PaymentScheduleItem.objects.bulk_create(
        PaymentScheduleItem(
            intent=intent,
            position=position,
            event_type=item.event_type,
            share=item.share,
            amount_minor=item.amount.minor,
            currency=item.amount.currency,
        )
        for position, item in enumerate(items)
    )
    audit.record([_creation(intent, token, items, method, actor)], now=now)
    return intent


def _creation(
    intent: PaymentIntent, token: FreightToken, items: Sequence[schedules.Item], method: Method, actor: str
) -> audit.Draft:
    return audit.Draft(
        intent_id=intent.pk,
        action="intent_created",
        triggered_by=actor,
        data={
            "freight_token_id": token.pk,
            "shipment_id": token.shipment.shipment_id,
            "amount": Money(intent.amount_minor, intent.currency).text,
            "currency": intent.currency,
            "payment_method": method.word,
            "payment_method_by": method.chosen_by,
            "recipient_id": intent.recipient and intent.recipient.recipient_id,
            "risk_score": None if intent.risk_score is None else score_text(intent.risk_score),
            "risk_tier": str(intent.risk_tier),
            "schedule": [
                {"event_type": item.event_type.value, "share": score_text(item.share), "amount": item.amount.text}
                for item in items
            ],
        },
    )


def locked(intent_id: int) -> tuple[PaymentIntent, locks.LockedShipment]:
    """An intent as it is, with its shipment locked by this transaction. Raises IntentNotFound, IntentCancelled."""
    shipment = locks.of_intent(intent_id)
    intent = PaymentIntent.objects.select_related("freight_token", "recipient").get(pk=intent_id)
    if intent.cancelled_at is not None:
        raise IntentCancelled(f"Payment intent {intent_id} was cancelled.")
    return intent, shipment


def _wait_as_the_method_demands(intent_id: int, *, actor: str, now: datetime) -> None:
    """What would go by itself waits for people on wire; what waited for them only because of wire goes by itself."""
    waiting = MilestoneSettlement.objects.filter(intent_id=intent_id, amount_minor__gt=0).order_by("id")
    to_people = waiting.filter(rail=WIRE, status=SettlementStatus.DELAYED)
    lifecycle.transition(
        [
            Move(
                settlement_id=settlement.pk,
                intent_id=intent_id,
                old=SettlementStatus.DELAYED,
                new=SettlementStatus.PENDING,
                action="sent_to_people",
                actor=actor,
                reason="a wire is released by two officers",
            )
            for settlement in to_people
        ],
        now=now,
    )
    by_itself = waiting.filter(
        status=SettlementStatus.PENDING, strategy__in=[ReleaseStrategy.IMMEDIATE, ReleaseStrategy.DELAYED]
    ).exclude(rail=WIRE)
    lifecycle.block(
        [
            (settlement.pk, intent_id, SettlementStatus.PENDING, "goes with the next sweep that finds it due")
            for settlement in by_itself
        ],
        actor=actor,
        now=now,
    )
    # Not before its date: until then the sweep would find it again and again.
    by_itself.filter(strategy=ReleaseStrategy.DELAYED).update(retry_at=F("settlement_delayed_until"))


def set_payment_method(intent_id: int, method: str, *, actor: str, now: datetime) -> None:
    """Chooses the rail for what has not been submitted yet; settlements already submitted keep theirs.

    Raises IntentNotFound, IntentCancelled, and what `methods.check` raises.
    """
    methods.known(method, field="method")
    with transaction.atomic():
        intent, _ = locked(intent_id)
        if intent.payment_method == method:
            return
        methods.check(method, amounts=_not_submitted(intent_id), recipient=intent.recipient, field="method")
        PaymentIntent.objects.filter(pk=intent_id).update(payment_method=method)
        waiting = MilestoneSettlement.objects.filter(intent_id=intent_id, status__in=_NOT_SUBMITTED)
        two = {"approvals_required": Greatest(F("approvals_required"), 2)} if method == WIRE else {}
        waiting.update(rail=method, updated_at=now, **two)
        _wait_as_the_method_demands(intent_id, actor=actor, now=now)
        audit.record(
            [
                audit.Draft(
                    intent_id=intent_id,
                    action="payment_method_set",
                    triggered_by=actor,
                    data={"before": intent.payment_method, "after": method},
                )
            ],
            now=now,
        )


def _not_submitted(intent_id: int) -> list[Money]:
    """What the intent has yet to pay, milestone by milestone."""
    submitted = MilestoneSettlement.objects.filter(intent_id=intent_id).exclude(status__in=_NOT_SUBMITTED)
    items = PaymentScheduleItem.objects.filter(intent_id=intent_id, amount_minor__gt=0)
    left = items.exclude(event_type__in=submitted.values("event_type")).order_by("position")
    return [Money(minor, currency) for minor, currency in left.values_list("amount_minor", "currency")]


def cancel(intent_id: int, *, reason: str, actor: str, now: datetime) -> int:
    """Cancels what has not been released; released money stays released. The number of settlements cancelled.

    Raises IntentNotFound, IntentCancelled, NothingToCancel, ReasonRefused.
    """
    reasons.check(reason)
    with transaction.atomic():
        intent, _ = locked(intent_id)
        if intent.status in {IntentStatus.APPROVED, IntentStatus.SETTLED, IntentStatus.REJECTED}:
            raise NothingToCancel(
                f"Payment intent {intent_id} is {intent.status.lower()}: nothing of it waits any more."
            )
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE settlements_paymentintent SET status = 'CANCELLED', cancelled_at = %s WHERE id = %s",
                [now, intent_id],
            )
        open_ones = MilestoneSettlement.objects.filter(intent_id=intent_id, status__in=_CANCELLABLE).order_by("pk")
        moves = [
            Move(
                settlement_id=pk,
                intent_id=intent_id,
                old=SettlementStatus(status),
                new=SettlementStatus.CANCELLED,
                action="cancelled",
                actor=actor,
                reason=reason,
            )
            for pk, status in open_ones.values_list("pk", "status")
        ]
        audit.record(
            [audit.Draft(intent_id=intent_id, action="intent_cancelled", triggered_by=actor, reason=reason)], now=now
        )
        lifecycle.transition(moves, now=now)
        return len(moves)
