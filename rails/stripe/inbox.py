"""Which events have arrived: each is stored once, however often and by whichever way it comes."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.db.models import F

from rails.models import StripeEvent, StripeEventState
from rails.stripe import configuration
from rails.stripe.events import Event

MOST_TRIES: Final = 12
BATCH: Final = 500


class CameBy(StrEnum):
    """How an event reached us."""

    WEBHOOK = "webhook"
    POLL = "poll"


def store(events: Sequence[Event], *, came_by: CameBy, now: datetime) -> set[str]:
    """Stores the events that are new and returns their ids; one that is known stays as it came first."""
    wanted = {event.event_id: event for event in events}
    known = set(StripeEvent.objects.filter(event_id__in=wanted).values_list("event_id", flat=True))
    new = [event for number, event in wanted.items() if number not in known]
    live = configuration.current().api_key.partition("_")[2].startswith("live")
    StripeEvent.objects.bulk_create([_row(event, came_by, live, now) for event in new], ignore_conflicts=True)
    return {event.event_id for event in new}


def waiting(*, now: datetime) -> list[StripeEvent]:
    """The events to be understood next, oldest fact first."""
    due = StripeEvent.objects.filter(state=StripeEventState.WAITING, next_try_at__lte=now)
    return sorted(due.order_by("next_try_at", "id")[:BATCH], key=lambda event: (event.occurred_at, event.pk))


def settle(event_ids: Iterable[int], state: StripeEventState, *, detail: str = "", now: datetime) -> None:
    """What became of events; nothing follows from them any more."""
    StripeEvent.objects.filter(pk__in=list(event_ids), state=StripeEventState.WAITING).update(
        state=state, detail=detail[:2000], tries=F("tries") + 1, done_at=now
    )


def put_off(event: StripeEvent, *, detail: str, now: datetime) -> None:
    """Tries an event again later, each time after twice as long; at last it is for a person."""
    if event.tries + 1 >= MOST_TRIES:
        settle([event.pk], StripeEventState.UNCLEAR, detail=detail, now=now)
        return
    StripeEvent.objects.filter(pk=event.pk, state=StripeEventState.WAITING).update(
        tries=F("tries") + 1, detail=detail[:2000], next_try_at=now + timedelta(seconds=5 * 2 ** min(event.tries, 11))
    )


def _row(event: Event, came_by: CameBy, live: bool, now: datetime) -> StripeEvent:
    ignored = ""
    if not event.is_read:
        ignored = "nothing follows from this type"
    elif event.live is not live:
        ignored = "of Stripe's test mode" if live else "of Stripe's live mode"
    return StripeEvent(
        event_id=event.event_id,
        type=event.type,
        account=event.account,
        about_id=event.about_id,
        about=dict(event.about),
        came_by=came_by.value,
        occurred_at=event.occurred_at or now,
        received_at=now,
        state=StripeEventState.IGNORED if ignored else StripeEventState.WAITING,
        detail=ignored,
        next_try_at=now,
        done_at=now if ignored else None,
    )
