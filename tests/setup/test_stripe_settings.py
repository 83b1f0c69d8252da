"""What the environment says of Stripe is right, or the service does not start; and no secret is told."""

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from chainpay import stripe_settings
from rails.stripe.configuration import API_BASE, StripeSettings

NAMES = (
    "STRIPE_API_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_API_BASE",
    "STRIPE_CONNECT_TIMEOUT_SECONDS",
    "STRIPE_TIMEOUT_SECONDS",
    "CHAINPAY_STRIPE_LOOKUP_LAG_SECONDS",
    "CHAINPAY_STRIPE_POLL_SECONDS",
)


def read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> StripeSettings:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return stripe_settings.read(environ.Env())


def test_without_a_word_there_is_no_stripe(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch)
    assert (found.api_key, found.webhook_secrets, found.api_base) == ("", (), API_BASE)


def test_a_key_several_secrets_and_its_own_times(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(
        monkeypatch,
        STRIPE_API_KEY="rk_live_51Hxyzabcdef",
        STRIPE_WEBHOOK_SECRET="whsec_abcdefgh, whsec_ijklmnop",
        STRIPE_API_BASE="http://127.0.0.1:12111/",
        STRIPE_CONNECT_TIMEOUT_SECONDS="2",
        STRIPE_TIMEOUT_SECONDS="5",
        CHAINPAY_STRIPE_LOOKUP_LAG_SECONDS="0",
    )
    assert found.webhook_secrets == ("whsec_abcdefgh", "whsec_ijklmnop")
    assert (found.api_base, found.call_seconds, found.lookup_lag_seconds) == ("http://127.0.0.1:12111", 7, 0)
    assert found.lease_seconds > 3 * found.call_seconds
    assert "51Hxyz" not in repr(found)
    assert "whsec" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRIPE_API_KEY", "pk_live_51Hxyzabcdef"),
        ("STRIPE_API_KEY", "sk_live_51Hx yz"),
        ("STRIPE_API_KEY", "secret"),
        ("STRIPE_WEBHOOK_SECRET", "sk_live_51Hxyzabcdef"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_abcdefgh,secret"),
        ("STRIPE_API_BASE", "http://stripe.example.com"),
        ("STRIPE_API_BASE", "https://user:secret@stripe.example.com"),
        ("STRIPE_API_BASE", "ftp://secret.example.com"),
        ("STRIPE_TIMEOUT_SECONDS", "0"),
        ("STRIPE_TIMEOUT_SECONDS", "1.5"),
        ("STRIPE_CONNECT_TIMEOUT_SECONDS", "-1"),
        ("CHAINPAY_STRIPE_LOOKUP_LAG_SECONDS", "61"),
        ("CHAINPAY_STRIPE_POLL_SECONDS", "often"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_repeated(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=name) as refused:
        read(monkeypatch, **{name: value})
    for secret in ("51Hxyz", "secret@", "abcdefgh"):
        assert secret not in str(refused.value)
