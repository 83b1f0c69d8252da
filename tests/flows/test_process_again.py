"""An event may be processed again any number of times, by anybody beside anything: only what is missing is created."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from rails.models import JournalEntry
from settlements import reprocessing
from settlements.models import AuditEvent, MilestoneSettlement, ShipmentEvent
from settlements.reprocessing import Outcome
from settlements.statuses import EventState
from tests.factories import PICKUP, an_event_source, post_event
from tests.flows.conftest import Api, at_once
from tests.flows.test_failures import broken

AGAIN = "user:ops1"


def again(event: ShipmentEvent) -> Outcome:
    return reprocessing.process_again(event.pk, actor=AGAIN, now=timezone.now())


def sweep() -> int:
    return reprocessing.sweep(now=timezone.now())


def failed(api: Api) -> tuple[int, str, ShipmentEvent]:
    """An intent whose event the database would not let through, ten sweeps long; the trouble is over now."""
    token, shipment = api.token()
    intent = api.intent(token)
    with broken("settlements_milestonesettlement"):
        assert api.event(shipment, event_id="m").status_code == 202
        for _ in range(10):
            sweep()
    event = ShipmentEvent.objects.get()
    assert event.state == "FAILED"
    return intent, shipment, event


def test_a_processed_event_processed_twenty_times_has_one_settlement_and_its_first_answer(api: Api) -> None:
    token, shipment = api.token()
    api.intent(token)
    first = api.event(shipment, event_id="m").content
    event = ShipmentEvent.objects.get()
    for _ in range(20):
        assert again(event) == Outcome(event_id=event.pk, event_type=event.event_type, state=EventState.PROCESSED)
    assert (MilestoneSettlement.objects.count(), JournalEntry.objects.count()) == (1, 1)
    assert api.event(shipment, event_id="m").content == first


def test_a_failed_event_goes_through_once_its_trouble_is_mended_and_its_sender_is_told(live: Api) -> None:
    intent, shipment, event = failed(live)
    assert live.milestones(intent) == {}
    assert sweep() == 0, "the sweep leaves it alone"
    outcome = again(event)
    assert (outcome.state, outcome.created, outcome.error) == ("PROCESSED", 1, "")
    assert outcome.in_words == "Created 1 milestone settlement."
    event.refresh_from_db()
    assert (event.state, event.error, event.received_from) == ("PROCESSED", "", "demo")
    assert live.milestones(intent)["POD_CONFIRMED"]["status"] == "approved"
    assert live.event(shipment, event_id="m").json()["milestone_settlements_created"] == 1


def test_who_processed_it_again_is_in_the_audit_trail_and_the_log(live: Api, caplog: pytest.LogCaptureFixture) -> None:
    _, _, event = failed(live)
    with caplog.at_level("INFO", logger="settlements"):
        again(event)
    assert AuditEvent.objects.get(action="settlement_created").triggered_by == AGAIN
    assert f"Shipment event {event.pk} processed again by {AGAIN}: Created 1" in caplog.text


@pytest.mark.parametrize("at_commit", [False, True])
@pytest.mark.parametrize("table", ["rails_journalentry", "settlements_milestonesettlement", "settlements_auditevent"])
def test_an_event_that_fails_again_stays_failed_with_its_new_error(live: Api, table: str, at_commit: bool) -> None:
    intent, _, event = failed(live)
    ShipmentEvent.objects.filter(pk=event.pk).update(error="the old one")
    with broken(table, at_commit=at_commit):
        outcome = again(event)
    assert (outcome.state, outcome.created, "broken" in outcome.error) == ("FAILED", 0, True)
    event.refresh_from_db()
    assert (event.state, event.sweeps, "broken" in event.error, event.processed_at) == ("FAILED", 10, True, None)
    assert live.milestones(intent) == {}
    assert again(event).created == 1


def test_an_answered_event_that_fails_again_keeps_its_state_and_its_answer(live: Api) -> None:
    token, shipment = live.token(carrier_id="OTHER")
    live.intent(token)
    source = an_event_source(carrier_id="C1")
    live.token(shipment=shipment, carrier_id="C1")
    post_event(shipment, "POD_CONFIRMED", source=source)
    live.put(f"/freight_tokens/{token}", {"shipment_id": shipment, "carrier_id": "C1"})
    event = ShipmentEvent.objects.get()
    with broken("settlements_milestonesettlement"):
        assert "broken" in again(event).error
    before = event.processed_at
    event.refresh_from_db()
    assert (event.state, event.processed_at, "broken" in event.error) == ("PROCESSED", before, True)
    assert again(event).created == 1, "the intent has come within the source's reach meanwhile"
    event.refresh_from_db()
    assert (event.state, event.error, event.settlements_created) == ("PROCESSED", "", 0)


def test_a_waiting_event_need_not_wait_for_the_sweep(live: Api) -> None:
    token, shipment = live.token()
    live.intent(token)
    with broken("settlements_auditevent"):
        live.event(shipment)
    assert again(ShipmentEvent.objects.get()).created == 1
    assert sweep() == 0


def test_a_parked_event_stays_parked_without_an_intent(api: Api) -> None:
    api.event("NOWHERE-YET")
    outcome = again(ShipmentEvent.objects.get())
    assert (outcome.state, outcome.created) == ("PARKED", 0)
    assert "Still parked" in outcome.in_words


def test_an_event_whose_milestone_another_brought_is_a_duplicate_and_stays_one(api: Api) -> None:
    token, shipment = api.token()
    api.intent(token)
    for number in (1, 2):
        assert api.event(shipment, event_id=number).status_code == 200
    assert list(ShipmentEvent.objects.order_by("pk").values_list("state", flat=True)) == ["PROCESSED", "DUPLICATE"]
    for event in ShipmentEvent.objects.order_by("pk"):
        assert again(event).created == 0
    assert list(ShipmentEvent.objects.order_by("pk").values_list("state", flat=True)) == ["PROCESSED", "DUPLICATE"]


def test_parked_copies_are_told_apart_when_an_intent_comes(api: Api) -> None:
    token, shipment = api.token()
    for number in (1, 2):
        api.event(shipment, event_id=number)
    api.intent(token)
    assert list(ShipmentEvent.objects.order_by("pk").values_list("state", flat=True)) == ["PROCESSED", "DUPLICATE"]


def test_an_event_that_came_after_settling_by_request_is_no_duplicate_of_another(api: Api) -> None:
    token, shipment = api.token()
    api.post(f"/payment_intents/{api.intent(token)}/settle")
    api.event(shipment)
    assert ShipmentEvent.objects.get().state == "PROCESSED"


def test_an_event_that_releases_nothing_has_nothing_to_create(api: Api) -> None:
    api.event("SOMEWHERE", "IN_TRANSIT")
    outcome = again(ShipmentEvent.objects.get())
    assert (outcome.state, "releases nothing" in outcome.in_words) == ("PROCESSED", True)


def test_an_event_that_is_not_there_is_not_found(db: None) -> None:
    with pytest.raises(ShipmentEvent.DoesNotExist):
        reprocessing.process_again(4711, actor=AGAIN, now=timezone.now())


def test_people_and_sweeps_at_once_create_it_once(live: Api) -> None:
    token, shipment = live.token(risk="0.5")
    live.intent(token)
    with broken("settlements_auditevent"):
        live.event(shipment, PICKUP, event_id="waits")
        live.event(shipment, event_id="fails")
    ShipmentEvent.objects.filter(message_id="event_id:fails").update(state="FAILED", sweeps=10)
    waits, fails = ShipmentEvent.objects.order_by("pk")
    calls: list[Callable[[], Any]] = [partial(again, waits), sweep, partial(again, fails)]
    at_once(calls * 8)
    assert MilestoneSettlement.objects.count() == 2
    assert JournalEntry.objects.count() == 1
    assert set(ShipmentEvent.objects.values_list("state", "error")) == {("PROCESSED", "")}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM settlements_auditevent WHERE action = 'settlement_created'")
        assert cursor.fetchone() == (2,)
