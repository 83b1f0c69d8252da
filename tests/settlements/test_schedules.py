from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rails.money import Money
from settlements.schedules import SHARE_DECIMALS, InvalidSchedule, build
from settlements.statuses import EventType as E
from settlements.statuses import RiskTier as T
from settlements.statuses import ScheduleType

AMOUNTS = st.builds(
    Money, st.integers(min_value=1, max_value=9_999_999_999_999), st.sampled_from(["USD", "JPY", "KWD"])
)


@st.composite
def custom_shares(draw: st.DrawFn) -> list[tuple[E, Decimal]]:
    """One to three event types whose shares sum to exactly 1."""
    types = draw(st.lists(st.sampled_from(list(E)), min_size=1, max_size=3, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 10**SHARE_DECIMALS), min_size=len(types) - 1, max_size=len(types) - 1)))
    ends = [0, *cuts, 10**SHARE_DECIMALS]
    shares = [Decimal(b - a).scaleb(-SHARE_DECIMALS) for a, b in pairwise(ends)]
    return list(zip(types, shares, strict=True))


@pytest.mark.parametrize(
    ("tier", "amounts"), [(T.LOW, [2000, 7000, 1000]), (T.MEDIUM, [1000, 7000, 2000]), (T.HIGH, [0, 8000, 2000])]
)
def test_the_default_schedule_of_a_tier(tier: T, amounts: list[int]) -> None:
    items = build(ScheduleType.MILESTONE, tier=tier, amount=Money(10_000, "USD"))
    assert [item.event_type for item in items] == list(E)
    assert [item.amount.minor for item in items] == amounts


@pytest.mark.parametrize("tier", T)
def test_full_on_pod_is_everything_at_pod(tier: T) -> None:
    (item,) = build(ScheduleType.FULL_ON_POD, tier=tier, amount=Money(999, "JPY"))
    assert (item.event_type, item.share, item.amount) == (E.POD_CONFIRMED, Decimal(1), Money(999, "JPY"))


@given(amount=AMOUNTS, tier=st.sampled_from(list(T)), kind=st.sampled_from(["milestone", "full_on_pod"]))
def test_standard_schedules_always_sum_to_the_amount(amount: Money, tier: T, kind: str) -> None:
    items = build(ScheduleType(kind), tier=tier, amount=amount)
    assert sum(item.amount.minor for item in items) == amount.minor
    assert sum(item.share for item in items) == 1
    assert {item.amount.currency for item in items} == {amount.currency}


@given(amount=AMOUNTS, shares=custom_shares())
def test_custom_schedules_always_sum_and_never_stray_a_unit_from_their_share(
    amount: Money, shares: list[tuple[E, Decimal]]
) -> None:
    items = build(ScheduleType.CUSTOM, tier=T.LOW, amount=amount, custom=shares)
    assert [(item.event_type, item.share) for item in items] == shares
    assert sum(item.amount.minor for item in items) == amount.minor
    for item in items:
        assert abs(item.amount.minor - amount.minor * item.share) < 1
        assert item.amount.minor == 0 if item.share == 0 else item.amount.minor >= 0


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([], "sum to exactly 1"),
        ([("POD_CONFIRMED", "0.999999999999")], "sum to exactly 1"),
        ([("POD_CONFIRMED", "0.6"), ("PICKUP_CONFIRMED", "0.400000000001")], "sum to exactly 1"),
        ([("POD_CONFIRMED", "0.5"), ("POD_CONFIRMED", "0.5")], "twice"),
        ([("POD_CONFIRMED", "1.5"), ("PICKUP_CONFIRMED", "-0.5")], "from 0 to 1"),
        ([("POD_CONFIRMED", "NaN")], "from 0 to 1"),
        ([("POD_CONFIRMED", "Infinity")], "from 0 to 1"),
        ([("POD_CONFIRMED", "0.5000000000001"), ("PICKUP_CONFIRMED", "0.4999999999999")], "decimals"),
    ],
)
def test_custom_shares_that_are_no_whole_are_refused(shares: list[tuple[str, str]], words: str) -> None:
    with pytest.raises(InvalidSchedule, match=words):
        build(
            ScheduleType.CUSTOM,
            tier=T.LOW,
            amount=Money(100, "USD"),
            custom=[(E(event_type), Decimal(share)) for event_type, share in shares],
        )


def test_a_share_of_zero_is_allowed_and_gets_nothing() -> None:
    items = build(
        ScheduleType.CUSTOM,
        tier=T.LOW,
        amount=Money(100, "USD"),
        custom=[(E.PICKUP_CONFIRMED, Decimal(0)), (E.POD_CONFIRMED, Decimal("1.0"))],
    )
    assert [item.amount.minor for item in items] == [0, 100]
