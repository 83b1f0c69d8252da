"""What Stripe tells of payouts and transfers, in any order, twice or late, ends in the same settlements and books."""

from itertools import permutations

import pytest

from rails.accounts import AccountCode
from rails.models import (
    AttemptState,
    RailAttempt,
    Recipient,
    StripeEvent,
    StripeEventState,
    StripePayout,
    StripePayoutPart,
)
from rails.money import Money
from rails.stripe import inbox, payouts
from settlements import release, submitting, work
from settlements.statuses import SettlementStatus as S
from settlements.statuses import WorkKind
from tests.factories import now
from tests.flows.stripe_settling import (
    RAIL,
    arrive,
    balance,
    claimed,
    events_of,
    hear,
    listened,
    paid,
    pay_out,
    proven,
    status_of,
    transfer_of,
)
from tests.rails.stripe_world import a_recipient, account_of, fake, recipient
from tests.stripe_fake import Fault, StripeFake, transfers
from tests.stripe_fake import payouts as fakes

__all__ = ["fake", "listened", "proven", "recipient"]

pytestmark = pytest.mark.django_db


class TestAPayout:
    def test_that_is_paid_settles_what_is_in_it(self, fake: StripeFake, recipient: Recipient, proven: None) -> None:
        settlement, other = paid(recipient), paid(a_recipient(fake, "CARRIER-OTHER"))
        pay_out(fake, recipient, "in_transit", "paid")
        arrive(*events_of(fake))
        hear()
        assert (status_of(settlement), status_of(other)) == (S.SETTLED, S.APPROVED)
        assert not StripeEvent.objects.filter(state__in=[StripeEventState.WAITING, StripeEventState.UNCLEAR]).exists()

    def test_that_fails_after_it_was_paid_leaves_the_money_with_stripe(
        self, fake: StripeFake, recipient: Recipient, proven: None
    ) -> None:
        settlement = paid(recipient)
        payout = pay_out(fake, recipient, "paid")
        arrive(*events_of(fake))
        hear()
        assert status_of(settlement) == S.SETTLED
        fakes.advance(fake.world, payout, "failed")
        arrive(*events_of(fake))
        hear()
        assert status_of(settlement) == S.APPROVED
        assert len(fake.world.transfers) == 1
        assert submitting.submit(RAIL, clock=now) == submitting.Report()
        assert release.sweep(now=now()).released == 0

    def test_after_a_failed_one_brings_what_that_had(
        self, fake: StripeFake, recipient: Recipient, proven: None
    ) -> None:
        settlement = paid(recipient)
        pay_out(fake, recipient, "paid", "failed")
        pay_out(fake, recipient, "failed")
        later = paid(recipient)
        pay_out(fake, recipient, "paid")
        arrive(*events_of(fake))
        hear()
        assert (status_of(settlement), status_of(later)) == (S.SETTLED, S.SETTLED)

    def test_that_fails_without_ever_being_paid_is_work_for_people(
        self, fake: StripeFake, recipient: Recipient, proven: None
    ) -> None:
        settlement = paid(recipient)
        pay_out(fake, recipient, "in_transit", "failed")
        arrive(*events_of(fake))
        hear()
        assert status_of(settlement) == S.APPROVED
        assert [(item.kind, "failed" in item.words) for item in work.of_settlement(settlement.pk)] == [
            (WorkKind.PAYOUT_FAILED, True)
        ]
        pay_out(fake, recipient, "paid")
        arrive(*events_of(fake))
        hear()
        assert status_of(settlement) == S.SETTLED
        assert work.of_settlement(settlement.pk) == []

    @pytest.mark.parametrize("order", list(permutations(range(4))))
    def test_ends_the_same_in_every_order_of_its_news(
        self, fake: StripeFake, recipient: Recipient, order: tuple[int, ...], proven: None
    ) -> None:
        settlement = paid(recipient)
        pay_out(fake, recipient, "in_transit", "paid", "failed")
        news = [event for event in events_of(fake) if event["type"].startswith("payout.")]
        kinds = ["payout.created", "payout.updated", "payout.paid", "payout.failed"]
        picked = [next(event for event in news if event["type"] == kind) for kind in kinds]
        for place in order:
            arrive(picked[place])
            hear(2)
        arrive(*news)
        hear()
        assert status_of(settlement) == S.APPROVED
        assert StripePayout.objects.get().status == "failed"

    def test_by_hand_says_nothing_of_what_is_in_it(self, fake: StripeFake, recipient: Recipient) -> None:
        settlement = paid(recipient)
        made = fakes.create(fake.world, account_of(recipient), {"amount": 700_000, "currency": "usd"})
        fakes.advance(fake.world, made["id"], "paid")
        arrive(*events_of(fake))
        hear()
        assert status_of(settlement) == S.APPROVED
        assert not StripePayout.objects.get().automatic

    def test_that_can_not_be_opened_now_is_opened_later(self, fake: StripeFake, recipient: Recipient) -> None:
        settlement = paid(recipient)
        pay_out(fake, recipient, "paid")
        arrive(*events_of(fake))
        fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
        hear(1)
        assert status_of(settlement) == S.APPROVED
        StripePayout.objects.update(next_look_at=now())
        hear(1)
        assert status_of(settlement) == S.SETTLED

    def test_of_somebody_elses_transfers_is_nothing_to_us(self, fake: StripeFake, recipient: Recipient) -> None:
        transfers.create(fake.world, "", {"amount": 5, "currency": "usd", "destination": account_of(recipient)})
        pay_out(fake, recipient, "paid")
        arrive(*events_of(fake))
        hear()
        assert StripePayout.objects.get().contents_known
        assert not StripePayoutPart.objects.exists()

    def test_that_was_paid_before_we_knew_of_the_transfer_settles_it_all_the_same(
        self, fake: StripeFake, recipient: Recipient, proven: None
    ) -> None:
        """The answer was lost, and Stripe was faster than our next look-up."""
        settlement = claimed(recipient)
        fake.faults.script(Fault.DROP_AFTER, *[Fault.UNAVAILABLE] * 3)
        fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
        assert submitting.submit(RAIL, clock=now).unknown == 1
        fake.faults.over()
        pay_out(fake, recipient, "paid")
        arrive(*[event for event in events_of(fake) if event["type"].startswith("payout.")])
        hear()
        assert status_of(settlement) == S.SETTLED


