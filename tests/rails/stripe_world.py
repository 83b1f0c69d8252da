"""A Stripe to pay through, and a recipient who has an account there."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from rails import destinations, recipients
from rails.models import Recipient
from rails.stripe.configuration import StripeSettings
from rails.stripe.rail import StripeRail
from tests.stripe_fake import API_KEY, StripeFake, accounts

SECRET = "whsec_chainpay_tests"
NOW = datetime(2025, 11, 7, 15, 30, tzinfo=UTC)


def settings_of(fake: StripeFake, **changes: int) -> StripeSettings:
    """The settings with which this fake is reached."""
    quick = {"connect_seconds": 1, "read_seconds": 1, "lookup_lag_seconds": 0, **changes}
    return StripeSettings(api_key=API_KEY, webhook_secrets=(SECRET,), api_base=fake.url, **quick)


def a_recipient(fake: StripeFake, name: str = "CARRIER-S", *, account: str | None = None) -> Recipient:
    """A recipient who is paid at a connected account of the fake's."""
    account = account or str(accounts.add(fake.world)["id"])
    recipient, _ = recipients.put(name, f"{name} Haulage", actor="officer1", now=NOW)
    destinations.propose(recipient.pk, [destinations.read("stripe", {"account": account})], actor="officer1", now=NOW)
    return recipient


def account_of(recipient: Recipient) -> str:
    """The connected account that a recipient is paid at."""
    usable = destinations.usable(recipient.pk, "stripe")
    assert usable is not None
    return str(usable.details["account"])


@pytest.fixture
def fake(settings: Settings) -> Iterator[StripeFake]:
    """A Stripe with money in every currency; it makes no difference between its own time and ours."""
    with StripeFake() as fake:
        for currency in ("usd", "eur", "gbp", "cad", "mxn", "chf", "aud", "sek", "jpy", "kwd"):
            fake.world.fund(currency, 10**12)
        settings.CHAINPAY_STRIPE = settings_of(fake)
        yield fake


@pytest.fixture
def rail(fake: StripeFake) -> StripeRail:
    return StripeRail()


@pytest.fixture
def recipient(fake: StripeFake, db: None) -> Recipient:
    return a_recipient(fake)


@pytest.fixture
def recipient_id(recipient: Recipient) -> int:
    return recipient.pk
