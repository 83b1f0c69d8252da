"""The decision: risk tier and shipment event to release strategy; a table, no database."""

from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from rails.money import Money
from settlements.statuses import EventType, ReleaseStrategy, RiskTier

POLICY_VERSION = "2025-11"

MEDIUM_FROM = Decimal("0.33")
HIGH_FROM = Decimal("0.67")

WIRE = "wire"

_E, _R, _T = EventType, ReleaseStrategy, RiskTier

MATRIX: dict[RiskTier, dict[EventType, ReleaseStrategy]] = {
    _T.LOW: {
        _E.PICKUP_CONFIRMED: _R.IMMEDIATE,
        _E.POD_CONFIRMED: _R.IMMEDIATE,
        _E.CLAIM_WINDOW_CLOSED: _R.IMMEDIATE,
    },
    _T.MEDIUM: {
        _E.PICKUP_CONFIRMED: _R.DELAYED,
        _E.POD_CONFIRMED: _R.IMMEDIATE,
        _E.CLAIM_WINDOW_CLOSED: _R.DELAYED,
    },
    _T.HIGH: {
        _E.PICKUP_CONFIRMED: _R.PENDING,
        _E.POD_CONFIRMED: _R.MANUAL_REVIEW,
        _E.CLAIM_WINDOW_CLOSED: _R.MANUAL_REVIEW,
    },
}

# `POST /payment_intents/{id}/settle` decides by tier alone (SPEC section 8).
SETTLE_STRATEGY: dict[RiskTier, ReleaseStrategy] = {
    _T.LOW: _R.IMMEDIATE,
    _T.MEDIUM: _R.DELAYED,
    _T.HIGH: _R.MANUAL_REVIEW,
}

_STRATEGY_WORDS: dict[ReleaseStrategy, str] = {
    _R.IMMEDIATE: "release now",
    _R.DELAYED: "release after the hold",
    _R.MANUAL_REVIEW: "manual review",
    _R.PENDING: "not yet eligible",
}


class InvalidRiskScore(ValueError):
    """The score is not a number from 0 to 1."""


def checked_score(risk_score: Decimal | float | int | str | None) -> Decimal:
    """The score as a Decimal; a float is read as `Decimal(str(x))`, so that 0.33 is MEDIUM however it arrives.

    Raises InvalidRiskScore when it is None, not a number, or outside 0..1.
    """
    if risk_score is None or isinstance(risk_score, bool):
        raise InvalidRiskScore(f"A risk score is a number from 0 to 1, not {risk_score!r}.")
    try:
        score = Decimal(str(risk_score))
    except InvalidOperation as error:
        raise InvalidRiskScore(f"A risk score is a number from 0 to 1, not {risk_score!r}.") from error
    if not score.is_finite() or not 0 <= score <= 1:
        raise InvalidRiskScore(f"A risk score lies from 0 to 1, not at {risk_score!r}.")
    return score


def tier_of(score: Decimal | None) -> RiskTier:
    """The tier of a checked score; an unknown one is HIGH (fail closed)."""
    if score is None or score >= HIGH_FROM:
        return RiskTier.HIGH
    return RiskTier.MEDIUM if score >= MEDIUM_FROM else RiskTier.LOW


def should_release_now(risk_score: float, event_type: str) -> ReleaseStrategy:
    """What a milestone of this risk may do at this event.

    Raises InvalidRiskScore for None, NaN and scores outside 0..1: the caller maps an unknown score to HIGH itself.
    An event type outside the table is PENDING at every tier.
    """
    tier = tier_of(checked_score(risk_score))
    return _at_event(tier, event_type)


