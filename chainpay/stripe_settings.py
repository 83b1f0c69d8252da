"""What the environment says of Stripe."""

import re
from typing import Final

import environ
from django.core.exceptions import ImproperlyConfigured

from rails.stripe.configuration import API_BASE, StripeSettings
from settlements import addresses
from settlements.addresses import CallRefused

_API_KEY: Final = re.compile(r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9_]{8,255}", re.ASCII)
_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=_-]{8,255}", re.ASCII)
_MOST_SECRETS: Final = 8


def read(env: environ.Env) -> StripeSettings:
    """STRIPE_* and CHAINPAY_STRIPE_*; without STRIPE_API_KEY the rail is not enabled.

    Raises ImproperlyConfigured; a wrong key or secret is not repeated.
    """
    api_key = str(env.str("STRIPE_API_KEY", default="")).strip()
    if api_key and not _API_KEY.fullmatch(api_key):
        raise ImproperlyConfigured("STRIPE_API_KEY must be a secret or restricted key, sk_live_... or rk_live_...")
    secrets = tuple(
        filter(None, (each.strip() for each in str(env.str("STRIPE_WEBHOOK_SECRET", default="")).split(",")))
    )
    if len(secrets) > _MOST_SECRETS or not all(_SECRET.fullmatch(secret) for secret in secrets):
        raise ImproperlyConfigured("STRIPE_WEBHOOK_SECRET must be one or more secrets whsec_..., separated by commas.")
    return StripeSettings(
        api_key=api_key,
        webhook_secrets=secrets,
        api_base=_api_base(env),
        connect_seconds=_seconds(env, "STRIPE_CONNECT_TIMEOUT_SECONDS", 3, 1, 30),
        read_seconds=_seconds(env, "STRIPE_TIMEOUT_SECONDS", 8, 1, 80),
        lookup_lag_seconds=_seconds(env, "CHAINPAY_STRIPE_LOOKUP_LAG_SECONDS", 5, 0, 60),
        poll_seconds=_seconds(env, "CHAINPAY_STRIPE_POLL_SECONDS", 300, 5, 86_400),
    )


def _api_base(env: environ.Env) -> str:
    """Where Stripe's API is: elsewhere for tests only. It is not repeated, for it may hold a password."""
    url = str(env.str("STRIPE_API_BASE", default="")).strip().rstrip("/")
    if not url:
        return API_BASE
    try:
        target = addresses.target(url, private_allowed=True)
    except CallRefused as error:
        raise ImproperlyConfigured(f"STRIPE_API_BASE must be an http or https URL. {error}") from None
    if target.scheme != "https" and target.host not in ("127.0.0.1", "localhost", "::1"):
        raise ImproperlyConfigured("STRIPE_API_BASE must be an https URL, but for one of this machine.")
    return url


def _seconds(env: environ.Env, name: str, default: int, lowest: int, highest: int) -> int:
    word = str(env.str(name, default=str(default))).strip()
    if not (word.isascii() and word.isdigit() and len(word) <= 9 and lowest <= int(word) <= highest):
        raise ImproperlyConfigured(f"{name} must be a whole number from {lowest} to {highest}, not {word!r}.")
    return int(word)
