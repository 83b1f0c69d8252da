"""What a recipient has earned by an event and has not got yet: why, and until when, as far as that is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.db import connection

from rails.money import Money

_HELD: Final = """
    SELECT CASE WHEN h.id IS NOT NULL THEN 'HELD' WHEN s.status = 'PENDING' THEN 'IN_REVIEW' ELSE s.status END,
           s.id, s.event_type, p.shipment_id, s.currency, s.amount_minor, s.created_at,
           CASE s.status WHEN 'DELAYED' THEN s.settlement_delayed_until END,
           coalesce(h.reason, CASE WHEN s.status IN ('FAILED', 'RETURNED', 'RELEASING') THEN '' ELSE s.explanation END)
    FROM settlements_paymentintent i JOIN settlements_milestonesettlement s ON s.intent_id = i.id
    JOIN settlements_shipment p ON p.id = i.shipment_id
    LEFT JOIN settlements_hold h ON h.settlement_id = s.id AND h.lifted_at IS NULL
    WHERE i.recipient_id = %s AND s.amount_minor > 0
      AND s.status IN ('PENDING', 'DELAYED', 'RELEASING', 'FAILED', 'RETURNED')
    ORDER BY s.currency, s.created_at, s.id
"""


class HeldKind(StrEnum):
    """Why it is not released, or not under way."""

    HELD = "HELD"
    DELAYED = "DELAYED"
    IN_REVIEW = "IN_REVIEW"
    RELEASING = "RELEASING"
    FAILED = "FAILED"
    RETURNED = "RETURNED"


WORDS: Final = {
    HeldKind.HELD: "On hold",
    HeldKind.DELAYED: "Delayed",
    HeldKind.IN_REVIEW: "In review",
    HeldKind.RELEASING: "Being paid",
    HeldKind.FAILED: "Failed, to be resolved",
    HeldKind.RETURNED: "Came back, to be resolved",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldItem:
    """One settlement that waits; `why` in words, `until` where a date is set."""

    kind: HeldKind
    settlement_id: int
    event_type: str
    shipment_id: str
    amount: Money
    since: datetime
    until: datetime | None
    why: str

    @property
    def words(self) -> str:
        """What it waits for."""
        return WORDS[self.kind]


def listed(recipient_pk: int) -> Sequence[HeldItem]:
    """What waits now, by currency, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [recipient_pk])
        rows = cursor.fetchall()
    return [
        HeldItem(
            kind=HeldKind(kind),
            settlement_id=settlement_id,
            event_type=event_type,
            shipment_id=shipment_id,
            amount=Money(minor, currency),
            since=since,
            until=until,
            why=why,
        )
        for kind, settlement_id, event_type, shipment_id, currency, minor, since, until, why in rows
    ]
