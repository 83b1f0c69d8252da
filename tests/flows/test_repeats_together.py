"""Repeats and copies get their answer among what is committed together, without a transaction of their own."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from rails.models import JournalEntry
from settlements import inbox, inbox_batch
from settlements.models import AuditEvent, ShipmentEvent
from settlements.received import Receipt
from settlements.statuses import EventState
from tests.factories import MEDIUM, PICKUP, POD, a_token, an_intent, message_of
from tests.flows.conftest import Api
from tests.flows.test_failures import broken
from tests.flows.test_received_together import POISON, outcomes, together
from tests.flows.test_source_changes_meanwhile import ENDINGS
from tests.flows.test_sources import a_sender, refused
from tests.settlements.lived_in import verified

pytestmark = pytest.mark.usefixtures("live")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The message ids of those that went through a transaction of their own."""
    went: list[str] = []
    real = inbox.receive_alone

    def receive_alone(message: inbox.Message, **others: Any) -> Receipt:
        went.append(message.message_id)
        return real(message, **others)

    monkeypatch.setattr(inbox, "receive_alone", receive_alone)
    return went


def a_paid_shipment(message_id: str, **fields: Any) -> str:
    shipment: str = an_intent(**fields).shipment.shipment_id
    assert outcomes([Api().event(shipment, event_id=message_id)]) == [(200, 1)]
    return shipment


def in_one_batch(*messages: inbox.Message) -> Sequence[Receipt | None]:
    return inbox_batch.receive(messages, now=timezone.now())


def answered_while_locked(shipment: str, *posts: Any) -> list[Any]:
    """What is answered while another transaction holds the shipment."""
    with ThreadPoolExecutor(1) as pool, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM settlements_shipment WHERE shipment_id = %s FOR UPDATE", [shipment])
        answers = [pool.submit(post).result(timeout=30) for post in posts]
        pool.submit(connections.close_all).result()
        return answers


def test_a_repeat_is_answered_while_its_shipment_is_locked() -> None:
    shipment = a_paid_shipment("m")
    first, again = answered_while_locked(shipment, *[partial(Api().event, shipment, event_id="m")] * 2)
    assert outcomes([first, again]) == [(200, 1)] * 2
    assert first.content == again.content
    assert ShipmentEvent.objects.count() == JournalEntry.objects.count() == 1


def test_a_copy_that_waits_with_the_first_one_is_answered_with_it(
    monkeypatch: pytest.MonkeyPatch, alone: list[str]
) -> None:
    shipment = an_intent().shipment.shipment_id
    answers = together(monkeypatch, [partial(Api().event, shipment, event_id="same")] * 20)
    assert outcomes(answers) == [(200, 1)] * 20
    assert len({answer.content for answer in answers}) == 1
    assert alone == []
    assert (ShipmentEvent.objects.count(), JournalEntry.objects.count()) == (2, 2)
    assert AuditEvent.objects.filter(intent__shipment__shipment_id=shipment).count() == 2
    verified()


def test_new_ones_copies_and_repeats_of_every_outcome_share_a_batch(
    monkeypatch: pytest.MonkeyPatch, alone: list[str]
) -> None:
    paid, known = a_paid_shipment("paid"), a_paid_shipment("first")
    assert outcomes([Api().event("NEVER-HEARD-OF", event_id="parked")]) == [(200, 0)]
    assert outcomes([Api().event(known, event_id="duplicate")]) == [(200, 0)]
    new, delayed = an_intent().shipment.shipment_id, an_intent(risk=MEDIUM).shipment.shipment_id
    alone.clear()
    calls = [
        partial(Api().event, paid, event_id="paid"),
        partial(Api().event, "NEVER-HEARD-OF", event_id="parked"),
        partial(Api().event, known, event_id="duplicate"),
        partial(Api().event, new, event_id="new"),
        partial(Api().event, new, event_id="new"),
        partial(Api().event, delayed, PICKUP, event_id="delayed"),
    ]
    assert outcomes(together(monkeypatch, calls)) == [(200, 1), (200, 0), (200, 0), (200, 1), (200, 1), (200, 1)]
    assert alone == []
    verified()


