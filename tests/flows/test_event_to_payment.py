"""Events become decided, released, booked and audited milestones, whatever their order."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from rails.models import JournalEntry
from settlements.models import MilestoneSettlement, ShipmentEvent
from tests.flows.conftest import PAST, Api

EVENTS = ("PICKUP_CONFIRMED", "POD_CONFIRMED", "CLAIM_WINDOW_CLOSED")


def test_a_low_risk_pod_is_approved_at_once_and_booked(api: Api) -> None:
    token, shipment = api.token(risk="0.15")
    intent = api.intent(token)
    answer = api.event(shipment).json()
    assert answer["milestone_settlements_created"] == 1
    assert answer["message"] == "Processed shipment event: 1 milestone settlement(s) created/updated"
    pod = api.milestones(intent)["POD_CONFIRMED"]
    assert (pod["amount"], pod["status"], pod["provider"]) == (7000.00, "approved", "INTERNAL_LEDGER")
    assert pod["reference"].startswith("INTERNAL_LEDGER:")
    entry = JournalEntry.objects.get(milestone_id=pod["id"])
    assert (entry.reference, entry.amount_minor, entry.currency) == (pod["reference"], 700_000, "USD")


def test_no_intent_of_another_shipment_changes(api: Api) -> None:
    token, shipment = api.token()
    other_token, _ = api.token()
    api.intent(token)
    other = api.intent(other_token)
    before = api.get(f"/payment_intents/{other}/history")
    api.event(shipment)
    assert api.milestones(other) == {}
    assert api.get(f"/payment_intents/{other}/history") == before


def test_all_intents_of_the_shipment_get_their_milestone(api: Api) -> None:
    token, shipment = api.token()
    second, _ = api.token(shipment=shipment, risk="0.50")
    intents = [api.intent(token), api.intent(token, "0.01"), api.intent(second, 500, "JPY")]
    assert api.event(shipment).json()["milestone_settlements_created"] == 3
    assert [api.milestones(each)["POD_CONFIRMED"]["status"] for each in intents] == ["approved"] * 3


@pytest.mark.parametrize("order", list(permutations(EVENTS)), ids="-".join)
@pytest.mark.parametrize("intent_comes", [0, 1, 2, 3])
def test_every_order_of_events_and_intent_ends_in_the_same_state(
    api: Api, order: tuple[str, ...], intent_comes: int
) -> None:
    token, shipment = api.token(risk="0.10")
    intent = 0
    for step, event_type in enumerate(order):
        if step == intent_comes:
            intent = api.intent(token, "9999.99")
        assert api.event(shipment, event_type).status_code == 200
    intent = intent or api.intent(token, "9999.99")
    found = api.milestones(intent)
    assert {name: (each["amount"], each["status"]) for name, each in found.items()} == {
        "PICKUP_CONFIRMED": (2000.00, "approved"),
        "POD_CONFIRMED": (6999.99, "approved"),
        "CLAIM_WINDOW_CLOSED": (1000.00, "approved"),
    }
    assert api.status(intent) == "approved"
    assert api.get(f"/payment_intents/{intent}")["unreleased_amount"] == 0


def test_chainfreights_own_message_is_understood(api: Api) -> None:
    token, _ = api.token(shipment="3", risk="0.2")
    intent = api.intent(token)
    body = {
        "shipment_id": 3,
        "event_type": "pickup_confirmed",
        "occurred_at": "2025-11-07T15:30:00",
        "event_id": 17,
    }
    answer = api.post("/webhooks/shipment_event", body)
    assert (answer.status_code, answer.json()["shipment_id"], answer.json()["event_type"]) == (
        200,
        "3",
        "PICKUP_CONFIRMED",
    )
    assert api.milestones(intent)["PICKUP_CONFIRMED"]["amount"] == 2000
    stored = ShipmentEvent.objects.get(shipment__shipment_id="3")
    assert stored.occurred_at == datetime(2025, 11, 7, 15, 30, tzinfo=UTC)
    assert stored.occurred_at_was_naive


@pytest.mark.parametrize("event_type", ["created", "in_transit", "AT_TERMINAL", "Delivery_Attempted"])
def test_other_events_are_stored_and_pay_nothing(api: Api, event_type: str) -> None:
    token, shipment = api.token()
    intent = api.intent(token)
    answer = api.event(shipment, event_type)
    assert (answer.status_code, answer.json()["milestone_settlements_created"]) == (200, 0)
    assert ShipmentEvent.objects.get(shipment__shipment_id=shipment).state == "PROCESSED"
    assert api.milestones(intent) == {}


def test_an_event_without_intents_is_parked_and_applied_when_one_comes(api: Api) -> None:
    token, shipment = api.token()
    assert api.event(shipment).json()["milestone_settlements_created"] == 0
    assert ShipmentEvent.objects.get().state == "PARKED"
    intent = api.intent(token)
    assert api.milestones(intent)["POD_CONFIRMED"]["status"] == "approved"
    assert ShipmentEvent.objects.get().state == "PROCESSED"


def test_a_repeat_gets_the_first_answer_and_changes_nothing(api: Api) -> None:
    token, shipment = api.token()
    intent = api.intent(token)
    first = api.event(shipment, event_id="m-1")
    before = api.get(f"/payment_intents/{intent}/history")
    again = api.event(shipment, event_id="m-1")
    assert (again.status_code, again.json()) == (200, first.json())
    assert api.get(f"/payment_intents/{intent}/history") == before
    assert ShipmentEvent.objects.count() == 1


def test_the_same_message_id_with_another_body_is_refused(api: Api) -> None:
    _, shipment = api.token()
    api.event(shipment, event_id=5)
    answer = api.event(shipment, "PICKUP_CONFIRMED", event_id=5)
    assert (answer.status_code, answer.json()["code"]) == (409, "message_id_reused")
    assert ShipmentEvent.objects.count() == 1


def test_the_webhook_id_header_names_the_message_before_the_body_does(api: Api) -> None:
    _, shipment = api.token()
    body = {"shipment_id": shipment, "event_type": "POD_CONFIRMED", "occurred_at": "2025-11-07T15:30:00Z"}
    first = api.post("/webhooks/shipment_event", body, webhook_id="msg_1")
    assert api.post("/webhooks/shipment_event", body, webhook_id="msg_1").json() == first.json()
    assert api.post("/webhooks/shipment_event", body, webhook_id="msg_2").status_code == 200
    assert ShipmentEvent.objects.count() == 2
    changed = body | {"event_type": "PICKUP_CONFIRMED"}
    assert api.post("/webhooks/shipment_event", changed, webhook_id="msg_1").status_code == 409


def test_a_new_message_for_a_milestone_already_handled_creates_nothing(api: Api) -> None:
    token, shipment = api.token()
    intent = api.intent(token)
    assert api.event(shipment, event_id=1).json()["milestone_settlements_created"] == 1
    assert api.event(shipment, event_id=2).json()["milestone_settlements_created"] == 0
    assert list(api.milestones(intent)) == ["POD_CONFIRMED"]


def test_unknown_extra_fields_of_an_event_are_stored_and_ignored(api: Api) -> None:
    _, shipment = api.token()
    assert api.event(shipment, driver={"name": "Ada"}, temperature=-3.25).status_code == 200
    assert '"driver"' in ShipmentEvent.objects.get().body


def test_medium_risk_delays_pickup_and_claim_and_releases_pod(api: Api) -> None:
    token, shipment = api.token(risk=0.5)
    intent = api.intent(token)
    for event_type in EVENTS:
        api.event(shipment, event_type)
    found = api.milestones(intent)
    assert found["POD_CONFIRMED"]["status"] == "approved"
    for name in ("PICKUP_CONFIRMED", "CLAIM_WINDOW_CLOSED"):
        settlement = MilestoneSettlement.objects.get(pk=found[name]["id"])
        assert (settlement.status, settlement.strategy) == ("DELAYED", "DELAYED")
        assert settlement.event
        assert settlement.settlement_delayed_until
        assert settlement.settlement_delayed_until - settlement.event.received_at == timedelta(hours=24)
        assert found[name]["settlement_delayed_until"] is not None
        assert found[name]["reference"] is None
    assert api.status(intent) == "delayed"
    assert JournalEntry.objects.count() == 1


def test_high_risk_waits_for_a_person(api: Api) -> None:
    token, shipment = api.token(risk="0.81")
    intent = api.intent(token)
    for event_type in EVENTS:
        api.event(shipment, event_type)
    found = api.milestones(intent)
    assert [(each["status"], each["strategy"]) for each in found.values()] == [
        ("pending", "pending"),
        ("pending", "manual_review"),
        ("pending", "manual_review"),
    ]
    assert found["PICKUP_CONFIRMED"]["amount"] == 0
    assert found["POD_CONFIRMED"]["decision"] == "HIGH risk (0.81 >= 0.67) at POD_CONFIRMED: manual review"
    assert JournalEntry.objects.count() == 0


@pytest.mark.parametrize("written", [str, Decimal], ids=["string", "number"])
@pytest.mark.parametrize(
    ("score", "tier"),
    [
        ("0", "low"),
        ("0.0", "low"),
        ("0.3299", "low"),
        ("0.33", "medium"),
        ("0.6699", "medium"),
        ("0.67", "high"),
        ("1", "high"),
        (None, "high"),
    ],
)
def test_the_boundaries_of_risk_hold_over_http(api: Api, score: str | None, tier: str, written: Any) -> None:
    shipment = f"SHIP-B-{score}"
    text = "null" if score is None else f'"{score}"' if written is str else score
    assert api.put("/freight_tokens/7", f'{{"shipment_id": "{shipment}", "risk_score": {text}}}').status_code == 201
    intent = api.intent(7)
    answer = api.get(f"/payment_intents/{intent}")
    assert answer["risk_tier"] == tier
    assert answer["risk_score"] == (None if score is None else float(score))
    shares = {each["event_type"]: each["share"] for each in answer["schedule"]["items"]}
    assert shares["PICKUP_CONFIRMED"] == {"low": "0.20", "medium": "0.10", "high": "0.00"}[tier]
    api.event(shipment, "PICKUP_CONFIRMED")
    status = api.milestones(intent)["PICKUP_CONFIRMED"]["status"]
    assert status == {"low": "approved", "medium": "delayed", "high": "pending"}[tier]


def test_the_worse_of_snapshot_and_current_score_decides(api: Api) -> None:
    token, shipment = api.token(risk="0.10")
    intent = api.intent(token)
    api.put(f"/freight_tokens/{token}", {"risk_score": "0.90"})
    api.event(shipment)
    assert api.milestones(intent)["POD_CONFIRMED"]["strategy"] == "manual_review"
    better, shipment = api.token(risk="0.90")
    intent = api.intent(better)
    api.put(f"/freight_tokens/{better}", {"risk_score": "0.10"})
    api.event(shipment)
    assert api.milestones(intent)["POD_CONFIRMED"]["strategy"] == "manual_review"


def test_a_token_out_of_use_means_manual_review(api: Api) -> None:
    token, shipment = api.token(risk="0.10")
    intent = api.intent(token)
    api.put(f"/freight_tokens/{token}", {"status": "cancelled"})
    api.event(shipment)
    pod = api.milestones(intent)["POD_CONFIRMED"]
    assert (pod["status"], pod["strategy"]) == ("pending", "manual_review")
    assert "freight token is cancelled" in pod["decision"]


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_milestones_sum_to_the_amount_in_every_exponent(api: Api, currency: str) -> None:
    amount = {"USD": "0.07", "JPY": 7, "KWD": "0.007"}[currency]
    token, shipment = api.token()
    intent = api.intent(token, amount, currency)
    for event_type in EVENTS:
        api.event(shipment, event_type)
    total = sum(settlement.amount_minor for settlement in MilestoneSettlement.objects.filter(intent_id=intent))
    assert total == 7
    assert api.status(intent) == "approved"


def test_a_cancelled_intent_gets_no_settlement_from_an_event(api: Api) -> None:
    token, shipment = api.token()
    intent = api.intent(token)
    assert api.post(f"/payment_intents/{intent}/cancel", {"reason": "freight fell through"}).status_code == 200
    assert api.event(shipment).json()["milestone_settlements_created"] == 0
    assert (api.milestones(intent), api.status(intent)) == ({}, "cancelled")


def test_money_released_before_a_cancellation_stays_released(api: Api) -> None:
    token, shipment = api.token(risk="0.50")
    intent = api.intent(token)
    api.event(shipment)
    api.event(shipment, "PICKUP_CONFIRMED")
    assert api.post(f"/payment_intents/{intent}/cancel", {"reason": "claim"}).status_code == 200
    statuses = {name: each["status"] for name, each in api.milestones(intent).items()}
    assert statuses == {"POD_CONFIRMED": "approved", "PICKUP_CONFIRMED": "cancelled"}
    assert api.get(f"/payment_intents/{intent}")["approved_amount"] == 7000
    assert api.post(f"/payment_intents/{intent}/cancel", {"reason": "again"}).status_code == 409


@pytest.mark.parametrize("number", ["9" * 19, "9" * 20, "-" + "9" * 30, "9" * 5_000, "1e400", "0.1"])
def test_an_unknown_field_with_any_number_is_stored_and_its_repeat_recognised(api: Api, number: str) -> None:
    token, shipment = api.token()
    api.intent(token)
    body = f'{{"shipment_id": "{shipment}", "event_type": "POD_CONFIRMED", "occurred_at": "{PAST}", "mass": {number}}}'
    first = api.post("/webhooks/shipment_event", body)
    assert (first.status_code, first.json()["milestone_settlements_created"]) == (200, 1)
    assert api.post("/webhooks/shipment_event", body).content == first.content
    assert ShipmentEvent.objects.get().body == body
