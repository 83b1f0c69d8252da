"""What is to be paid in a run: intents, the events that release their milestones, and what Stripe must have in the end.

Written down before anything starts, so that nothing of ours can say afterwards that it was less.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

RECIPIENTS: Final = 24
_PICKUP, _POD, _CLAIM = "PICKUP_CONFIRMED", "POD_CONFIRMED", "CLAIM_WINDOW_CLOSED"
# SPEC section 3, in tenths.
_TENTHS: Final[Mapping[str, Mapping[str, int]]] = {
    "0.15": {_PICKUP: 2, _POD: 7, _CLAIM: 1},
    "0.50": {_PICKUP: 1, _POD: 7, _CLAIM: 2},
    "0.81": {_POD: 8, _CLAIM: 2},
}
_RISKS: Final = {"0.15": 6, "0.50": 2, "0.81": 2}
CURRENCIES: Final = {"USD": 6, "EUR": 2, "JPY": 1}
_DIGITS: Final = {"USD": 2, "EUR": 2, "JPY": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One intent with its shipment, token and events; `minor` is its amount."""

    number: int
    risk: str
    minor: int
    currency: str
    recipient: int
    events: Sequence[str]

    @property
    def shipment(self) -> str:
        return f"CHAOS-{self.number:05d}"

    @property
    def token(self) -> int:
        return self.number

    @property
    def amount(self) -> str:
        """In major units, as a client writes it."""
        digits = _DIGITS[self.currency]
        whole, rest = divmod(self.minor, 10**digits)
        return f"{whole}.{rest:0{digits}d}" if digits else str(whole)

    @property
    def owed(self) -> dict[str, int]:
        """Minor units by event type: each of them is to be paid once."""
        return {event: self.minor * tenths // 10 for event, tenths in _TENTHS[self.risk].items()}


def recipient_of(place: int) -> str:
    """Our name of a recipient."""
    return f"CHAOS-CARRIER-{place:02d}"


def account_of(place: int) -> str:
    """The recipient's connected account."""
    return f"acct_{place:016d}"


def draw(releases: int, *, seed: int) -> list[Planned]:
    """Intents with at least that many releases, each with its own events in an order of its own."""
    chance = random.Random(f"plan {seed}")
    planned: list[Planned] = []
    found = 0
    while found < releases:
        events = [_PICKUP, _POD, _CLAIM]
        chance.shuffle(events)
        (currency,) = chance.choices(list(CURRENCIES), list(CURRENCIES.values()))
        (risk,) = chance.choices(list(_RISKS), list(_RISKS.values()))
        planned.append(
            Planned(
                number=len(planned) + 1,
                risk=risk,
                minor=chance.randint(10, 1_600) * 10**3,
                currency=currency,
                recipient=chance.randrange(RECIPIENTS),
                events=events,
            )
        )
        found += len(planned[-1].owed)
    return planned
