"""One attempt has one key and is one transfer; the next one waits until the former came back."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rails.base import NotYet, SettlementResult
from rails.models import Recipient
from rails.money import Money
from rails.stripe import installation, paying
from rails.stripe.rail import StripeRail
from rails.stripe.transfers import Order, group_of
from tests.rails.stripe_orders import HOUR, again, is_refused, is_unknown, library, one, order, paid, submit_by_hand
from tests.rails.stripe_world import account_of, fake, rail, recipient, recipient_id
from tests.stripe_fake import Fault, StripeFake, transfers

__all__ = ["fake", "rail", "recipient", "recipient_id"]

pytestmark = pytest.mark.django_db


# The key


def test_how_long_it_waits_is_told_by_the_clock_that_wrote_it(
    fake: StripeFake, rail: StripeRail, recipient_id: int
) -> None:
    instruction = replace(again(order(recipient_id)), waiting=timedelta(minutes=1))
    answer = one(rail, instruction, now=datetime.now(UTC) + 26 * HOUR)
    assert isinstance(answer, SettlementResult)
    assert answer.success
    behind = replace(again(order(recipient_id)), waiting=24 * HOUR)
    is_unknown(one(rail, behind), "too late")


def test_after_a_day_only_looking_up_decides(fake: StripeFake, rail: StripeRail, recipient: Recipient) -> None:
    instruction = order(recipient.pk)
    is_unknown(one(rail, again(instruction, ago=24 * HOUR)), "too late")
    is_refused(one(rail, again(instruction, ago=26 * HOUR)), "nothing moved")
    assert not any(method == "POST" for method, _, _ in fake.requests)
    made = submit_by_hand(fake, instruction, account_of(recipient))
    fake.world.seconds_ahead = 26 * 3600
    assert paid(rail, again(instruction, ago=26 * HOUR)).reference_id == made


def test_within_the_day_it_is_submitted_under_the_same_key(
    fake: StripeFake, rail: StripeRail, recipient_id: int
) -> None:
    instruction = order(recipient_id)
    paid(rail, again(instruction, ago=22 * HOUR))
    paid(rail, instruction)
    keys = {headers["Idempotency-Key"] for method, _, headers in fake.requests if method == "POST"}
    assert len(keys) == 1


def test_a_key_with_other_parameters_is_for_a_person(fake: StripeFake, rail: StripeRail, recipient_id: int) -> None:
    instruction = order(recipient_id)
    made = paid(rail, instruction).reference_id
    is_unknown(one(rail, replace(instruction, amount=Money(7001, "USD"))), str(made), needs_person=True)
    is_unknown(one(rail, again(replace(instruction, amount=Money(7001, "USD")))), "70.01 USD", needs_person=True)
    assert len(fake.world.transfers) == 1


@pytest.mark.parametrize("field", ["amount", "destination", "currency"])
def test_a_transfer_that_is_not_exactly_ours_is_for_a_person(
    fake: StripeFake, rail: StripeRail, recipient: Recipient, field: str
) -> None:
    instruction = order(recipient.pk)
    made = submit_by_hand(fake, instruction, account_of(recipient))
    fake.world.transfers[made][field] = {"amount": 1, "destination": "acct_1Other", "currency": "eur"}[field]
    is_unknown(one(rail, again(instruction)), made, needs_person=True)


def test_two_transfers_of_one_attempt_are_for_a_person(
    fake: StripeFake, rail: StripeRail, recipient: Recipient
) -> None:
    instruction = order(recipient.pk)
    fake.keys.honoured = False
    made = [submit_by_hand(fake, instruction, account_of(recipient)) for _ in range(2)]
    is_unknown(one(rail, again(instruction)), made[0], needs_person=True)


# Attempts


def test_another_attempt_is_made_only_when_all_of_the_former_came_back(
    fake: StripeFake, rail: StripeRail, recipient_id: int
) -> None:
    first = order(recipient_id)
    second = replace(first, attempt_number=2)
    made = str(paid(rail, first).reference_id)
    is_refused(one(rail, second), f"has not come back in full: {made}")
    transfers.reverse(fake.world, "", {"amount": 6999}, made)
    is_refused(one(rail, second), made)
    transfers.reverse(fake.world, "", {}, made)
    assert paid(rail, second).reference_id != made


def test_an_attempt_is_not_made_as_long_as_the_former_can_not_be_looked_up(
    fake: StripeFake, rail: StripeRail, recipient_id: int
) -> None:
    fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
    answer = one(rail, order(recipient_id, attempt_number=2))
    assert isinstance(answer, NotYet)
    assert not any(method == "POST" for method, _, _ in fake.requests)


def test_money_sent_by_hand_for_the_same_settlement_is_for_a_person(
    fake: StripeFake, rail: StripeRail, recipient: Recipient
) -> None:
    instruction = order(recipient.pk)
    group = group_of(installation.mark(), instruction.milestone_id)
    params: Any = {"amount": 7000, "currency": "usd", "destination": account_of(recipient), "transfer_group": group}
    library(fake).v1.transfers.create(params)
    is_unknown(one(rail, again(instruction)), "another transfer", needs_person=True)
    is_refused(one(rail, replace(instruction, attempt_number=2)), "another transfer")


def test_without_an_idempotency_key_money_would_move_twice(
    fake: StripeFake, rail: StripeRail, recipient_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tests above would not let by."""
    monkeypatch.setattr(Order, "key", property(lambda self: secrets.token_hex(8)))
    instruction = order(recipient_id)
    paid(rail, instruction)
    paid(rail, instruction)
    assert len(fake.world.transfers) == 2


def test_the_times_of_a_key_leave_room_on_both_sides() -> None:
    assert paying.KEY_COUNTS_FOR < 24 * HOUR < paying.LISTS_KNOW_AFTER
