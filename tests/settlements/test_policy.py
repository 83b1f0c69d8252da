from decimal import Decimal

import pytest

from rails.money import Money
from settlements.policy import (
    InvalidRiskScore,
    RiskPicture,
    approvals_required,
    checked_score,
    decide_at_event,
    decide_at_settle,
    nothing_to_release,
    should_release_now,
    tier_of,
)
from settlements.statuses import EventType as E
from settlements.statuses import ReleaseStrategy as R
from settlements.statuses import RiskTier as T

# SPEC section 5, written down a second time.
CELLS = {
    (T.LOW, E.PICKUP_CONFIRMED): R.IMMEDIATE,
    (T.LOW, E.POD_CONFIRMED): R.IMMEDIATE,
    (T.LOW, E.CLAIM_WINDOW_CLOSED): R.IMMEDIATE,
    (T.MEDIUM, E.PICKUP_CONFIRMED): R.DELAYED,
    (T.MEDIUM, E.POD_CONFIRMED): R.IMMEDIATE,
    (T.MEDIUM, E.CLAIM_WINDOW_CLOSED): R.DELAYED,
    (T.HIGH, E.PICKUP_CONFIRMED): R.PENDING,
    (T.HIGH, E.POD_CONFIRMED): R.MANUAL_REVIEW,
    (T.HIGH, E.CLAIM_WINDOW_CLOSED): R.MANUAL_REVIEW,
}
BOUNDARIES = [
    ("0", T.LOW),
    ("0.0", T.LOW),
    ("0.3299", T.LOW),
    ("0.32999999999999999999", T.LOW),
    ("0.33", T.MEDIUM),
    ("0.5", T.MEDIUM),
    ("0.6699", T.MEDIUM),
    ("0.67", T.HIGH),
    ("1", T.HIGH),
]


