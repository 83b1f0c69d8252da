"""Shipments with a token and intents each, written many per statement and lawful to the last audit event."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Final

from django.db import transaction

from rails.models import Recipient
from rails.money import Money
from settlements import audit, schedules
from settlements.models import FreightToken, PaymentIntent, PaymentSchedule, PaymentScheduleItem, Shipment
from settlements.statuses import RiskTier, ScheduleType
from tests.factories import LOW, MEDIUM, now

AMOUNT: Final = Money(1_000_000, "USD")
_SCORES: Final = {RiskTier.LOW: LOW, RiskTier.MEDIUM: MEDIUM}
_FIRST_TOKEN: Final = 500_000
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the intents of a shipment are like."""

    tier: RiskTier = RiskTier.MEDIUM
    per_shipment: int = 1
    method: str = "internal_ledger"
    recipient: Recipient | None = None


def lay(shipments: int, kind: Kind) -> list[str]:
    """Stores so many shipments with their intents; returns their references."""
    return [_lay(next(_numbers), kind) for _ in range(shipments)]


def _lay(number: int, kind: Kind) -> str:
    at = now()
    with transaction.atomic():
        shipment = Shipment.objects.create(shipment_id=f"DUE-{number}", created_at=at)
        token = FreightToken.objects.create(
            pk=_FIRST_TOKEN + number,
            shipment=shipment,
            risk_score=_SCORES[kind.tier],
            recipient=kind.recipient,
            created_at=at,
            updated_at=at,
        )
        intents = PaymentIntent.objects.bulk_create(
            PaymentIntent(
                freight_token=token,
                shipment=shipment,
                amount_minor=AMOUNT.minor,
                currency=AMOUNT.currency,
                payment_method=kind.method,
                recipient=kind.recipient,
                risk_score=Decimal(_SCORES[kind.tier]),
                risk_tier=kind.tier,
                created_by_actor="test",
                created_at=at,
            )
            for _ in range(kind.per_shipment)
        )
        items = schedules.build(ScheduleType.MILESTONE, tier=kind.tier, amount=AMOUNT, custom=())
        _schedule(intents, items)
        audit.record([_created(each, items) for each in intents], now=at, known_heads={})
    return shipment.shipment_id


def _schedule(intents: Sequence[PaymentIntent], items: Sequence[schedules.Item]) -> None:
    PaymentSchedule.objects.bulk_create(PaymentSchedule(intent=each, type=ScheduleType.MILESTONE) for each in intents)
    PaymentScheduleItem.objects.bulk_create(
        PaymentScheduleItem(
            intent=each,
            position=position,
            event_type=item.event_type,
            share=item.share,
            amount_minor=item.amount.minor,
            currency=item.amount.currency,
        )
        for each in intents
        for position, item in enumerate(items)
    )


def _created(intent: PaymentIntent, items: Sequence[schedules.Item]) -> audit.Draft:
    return audit.Draft(
        intent_id=intent.pk,
        action="intent_created",
        triggered_by="test",
        data={
            "freight_token_id": intent.freight_token_id,
            "shipment_id": intent.shipment.shipment_id,
            "amount": AMOUNT.text,
            "currency": intent.currency,
            "payment_method": intent.payment_method,
            "recipient_id": intent.recipient and intent.recipient.recipient_id,
            "risk_score": str(intent.risk_score),
            "risk_tier": str(intent.risk_tier),
            "schedule": [{"event_type": item.event_type.value, "share": str(item.share)} for item in items],
        },
    )
