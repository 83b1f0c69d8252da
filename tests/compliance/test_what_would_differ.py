"""What would have to differ: true over every combination, shown by running the policy on the changed circumstances."""

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest

from compliance.what_would_differ import Circumstances, for_one_approver, for_release_at_once, score_below
from rails import registry
from rails.money import Money
from settlements import candidates
from settlements.policy import HIGH_FROM, MEDIUM_FROM, approvals_required, decide_at_event, decide_at_settle
from settlements.statuses import EventType, Origin, ReleaseStrategy

SCORES = [None, *map(Decimal, ("0", "0.32999", "0.33", "0.66999", "0.67", "1"))]
STATUSES = ["active", "locked", "burned"]
RAILS = ["internal_ledger", "stripe", "ach", "wire"]
YES_NO = [False, True]
A_BIT = Decimal("0.00000000000000000001")

ALL = [
    Circumstances(
        risk=candidates.risk_picture(snapshot, current, status),
        event_type=event_type,
        origin=origin,
        rail=rail,
        held=held,
        rail_on=rail_on,
        recipient_usable=usable,
    )
    for (snapshot, current), status, event_type, origin, rail, held, rail_on, usable in itertools.product(
        itertools.product(SCORES, SCORES), STATUSES, EventType, Origin, ("ach", "wire"), YES_NO, YES_NO, YES_NO
    )
]


@pytest.fixture(autouse=True)
def every_rail_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "enabled_methods", lambda: RAILS)


def goes_at_once(now: Circumstances) -> bool:
    """As the policy and the road to money have it."""
    decide = decide_at_event if now.origin is Origin.EVENT else decide_at_settle
    obstacle = candidates.obstacle(
        held=now.held, rail=now.rail, rail_on=now.rail_on, recipient_usable=now.recipient_usable, destination=""
    )
    immediate = decide(now.risk, now.event_type).strategy is ReleaseStrategy.IMMEDIATE
    return immediate and now.rail != "wire" and not obstacle


def changed(now: Circumstances, phrase: str) -> Circumstances:
    """The circumstances with what the phrase names changed, and nothing else; scores to the worst the phrase allows."""
    if phrase.startswith("the freight token were active or locked"):
        return replace(now, risk=candidates.risk_picture(now.risk.snapshot, now.risk.current, "locked"))
    if phrase.startswith("the risk score were"):
        bound = Decimal(phrase.partition("below ")[2].partition(" ")[0]) - A_BIT
        snapshot, current = (
            bound if score is None else min(score, bound) for score in (now.risk.snapshot, now.risk.current)
        )
        return replace(now, risk=candidates.risk_picture(snapshot, current, now.risk.token_status))
    if phrase.startswith("the rail were another than wire"):
        return replace(now, rail="internal_ledger")
    if phrase == "the hold were released":
        return replace(now, held=False)
    if phrase == f"the rail {now.rail} were switched on":
        return replace(now, rail_on=True)
    assert phrase == "payouts to the recipient were switched on"
    return replace(now, recipient_usable=True)


def all_changed(now: Circumstances, phrases: list[str]) -> Circumstances:
    # The wire's switch is named by its rail, so the rail changes last.
    for phrase in sorted(phrases, key=lambda words: "another than wire" in words):
        now = changed(now, phrase)
    return now


def test_with_all_of_it_changed_the_money_would_go_at_once():
    for now in ALL:
        assert goes_at_once(all_changed(now, for_release_at_once(now))), now


def test_nothing_of_it_could_be_left_out():
    for now in ALL:
        phrases = for_release_at_once(now)
        for left_out in phrases:
            assert not goes_at_once(all_changed(now, [one for one in phrases if one != left_out])), (now, left_out)


def test_nothing_is_said_exactly_when_the_money_goes_at_once_as_it_is():
    for now in ALL:
        assert (for_release_at_once(now) == []) == goes_at_once(now), now


def test_the_score_that_is_named_is_the_largest_that_would_do():
    for event_type, origin in itertools.product(EventType, Origin):
        bound = score_below(event_type, origin)
        assert bound in {MEDIUM_FROM, HIGH_FROM}
        picture = candidates.risk_picture(bound, bound, "active")
        decide = decide_at_event if origin is Origin.EVENT else decide_at_settle
        assert decide(picture, event_type).strategy is not ReleaseStrategy.IMMEDIATE


@pytest.mark.parametrize(
    ("snapshot", "current", "status", "event_type", "origin", "said"),
    [
        ("0.81", "0.2", "active", EventType.POD_CONFIRMED, Origin.EVENT, ["below 0.67 (it is 0.81)"]),
        ("0.81", "0.9", "active", EventType.PICKUP_CONFIRMED, Origin.EVENT, ["below 0.33 (it is 0.9)"]),
        ("0.5", "0.5", "locked", EventType.CLAIM_WINDOW_CLOSED, Origin.EVENT, ["below 0.33 (it is 0.5)"]),
        ("0.5", "0.5", "active", EventType.POD_CONFIRMED, Origin.SETTLE, ["below 0.33 (it is 0.5)"]),
        (None, "0.2", "active", EventType.POD_CONFIRMED, Origin.EVENT, ["unknown when the intent was made)"]),
        ("0.1", None, "active", EventType.POD_CONFIRMED, Origin.EVENT, ["unknown on the freight token)"]),
        ("0.1", "0.1", "burned", EventType.POD_CONFIRMED, Origin.EVENT, ["active or locked (it is burned)"]),
        ("0.7", "0.1", "burned", EventType.POD_CONFIRMED, Origin.EVENT, ["(it is burned)", "below 0.67"]),
    ],
)
def test_it_reads_as_a_sentence_would_go_on(snapshot, current, status, event_type, origin, said):
    before, after = (None if score is None else Decimal(score) for score in (snapshot, current))
    now = Circumstances(
        risk=candidates.risk_picture(before, after, status),
        event_type=event_type,
        origin=origin,
        rail="internal_ledger",
    )
    phrases = for_release_at_once(now)
    assert len(phrases) == len(said)
    assert all(words in phrase for words, phrase in zip(said, phrases, strict=True))


LIMITS = {"USD": Money.from_major("10000", "USD"), "JPY": Money.from_major("1500000", "JPY")}


@pytest.mark.parametrize("rail", RAILS)
@pytest.mark.parametrize("minor", [1, 1_000_000, 1_000_001, 1_500_000, 1_500_001, 10**9])
@pytest.mark.parametrize("currency", ["USD", "JPY", "GBP"])
def test_one_officer_is_enough_exactly_when_nothing_is_said(rail, minor, currency):
    amount = Money(minor, currency)
    limit = LIMITS.get(currency, Money.zero(currency))
    assert (for_one_approver(amount, rail, LIMITS) == "") == (approvals_required(amount, rail, limit) == 1)


def test_the_amount_that_is_named_takes_one_officer_and_a_unit_more_takes_two():
    said = for_one_approver(Money.from_major("38400", "USD"), "ach", LIMITS)
    assert said == "the amount were at most 10,000.00 USD (it is 38,400.00)"
    assert approvals_required(LIMITS["USD"], "ach", LIMITS["USD"]) == 1
    assert approvals_required(Money(LIMITS["USD"].minor + 1, "USD"), "ach", LIMITS["USD"]) == 2