def test_of_copies_the_first_is_handled_and_the_others_are_its_repeats() -> None:
    message = message_of(an_intent().shipment.shipment_id, message_id="m")
    copy, later = (message_of(message.shipment_id, message_id="m") for _ in range(2))
    first, second = in_one_batch(message, copy)
    assert first
    assert second
    assert (first.settlements_created, first.repeated, second.repeated) == (1, False, True)
    (third,) = in_one_batch(later)
    assert third
    assert third.repeated
    assert third.processed_at == second.processed_at == first.processed_at
    assert JournalEntry.objects.count() == 1


def test_an_id_with_another_body_is_left_alone_and_refused(alone: list[str]) -> None:
    shipment = a_paid_shipment("m")
    assert in_one_batch(message_of(shipment, PICKUP, message_id="event_id:m")) == [None]
    answer = Api().event(shipment, PICKUP, event_id="m")
    assert (answer.status_code, answer.json()["code"]) == (409, "message_id_reused")
    assert alone[-1] == "event_id:m"
    assert ShipmentEvent.objects.count() == 1


def test_an_id_that_comes_for_another_shipment_is_left_alone() -> None:
    first, other = message_of(a_paid_shipment("m")), message_of(an_intent().shipment.shipment_id, message_id="x")
    assert None not in in_one_batch(first)
    taken = message_of(other.shipment_id, message_id=first.message_id)
    assert in_one_batch(taken, other)[:1] == [None]


def test_two_bodies_with_one_id_at_once_are_taken_once_and_refused_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shipment = an_intent().shipment.shipment_id
    answers = together(monkeypatch, [partial(Api().event, shipment, kind, event_id="m") for kind in (PICKUP, POD)])
    assert sorted(answer.status_code for answer in answers) == [200, 409]


def test_a_repeat_of_what_waits_for_the_sweep_is_left_alone_and_told_so(alone: list[str]) -> None:
    shipment = an_intent(amount=POISON).shipment.shipment_id
    with broken("rails_journalentry", f"NEW.amount_minor = {70 * POISON}"):
        assert Api().event(shipment, event_id="m").status_code == 202
    alone.clear()
    again = Api().event(shipment, event_id="m")
    assert (again.status_code, again.json()["processed_at"]) == (202, None)
    assert alone == ["event_id:m"]
    assert ShipmentEvent.objects.get().state == EventState.WAITING


def test_one_id_of_two_senders_is_two_messages(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CHAINPAY_DEMO = False
    one, other = a_sender(), a_sender()
    shipment = an_intent().shipment.shipment_id
    assert outcomes([one.post(shipment, message_id="m")]) == [(200, 1)]
    assert outcomes([other.post(shipment, message_id="m")]) == [(200, 0)]
    assert outcomes([one.post(shipment, message_id="m")]) == [(200, 1)]
    assert ShipmentEvent.objects.count() == 2


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_repeat_of_a_sender_that_has_ended_is_refused(ending: str, settings: Any) -> None:
    settings.CHAINPAY_DEMO = False
    act, status = ENDINGS[ending]
    sender, shipment = a_sender(), an_intent().shipment.shipment_id
    assert outcomes([sender.post(shipment, POD, message_id="m") for _ in range(2)]) == [(200, 1)] * 2
    act(sender)
    answer = sender.post(shipment, POD, message_id="m")
    assert answer.status_code == status, answer.content


def test_a_repeat_of_a_carrier_that_reaches_the_shipment_no_longer_is_refused(settings: Any) -> None:
    settings.CHAINPAY_DEMO = False
    carrier, shipment = a_sender("CARRIER-1"), "WITHOUT-A-TOKEN"
    assert outcomes([carrier.post(shipment, message_id="m") for _ in range(2)]) == [(200, 0)] * 2
    a_token(shipment_id=shipment, carrier_id="CARRIER-2")
    assert refused(carrier.post(shipment, message_id="m"), "shipment_not_found", 404)
    a_token(shipment_id=shipment, carrier_id="CARRIER-1")
    assert outcomes([carrier.post(shipment, message_id="m")]) == [(200, 0)]
