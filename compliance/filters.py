"""What of the review queue is asked for: the same words in the API's query and in the admin's addresses and forms."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from rails.base import SettlementProvider
from rails.money import EXPONENTS
from settlements.api.query_parameters import Query
from settlements.api.words import TierWord
from settlements.statuses import EventType, RiskTier

LONGEST_AGE_HOURS: Final = 100_000
AMOUNT_DIGITS: Final = max(EXPONENTS.values())


class State(StrEnum):
    """Which list: what waits for people, what is on hold, or what releases by itself when its time has come."""

    WAITING = "waiting"
    HELD = "held"
    DELAYED = "delayed"


Currency = StrEnum("Currency", {code: code for code in EXPONENTS})  # type: ignore[misc]
Method = StrEnum("Method", {provider.name: provider.method for provider in SettlementProvider})  # type: ignore[misc]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Each that is given narrows the list; None asks nothing. Amounts are figures in major units of any currency."""

    state: State = State.WAITING
    q: str | None = None
    tier: RiskTier | None = None
    event_type: EventType | None = None
    payment_method: str | None = None
    recipient_id: str | None = None
    currency: str | None = None
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    overdue: bool | None = None
    older_than_hours: int | None = None
    younger_than_hours: int | None = None
    assignee: str | None = None
    unassigned: bool | None = None
    on_hold: bool | None = None
    approvals_begun: bool | None = None


EVERYTHING: Final = Filters()

# What each is called on the screen and in the API's description.
SAYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "state": "What waits for people (`waiting`, if absent), what is on hold (`held`), or what is delayed and "
        "releases by itself (`delayed`).",
        "q": "The beginning of a shipment id, a recipient's id or name, in any letter case; or the full number of an "
        "intent or a milestone.",
        "tier": "Of this risk tier.",
        "event_type": "Of this event.",
        "payment_method": "On this rail.",
        "recipient_id": "To this recipient; the id in full.",
        "currency": "In this currency.",
        "min_amount": "At least so much, as a figure of whatever currency.",
        "max_amount": "At most so much, as a figure of whatever currency.",
        "overdue": "Whether it waits longer than the target.",
        "older_than_hours": "Waiting for at least so many hours.",
        "younger_than_hours": "Waiting for less than so many hours.",
        "assignee": "Assigned to this officer; the username in full.",
        "unassigned": "Whether nobody is assigned.",
        "on_hold": "Whether a hold is open.",
        "approvals_begun": "Whether an officer has approved it as it is now.",
    }
)
NAMES: Final = frozenset(SAYS)


def read(query: Query) -> Filters:
    """The filters that a query string asks for; raises RefusedFields."""
    tier = query.choice("tier", TierWord)
    return Filters(
        state=query.choice("state", State) or State.WAITING,
        q=query.visible_text("q"),
        tier=RiskTier(tier.upper()) if tier else None,
        event_type=query.choice("event_type", EventType),
        payment_method=query.choice("payment_method", Method),
        recipient_id=query.visible_text("recipient_id"),
        currency=query.choice("currency", Currency),
        min_amount=query.figure("min_amount", digits=AMOUNT_DIGITS),
        max_amount=query.figure("max_amount", digits=AMOUNT_DIGITS),
        overdue=query.answer("overdue"),
        older_than_hours=query.maybe_integer("older_than_hours", lowest=0, highest=LONGEST_AGE_HOURS),
        younger_than_hours=query.maybe_integer("younger_than_hours", lowest=0, highest=LONGEST_AGE_HOURS),
        assignee=query.visible_text("assignee"),
        unassigned=query.answer("unassigned"),
        on_hold=query.answer("on_hold"),
        approvals_begun=query.answer("approvals_begun"),
    )
