"""Settling by request, confirming, choosing a rail, cancelling, and repeating a creation."""

from typing import Any

import pytest

from rails.models import JournalEntry
from settlements.models import AuditEvent, MilestoneSettlement, PaymentIntent
from tests.flows.conftest import Api


@pytest.fixture
def _no_hold(settings: Any) -> None:
    """What is delayed is due at once."""
    settings.CHAINPAY_HOLD_SECONDS = -1


@pytest.mark.parametrize("body", [None, {}, {"reason": "customer asked"}])
def test_low_risk_is_released_at_once_by_settle(api: Api, body: Any) -> None:
    token, shipment = api.token(risk="0.10")
    intent = api.intent(token)
    answer = api.post(f"/payment_intents/{intent}/settle", body)
    assert (answer.status_code, answer.json()["action_taken"], answer.json()["status"]) == (200, "approved", "approved")
    assert {each["origin"] for each in api.milestones(intent).values()} == {"settle"}
    assert api.event(shipment).json()["milestone_settlements_created"] == 0
    assert AuditEvent.objects.filter(intent_id=intent, action="settle_requested").count() == 1


def test_medium_risk_is_delayed_by_settle_and_approved_when_asked_after_the_hold(api: Api, settings: Any) -> None:
    token, _ = api.token(risk="0.40")
    intent = api.intent(token)
    assert api.post(f"/payment_intents/{intent}/settle").json()["action_taken"] == "delayed"
    assert {each["status"] for each in api.milestones(intent).values()} == {"delayed"}
    assert JournalEntry.objects.count() == 0
    settings.CHAINPAY_HOLD_SECONDS = -1
    other = api.intent(token)
    api.post(f"/payment_intents/{other}/settle")
    assert api.post(f"/payment_intents/{other}/settle").json()["action_taken"] == "approved"
    assert api.post(f"/payment_intents/{intent}/settle").json()["action_taken"] == "delayed"


@pytest.mark.parametrize("risk", ["0.67", None])
def test_high_or_unknown_risk_is_queued_by_settle(api: Api, risk: str | None) -> None:
    token, _ = api.token(risk=risk)
    intent = api.intent(token)
    answer = api.post(f"/payment_intents/{intent}/settle").json()
    assert (answer["action_taken"], answer["status"], answer["risk_tier"]) == ("rejected", "pending", "high")
    assert {each["status"] for each in api.milestones(intent).values()} == {"pending"}
    assert JournalEntry.objects.count() == 0


def test_a_token_out_of_use_counts_as_high_at_settle(api: Api) -> None:
    token, _ = api.token(risk="0.10")
    intent = api.intent(token)
    api.put(f"/freight_tokens/{token}", {"status": "expired"})
    assert api.post(f"/payment_intents/{intent}/settle").json()["action_taken"] == "rejected"


def test_settling_twice_creates_and_pays_nothing_more(api: Api) -> None:
    token, _ = api.token()
    intent = api.intent(token)
    api.post(f"/payment_intents/{intent}/settle")
    again = api.post(f"/payment_intents/{intent}/settle").json()
    assert (again["action_taken"], again["settlements_created"]) == ("approved", 0)
    assert JournalEntry.objects.count() == 3


@pytest.mark.parametrize("path", ["settle", "complete", "assess_risk"])
def test_unknown_fields_and_wrong_bodies_are_refused(api: Api, path: str) -> None:
    token, _ = api.token()
    intent = api.intent(token)
    assert api.post(f"/payment_intents/{intent}/{path}", {"surprise": 1}).json()["code"] == "unknown_field"
    assert api.post(f"/payment_intents/{intent}/{path}", b"[]").json()["code"] == "not_an_object"
    assert MilestoneSettlement.objects.count() == 0


def test_a_cancelled_intent_can_not_be_settled(api: Api) -> None:
    token, _ = api.token()
    intent = api.intent(token)
    api.post(f"/payment_intents/{intent}/cancel", {"reason": "no freight"})
    answer = api.post(f"/payment_intents/{intent}/settle")
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_intent_cancelled")


