"""What Stripe is asked, what is refused for good, and when nothing was handed over."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from rails.base import Instruction, NotYet, SettlementResult
from rails.models import Recipient, StripeInstallation
from rails.money import EXPONENTS, Money
from rails.stripe import currencies, installation
from rails.stripe.currencies import NotStripes
from rails.stripe.rail import StripeRail
from tests.rails.rail_contract import RailContract
from tests.rails.stripe_orders import again, is_refused, is_unknown, one, order, paid
from tests.rails.stripe_world import a_recipient, account_of, fake, rail, recipient, recipient_id, settings_of
from tests.raw_server import closed_port
from tests.stripe_fake import API_KEY, Fault, StripeFake, accounts

__all__ = ["fake", "rail", "recipient", "recipient_id"]

pytestmark = pytest.mark.django_db


class TestStripeRail(RailContract):
    @pytest.fixture
    def rail(self, fake: StripeFake) -> StripeRail:
        return StripeRail()

    @pytest.fixture
    def recipient_id(self, recipient: Recipient) -> int:
        return recipient.pk


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
