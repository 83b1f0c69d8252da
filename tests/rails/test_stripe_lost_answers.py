"""An answer of Stripe's is lost: what was done is found, and what was not is done once."""

import time
from dataclasses import replace

import pytest
from pytest_django import Settings

from rails.base import OutcomeUnknown, SettlementResult
from rails.models import Recipient
from rails.stripe.rail import StripeRail
from tests.rails.stripe_orders import HOUR, again, is_refused, is_unknown, one, order, paid, submit_by_hand
from tests.rails.stripe_world import account_of, fake, rail, recipient, recipient_id, settings_of
from tests.stripe_fake import Fault, StripeFake, transfers

__all__ = ["fake", "rail", "recipient", "recipient_id"]

pytestmark = pytest.mark.django_db


# Answers that are lost


@pytest.mark.parametrize(
    "fault", [Fault.DROP_AFTER, Fault.GARBAGE, Fault.CUT, Fault.ERROR_AFTER, Fault.DROP_BEFORE, Fault.CONFLICT]
)
def test_what_was_done_is_found_and_what_was_not_is_done_once(
    fake: StripeFake, rail: StripeRail, recipient_id: int, fault: Fault
) -> None:
    fake.faults.script(fault)
    result = paid(rail, order(recipient_id))
    assert [result.reference_id] == list(fake.world.transfers)


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER, Fault.GARBAGE, Fault.ERROR_AFTER, Fault.UNAVAILABLE])
def test_when_looking_up_fails_too_the_outcome_is_unknown_until_the_next_time(
    fake: StripeFake, rail: StripeRail, recipient_id: int, fault: Fault
) -> None:
    instruction = order(recipient_id)
    fake.faults.script(fault, fault, fault)
    fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
    is_unknown(one(rail, instruction))
    fake.faults.over()
    result = paid(rail, again(instruction))
    assert [result.reference_id] == list(fake.world.transfers)


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER, Fault.ERROR_AFTER])
def test_lists_that_lag_do_not_make_a_second_transfer(
    fake: StripeFake, rail: StripeRail, recipient_id: int, fault: Fault
) -> None:
    """The look-up finds nothing; what is submitted again is the same key."""
    instruction = order(recipient_id)
    paid(rail, instruction)
    (made,) = fake.world.transfers
    fake.world.shown_from[made] = fake.world.now() + 60
    assert paid(rail, again(instruction)).reference_id == made
    assert list(fake.world.transfers) == [made]


def test_a_slow_answer_is_unknown_and_done_only_once(fake: StripeFake, rail: StripeRail, recipient_id: int) -> None:
    instruction = order(recipient_id)
    fake.faults.slow_seconds = 4.0
    fake.faults.script(Fault.SLOW)
    is_unknown(one(rail, instruction), "in time")
    is_unknown(one(rail, again(instruction)), "HTTP 409")
    assert fake.world.transfers == {}
    while not fake.world.transfers:
        time.sleep(0.05)
    paid(rail, again(instruction))
    assert len(fake.world.transfers) == 1


def test_a_500_that_stripe_keeps_is_a_no_once_lists_prove_that_nothing_moved(
    fake: StripeFake, rail: StripeRail, recipient_id: int
) -> None:
    instruction = order(recipient_id)
    fake.faults.script(Fault.ERROR_BEFORE)
    is_unknown(one(rail, instruction), "HTTP 500")
    is_refused(one(rail, again(instruction)), "nothing moved")
    paid(rail, replace(instruction, attempt_number=2))
    assert len(fake.world.transfers) == 1


def test_lists_may_lag_behind_a_500_that_stripe_keeps(
    fake: StripeFake, rail: StripeRail, recipient_id: int, settings: Settings
) -> None:
    settings.CHAINPAY_STRIPE = settings_of(fake, lookup_lag_seconds=2)
    instruction = order(recipient_id)
    fake.faults.script(Fault.ERROR_AFTER)
    fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
    is_unknown(one(rail, instruction), "HTTP 500")
    (made,) = fake.world.transfers
    fake.world.shown_from[made] = fake.world.now() + 1
    assert paid(rail, again(instruction)).reference_id == made


def test_a_crash_during_the_call_is_looked_up(fake: StripeFake, rail: StripeRail, recipient: Recipient) -> None:
    """Whoever submitted it died before the answer was recorded: that it ran at all is only known by `submitted_at`."""
    instruction = order(recipient.pk)
    made = submit_by_hand(fake, instruction, account_of(recipient))
    requests = len(fake.requests)
    assert paid(rail, again(instruction)).reference_id == made
    assert [method for method, _, _ in fake.requests[requests:]] == ["GET"]


def test_the_look_up_goes_through_all_pages(fake: StripeFake, rail: StripeRail, recipient: Recipient) -> None:
    instruction = order(recipient.pk)
    made = submit_by_hand(fake, instruction, account_of(recipient))
    for number in range(2, 150):
        transfer = submit_by_hand(fake, replace(instruction, attempt_number=number), account_of(recipient))
        transfers.reverse(fake.world, "", {}, transfer)
    assert paid(rail, again(instruction)).reference_id == made


def test_what_may_not_be_paid_any_more_is_only_looked_up(
    fake: StripeFake, rail: StripeRail, recipient: Recipient
) -> None:
    instruction = order(recipient.pk)
    requests = len(fake.requests)  # the request was lost before Stripe did anything
    closed = replace(again(instruction), look_up_only=True)
    is_unknown(one(rail, closed), "it may not be handed over any more; only looked up")
    assert {method for method, _, _ in fake.requests[requests:]} == {"GET"}
    assert fake.world.transfers == {}
    is_refused(one(rail, replace(again(instruction, ago=26 * HOUR), look_up_only=True)), "nothing moved")
    made = submit_by_hand(fake, instruction, account_of(recipient))
    assert paid(rail, closed).reference_id == made


def test_at_random_faults_nothing_is_lost_and_nothing_paid_twice(
    fake: StripeFake, rail: StripeRail, recipient_id: int
) -> None:
    fake.faults.rate, fake.faults.slow_seconds, fake.faults.lag_seconds = 0.3, 0.05, 0.2
    waiting = [order(recipient_id, minor=100 + place) for place in range(120)]
    answered: dict[int, SettlementResult] = {}
    for _ in range(30):
        for instruction, answer in zip(waiting, rail.process_settlements(waiting), strict=True):
            if isinstance(answer, SettlementResult):
                answered[instruction.milestone_id] = answer
            elif isinstance(answer, OutcomeUnknown):
                assert not answer.needs_person, answer
        waiting = [again(each) for each in waiting if each.milestone_id not in answered]
        if not waiting:
            break
    assert not waiting
    accepted = {each.reference_id for each in answered.values() if each.success}
    assert accepted == set(fake.world.transfers)
    assert all("nothing moved" in str(each.error) for each in answered.values() if not each.success)
