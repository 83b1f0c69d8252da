"""A big backlog, quickly: many delayed intents over a few shipments, lawful to the last audit event."""

import hashlib
from decimal import Decimal

import orjson
from django.db import transaction
from django.utils import timezone

from rails.money import Money
from settlements import audit, inbox, schedules, sources, tokens
from settlements.models import EventSource, PaymentIntent, PaymentSchedule, PaymentScheduleItem
from settlements.statuses import RiskTier, ScheduleType
from tests.factories import ACTOR

FIRST = 5_000_000
PER_SHIPMENT = 50


def delayed_intents(number: int, *, per_shipment: int = PER_SHIPMENT) -> None:
    """`number` intents of MEDIUM risk, fifty to a shipment, whose pickup event has been received."""
    for token_id in range(FIRST, FIRST + number // per_shipment):
        _intents_of_one_shipment(token_id, per_shipment)
        _receive(f"COPY-{token_id}")


@transaction.atomic
def _intents_of_one_shipment(token_id: int, number: int) -> None:
    now = timezone.now()
    push = tokens.TokenPush(shipment_id=f"COPY-{token_id}", risk_score=Decimal("0.50"))
    token, _ = tokens.put(token_id, push, actor=ACTOR, now=now)
    items = schedules.build(ScheduleType.MILESTONE, tier=RiskTier.MEDIUM, amount=Money.parse(100, "USD"))
    intents = PaymentIntent.objects.bulk_create(
        PaymentIntent(
            freight_token=token,
            shipment_id=token.shipment_id,
            amount_minor=10_000,
            currency="USD",
            risk_score=token.risk_score,
            risk_tier=RiskTier.MEDIUM,
            created_by_actor="test",
            created_at=now,
        )
        for _ in range(number)
    )
    PaymentSchedule.objects.bulk_create(PaymentSchedule(intent=intent, type="milestone") for intent in intents)
    PaymentScheduleItem.objects.bulk_create(
        PaymentScheduleItem(
            intent=intent,
            position=position,
            event_type=item.event_type,
            share=item.share,
            amount_minor=item.amount.minor,
            currency="USD",
        )
        for intent in intents
        for position, item in enumerate(items)
    )
    told = {
        "freight_token_id": token_id,
        "shipment_id": push.shipment_id,
        "payment_method": "internal_ledger",
        "recipient_id": None,
        "risk_score": "0.50",
        "risk_tier": "MEDIUM",
        "schedule": [{"event_type": item.event_type.value, "share": str(item.share)} for item in items],
    }
    drafts = [
        audit.Draft(intent_id=intent.pk, action="intent_created", triggered_by="test", data=told) for intent in intents
    ]
    audit.record(drafts, now=now)


def _receive(shipment: str) -> None:
    now = timezone.now()
    body = orjson.dumps({"event_type": "PICKUP_CONFIRMED", "shipment_id": shipment})
    message = inbox.Message(
        source=sources.Source(EventSource.objects.get(name="platform").pk),
        actor="test",
        message_id=f"copy:{shipment}",
        body=body.decode(),
        body_hash=hashlib.sha256(body).digest(),
        shipment_id=shipment,
        event_type="PICKUP_CONFIRMED",
        occurred_at=now,
        occurred_at_was_naive=False,
    )
    inbox.receive(message, now=now)
