"""What no webhook told is asked for, by one process at a time; an account is looked at as it is now."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from rails import destinations
from rails.models import (
    RailAttempt,
    Recipient,
    StripeAccount,
    StripeEvent,
    StripeListening,
)
from rails.stripe import listening
from settlements import release, submitting
from settlements.statuses import SettlementStatus as S
from tests.factories import now
from tests.flows.stripe_settling import (
    RAIL,
    arrive,
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
from tests.rails.stripe_world import a_recipient, account_of, fake, recipient, settings_of
from tests.stripe_fake import Fault, StripeFake, accounts, transfers
from tests.stripe_fake import payouts as fakes

__all__ = ["fake", "listened", "proven", "recipient"]

pytestmark = pytest.mark.django_db


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
