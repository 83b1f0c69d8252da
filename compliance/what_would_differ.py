"""What would have to differ for a settlement to be released at once; pure, out of the policy's tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rails.money import Money
from settlements.policy import HIGH_FROM, MATRIX, MEDIUM_FROM, SETTLE_STRATEGY, WIRE, RiskPicture, score_text
from settlements.statuses import LIVE_TOKEN_STATUSES, EventType, Origin, ReleaseStrategy, RiskTier

# Above its tier's bound a score is in the next worse tier; HIGH has no bound.
_BELOW: Mapping[RiskTier, Decimal] = {RiskTier.LOW: MEDIUM_FROM, RiskTier.MEDIUM: HIGH_FROM}
_FROM_BAD_TO_GOOD = (RiskTier.HIGH, RiskTier.MEDIUM, RiskTier.LOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a release at once depends on: the inputs of the decision, and what stands between it and its rail."""

    risk: RiskPicture
    event_type: EventType
    origin: Origin
    rail: str
    held: bool = False
    rail_on: bool = True
    recipient_usable: bool = True
    destination_obstacle: str = ""


def for_release_at_once(now: Circumstances) -> list[str]:
    """Everything that would have to differ, all of it together; empty when nothing would.

    Each is a phrase that follows "Released at once if": `the risk score were below 0.67 (it is 0.81)`.
    """
    phrases: list[str] = []
    if not now.risk.token_is_live:
        live = " or ".join(sorted(LIVE_TOKEN_STATUSES))
        phrases.append(f"the freight token were {live} (it is {now.risk.token_status})")
    phrases += _about_the_score(now)
    if now.rail == WIRE:
        phrases.append("the rail were another than wire, which always takes two officers")
    if now.held:
        phrases.append("the hold were released")
    if not now.rail_on:
        phrases.append(f"the rail {now.rail} were switched on")
    if not now.recipient_usable:
        phrases.append("payouts to the recipient were switched on")
    if now.destination_obstacle:
        phrases.append(f"there were a destination to pay to ({now.destination_obstacle})")
    return phrases


def score_below(event_type: EventType, origin: Origin) -> Decimal | None:
    """Below which score money goes at once; None when any score will do."""
    for tier in _FROM_BAD_TO_GOOD:
        strategy = MATRIX[tier][event_type] if origin is Origin.EVENT else SETTLE_STRATEGY[tier]
        if strategy is ReleaseStrategy.IMMEDIATE:
            return _BELOW.get(tier)
    raise ValueError(f"no score releases {event_type} at once")


def for_one_approver(amount: Money, rail: str, limits: Mapping[str, Money]) -> str:
    """What would have to differ for one officer to be enough; empty when one is.

    A phrase that follows "One officer would be enough if".
    """
    if rail == WIRE:
        return "the rail were another than wire"
    limit = limits.get(amount.currency)
    if limit is None:
        return f"there were a four-eyes amount for {amount.currency}; without one every amount takes two officers"
    if amount <= limit:
        return ""
    return f"the amount were at most {limit.major:,} {limit.currency} (it is {amount.major:,})"


def _about_the_score(now: Circumstances) -> Sequence[str]:
    bound = score_below(now.event_type, now.origin)
    if bound is None:
        return ()
    risk = now.risk
    if risk.score is None:
        unknown = [
            words
            for score, words in ((risk.snapshot, "when the intent was made"), (risk.current, "on the freight token"))
            if score is None
        ]
        return (f"the risk score were known and below {bound} (it is unknown {' and '.join(unknown)})",)
    if risk.score < bound:
        return ()
    return (f"the risk score were below {bound} (it is {score_text(risk.score)})",)
