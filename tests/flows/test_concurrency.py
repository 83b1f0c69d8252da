"""Real threads with connections of their own: one settlement per milestone, money moves once."""

from functools import partial
from itertools import permutations

import pytest

from rails.models import JournalEntry
from settlements.models import AuditEvent, MilestoneSettlement, PaymentIntent, ShipmentEvent
from tests.flows.conftest import PAST, Api, at_once

COPIES = 100


def test_a_hundred_copies_of_a_message_at_once_pay_once_and_get_one_answer(live: Api) -> None:
    token, shipment = live.token()
    intents = [live.intent(token) for _ in range(2)]
    answers = at_once([partial(live.event, shipment, event_id="same")] * COPIES)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["milestone_settlements_created"] == 2
    assert (ShipmentEvent.objects.count(), JournalEntry.objects.count()) == (1, 2)
    assert [len(live.milestones(intent)) for intent in intents] == [1, 1]


def test_a_hundred_messages_about_one_milestone_at_once_pay_once(live: Api) -> None:
    token, shipment = live.token()
    live.intent(token)
    answers = at_once([partial(live.event, shipment, event_id=number) for number in range(1, COPIES + 1)])
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["milestone_settlements_created"] for answer in answers) == 1
    assert (ShipmentEvent.objects.count(), MilestoneSettlement.objects.count()) == (COPIES, 1)
    assert JournalEntry.objects.count() == 1


def test_first_events_of_an_unknown_shipment_at_once_are_all_kept(live: Api) -> None:
    answers = at_once([partial(live.event, "NEVER-HEARD-OF", event_id=number) for number in range(1, 21)])
    assert {answer.status_code for answer in answers} == {200}
    assert ShipmentEvent.objects.filter(state="PARKED").count() == 20


def test_intents_created_while_the_event_comes_never_miss_it(live: Api) -> None:
    for _ in range(10):
        token, shipment = live.token()
        calls = [partial(live.intent, token) for _ in range(6)]
        calls.insert(3, partial(live.event, shipment))
        at_once(calls)
    assert PaymentIntent.objects.count() == 60
    assert MilestoneSettlement.objects.filter(status="APPROVED", event_type="POD_CONFIRMED").count() == 60
    assert JournalEntry.objects.count() == 60


@pytest.mark.parametrize("order", list(permutations(("PICKUP_CONFIRMED", "POD_CONFIRMED", "CLAIM_WINDOW_CLOSED")))[:2])
def test_the_three_events_at_once_leave_one_unbroken_chain(live: Api, order: tuple[str, ...]) -> None:
    token, shipment = live.token()
    intent = live.intent(token)
    at_once([partial(live.event, shipment, event_type) for event_type in order] * 4)
    assert live.status(intent) == "approved"
    logs = live.get(f"/payment_intents/{intent}/history")["logs"]
    assert [log["sequence"] for log in logs] == [1, 2, 3, 4]
    assert [log["prev_hash"] for log in logs[1:]] == [log["hash"] for log in logs[:-1]]


def test_settle_racing_a_pod_pays_each_milestone_once(live: Api) -> None:
    for _ in range(15):
        token, shipment = live.token()
        intent = live.intent(token)
        answers = at_once(
            [partial(live.post, f"/payment_intents/{intent}/settle"), partial(live.event, shipment)] * 2, threads=4
        )
        assert {answer.status_code for answer in answers} == {200}
        assert live.get(f"/payment_intents/{intent}")["approved_amount"] == 10_000
    assert JournalEntry.objects.count() == 45


def test_cancel_racing_an_event_ends_paid_or_cancelled_and_never_both(live: Api) -> None:
    for _ in range(15):
        token, shipment = live.token()
        intent = live.intent(token, schedule={"type": "full_on_pod"})
        at_once(
            [
                partial(live.post, f"/payment_intents/{intent}/cancel", {"reason": "stop"}),
                partial(live.event, shipment),
            ],
            threads=2,
        )
        paid = JournalEntry.objects.filter(milestone_id__in=[each["id"] for each in live.milestones(intent).values()])
        assert (live.status(intent), paid.count()) in {("cancelled", 0), ("approved", 1)}


def test_one_idempotency_key_at_once_creates_one_intent(live: Api) -> None:
    token, _ = live.token()
    body = {"freight_token_id": token, "amount": 5}
    answers = at_once([partial(live.post, "/payment_intents", body, idempotency_key="once")] * 30)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert PaymentIntent.objects.count() == 1


def test_first_pushes_of_one_token_at_once_store_it_once(live: Api) -> None:
    body = {"shipment_id": "S-RACE", "risk_score": 0.2}
    answers = at_once([partial(live.put, "/freight_tokens/31337", body)] * 20)
    assert sorted({answer.status_code for answer in answers}) in ([200, 201], [201])
    assert sum(answer.status_code == 201 for answer in answers) == 1


def test_many_shipments_at_once_do_not_wait_for_each_other_for_ever(live: Api) -> None:
    made = [live.token() for _ in range(20)]
    for token, _ in made:
        live.intent(token)
    calls = [
        partial(
            live.post,
            "/webhooks/shipment_event",
            {"shipment_id": shipment, "event_type": event_type, "occurred_at": PAST},
        )
        for event_type in ("POD_CONFIRMED", "PICKUP_CONFIRMED")
        for _, shipment in made
    ]
    assert {answer.status_code for answer in at_once(calls)} == {200}
    assert JournalEntry.objects.count() == 40
    assert AuditEvent.objects.count() == 60
