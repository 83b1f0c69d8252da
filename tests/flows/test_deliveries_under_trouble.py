"""Messages while something is wrong: subscribers that hang, freight that changes hands, people who ask meanwhile."""

from datetime import timedelta
from typing import Any

import pytest

from settlements import deliveries, redelivery
from settlements.deliveries import Report
from settlements.models import Delivery
from tests.factories import now
from tests.flows.conftest import Api
from tests.flows.receiver import Clock, Receiver, deliver, listening, only_approved, subscribe
from tests.raw_server import closed_port

AN_HOUR = timedelta(hours=1)


def test_who_does_not_answer_has_one_attempt_a_run(live: Api, receiver: Receiver) -> None:
    silent, _ = subscribe(f"http://127.0.0.1:{closed_port()}", "silent")
    refusing, _ = subscribe(receiver.url, "refusing")
    receiver.answers += [500] * 3
    for row in [silent, refusing] * 3:
        redelivery.ping(row.pk, actor="test", now=now())
    at = now()
    assert deliveries.deliver(clock=lambda: at) == Report(failed=4)
    assert sorted(Delivery.objects.filter(subscriber=silent).values_list("attempts", flat=True)) == [0, 0, 1]
    assert deliveries.deliver(clock=lambda: at) == Report(failed=1)
    assert sorted(Delivery.objects.filter(subscriber=silent).values_list("attempts", flat=True)) == [0, 1, 1]


def test_as_many_hung_subscribers_as_there_are_lanes_starve_nobody(
    live: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "MOST_LANES", 2)
    monkeypatch.setattr(deliveries, "CALL_SECONDS", 0.3)
    with listening() as hung:
        hung.hold.clear()
        for name in ("hung-a", "hung-b"):
            row, _ = subscribe(hung.url, name)
            for _ in range(3):
                redelivery.ping(row.pk, actor="test", now=now())
        quick, _ = subscribe(receiver.url, "quick")
        redelivery.ping(quick.pk, actor="test", now=now())
        assert deliver() == Report(delivered=1, failed=2)
    assert len(receiver.received) == 1


def test_whoever_has_waited_longest_comes_first(live: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MOST_LANES", 1)
    rows = [subscribe(receiver.url, name)[0] for name in ("first", "second", "third")]
    waited = {"first": 1, "second": 3, "third": 2}
    for row in rows:
        redelivery.ping(row.pk, actor="test", now=now() - AN_HOUR)
        redelivery.ping(row.pk, actor="test", now=now() - waited[row.name] * 2 * AN_HOUR)
    assert deliver() == Report(delivered=6)
    told = [each.json["data"]["subscriber"] for each in receiver.received]
    assert told == ["second", "second", "third", "third", "first", "first"]


def handed_over(live: Api, carrier_id: str, to: str) -> int:
    """The id of an approved settlement of a freight that has another carrier since."""
    token, shipment = live.token(carrier_id=carrier_id)
    intent = live.intent(token, schedule={"type": "full_on_pod"})
    live.event(shipment)
    hand_over(live, token, to)
    found: int = live.milestones(intent)["POD_CONFIRMED"]["id"]
    return found


def hand_over(live: Api, token: int, to: str) -> None:
    answer: Any = live.put(f"/freight_tokens/{token}", {"carrier_id": to})
    assert answer.status_code == 200, answer.content


def test_a_carrier_is_told_nothing_of_freight_that_is_no_longer_its_own(live: Api, receiver: Receiver) -> None:
    only_approved(receiver.url, "before", carrier_id="CARRIER-1")
    only_approved(receiver.url, "everybody")
    handed_over(live, "CARRIER-1", to="CARRIER-2")
    assert deliver() == Report(delivered=1, parked=1)
    assert len(receiver.received) == 1
    row = Delivery.objects.get(subscriber__name="before")
    assert (row.state, row.payload, row.last_status) == ("PARKED", "", None)
    assert row.last_error == "the freight is no longer this carrier's"
    redelivery.again(row.pk, actor="test", now=now())
    assert deliver() == Report(parked=1)
    assert len(receiver.received) == 1


def test_what_parks_one_message_does_not_hold_up_the_next(live: Api, receiver: Receiver) -> None:
    row, _ = only_approved(receiver.url, "before", carrier_id="CARRIER-1")
    handed_over(live, "CARRIER-1", to="CARRIER-2")
    handed_over(live, "CARRIER-1", to="CARRIER-1")
    redelivery.ping(row.pk, actor="test", now=now())
    assert deliver() == Report(delivered=2, parked=1)
    assert receiver.types == ["settlement.approved", "ping"]


def test_a_message_that_was_prepared_while_the_freight_was_the_carriers_stays_the_same(
    live: Api, receiver: Receiver, clock: Clock
) -> None:
    only_approved(receiver.url, "before", carrier_id="CARRIER-1")
    token, shipment = live.token(carrier_id="CARRIER-1")
    live.intent(token, schedule={"type": "full_on_pod"})
    live.event(shipment)
    receiver.answers.append(500)
    assert deliveries.deliver(clock=clock) == Report(failed=1)
    hand_over(live, token, "CARRIER-2")
    clock.forward(Delivery.objects.get().next_attempt_at)
    assert deliveries.deliver(clock=clock) == Report(delivered=1)
    assert len({each.body for each in receiver.received}) == 1


def test_who_asks_for_a_message_while_its_last_attempt_is_under_way_gets_it(
    live: Api, receiver: Receiver, clock: Clock
) -> None:
    subscriber, _ = subscribe(receiver.url)
    row = redelivery.ping(subscriber.pk, actor="test", now=clock())
    clock.forward(row.give_up_at)
    last = deliveries._claim(subscriber.pk, now=clock())
    assert last is not None
    asked = redelivery.again(row.pk, actor="test", now=clock())
    assert deliveries._record(last, deliveries._Outcome(500, "answered 500"), now=clock()) == Report()
    row.refresh_from_db()
    assert (row.state, row.failures, row.give_up_at) == ("WAITING", 0, asked.give_up_at)
    assert deliveries.deliver(clock=clock) == Report(delivered=1)
