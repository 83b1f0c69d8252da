"""What Stripe tells, in any order, twice, late or not at all, ends in the same settlements and books."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from pytest_django import Settings

from rails import destinations, ledger
from rails.accounts import AccountCode, AccountKey
from rails.models import (
    AttemptState,
    RailAttempt,
    Recipient,
    StripeAccount,
    StripeEvent,
    StripeEventState,
    StripeListening,
    StripePayout,
    StripePayoutPart,
)
from rails.money import Money
from rails.stripe import inbox, listening, payouts
from rails.stripe.events import read
from rails.stripe.inbox import CameBy
from rails.stripe.rail import StripeRail
from settlements import release, submitting, verify, work
from settlements.models import MilestoneSettlement
from settlements.statuses import SettlementStatus as S
from settlements.statuses import WorkKind
from tests.factories import POD, an_intent, now, settlement_of
from tests.rails.stripe_world import a_recipient, account_of, fake, recipient, settings_of
from tests.stripe_fake import Fault, StripeFake, accounts, transfers
from tests.stripe_fake import payouts as fakes

__all__ = ["fake", "recipient"]

pytestmark = pytest.mark.django_db
RAIL = StripeRail()


@pytest.fixture(autouse=True)
def listened(fake: StripeFake, settings: Settings) -> None:
    """Nothing is asked for unless a test wants it: Stripe was asked a moment ago."""
    settings.CHAINPAY_STRIPE = settings_of(fake, poll_seconds=3600)
    StripeListening.objects.create(polled_at=now())


def paid(recipient: Recipient) -> MilestoneSettlement:
    """A settlement whose transfer Stripe has made, and we have recorded."""
    settlement = claimed(recipient)
    assert submitting.submit(RAIL, clock=now).accepted == 1
    settlement.refresh_from_db()
    assert settlement.status == S.APPROVED
    return settlement


def claimed(recipient: Recipient) -> MilestoneSettlement:
    return settlement_of(an_intent(recipient=recipient, payment_method="stripe"), POD)


def transfer_of(settlement: MilestoneSettlement) -> str:
    return RailAttempt.objects.get(milestone_id=settlement.pk).reference


def events_of(fake: StripeFake) -> list[Any]:
    return [event for _, event in fake.world.events.values()]


def arrive(*events: Any) -> None:
    inbox.store([read(json.loads(json.dumps(event))) for event in events], came_by=CameBy.WEBHOOK, now=now())


def hear(times: int = 3) -> None:
    for _ in range(times):
        StripeEvent.objects.filter(state=StripeEventState.WAITING).update(next_try_at=now())
        submitting.hear(RAIL, clock=now)


def status_of(settlement: MilestoneSettlement) -> str:
    settlement.refresh_from_db()
    return settlement.status


def balance(code: AccountCode, recipient: Recipient | None = None) -> Money:
    return ledger.balance(AccountKey(code, "USD", recipient.pk if recipient else None))


def pay_out(fake: StripeFake, recipient: Recipient, *statuses: str) -> str:
    payout = fakes.pay_out(fake.world, account_of(recipient))
    assert payout is not None
    for status in statuses:
        fakes.advance(fake.world, payout["id"], status)
    return str(payout["id"])


@pytest.fixture
def proven() -> Iterator[None]:
    yield
    for _ in verify.everything():
        pass


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


class TestAnAccount:
    @pytest.mark.parametrize(
        ("happens", "says"),
        [
            (lambda world, number: accounts.change(world, number, payouts_enabled=False), "switched its payouts off"),
            (lambda world, number: accounts.set_transfers(world, number, "inactive"), "receive no transfers"),
            (lambda world, number: accounts.remove_bank_account(world, number), "switched its payouts off"),
            (lambda world, number: accounts.deauthorize(world, number), "no longer connected"),
        ],
    )
    def test_that_can_not_be_paid_stands_in_the_way_in_words(
        self, fake: StripeFake, recipient: Recipient, happens: Any, says: str
    ) -> None:
        number = account_of(recipient)
        happens(fake.world, number)
        arrive(*events_of(fake))
        hear()
        assert says in destinations.obstacle(recipient.pk, "stripe")
        settlement = claimed(recipient)
        assert (settlement.status, says in settlement.blocked_reason) == (S.DELAYED, True)

    def test_that_can_be_paid_again_is_paid(self, fake: StripeFake, recipient: Recipient) -> None:
        number = account_of(recipient)
        accounts.change(fake.world, number, payouts_enabled=False)
        arrive(*events_of(fake))
        hear()
        settlement = claimed(recipient)
        accounts.change(fake.world, number, payouts_enabled=True)
        arrive(*events_of(fake))
        hear()
        assert destinations.obstacle(recipient.pk, "stripe") == ""
        release.sweep(now=now())
        assert status_of(settlement) == S.RELEASING

    def test_is_looked_at_as_it_is_now_whatever_the_order_of_events(
        self, fake: StripeFake, recipient: Recipient
    ) -> None:
        number = account_of(recipient)
        accounts.change(fake.world, number, payouts_enabled=False)
        accounts.change(fake.world, number, payouts_enabled=True)
        for event in events_of(fake)[::-1]:
            arrive(event)
            hear(1)
        assert destinations.obstacle(recipient.pk, "stripe") == ""

    def test_that_can_not_be_looked_at_is_looked_at_later(self, fake: StripeFake, recipient: Recipient) -> None:
        accounts.change(fake.world, account_of(recipient), payouts_enabled=False)
        arrive(*events_of(fake))
        fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
        hear(1)
        assert not StripeAccount.objects.exists()
        hear()
        assert StripeAccount.objects.get().trouble


class TestPolling:
    @pytest.fixture(autouse=True)
    def due(self, listened: None, fake: StripeFake, settings: Settings) -> None:
        settings.CHAINPAY_STRIPE = settings_of(fake, poll_seconds=0)

    def test_finds_everything_that_no_webhook_told(self, fake: StripeFake, recipient: Recipient, proven: None) -> None:
        settlement, back = paid(recipient), paid(a_recipient(fake, "CARRIER-OTHER"))
        lost = claimed(recipient)
        fake.faults.script(Fault.DROP_AFTER, *[Fault.UNAVAILABLE] * 3)
        fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
        assert submitting.submit(RAIL, clock=now).unknown == 1
        fake.faults.over()
        transfers.reverse(fake.world, "", {}, transfer_of(back))
        pay_out(fake, recipient, "paid")
        accounts.change(fake.world, account_of(recipient), payouts_enabled=False)
        hear()
        assert [status_of(each) for each in (settlement, lost, back)] == [S.SETTLED, S.SETTLED, S.RETURNED]
        assert destinations.obstacle(recipient.pk, "stripe")

    def test_finds_a_payout_that_failed_after_it_was_paid(
        self, fake: StripeFake, recipient: Recipient, proven: None
    ) -> None:
        settlement = paid(recipient)
        payout = pay_out(fake, recipient, "paid")
        hear()
        assert status_of(settlement) == S.SETTLED
        fakes.advance(fake.world, payout, "failed")
        hear()
        assert status_of(settlement) == S.APPROVED

    def test_of_what_is_known_changes_nothing(self, fake: StripeFake, recipient: Recipient, proven: None) -> None:
        settlement = paid(recipient)
        pay_out(fake, recipient, "paid")
        arrive(*events_of(fake))
        hear()
        stored = StripeEvent.objects.count()
        hear()
        assert StripeEvent.objects.count() == stored
        assert status_of(settlement) == S.SETTLED

    def test_of_an_account_that_left_leaves_the_others(
        self, fake: StripeFake, recipient: Recipient, proven: None
    ) -> None:
        gone, settlement = paid(a_recipient(fake, "CARRIER-A")), paid(recipient)
        left = RailAttempt.objects.get(milestone_id=gone.pk).destination.details["account"]
        accounts.deauthorize(fake.world, left)
        pay_out(fake, recipient, "paid")
        hear()
        assert [status_of(each) for each in (gone, settlement)] == [S.APPROVED, S.SETTLED]
        assert "no longer connected" in StripeAccount.objects.get(account=left).trouble

    def test_that_fails_leaves_what_was_told_by_webhook(self, fake: StripeFake, recipient: Recipient) -> None:
        settlement = claimed(recipient)
        submitting.submit(RAIL, clock=now)
        transfers.reverse(fake.world, "", {}, transfer_of(settlement))
        arrive(*events_of(fake))
        fake.faults.script(*[Fault.UNAUTHORIZED] * 10, method="GET")
        hear(1)
        assert status_of(settlement) == S.RETURNED

    def test_happens_as_often_as_it_should(self, fake: StripeFake, settings: Settings) -> None:
        settings.CHAINPAY_STRIPE = settings_of(fake, poll_seconds=300)
        StripeListening.objects.update(polled_at=now() - timedelta(seconds=301))
        hear(3)
        assert [path.partition("?")[0] for method, path, _ in fake.requests if method == "GET"] == ["/v1/events"]


class TestListening:
    def test_is_for_one_process_at_a_time(self, fake: StripeFake, recipient: Recipient) -> None:
        settlement = claimed(recipient)
        submitting.submit(RAIL, clock=now)
        transfers.reverse(fake.world, "", {}, transfer_of(settlement))
        arrive(*events_of(fake))
        turn = listening.begin()
        assert turn is not None
        hear(1)
        assert status_of(settlement) == S.APPROVED
        listening.end(turn)
        hear(1)
        assert status_of(settlement) == S.RETURNED

    def test_ends_by_itself_when_whoever_listened_died(self, fake: StripeFake) -> None:
        assert listening.begin()
        assert not listening.begin()
        StripeListening.objects.update(leased_until=now() - timedelta(seconds=1))
        assert listening.begin()


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