def _at_event(tier: RiskTier, event_type: str) -> ReleaseStrategy:
    row = MATRIX[tier]
    return row[EventType(event_type)] if event_type in EventType.__members__ else ReleaseStrategy.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPicture:
    """What is known of an intent's risk now: its snapshot, the token's current score, and the token's state."""

    snapshot: Decimal | None
    current: Decimal | None
    token_status: str
    token_is_live: bool

    @property
    def score(self) -> Decimal | None:
        """The worse of snapshot and current score; None when either is unknown."""
        if self.snapshot is None or self.current is None:
            return None
        return max(self.snapshot, self.current)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision with its inputs and the rule that fired; stored with the settlement, never recomputed for display."""

    strategy: ReleaseStrategy
    tier: RiskTier
    score: Decimal | None
    rule: str
    explanation: str
    inputs: dict[str, str | None]
    policy_version: str = POLICY_VERSION


def decide_at_event(risk: RiskPicture, event_type: EventType) -> Decision:
    """The decision for a milestone that a shipment event released."""
    strategy = _at_event(tier_of(risk.score), event_type)
    return _decision(risk, f"at {event_type.value}", f"matrix/{tier_of(risk.score)}/{event_type}", strategy, event_type)


def decide_at_settle(risk: RiskPicture, event_type: EventType) -> Decision:
    """The decision for a milestone settled by request: by tier alone; a token out of use counts as HIGH."""
    tier = tier_of(risk.score) if risk.token_is_live else RiskTier.HIGH
    return _decision(risk, "settled by request", f"settle/{tier}", SETTLE_STRATEGY[tier], event_type)


def _decision(risk: RiskPicture, when: str, rule: str, strategy: ReleaseStrategy, event_type: EventType) -> Decision:
    tier = tier_of(risk.score)
    because = _score_in_words(risk.score, tier)
    if not risk.token_is_live:
        tier = RiskTier.HIGH
        if strategy.strictness < ReleaseStrategy.MANUAL_REVIEW.strictness:
            strategy = ReleaseStrategy.MANUAL_REVIEW
        rule = f"token_not_live/{event_type}"
        because = f"HIGH risk (freight token is {risk.token_status}, neither active nor locked)"
    return Decision(
        strategy=strategy,
        tier=tier,
        score=risk.score,
        rule=rule,
        explanation=f"{because} {when}: {_STRATEGY_WORDS[strategy]}",
        inputs={
            "event_type": event_type.value,
            "snapshot_score": _text(risk.snapshot),
            "current_score": _text(risk.current),
            "token_status": risk.token_status,
        },
    )


def nothing_to_release(decision: Decision) -> Decision:
    """The same decision about an amount of zero: stored, never queued, never sent to a rail."""
    return replace(decision, explanation=f"nothing to release: the share is zero ({decision.explanation})")


def _score_in_words(score: Decimal | None, tier: RiskTier) -> str:
    if score is None:
        return "HIGH risk (score unknown, treated as HIGH)"
    bounds = {
        RiskTier.LOW: f"< {MEDIUM_FROM}",
        RiskTier.MEDIUM: f">= {MEDIUM_FROM} and < {HIGH_FROM}",
        RiskTier.HIGH: f">= {HIGH_FROM}",
    }
    return f"{tier.value} risk ({_text(score)} {bounds[tier]})"


def _text(score: Decimal | None) -> str | None:
    return None if score is None else score_text(score)


def score_text(score: Decimal) -> str:
    """A score as plain digits: `0.81`, `0`, `0.0000001`; never an exponent, no trailing zeros."""
    text = format(score, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def explained(explanation: str, *, strategy: ReleaseStrategy, rail: str, amount: Money) -> str:
    """The decision in words, and why people release it all the same: a wire never goes by itself (SPEC section 7)."""
    if rail != WIRE or strategy.needs_a_person or amount.minor == 0:
        return explanation
    return f"{explanation}; but a wire is released by two officers"


def approvals_required(amount: Money, rail: str, four_eyes_above: Money) -> int:
    """2 above the four-eyes amount of the currency or on wire, else 1 (SPEC section 6)."""
    return 2 if rail == WIRE or amount > four_eyes_above else 1
