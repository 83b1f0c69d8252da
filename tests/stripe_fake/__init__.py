"""A stateful Stripe to test against: its parameters by the published schema, its idempotency keys, and its faults."""

from tests.stripe_fake.faults import Fault, Faults
from tests.stripe_fake.server import StripeFake
from tests.stripe_fake.service import API_KEY
from tests.stripe_fake.webhooks import Delivery, signature

__all__ = ["API_KEY", "Delivery", "Fault", "Faults", "StripeFake", "signature"]
