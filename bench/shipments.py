"""Shipments to post events for: each with one LOW-risk token and one intent or more, written many per statement."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from bench.webhook import Source
from rails import recipients
from rails.money import Money
from settlements import audit, schedules, sources
from settlements.models import (
    FreightToken,
    PaymentIntent,
    PaymentSchedule,
    PaymentScheduleItem,
    Shipment,
)
from settlements.models.event_source import MOST_PER_SECOND
from settlements.statuses import RiskTier, ScheduleType

RECIPIENTS = 50
_BATCH = 2_000
_SCORES = {RiskTier.LOW: Decimal("0.15"), RiskTier.MEDIUM: Decimal("0.50"), RiskTier.HIGH: Decimal("0.81")}
_AMOUNT = Money(1_000_000, "USD")


def prepare(count: int, *, tier: RiskTier = RiskTier.LOW, tokens_after: int = 0, intents_each: int = 1) -> list[str]:
    """Stores this many shipments with their intents; returns their references. Tokens up to that one are there."""
    now = timezone.now()
    payees = [
        recipients.put(f"bench-carrier-{place}", f"Carrier {place}", actor="bench", now=now)[0].pk
        for place in range(RECIPIENTS)
    ]
    references = [f"BENCH-{place:07}" for place in range(tokens_after, tokens_after + count)]
    batch = max(1, _BATCH // intents_each)
    for start in range(0, count, batch):
        with transaction.atomic():
            _store(references[start : start + batch], tokens_after + start, payees, tier, now, intents_each)
    return references


def source() -> Source:
    """A new event source of the platform, whose limit is out of the way: it is checked, and never reached."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    _, secret = sources.create(name, requests_per_second=MOST_PER_SECOND, actor="bench", now=timezone.now())
    return Source(name=name, secret=secret)


def bodies(references: Sequence[str], event_type: str = "POD_CONFIRMED") -> list[bytes]:
    """One message for each shipment."""
    message = '{"shipment_id": "%s", "event_type": "%s", "occurred_at": "2025-11-07T15:30:00Z"}'
    return [(message % (reference, event_type)).encode() for reference in references]


def _store(
    references: Sequence[str], start: int, payees: Sequence[int], tier: RiskTier, now: datetime, intents_each: int
) -> None:
    stored = Shipment.objects.bulk_create(Shipment(shipment_id=reference, created_at=now) for reference in references)
    tokens = FreightToken.objects.bulk_create(
        FreightToken(
            pk=start + place + 1,
            shipment=shipment,
            risk_score=_SCORES[tier],
            recipient_id=payees[place % len(payees)],
            created_at=now,
            updated_at=now,
        )
        for place, shipment in enumerate(stored)
    )
    intents = PaymentIntent.objects.bulk_create(
        PaymentIntent(
            freight_token=token,
            shipment_id=token.shipment_id,
            amount_minor=_AMOUNT.minor,
            currency=_AMOUNT.currency,
            recipient_id=token.recipient_id,
            risk_score=_SCORES[tier],
            risk_tier=tier,
            created_by_actor="bench",
            created_at=now,
        )
        for token in tokens
        for _ in range(intents_each)
    )
    PaymentSchedule.objects.bulk_create(
        PaymentSchedule(intent=intent, type=ScheduleType.MILESTONE) for intent in intents
    )
    items = schedules.build(ScheduleType.MILESTONE, tier=tier, amount=_AMOUNT, custom=())
    PaymentScheduleItem.objects.bulk_create(
        PaymentScheduleItem(
            intent=intent,
            position=position,
            event_type=item.event_type,
            share=item.share,
            amount_minor=item.amount.minor,
            currency=item.amount.currency,
        )
        for intent in intents
        for position, item in enumerate(items)
    )
    audit.record(
        [audit.Draft(intent_id=intent.pk, action="intent_created", triggered_by="bench") for intent in intents],
        now=now,
        known_heads={},
    )
