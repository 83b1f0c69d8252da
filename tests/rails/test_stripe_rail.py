"""Stripe pays once, whatever becomes of the answers."""

import logging
import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from pytest_django import Settings

from rails.base import Answer, Instruction, NotYet, OutcomeUnknown, SettlementResult
from rails.models import Recipient, StripeInstallation
from rails.money import EXPONENTS, Money
from rails.stripe import currencies, installation, paying
from rails.stripe.currencies import NotStripes
from rails.stripe.rail import StripeRail
from rails.stripe.transfers import Order, group_of
from tests.rails.rail_contract import RailContract, unheard_of
from tests.rails.stripe_world import a_recipient, account_of, fake, rail, recipient, recipient_id, settings_of
from tests.raw_server import closed_port
from tests.stripe_fake import API_KEY, Fault, StripeFake, accounts, transfers

__all__ = ["fake", "rail", "recipient", "recipient_id"]

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


class TestStripeRail(RailContract):
    @pytest.fixture
    def rail(self, fake: StripeFake) -> StripeRail:
        return StripeRail()

    @pytest.fixture
    def recipient_id(self, recipient: Recipient) -> int:
        return recipient.pk


def order(recipient_id: int, *, minor: int = 7000, **changes: Any) -> Instruction:
    given = {"milestone_id": next(unheard_of), "amount": Money(minor, "USD"), "recipient_id": recipient_id, **changes}
    return Instruction(**given)


def again(instruction: Instruction, *, ago: timedelta = timedelta(minutes=1)) -> Instruction:
    """The instruction as it is handed in after a crash, or after an answer that was lost."""
    return replace(instruction, submitted_at=datetime.now(UTC) - ago)


def paid(rail: StripeRail, instruction: Instruction) -> SettlementResult:
    answer = one(rail, instruction)
    assert isinstance(answer, SettlementResult), answer
    assert answer.success, answer
    return answer


def one(rail: StripeRail, instruction: Instruction, **options: Any) -> Answer:
    (answer,) = rail.process_settlements([instruction], **options)
    return answer


def is_refused(answer: Answer, says: str) -> None:
    assert isinstance(answer, SettlementResult), answer
    assert not answer.success
    assert says in str(answer.error)


def is_unknown(answer: Answer, says: str = "", *, needs_person: bool = False) -> None:
    assert isinstance(answer, OutcomeUnknown), answer
    assert answer.needs_person is needs_person, answer
    assert says in answer.detail


# What is sent


def test_a_transfer_says_what_it_is_for(fake: StripeFake, rail: StripeRail, recipient: Recipient) -> None:
    result = rail.process_settlement(17, 7000, "USD", recipient.pk)
    (made,) = fake.world.transfers.values()
    mark = installation.mark()
    assert result.reference_id == made["id"]
    assert (made["amount"], made["currency"], made["destination"]) == (700_000, "usd", account_of(recipient))
    assert made["transfer_group"] == f"chainpay-{mark}-settlement-17"
    assert made["metadata"] == {
        "chainpay_settlement": "17",
        "chainpay_attempt": "1",
        "chainpay_installation": mark,
    }
    (_, _, headers) = next(each for each in fake.requests if each[0] == "POST")
    assert headers["Idempotency-Key"] == f"chainpay-{mark}-settlement-17-attempt-1"
    assert result.released_at == datetime.fromtimestamp(made["created"], UTC)


@pytest.mark.parametrize(
    ("amount", "integer"),
    [
        (Money(1, "USD"), 1),
        (Money(1_000_000, "JPY"), 1_000_000),
        (Money(12_340, "KWD"), 12_340),
        (Money(9_999_999_999_999, "MXN"), 9_999_999_999_999),
    ],
)
def test_amounts_are_in_stripes_own_unit(amount: Money, integer: int) -> None:
    assert currencies.cannot_pay(amount) == ""
    assert currencies.to_stripe(amount) == (integer, amount.currency.lower())
    assert currencies.from_stripe(integer, amount.currency.lower()) == amount