def test_complete_confirms_an_approved_payment_once(api: Api) -> None:
    token, shipment = api.token()
    intent = api.intent(token, schedule={"type": "full_on_pod"})
    refused = api.post(f"/payment_intents/{intent}/complete")
    assert refused.status_code == 400
    assert refused.json()["detail"] == "Payment must be in APPROVED status, currently pending"
    api.event(shipment)
    answer = api.post(f"/payment_intents/{intent}/complete")
    assert (answer.status_code, answer.json()["status"], answer.json()["settled_amount"]) == (200, "settled", 10000)
    assert api.post(f"/payment_intents/{intent}/complete").status_code == 400
    assert JournalEntry.objects.count() == 1


def test_a_custom_schedule_releases_its_shares(api: Api) -> None:
    token, shipment = api.token()
    items = [{"event_type": "POD_CONFIRMED", "share": "0.60"}, {"event_type": "claim_window_closed", "share": 0.4}]
    intent = api.intent(token, "0.05", schedule={"type": "custom", "items": items})
    assert api.event(shipment, "PICKUP_CONFIRMED").json()["milestone_settlements_created"] == 0
    api.event(shipment)
    assert api.milestones(intent)["POD_CONFIRMED"]["amount"] == 0.03
    shown = api.get(f"/payment_intents/{intent}")["schedule"]
    assert shown == {
        "type": "custom",
        "items": [
            {"event_type": "POD_CONFIRMED", "share": "0.60", "amount": 0.03, "status": "approved"},
            {"event_type": "CLAIM_WINDOW_CLOSED", "share": "0.40", "amount": 0.02, "status": None},
        ],
    }


@pytest.mark.parametrize("how", ["body", "query"])
def test_the_payment_method_can_be_set_both_ways(api: Api, how: str) -> None:
    token, _ = api.token()
    path = f"/payment_intents/{api.intent(token)}/set_payment_method"
    answer = (
        api.post(path, {"method": "internal_ledger"}) if how == "body" else api.post(f"{path}?method=internal_ledger")
    )
    assert (answer.status_code, answer.json()["payment_method"]) == (200, "internal_ledger")


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("stripe", "payment_method_not_enabled"),
        ("ach", "payment_method_not_enabled"),
        ("wire", "payment_method_not_enabled"),
        ("cash", "payment_method_unknown"),
        ("INTERNAL_LEDGER", "payment_method_unknown"),
    ],
)
def test_other_payment_methods_are_refused_everywhere(api: Api, method: str, code: str) -> None:
    token, _ = api.token()
    intent = api.intent(token)
    refused = api.post(f"/payment_intents/{intent}/set_payment_method", {"method": method})
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    refused = api.post("/payment_intents", {"freight_token_id": token, "amount": 1, "payment_method": method})
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert PaymentIntent.objects.count() == 1


def test_the_same_key_and_request_get_the_first_answer(api: Api) -> None:
    token, _ = api.token()
    body = {"freight_token_id": token, "amount": 10000}
    first = api.post("/payment_intents", body, idempotency_key="k-1")
    again = api.post("/payment_intents", body | {"amount": "10000.00", "currency": "USD"}, idempotency_key="k-1")
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert PaymentIntent.objects.count() == 1


def test_the_same_key_with_another_request_is_refused(api: Api) -> None:
    token, _ = api.token()
    api.post("/payment_intents", {"freight_token_id": token, "amount": 1}, idempotency_key="k")
    answer = api.post("/payment_intents", {"freight_token_id": token, "amount": 2}, idempotency_key="k")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    assert PaymentIntent.objects.count() == 1


def test_a_refused_request_does_not_use_its_key_up(api: Api) -> None:
    body = {"freight_token_id": 4711, "amount": 1}
    assert api.post("/payment_intents", body, idempotency_key="k").status_code == 404
    api.put("/freight_tokens/4711", {"shipment_id": "late"})
    assert api.post("/payment_intents", body, idempotency_key="k").status_code == 201


