"""More missed events than one poll has time for are taken down portion by portion, the oldest first."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rails.models import StripeEvent, StripeListening
from rails.stripe import polling
from rails.stripe.client import OutOfTime
from tests.factories import now

pytestmark = pytest.mark.django_db


class Stripe:
    """Lists of events, newest first, a hundred to a page; after `calls` requests there is no time left."""

    def __init__(self, events: list[dict[str, Any]], calls: int) -> None:
        self.events, self.calls = events, calls

    def get(self, path: str, params: Mapping[str, Any], *, deadline: object, account: str = "") -> dict[str, Any]:
        if path != "/v1/events":
            return {"data": [], "has_more": False}
        if self.calls == 0:
            raise OutOfTime("there was no time left to ask Stripe")
        self.calls -= 1
        span = params["created"]
        found = [event for event in self.events if span["gte"] <= event["created"] <= span["lte"]]
        return {"data": sorted(found, key=lambda event: -event["created"])[:100], "has_more": len(found) > 100}

    def all(self, path: str, params: Mapping[str, Any], *, deadline: object, account: str = "") -> list[Any]:
        return [event for event in self.events if path == "/v1/events"]


def event(number: int, at: datetime) -> dict[str, Any]:
    transfer = {"id": f"tr_{number}", "object": "transfer", "amount": 100, "amount_reversed": 100, "reversed": True}
    return {
        "id": f"evt_{number}",
        "object": "event",
        "type": "transfer.reversed",
        "created": int(at.timestamp()),
        "livemode": False,
        "data": {"object": transfer},
    }


def test_whoever_runs_out_of_time_goes_on_where_they_were() -> None:
    moment = now().astimezone(UTC)
    StripeListening.objects.create(polled_at=moment, events_seen_until=moment - timedelta(hours=3))
    events = [event(number, moment - timedelta(seconds=10_000 - 3 * number)) for number in range(3_000)]
    stored = 0
    for _ in range(20):
        polling.poll(Stripe(events, calls=12), seconds=14, now=moment)  # type: ignore[arg-type]
        assert StripeEvent.objects.count() >= stored
        stored = StripeEvent.objects.count()
    assert stored == 3_000