def test_every_currency_of_ours_has_its_unit_at_stripe() -> None:
    assert set(currencies.UNITS) == set(EXPONENTS)
    assert {currency for currency, unit in currencies.UNITS.items() if unit.digits != EXPONENTS[currency]} == set()


def test_an_amount_that_stripe_can_not_express_is_refused_before_it_is_asked(
    fake: StripeFake, rail: StripeRail, recipient_id: int
) -> None:
    assert rail.cannot_pay(Money(1_234, "KWD")) == "Stripe pays KWD in steps of 0.010 KWD"
    is_refused(one(rail, order(recipient_id, amount=Money(1_234, "KWD"))), "in steps of 0.010 KWD")
    assert fake.requests == []
    with pytest.raises(NotStripes):
        currencies.from_stripe(1, "xxx")


def test_whoever_has_no_account_at_stripe_is_not_paid(fake: StripeFake, rail: StripeRail) -> None:
    is_refused(one(rail, order(404)), "no usable destination")
    is_refused(one(rail, Instruction(milestone_id=1, amount=Money(1, "USD"))), "no usable destination")
    assert fake.requests == []


def test_the_frozen_destination_is_paid_whatever_the_recipient_has_by_now(
    fake: StripeFake, rail: StripeRail, recipient: Recipient
) -> None:
    other = a_recipient(fake, "CARRIER-OTHER")
    frozen = other.destinations.get().pk
    paid(rail, order(recipient.pk, destination_id=frozen))
    assert [made["destination"] for made in fake.world.transfers.values()] == [account_of(other)]


def test_another_installation_on_the_same_stripe_account_has_settlements_of_its_own(
    fake: StripeFake, rail: StripeRail, recipient_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    instruction = order(recipient_id)
    ours = paid(rail, instruction).reference_id
    monkeypatch.setattr(installation, "mark", lambda: "ffffffffffff")
    assert paid(rail, again(instruction)).reference_id != ours


def test_the_mark_is_made_once() -> None:
    assert installation.mark() == installation.mark() == StripeInstallation.objects.get().mark


# A definite no


def test_what_stripe_refuses_is_refused_and_can_be_tried_again_as_another_attempt(
    fake: StripeFake, rail: StripeRail, recipient: Recipient
) -> None:
    instruction = order(recipient.pk)
    accounts.set_transfers(fake.world, account_of(recipient), "inactive")
    is_refused(one(rail, instruction), "insufficient_capabilities_for_transfer")
    accounts.set_transfers(fake.world, account_of(recipient), "active")
    is_refused(one(rail, again(instruction)), "insufficient_capabilities_for_transfer")
    paid(rail, replace(instruction, attempt_number=2))
    assert len(fake.world.transfers) == 1


def test_no_balance_is_a_definite_no(fake: StripeFake, rail: StripeRail, recipient_id: int) -> None:
    is_refused(one(rail, order(recipient_id, minor=10**12 + 1)), "balance_insufficient")


def test_an_account_that_left_is_a_definite_no(fake: StripeFake, rail: StripeRail, recipient: Recipient) -> None:
    instruction = order(recipient.pk)
    accounts.deauthorize(fake.world, account_of(recipient))
    is_refused(one(rail, instruction), "resource_missing")


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


# Nothing handed over


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.RATE_LIMITED, "rate_limit"),
        (Fault.UNAUTHORIZED, "does not accept our API key"),
        (Fault.FORBIDDEN, "does not accept our API key"),
    ],
)
def test_where_provably_nothing_was_handed_over_it_waits(
    fake: StripeFake, rail: StripeRail, recipient_id: int, fault: Fault, says: str
) -> None:
    fake.faults.script(*[fault] * 3)
    instruction = order(recipient_id)
    answer = one(rail, instruction)
    assert isinstance(answer, NotYet)
    assert says in answer.detail
    fake.faults.over()
    paid(rail, instruction)


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.UNAUTHORIZED])
def test_where_something_was_handed_over_before_it_stays_unknown(
    fake: StripeFake, rail: StripeRail, recipient_id: int, fault: Fault
) -> None:
    fake.faults.script(*[fault] * 3)
    is_unknown(one(rail, again(order(recipient_id))))
    fake.faults.over()
    fake.faults.script(Fault.DROP_AFTER, *[fault] * 3)
    fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
    is_unknown(one(rail, order(recipient_id)))


