"""Shares to exact amounts: which part of an intent each shipment event releases."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from rails.money import Money
from settlements.statuses import EventType, RiskTier, ScheduleType

_E = EventType

DEFAULT_SHARES: dict[RiskTier, dict[EventType, Decimal]] = {
    RiskTier.LOW: {
        _E.PICKUP_CONFIRMED: Decimal("0.20"),
        _E.POD_CONFIRMED: Decimal("0.70"),
        _E.CLAIM_WINDOW_CLOSED: Decimal("0.10"),
    },
    RiskTier.MEDIUM: {
        _E.PICKUP_CONFIRMED: Decimal("0.10"),
        _E.POD_CONFIRMED: Decimal("0.70"),
        _E.CLAIM_WINDOW_CLOSED: Decimal("0.20"),
    },
    RiskTier.HIGH: {
        _E.PICKUP_CONFIRMED: Decimal("0"),
        _E.POD_CONFIRMED: Decimal("0.80"),
        _E.CLAIM_WINDOW_CLOSED: Decimal("0.20"),
    },
}

FULL_ON_POD: dict[EventType, Decimal] = {_E.POD_CONFIRMED: Decimal("1")}

# A share is stored with this many decimals; a finer one is refused, never rounded.
SHARE_DECIMALS = 12


class InvalidSchedule(ValueError):
    """The requested schedule can not be built; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One event type, its share of the intent (0..1) and the exact amount that comes of it."""

    event_type: EventType
    share: Decimal
    amount: Money


def build(
    kind: ScheduleType,
    *,
    tier: RiskTier,
    amount: Money,
    custom: Sequence[tuple[EventType, Decimal]] = (),
) -> tuple[Item, ...]:
    """The items of a schedule; their amounts always sum to `amount`.

    Raises InvalidSchedule when custom shares are outside 0..1, too fine, repeat an event type or do not sum to 1.
    """
    shares = _custom_shares(custom) if kind is ScheduleType.CUSTOM else dict(_standard_shares(kind, tier))
    amounts = amount.allocate(list(shares.values()))
    return tuple(
        Item(event_type=event_type, share=share, amount=part)
        for (event_type, share), part in zip(shares.items(), amounts, strict=True)
    )


def _standard_shares(kind: ScheduleType, tier: RiskTier) -> dict[EventType, Decimal]:
    return FULL_ON_POD if kind is ScheduleType.FULL_ON_POD else DEFAULT_SHARES[tier]


def _custom_shares(items: Sequence[tuple[EventType, Decimal]]) -> dict[EventType, Decimal]:
    shares: dict[EventType, Decimal] = {}
    for event_type, share in items:
        if event_type in shares:
            raise InvalidSchedule(f"Each event type may stand in a schedule once; {event_type} stands there twice.")
        if not share.is_finite() or not 0 <= share <= 1:
            raise InvalidSchedule(f"The share of {event_type} must be a number from 0 to 1.")
        if share != round(share, SHARE_DECIMALS):
            raise InvalidSchedule(f"The share of {event_type} has more than {SHARE_DECIMALS} decimals.")
        shares[event_type] = share
    if sum(shares.values(), Decimal(0)) != 1:
        raise InvalidSchedule("The shares of a schedule must sum to exactly 1.")
    return shares
