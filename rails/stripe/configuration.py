"""How this installation reaches Stripe, and how long it waits for it."""

from dataclasses import dataclass, field
from typing import Final

from django.conf import settings

API_BASE: Final = "https://api.stripe.com"
# One instruction is at most looked up, submitted, and looked up again after a pause for lists that lag.
_CALLS: Final = 3
_SPARE_SECONDS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeSettings:
    """What the environment says of Stripe; without an API key the rail is not enabled.

    Durations in seconds. `webhook_secrets` are all that count, so that one can be replaced; `lookup_lag_seconds` is
    how far Stripe's lists may be behind what Stripe has done.
    """

    api_key: str = field(default="", repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    api_base: str = API_BASE
    connect_seconds: int = 3
    read_seconds: int = 8
    lookup_lag_seconds: int = 5
    poll_seconds: int = 300

    @property
    def call_seconds(self) -> int:
        """What one call can take."""
        return self.connect_seconds + self.read_seconds

    @property
    def lease_seconds(self) -> int:
        """What one batch can take; no call begins that would end later."""
        return _CALLS * self.call_seconds + self.lookup_lag_seconds + _SPARE_SECONDS


def current() -> StripeSettings:
    """The settings of this process."""
    configured: StripeSettings = settings.CHAINPAY_STRIPE
    return configured
