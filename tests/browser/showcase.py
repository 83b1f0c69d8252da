"""Two weeks of a freight desk, for pictures: made by the domain's own verbs, at times counted back from now."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import time_machine

from compliance import demo, demo_recipients
from rails.models import Recipient
from settlements.models import PaymentIntent
from tests.factories import LOW, MEDIUM, PICKUP, POD, a_token, an_intent, post_event, settlement_of

# Shipment, recipient, amount, currency, risk, hours ago.
_WAITING: Final = (
    ("SHIP-GENOA-114", "rijnmond-transport", "18250.00", "EUR", "0.74", 9),
    ("SHIP-HOUSTON-131", "summit-factoring", "9120.00", "USD", "0.81", 6),
    ("SHIP-OSAKA-127", "sakura-logistics", "2400000", "JPY", "0.69", 5),
    ("SHIP-TACOMA-140", "acme-haulage", "12400.00", "USD", None, 3),
    ("SHIP-ANTWERP-142", "rijnmond-transport", "3980.00", "EUR", "0.77", 2),
    ("SHIP-MEMPHIS-145", "bozza-trucking", "1640.50", "USD", "0.70", 1),
)
_DELAYED: Final = (
    ("SHIP-OAKLAND-133", "acme-haulage", "8400.00", 20),
    ("SHIP-NAGOYA-138", "sakura-logistics", "5150.00", 7),
)
_FIRST_TOKEN: Final = 101


def _ago(**since: float) -> "time_machine.travel":
    return time_machine.travel(datetime.now(UTC) - timedelta(**since))


def _intent(
    place: int, shipment_id: str, recipient: str, amount: str, currency: str, risk: Decimal | None
) -> PaymentIntent:
    token = a_token(id=_FIRST_TOKEN + place, shipment_id=shipment_id, risk_score=risk)
    return an_intent(
        token=token, amount=Decimal(amount), currency=currency, recipient=Recipient.objects.get(recipient_id=recipient)
    )


def load() -> None:
    """The demo, two weeks of payments before it, and a morning's queue after it."""
    place = 0
    with _ago(days=15):
        demo_recipients.push()
    for days in range(14, 0, -1):
        for turn in range(1 + days * 5 % 4):
            with _ago(days=days, minutes=turn):
                place += 1
                recipient = list(demo_recipients.RECIPIENTS)[place % len(demo_recipients.RECIPIENTS)]
                shipment = f"SHIP-LINE-{place:03}"
                _intent(place, shipment, recipient, str(1500 + place * 137), "USD", LOW)
                post_event(shipment, PICKUP)
                post_event(shipment, POD)
    for shipment, recipient, amount, hours in _DELAYED:
        with _ago(hours=hours):
            place += 1
            _intent(place, shipment, recipient, amount, "USD", MEDIUM)
            post_event(shipment, PICKUP)
    for shipment, recipient, amount, currency, risk, hours in _WAITING:
        with _ago(hours=hours):
            place += 1
            settlement_of(_intent(place, shipment, recipient, amount, currency, Decimal(risk) if risk else None), POD)
    with _ago(minutes=25):
        demo.load()
