"""Stripe's webhooks over real HTTP: late, twice, in any order, some lost; all ends as if each had come once."""

import time

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from rails.models import StripeEvent, StripeListening
from rails.stripe.rail import StripeRail
from settlements import submitting, verify
from settlements.models import MilestoneSettlement
from settlements.statuses import SettlementStatus as S
from tests.factories import POD, an_intent, now, settlement_of
from tests.rails.stripe_world import SECRET, a_recipient, account_of, settings_of
from tests.stripe_fake import Delivery, StripeFake, transfers
from tests.stripe_fake import payouts as fakes

RAIL = StripeRail()


@pytest.mark.django_db(transaction=True)
def test_what_arrives_by_webhook_and_what_is_lost_ends_the_same(live_server: LiveServer, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
    settings.CHAINPAY_DEMO = False
    delivery = Delivery(
        url=f"{live_server.url}/webhooks/stripe",
        secret=SECRET,
        lost_rate=0.3,
        doubled_rate=0.5,
        most_delay=0.3,
        retry_delay=0.05,
    )
    with StripeFake(seed=5, webhooks=delivery) as fake:
        fake.world.fund("usd", 10**9)
        settings.CHAINPAY_STRIPE = settings_of(fake, poll_seconds=3600)
        recipients = [a_recipient(fake, f"CARRIER-{place}") for place in range(5)]
        settlements = [
            settlement_of(an_intent(recipient=recipient, payment_method="stripe"), POD) for recipient in recipients
        ]
        assert submitting.submit(RAIL, clock=now).accepted == 5
        transfers.reverse(fake.world, "", {}, next(iter(fake.world.transfers)))
        for recipient in recipients:
            payout = fakes.pay_out(fake.world, account_of(recipient))
            if payout is not None:
                fakes.advance(fake.world, payout["id"], "paid")
        _until_delivered(fake)
        assert {status for _, status in (fake.webhooks.answers if fake.webhooks else [])} == {200}
        assert 0 < StripeEvent.objects.count() < len(fake.world.events)
        submitting.hear(RAIL, clock=now)
        StripeListening.objects.update(polled_at=None)
        for _ in range(2):
            submitting.hear(RAIL, clock=now)
        found = MilestoneSettlement.objects.filter(pk__in=[each.pk for each in settlements])
        assert sorted(found.values_list("status", flat=True)) == [S.RETURNED, *[S.SETTLED] * 4]
        for _ in verify.everything():
            pass


def _until_delivered(fake: StripeFake) -> None:
    assert fake.webhooks is not None
    end = time.monotonic() + 20
    while fake.webhooks.waiting() and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.2)
