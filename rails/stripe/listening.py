"""Who listens to Stripe just now, and how far it was listened to.

One process at a time, by a lease: what two understand at once could be told in the wrong order. Whoever takes the lease
takes the next turn, so that one who has slept through the end of theirs is known by its number, and changes nothing.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Greatest

from rails.base import Overtaken
from rails.models import StripeListening

LEASE_SECONDS: Final = 40
# What Stripe lists late, or with a time before that of what it listed earlier.
OVERLAP: Final = timedelta(minutes=10)
_FIRST_LOOK_BACK: Final = timedelta(days=3)

_BEGIN: Final = """
    INSERT INTO rails_stripelistening AS known (only_one, leased_until, turn)
    VALUES (true, clock_timestamp() + make_interval(secs => %(lease)s), 1)
    ON CONFLICT (only_one) DO UPDATE SET leased_until = EXCLUDED.leased_until, turn = known.turn + 1
    WHERE known.leased_until IS NULL OR known.leased_until < clock_timestamp()
    RETURNING turn
"""
_HOLD: Final = "SELECT id FROM rails_stripelistening WHERE turn = %s FOR SHARE"


def begin() -> int | None:
    """The turn of this process, which may listen now until `end` or the end of the lease; None while another does."""
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, {"lease": LEASE_SECONDS})
        row = cursor.fetchone()
        return row[0] if row else None


def hold(turn: int) -> None:
    """Lets no other turn begin before the caller's transaction ends. Raises Overtaken if one has begun."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [turn])
        if cursor.fetchone() is None:
            raise Overtaken(f"Another process listens to Stripe since turn {turn}")


def end(turn: int) -> None:
    """Lets the next one listen; nothing if it does already."""
    StripeListening.objects.filter(turn=turn).update(leased_until=None)


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