def picture(snapshot: str | None, current: str | None = "0", status: str = "active") -> RiskPicture:
    def score(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return RiskPicture(
        snapshot=score(snapshot),
        current=score(current),
        token_status=status,
        token_is_live=status in {"active", "locked"},
    )


@pytest.mark.parametrize("event_type", E)
@pytest.mark.parametrize(("score", "tier"), BOUNDARIES)
@pytest.mark.parametrize("read_as", [str, Decimal, float])
def test_every_cell_at_every_boundary_however_the_score_arrives(
    score: str, tier: T, event_type: E, read_as: type
) -> None:
    if score == "0.32999999999999999999" and read_as is float:
        tier = T.MEDIUM  # no float lies between it and 0.33
    assert should_release_now(read_as(score), event_type.value) is CELLS[tier, event_type]
    assert tier_of(checked_score(read_as(score))) is tier


@pytest.mark.parametrize(
    "score",
    [None, True, False, "NaN", float("nan"), Decimal("NaN"), Decimal("sNaN"), "Infinity", float("inf"), float("-inf"),
     -0.0001, "-0.0000000000000000001", 1.0001, "1.00000000000000000001", 2, "", "high", "1e999999999"],
)  # fmt: skip
def test_what_is_no_score_from_0_to_1_is_refused(score: object) -> None:
    with pytest.raises(InvalidRiskScore):
        should_release_now(score, "POD_CONFIRMED")  # type: ignore[arg-type]


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("event_type", ["CREATED", "IN_TRANSIT", "pod_confirmed", "", "anything"])
def test_an_event_type_outside_the_table_is_pending_at_every_tier(score: float, event_type: str) -> None:
    assert should_release_now(score, event_type) is R.PENDING


def test_zero_is_a_score_and_unknown_is_high() -> None:
    assert tier_of(Decimal(0)) is T.LOW
    assert tier_of(None) is T.HIGH


@pytest.mark.parametrize("event_type", E)
@pytest.mark.parametrize(
    ("snapshot", "current", "tier"),
    [
        ("0.1", "0.2", T.LOW),
        ("0.1", "0.5", T.MEDIUM),
        ("0.5", "0.1", T.MEDIUM),
        ("0.1", "0.9", T.HIGH),
        ("0.9", "0.1", T.HIGH),
        (None, "0.1", T.HIGH),
        ("0.1", None, T.HIGH),
        (None, None, T.HIGH),
    ],
)
def test_the_worse_of_snapshot_and_current_score_decides(
    snapshot: str | None, current: str | None, tier: T, event_type: E
) -> None:
    decision = decide_at_event(picture(snapshot, current), event_type)
    assert (decision.tier, decision.strategy) == (tier, CELLS[tier, event_type])


def test_the_decision_can_be_read_back_in_words() -> None:
    explain = [
        decide_at_event(picture("0.81"), E.POD_CONFIRMED).explanation,
        decide_at_event(picture("0.50"), E.PICKUP_CONFIRMED).explanation,
        decide_at_event(picture(None), E.CLAIM_WINDOW_CLOSED).explanation,
        nothing_to_release(decide_at_event(picture("0.81"), E.PICKUP_CONFIRMED)).explanation,
    ]
    assert explain == [
        "HIGH risk (0.81 >= 0.67) at POD_CONFIRMED: manual review",
        "MEDIUM risk (0.5 >= 0.33 and < 0.67) at PICKUP_CONFIRMED: release after the hold",
        "HIGH risk (score unknown, treated as HIGH) at CLAIM_WINDOW_CLOSED: manual review",
        "nothing to release: the share is zero (HIGH risk (0.81 >= 0.67) at PICKUP_CONFIRMED: not yet eligible)",
    ]


def test_the_decision_keeps_its_inputs_rule_and_version() -> None:
    decision = decide_at_event(picture("0.10", "0.50", "locked"), E.POD_CONFIRMED)
    assert decision.inputs == {
        "event_type": "POD_CONFIRMED",
        "snapshot_score": "0.1",
        "current_score": "0.5",
        "token_status": "locked",
    }
    assert decision.rule == "matrix/MEDIUM/POD_CONFIRMED"
    assert decision.policy_version


@pytest.mark.parametrize("event_type", E)
@pytest.mark.parametrize("score", ["0", "0.5", "0.9"])
@pytest.mark.parametrize("status", ["settled", "cancelled", "", "ACTIVE"])
def test_a_token_out_of_use_means_a_person_at_least(status: str, score: str, event_type: E) -> None:
    decision = decide_at_event(picture(score, score, status), event_type)
    assert decision.tier is T.HIGH
    assert decision.strategy.needs_a_person
    assert status in decision.explanation


@pytest.mark.parametrize(
    ("score", "status", "strategy"),
    [
        ("0.1", "active", R.IMMEDIATE),
        ("0.1", "locked", R.IMMEDIATE),
        ("0.33", "active", R.DELAYED),
        ("0.67", "active", R.MANUAL_REVIEW),
        (None, "active", R.MANUAL_REVIEW),
        ("0.1", "settled", R.MANUAL_REVIEW),
    ],
)
def test_settling_by_request_is_decided_by_tier_alone(score: str | None, status: str, strategy: R) -> None:
    for event_type in E:
        decision = decide_at_settle(picture(score, score, status), event_type)
        assert decision.strategy is strategy
        assert decision.tier is {R.IMMEDIATE: T.LOW, R.DELAYED: T.MEDIUM, R.MANUAL_REVIEW: T.HIGH}[strategy]


@pytest.mark.parametrize(
    ("minor", "currency", "rail", "approvers"),
    [
        (1_000_000, "USD", "internal_ledger", 1),
        (1_000_001, "USD", "internal_ledger", 2),
        (1, "USD", "wire", 2),
    ],
)
def test_four_eyes_above_the_limit_and_on_wire(minor: int, currency: str, rail: str, approvers: int) -> None:
    assert approvals_required(Money(minor, currency), rail, Money(1_000_000, "USD")) == approvers
