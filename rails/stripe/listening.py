"""Who listens to Stripe just now, and how far it was listened to.

One process at a time, by a lease: what two understand at once could be told in the wrong order.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Greatest

from rails.models import StripeListening

LEASE_SECONDS: Final = 40
# What Stripe lists late, or with a time before that of what it listed earlier.
OVERLAP: Final = timedelta(minutes=10)
_FIRST_LOOK_BACK: Final = timedelta(days=3)

_BEGIN: Final = """
    INSERT INTO rails_stripelistening (only_one, leased_until)
    VALUES (true, clock_timestamp() + make_interval(secs => %(lease)s))
    ON CONFLICT (only_one) DO UPDATE SET leased_until = EXCLUDED.leased_until
    WHERE rails_stripelistening.leased_until IS NULL OR rails_stripelistening.leased_until < clock_timestamp()
    RETURNING id
"""


def begin() -> bool:
    """Whether this process may listen now, until `end` or the end of the lease."""
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, {"lease": LEASE_SECONDS})
        return cursor.fetchone() is not None


def end() -> None:
    """Lets the next one listen."""
    StripeListening.objects.update(leased_until=None)


def poll_is_due(*, every: int, now: datetime) -> bool:
    """Whether it is time to ask Stripe for what it did not tell, and if so that it was done now."""
    due = StripeListening.objects.exclude(polled_at__gt=now - timedelta(seconds=every))
    return bool(due.update(polled_at=now))


def events_since(*, now: datetime) -> datetime:
    """From which time on events may not have been seen."""
    seen = StripeListening.objects.values_list("events_seen_until", flat=True).first()
    return (seen or now - _FIRST_LOOK_BACK) - OVERLAP


def events_seen(*, until: datetime, now: datetime) -> None:
    """Everything that happened before is known; that is never taken back.

    Lists lag behind the present only, so whoever has not caught up with it goes on just there, without the overlap.
    """
    until = min(until + OVERLAP, now)
    StripeListening.objects.update(events_seen_until=Greatest(F("events_seen_until"), Value(until)))
