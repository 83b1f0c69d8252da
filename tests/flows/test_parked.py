"""Events of shipments that nobody has told of yet."""

import threading
from functools import partial

import pytest

from settlements import locks
from settlements.models import ShipmentEvent
from tests.flows.conftest import Api, at_once

COPIES = 12


def test_copies_of_the_first_message_of_a_shipment_at_once_get_one_answer(
    live: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, barrier = locks.of_reference, threading.Barrier(COPIES)

    def together(shipment_id: str) -> locks.LockedShipment:
        """All have looked for the message and found neither it nor its shipment."""
        barrier.wait(timeout=20)
        return real(shipment_id)

    live.event("HEARD-OF")
    monkeypatch.setattr(locks, "of_reference", together)
    answers = at_once([partial(live.event, "NEVER-HEARD-OF", event_id="same")] * COPIES, threads=COPIES)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert ShipmentEvent.objects.filter(message_id="event_id:same").count() == 1


def test_no_event_stays_parked_once_an_intent_has_come_for_its_shipment(api: Api) -> None:
    token, shipment = api.token()
    for event_type in ("POD_CONFIRMED", "POD_CONFIRMED", "PICKUP_CONFIRMED"):
        api.event(shipment, event_type, event_id=ShipmentEvent.objects.count() + 1)
    api.event("ELSEWHERE")
    intent = api.intent(token, schedule={"type": "full_on_pod"})
    assert list(api.milestones(intent)) == ["POD_CONFIRMED"]
    assert ShipmentEvent.objects.filter(state="PARKED").get().shipment.shipment_id == "ELSEWHERE"