@pytest.mark.parametrize("key", ["", " ", "é", "k" * 256])
def test_a_key_that_is_no_visible_text_is_refused(api: Api, key: str) -> None:
    token, _ = api.token()
    answer = api.post("/payment_intents", {"freight_token_id": token, "amount": 1}, idempotency_key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert PaymentIntent.objects.count() == 0


def test_risk_can_be_assessed_without_acting(api: Api) -> None:
    token, _ = api.token(risk="0.5")
    intent = api.intent(token)
    answer = api.post(f"/payment_intents/{intent}/assess_risk").json()
    assert (answer["risk_tier"], answer["recommendation"], answer["delay_seconds"]) == ("medium", "delayed", 86_400)
    assert [each["recommendation"] for each in answer["milestones"]] == ["delayed", "immediate", "delayed"]
    assert (AuditEvent.objects.count(), MilestoneSettlement.objects.count()) == (1, 0)


def test_the_history_tells_every_step_in_order(api: Api) -> None:
    token, shipment = api.token()
    intent = api.intent(token, schedule={"type": "full_on_pod"})
    api.event(shipment)
    api.post(f"/payment_intents/{intent}/complete")
    answer = api.get(f"/payment_intents/{intent}/history")
    assert [log["action"] for log in answer["logs"]] == ["intent_created", "settlement_created", "settled"]
    assert answer["total_actions"] == 3
    for earlier, later in zip(answer["logs"], answer["logs"][1:], strict=False):
        assert later["prev_hash"] == earlier["hash"]


def test_sums_are_told_per_currency_when_there_are_several(api: Api) -> None:
    token, shipment = api.token()
    api.intent(token, 100, "USD")
    api.intent(token, 1000, "JPY")
    api.event(shipment)
    summary = api.get(f"/audit/shipments/{shipment}")["summary"]
    assert (summary["total_milestones"], summary["approved_count"], summary["total_approved_amount"]) == (2, 2, None)
    assert {currency: sums["total_approved_amount"] for currency, sums in summary["per_currency"].items()} == {
        "USD": 70,
        "JPY": 700,
    }


def test_amounts_are_written_with_the_currencys_digits(api: Api) -> None:
    token, shipment = api.token()
    api.event(shipment)
    answers = [
        api.post("/payment_intents", {"freight_token_id": token, "amount": amount, "currency": currency}).content
        for amount, currency in (("10000", "USD"), ("10000.0", "JPY"), ("1.5", "KWD"))
    ]
    for answer, literal in zip(answers, (b'"amount":10000.00,', b'"amount":10000,', b'"amount":1.500,'), strict=True):
        assert literal in answer


def test_lists_are_filtered_and_paged_newest_first(api: Api) -> None:
    token, shipment = api.token(risk="0.5")
    intents = [api.intent(token) for _ in range(3)]
    api.event(shipment, "PICKUP_CONFIRMED")
    page = api.get("/payment_intents?status=delayed&risk_tier=medium&skip=1&limit=1")
    assert (page["total"], [each["id"] for each in page["payment_intents"]]) == (3, [intents[1]])
    assert api.get("/payment_intents?status=approved") == {"total": 0, "payment_intents": []}
    for query in (
        "limit=101",
        "limit=0",
        "skip=-1",
        "status=APPROVED",
        "risk_tier=extreme",
        "page=2",
        "limit=1&limit=2",
    ):
        assert api.send("GET", f"/payment_intents?{query}").status_code == 400, query


def test_a_tokens_absent_fields_keep_their_value(api: Api) -> None:
    token, shipment = api.token(risk="0.5", carrier_id="C-1", risk_category="fair")
    answer = api.put(f"/freight_tokens/{token}", {"status": "locked"})
    assert (answer.status_code, answer.json()["risk_score"], answer.json()["carrier_id"]) == (200, 0.5, "C-1")
    assert api.put(f"/freight_tokens/{token}", {"risk_score": None}).json()["risk_score"] is None
    moved = api.put(f"/freight_tokens/{token}", {"shipment_id": "ELSEWHERE"})
    assert (moved.status_code, moved.json()["code"]) == (409, "freight_token_moved")
    assert api.get(f"/freight_tokens/{token}")["shipment_id"] == shipment


def test_settle_answers_rejected_once_the_risk_is_high_whatever_was_delayed_before(api: Api) -> None:
    token, _ = api.token(risk="0.50")
    intent = api.intent(token)
    api.post(f"/payment_intents/{intent}/settle")
    api.put(f"/freight_tokens/{token}", {"risk_score": "0.9"})
    answer = api.post(f"/payment_intents/{intent}/settle").json()
    assert (answer["action_taken"], answer["risk_tier"]) == ("rejected", "high")
