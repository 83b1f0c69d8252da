"""A database connection that breaks in the middle: the event is tried again and pays once."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from django.db import connection

from rails.models import JournalEntry
from settlements import inbox, lifecycle, milestones
from settlements.models import ShipmentEvent
from tests.flows.conftest import Api, at_once


def breaking_once(real: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose connection the server ends after its first call."""
    calls: list[None] = []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        calls.append(None)
        if len(calls) == 1:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
                cursor.fetchone()
        return answer

    return wrapped


@pytest.mark.parametrize(
    ("module", "name"),
    [(inbox, "check_reach"), (inbox, "_store"), (milestones, "process_milestones"), (lifecycle, "create")],
    ids=["before the event is stored", "once it is stored", "once it is processed", "inside the pipeline"],
)
def test_an_event_whose_connection_breaks_is_tried_again_and_pays_once(
    live: Api, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    token, shipment = live.token()
    live.intent(token)
    monkeypatch.setattr(module, name, breaking_once(getattr(module, name)))
    (answer,) = at_once([partial(live.event, shipment)])
    assert (answer.status_code, answer.json()["milestone_settlements_created"]) == (200, 1)
    assert (ShipmentEvent.objects.count(), JournalEntry.objects.count()) == (1, 1)