def test_a_lock_at_stripe_says_nothing_of_the_money(fake: StripeFake, rail: StripeRail, recipient_id: int) -> None:
    fake.faults.script(*[Fault.LOCK_TIMEOUT] * 3)
    is_unknown(one(rail, order(recipient_id)), "lock_timeout")


def test_throttling_is_waited_out(fake: StripeFake, rail: StripeRail, recipient_id: int) -> None:
    fake.faults.script(Fault.RATE_LIMITED, Fault.RATE_LIMITED)
    paid(rail, order(recipient_id))


def test_a_stripe_that_can_not_be_reached_was_handed_nothing(
    rail: StripeRail, recipient_id: int, fake: StripeFake, settings: Settings
) -> None:
    settings.CHAINPAY_STRIPE = replace(settings_of(fake), api_base=f"http://127.0.0.1:{closed_port()}")
    assert isinstance(one(rail, order(recipient_id)), NotYet)
    is_unknown(one(rail, again(order(recipient_id))), "can not be reached")


def test_a_rolled_key_fails_no_queue(fake: StripeFake, rail: StripeRail, recipient_id: int) -> None:
    fake.api_keys = {"sk_test_another_one"}
    answers = rail.process_settlements([order(recipient_id) for _ in range(20)])
    assert all(isinstance(answer, NotYet) for answer in answers)


def test_what_the_lease_has_no_time_for_is_not_begun(
    fake: StripeFake, rail: StripeRail, recipient_id: int, settings: Settings
) -> None:
    settings.CHAINPAY_STRIPE = settings_of(fake, read_seconds=1)
    fake.faults.slow_seconds = 0.9
    fake.faults.rate = 1.0
    fake.faults.for_request = lambda method: Fault.SLOW  # type: ignore[method-assign]
    batch = [order(recipient_id) for _ in range(100)]
    answers = rail.process_settlements(batch)
    waiting = [answer for answer in answers if isinstance(answer, NotYet)]
    done = [answer for answer in answers if isinstance(answer, SettlementResult) and answer.success]
    assert len(waiting) + len(done) == 100
    assert waiting
    assert len(done) == len(fake.world.transfers)


# Keys stay secret, and are what holds it all


def test_the_api_key_is_in_no_log_and_no_answer(
    fake: StripeFake, rail: StripeRail, recipient_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        fake.faults.script(Fault.UNAUTHORIZED, Fault.ERROR_BEFORE, Fault.GARBAGE)
        told = [repr(one(rail, order(recipient_id))) for _ in range(3)]
    assert API_KEY not in caplog.text
    assert API_KEY not in "".join(told)
    assert API_KEY not in repr(settings_of(fake))


def test_without_an_idempotency_key_money_would_move_twice(
    fake: StripeFake, rail: StripeRail, recipient_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tests above would not let by."""
    monkeypatch.setattr(Order, "key", property(lambda self: secrets.token_hex(8)))
    instruction = order(recipient_id)
    paid(rail, instruction)
    paid(rail, instruction)
    assert len(fake.world.transfers) == 2


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


def submit_by_hand(fake: StripeFake, instruction: Instruction, account: str) -> str:
    """What whoever died had Stripe do."""
    done = Order(
        mark=installation.mark(),
        milestone_id=instruction.milestone_id,
        attempt_number=instruction.attempt_number,
        amount=instruction.amount,
        account=account,
    )
    made = library(fake).v1.transfers.create(done.params, {"idempotency_key": done.key})  # type: ignore[arg-type]
    return str(made.id)


def library(fake: StripeFake) -> stripe.StripeClient:
    return stripe.StripeClient(API_KEY, base_addresses={"api": fake.url}, max_network_retries=0)


def test_the_times_of_a_key_leave_room_on_both_sides() -> None:
    assert paying.KEY_COUNTS_FOR < 24 * HOUR < paying.LISTS_KNOW_AFTER
