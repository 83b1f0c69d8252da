"""Smart settlements from the webhook to the audit answer: immediate, delayed, reviewed."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from rails.models import JournalEntry
from settlements import release
from settlements.models import AuditEvent, MilestoneSettlement
from tests.flows.conftest import Api


@pytest.fixture
def api(db: None, settings: Any) -> Api:
    settings.CHAINPAY_DEMO = True
    settings.ALLOWED_HOSTS = ["localhost"]
    return Api()


def test_a_webhook_of_low_risk_releases_immediately(api: Api) -> None:
    token, shipment = api.token(risk="0.15")
    intent = api.intent(token)
    assert api.event(shipment).json()["milestone_settlements_created"] == 1
    answer = api.get(f"/audit/shipments/{shipment}")
    (milestone,) = answer["milestones"]
    assert (milestone["amount"], milestone["status"], milestone["payment_intent_id"]) == (7000, "approved", intent)
    assert milestone["reference"].startswith("INTERNAL_LEDGER:")
    assert (answer["summary"]["approved_count"], answer["summary"]["total_approved_amount"]) == (1, 7000)
    assert JournalEntry.objects.count() == 1


def test_a_webhook_of_medium_risk_holds_pickup_for_24_hours(api: Api) -> None:
    token, shipment = api.token(risk="0.50")
    intent = api.intent(token)
    api.event(shipment, "PICKUP_CONFIRMED")
    settlement = MilestoneSettlement.objects.get(intent_id=intent)
    assert (settlement.status, settlement.amount_minor) == ("DELAYED", 100_000)
    assert settlement.event
    assert settlement.settlement_delayed_until == settlement.event.received_at + timedelta(hours=24)
    assert release.sweep(now=timezone.now()).released == 0
    assert api.get(f"/audit/shipments/{shipment}")["summary"]["delayed_count"] == 1
    assert JournalEntry.objects.count() == 0


def test_a_webhook_of_high_risk_waits_for_review(api: Api) -> None:
    token, shipment = api.token(risk="0.81")
    intent = api.intent(token)
    api.event(shipment, "PICKUP_CONFIRMED")
    api.event(shipment)
    statuses = {each["event_type"]: each["status"] for each in api.milestones(intent).values()}
    assert statuses == {"PICKUP_CONFIRMED": "pending", "POD_CONFIRMED": "pending"}
    queue = api.get("/compliance/queue")
    assert [(item["event_type"], item["amount"]) for item in queue["items"]] == [("POD_CONFIRMED", 8000)]
    assert JournalEntry.objects.count() == 0
    created = AuditEvent.objects.get(settlement__event_type="POD_CONFIRMED")
    assert created.data["explanation"] == "HIGH risk (0.81 >= 0.67) at POD_CONFIRMED: manual review"
    assert created.data["policy_version"]
