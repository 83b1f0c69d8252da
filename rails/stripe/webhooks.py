"""Is this really from Stripe? The signature of a webhook, by the library, for any of our live secrets."""

import re
from datetime import datetime
from typing import Final

import stripe

from rails.stripe import configuration

TOLERANCE_SECONDS: Final = 300
# Exactly what Stripe sends, so that no two readers of the header can differ.
_HEADER: Final = re.compile(r"t=([0-9]{1,12})((?:,v[0-9]=[0-9A-Za-z]{1,128}){1,16})", re.ASCII)


class NotSigned(ValueError):
    """No live secret made this signature, or its time is off; the text repeats neither."""


def verify(body: bytes, header: str, *, now: datetime) -> None:
    """Raises NotSigned unless one of the configured secrets signed the body within five minutes of now."""
    secrets = configuration.current().webhook_secrets
    if not secrets:
        raise NotSigned("This installation has no webhook secret of Stripe's.")
    match = _HEADER.fullmatch(header)
    if match is None:
        raise NotSigned("The Stripe-Signature header is missing or is none.")
    if abs(now.timestamp() - int(match[1])) > TOLERANCE_SECONDS:
        raise NotSigned("The signature is older than five minutes, or from the future.")
    if not any(_signed(body, header, secret) for secret in secrets):
        raise NotSigned("No live secret made this signature.")


def _signed(body: bytes, header: str, secret: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None))
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
