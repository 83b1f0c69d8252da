"""Do the parts make the whole? Schedules, settlements and status against their intent, by the specification's words."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from settlements.verification.differences import Difference, Rule, keep, rows_of

_INTENTS = """
    SELECT i.id, i.amount_minor, i.currency, i.status, i.cancelled_at IS NOT NULL,
           array_agg(item.event_type ORDER BY item.position), array_agg(item.amount_minor ORDER BY item.position),
           array_agg(item.share ORDER BY item.position), array_agg(item.currency ORDER BY item.position),
           array_agg(s.id ORDER BY item.position), array_agg(s.status ORDER BY item.position),
           array_agg(s.amount_minor ORDER BY item.position), array_agg(s.currency ORDER BY item.position)
    FROM settlements_paymentintent i
    LEFT JOIN settlements_paymentscheduleitem item ON item.intent_id = i.id
    LEFT JOIN settlements_milestonesettlement s ON s.intent_id = i.id AND s.event_type = item.event_type
    GROUP BY i.id ORDER BY i.id
"""
_RULES = [
    Rule(
        "intent {0}: it has no schedule",
        """
        SELECT i.id FROM settlements_paymentintent i
        WHERE NOT EXISTS (SELECT 1 FROM settlements_paymentschedule p WHERE p.intent_id = i.id) ORDER BY i.id
        """,
    ),
    Rule(
        "settlement {0}: the schedule of intent {1} has no item for {2}",
        """
        SELECT s.id, s.intent_id, s.event_type FROM settlements_milestonesettlement s
        WHERE NOT EXISTS (SELECT 1 FROM settlements_paymentscheduleitem item
                          WHERE item.intent_id = s.intent_id AND item.event_type = s.event_type) ORDER BY s.id
        """,
    ),
    Rule(
        "settlement {0}: event {1} that released it is of another shipment or type",
        """
        SELECT s.id, s.event_id FROM settlements_milestonesettlement s
        JOIN settlements_paymentintent i ON i.id = s.intent_id
        LEFT JOIN settlements_shipmentevent e ON e.id = s.event_id
        WHERE s.event_id IS NOT NULL
          AND (e.shipment_id, e.event_type) IS DISTINCT FROM (i.shipment_id, s.event_type) ORDER BY s.id
        """,
    ),
    Rule(
        "settlement {0}: it is {1} although intent {2} was cancelled",
        """
        SELECT s.id, lower(s.status), i.id FROM settlements_paymentintent i
        JOIN settlements_milestonesettlement s ON s.intent_id = i.id
        WHERE i.cancelled_at IS NOT NULL AND s.status IN ('PENDING', 'DELAYED') ORDER BY i.id, s.id
        """,
    ),
]
_STILL_OPEN = {"PENDING", "RELEASING", "FAILED", "RETURNED"}
_NEVER_PAID = {"REJECTED", "CANCELLED"}


def check() -> int:
    """The number of intents; raises Difference for the first whose parts do not make the whole."""
    intents = 0
    with rows_of(_INTENTS) as rows:
        for row in rows:
            _check_one(*row)
            intents += 1
    keep(_RULES)
    return intents


def _check_one(
    intent_id: int,
    amount_minor: int,
    currency: str,
    status: str,
    cancelled: bool,
    event_types: Sequence[str],
    item_amounts: Sequence[int | None],
    shares: Sequence[Decimal | None],
    item_currencies: Sequence[str],
    *settlements: Sequence[Any],
) -> None:
    name = f"intent {intent_id}"
    if sum(part or 0 for part in item_amounts) != amount_minor:
        raise Difference(f"{name}: the items of its schedule do not sum to its {amount_minor} in minor units")
    if sum((share or Decimal(0) for share in shares), Decimal(0)) != 1:
        raise Difference(f"{name}: the shares of its schedule do not sum to 1")
    ids, statuses, amounts, currencies = settlements
    for place, settlement_id in enumerate(ids):
        if item_currencies[place] != currency:
            raise Difference(f"{name}: its {event_types[place]} item is in {item_currencies[place]}, not in {currency}")
        if settlement_id is not None and (amounts[place], currencies[place]) != (item_amounts[place], currency):
            raise Difference(f"settlement {settlement_id}: its amount is not that of its item in {name}")
    derived = derived_status(cancelled, [s for s, part in zip(statuses, item_amounts, strict=True) if part])
    if derived != status:
        raise Difference(f"{name}: it is stored as {status.lower()}, but by its settlements it is {derived.lower()}")


def derived_status(cancelled: bool, statuses: Sequence[str | None]) -> str:
    """SPEC section 3, first that holds; `statuses` of the non-zero items' settlements, None for a missing one."""
    if cancelled:
        return "CANCELLED"
    if "DELAYED" in statuses:
        return "DELAYED"
    if None in statuses or _STILL_OPEN.intersection(statuses):
        return "PENDING"
    rest = [status for status in statuses if status not in _NEVER_PAID]
    if not rest:
        return "REJECTED"
    return "SETTLED" if set(rest) == {"SETTLED"} else "APPROVED"