class TestATransfer:
    def test_is_accepted_by_its_event_when_the_answer_was_lost(
        self, fake: StripeFake, recipient: Recipient, proven: None
    ) -> None:
        settlement = claimed(recipient)
        fake.faults.script(Fault.DROP_AFTER, *[Fault.UNAVAILABLE] * 3)
        fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
        assert submitting.submit(RAIL, clock=now).unknown == 1
        arrive(*events_of(fake))
        hear()
        assert status_of(settlement) == S.APPROVED
        assert RailAttempt.objects.get().reference in fake.world.transfers

    @pytest.mark.parametrize("order", list(permutations(range(4))))
    def test_comes_back_in_parts_in_every_order(
        self, fake: StripeFake, recipient: Recipient, order: tuple[int, ...], proven: None
    ) -> None:
        settlement = claimed(recipient)
        submitting.submit(RAIL, clock=now)
        number = transfer_of(settlement)
        for amount in (100_000, 200_000, 400_000):
            transfers.reverse(fake.world, "", {"amount": amount}, number)
        told = [event for event in events_of(fake) if event["type"].startswith("transfer.")]
        assert len(told) == 4
        for place in order:
            arrive(told[place])
            hear(1)
        arrive(*told)
        hear()
        assert status_of(settlement) == S.RETURNED
        assert RailAttempt.objects.get().returned_minor == 700_000

    def test_that_came_back_in_part_is_settled_for_the_rest(
        self, fake: StripeFake, recipient: Recipient, proven: None
    ) -> None:
        settlement = paid(recipient)
        transfers.reverse(fake.world, "", {"amount": 100_000}, transfer_of(settlement))
        pay_out(fake, recipient, "paid")
        arrive(*events_of(fake)[::-1])
        hear()
        assert status_of(settlement) == S.SETTLED
        assert RailAttempt.objects.get().returned_minor == 100_000
        assert balance(AccountCode.STRIPE_CLEARING) == Money(0, "USD")

    def test_that_is_not_what_was_ordered_is_for_a_person(self, fake: StripeFake, recipient: Recipient) -> None:
        settlement = claimed(recipient)
        submitting.submit(RAIL, clock=now)
        event = next(event for event in events_of(fake) if event["type"] == "transfer.created")
        event["data"]["object"]["amount"] = 1
        arrive(event)
        hear()
        assert StripeEvent.objects.get().state == StripeEventState.UNCLEAR
        assert status_of(settlement) == S.APPROVED

    def test_of_another_installation_is_ignored(self, fake: StripeFake, recipient: Recipient) -> None:
        settlement = claimed(recipient)
        submitting.submit(RAIL, clock=now)
        event = next(event for event in events_of(fake) if event["type"] == "transfer.created")
        event["data"]["object"]["metadata"]["chainpay_installation"] = "ffffffffffff"
        arrive(event)
        hear()
        assert StripeEvent.objects.get().state == StripeEventState.IGNORED
        assert status_of(settlement) == S.APPROVED

    def test_of_an_attempt_nobody_knows_is_tried_again_and_then_for_a_person(
        self, fake: StripeFake, recipient: Recipient
    ) -> None:
        paid(recipient)
        event = next(event for event in events_of(fake) if event["type"] == "transfer.created")
        event["data"]["object"]["metadata"]["chainpay_attempt"] = "7"
        arrive(event)
        hear(1)
        waiting = StripeEvent.objects.get()
        assert (waiting.state, waiting.tries) == (StripeEventState.WAITING, 1)
        assert waiting.next_try_at > now()
        hear(inbox.MOST_TRIES)
        assert StripeEvent.objects.get().state == StripeEventState.UNCLEAR


def test_a_payout_goes_only_onwards() -> None:
    shown = {
        "id": "po_1",
        "status": "paid",
        "amount": 5,
        "currency": "usd",
        "automatic": True,
        "arrival_date": 1_762_473_600,
        "created": 1_762_387_200,
    }
    for status, expected in [("paid", "paid"), ("pending", "paid"), ("failed", "failed"), ("canceled", "failed")]:
        payouts.save({**shown, "status": status}, account="acct_1", at=now(), now=now())
        assert StripePayout.objects.get().status == expected


def test_an_attempt_is_confirmed_by_a_payout(fake: StripeFake, recipient: Recipient) -> None:
    paid(recipient)
    pay_out(fake, recipient, "paid")
    arrive(*events_of(fake))
    hear()
    assert RailAttempt.objects.get().state == AttemptState.CONFIRMED
    assert balance(AccountCode.STRIPE_CLEARING) == Money(0, "USD")
    assert balance(AccountCode.RECIPIENT_PAYABLE, recipient) == Money(0, "USD")
