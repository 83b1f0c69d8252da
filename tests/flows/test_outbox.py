"""What subscribers are told of: a word for each change, written with the change or not at all."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.test.utils import CaptureQueriesContext

from rails import ledger
from rails.models import JournalEntry
from settlements import holds, lead_connection, lifecycle, release, submitting
from settlements.lifecycle import Move
from settlements.models import AuditEvent, Delivery, FreightToken, MilestoneSettlement
from settlements.statuses import SETTLEMENT_NEWS
from settlements.statuses import SettlementStatus as S
from tests.factories import CLAIM, HIGH, LOW, MEDIUM, PICKUP, POD, an_intent, now, settlement_of
from tests.flows.conftest import REASON, Api
from tests.flows.pretend_provider import a_payable_recipient, pretend_provider
from tests.flows.receiver import subscribe
from tests.flows.test_review import approve, reject, waiting

NOWHERE = "http://127.0.0.1:9/hooks"
HAND_MADE = {"type": "custom", "items": [{"event_type": PICKUP, "share": "0.5"}, {"event_type": POD, "share": "0.5"}]}
WITHOUT_POD = {
    "type": "custom",
    "items": [{"event_type": PICKUP, "share": "0.5"}, {"event_type": CLAIM, "share": "0.5"}],
}


@pytest.fixture
def _listening(db: None) -> None:
    subscribe(NOWHERE)


def told(settlement_id: int | None = None) -> list[str]:
    """The news since the beginning, oldest first, without their common prefix."""
    rows = Delivery.objects.order_by("pk")
    if settlement_id:
        rows = rows.filter(settlement_id=settlement_id)
    return [each.removeprefix("settlement.") for each in rows.values_list("event_type", flat=True)]


def settled_by(api: Api, event_type: str, risk: Any, **intent: Any) -> tuple[int, int, str]:
    """The ids of a settlement that an event brought and of its intent, and the shipment."""
    token, shipment = api.token(risk=str(risk))
    number = api.intent(token, **intent)
    api.event(shipment, event_type)
    return MilestoneSettlement.objects.get(intent=number, event_type=event_type).pk, number, shipment


@pytest.mark.usefixtures("_listening")
@pytest.mark.parametrize(
    ("event_type", "risk", "words"),
    [
        (POD, LOW, ["created", "approved"]),
        (PICKUP, MEDIUM, ["created", "delayed"]),
        (POD, HIGH, ["created", "review_required"]),
        (PICKUP, HIGH, ["created"]),  # nothing to release: its share is zero
    ],
)
def test_a_new_settlement_is_told_of_with_the_status_it_begins_in(
    api: Api, event_type: str, risk: Any, words: list[str]
) -> None:
    settled_by(api, event_type, risk)
    assert told() == words


@pytest.mark.usefixtures("_listening", "staff")
def test_what_officers_and_requests_do_is_told_of(api: Api) -> None:
    approved, rejected = waiting(api), waiting(api)
    approve("officer1", item=approved)
    assert told(approved["milestone_id"]) == ["created", "review_required", "approved"]
    reject("officer1", item=rejected)
    assert told(rejected["milestone_id"]) == ["created", "review_required", "rejected"]
    settlement, intent, _ = settled_by(api, POD, LOW, schedule={"type": "full_on_pod"})
    assert api.post(f"/payment_intents/{intent}/complete").status_code == 200
    assert told(settlement) == ["created", "approved", "settled"]
    settlement, intent, _ = settled_by(api, PICKUP, MEDIUM)
    assert api.post(f"/payment_intents/{intent}/cancel", {"reason": REASON}).status_code == 200
    assert told(settlement) == ["created", "delayed", "cancelled"]


@pytest.mark.usefixtures("_listening")
def test_a_cancelled_settlement_of_nothing_is_no_news(api: Api) -> None:
    settlement, intent, _ = settled_by(api, PICKUP, HIGH)
    assert api.post(f"/payment_intents/{intent}/cancel", {"reason": REASON}).status_code == 200
    assert MilestoneSettlement.objects.get(pk=settlement).status == S.CANCELLED
    assert told() == ["created"]


@pytest.mark.usefixtures("_listening")
def test_what_a_sweep_releases_or_decides_again_is_told_of(live: Api, settings: Any) -> None:
    settings.CHAINPAY_HOLD_SECONDS = -1
    released, _, _ = settled_by(live, PICKUP, MEDIUM)
    tightened, intent, _ = settled_by(live, CLAIM, MEDIUM)
    FreightToken.objects.filter(intents=intent).update(risk_score="0.81")
    report = release.sweep(now=now())
    assert (report.released, report.tightened) == (1, 1)
    assert told(released) == ["created", "delayed", "approved"]
    assert told(tightened) == ["created", "delayed", "review_required"]


@pytest.mark.usefixtures("_listening")
def test_a_reversed_transfer_and_a_refusal_by_the_provider_are_told_of(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    returned, intent, _ = settled_by(api, POD, LOW)
    move = Move(settlement_id=returned, intent_id=intent, old=S.APPROVED, new=S.RETURNED, action="returned", actor="t")
    with transaction.atomic():
        ledger.reverse(JournalEntry.objects.get(milestone_id=returned).pk, now=now())
        lifecycle.transition([move], now=now())
    assert told(returned) == ["created", "approved", "returned"]
    with pretend_provider(monkeypatch) as provider:
        provider.behave = provider.refuse
        failed = settlement_of(an_intent(recipient=a_payable_recipient(), payment_method="stripe"), POD)
        assert told(failed.pk) == ["created"]
        submitting.submit(provider, clock=now)
    assert told(failed.pk) == ["created", "failed"]


@pytest.mark.usefixtures("_listening")
def test_a_pending_settlement_needs_review_once_delivery_is_proven_and_is_told_of_once(api: Api) -> None:
    settlement, intent, shipment = settled_by(api, PICKUP, HIGH, schedule=HAND_MADE)
    assert told(settlement) == ["created"]
    api.event(shipment, POD)
    assert told(settlement) == ["created", "review_required"]
    joined = Delivery.objects.filter(settlement=settlement, event_type="settlement.review_required")
    assert joined.get(audit_event__action="settlement_created", audit_event__settlement__event_type=POD)
    api.event(shipment, POD, event_id="again")
    api.post(f"/payment_intents/{intent}/settle")
    assert told(settlement) == ["created", "review_required"]


@pytest.mark.usefixtures("_listening")
def test_a_proof_of_delivery_counts_where_the_schedule_has_no_such_item(api: Api) -> None:
    settlement, _, shipment = settled_by(api, PICKUP, HIGH, schedule=WITHOUT_POD)
    api.event(shipment, POD)
    assert told(settlement) == ["created", "review_required"]


@pytest.mark.usefixtures("_listening")
def test_a_pickup_after_the_proof_of_delivery_needs_review_at_once(api: Api) -> None:
    token, shipment = api.token(risk="0.81")
    intent = api.intent(token, schedule=HAND_MADE)
    api.event(shipment, POD)
    api.event(shipment, PICKUP)
    pickup = MilestoneSettlement.objects.get(intent=intent, event_type=PICKUP)
    assert told(pickup.pk) == ["created", "review_required"]
    late = api.intent(token, schedule=HAND_MADE)
    pickup = MilestoneSettlement.objects.get(intent=late, event_type=PICKUP)
    assert told(pickup.pk) == ["created", "review_required"]


@pytest.mark.usefixtures("_listening")
def test_a_request_to_settle_lets_a_pending_settlement_into_the_queue(api: Api) -> None:
    settlement, intent, _ = settled_by(api, PICKUP, HIGH, schedule=HAND_MADE)
    for _ in range(2):
        api.post(f"/payment_intents/{intent}/settle")
    assert told(settlement) == ["created", "review_required"]
    in_queue = {item["milestone_id"] for item in api.get("/compliance/queue")["items"]}
    assert {row.settlement_id for row in Delivery.objects.filter(event_type="settlement.review_required")} == in_queue


@pytest.mark.usefixtures("_listening")
def test_a_later_date_is_told_of(api: Api) -> None:
    settlement, _, _ = settled_by(api, PICKUP, MEDIUM)
    holds.extend(settlement, until=now() + timedelta(days=3), reason=REASON, actor="t", now=now())
    holds.place(settlement, reason=REASON, actor="t", now=now())
    assert told(settlement) == ["created", "delayed", "delayed"]


@pytest.mark.usefixtures("_listening")
def test_a_change_that_is_rolled_back_leaves_no_message(api: Api) -> None:
    token, _ = api.token()
    intent = api.intent(token, schedule={"type": "full_on_pod"})
    with transaction.atomic():
        api.post(f"/payment_intents/{intent}/settle")
        assert told() == ["created", "approved"]
        transaction.set_rollback(True)
    assert not MilestoneSettlement.objects.exists()
    assert told() == []


def test_nothing_is_written_for_nobody_for_the_inactive_and_for_what_was_not_subscribed_to(api: Api) -> None:
    settled_by(api, POD, LOW)
    assert told() == []
    idle, _ = subscribe(NOWHERE, "idle")
    subscribe(NOWHERE, "picky", event_types=["settlement.approved"])
    type(idle).objects.filter(pk=idle.pk).update(active=False)
    settled_by(api, POD, LOW)
    assert [(row.subscriber.name, row.event_type) for row in Delivery.objects.all()] == [
        ("picky", "settlement.approved")
    ]


def test_a_carriers_subscriber_is_told_of_its_own_settlements_alone(api: Api) -> None:
    subscribe(NOWHERE, "bozza", carrier_id="BOZZA")
    token, shipment = api.token(carrier_id="OTHER")
    api.intent(token)
    own_token, _ = api.token(carrier_id="BOZZA", shipment=shipment)
    own = api.intent(own_token)
    api.event(shipment)
    assert MilestoneSettlement.objects.count() == 2
    assert set(Delivery.objects.values_list("settlement__intent", flat=True)) == {own}
    assert told() == ["created", "approved"]


def test_an_event_costs_no_statement_more_however_many_listen(live: Api) -> None:
    def statements() -> int:
        token, shipment = live.token()
        for _ in range(20):
            live.intent(token)
        live.event(shipment, PICKUP)
        with lead_connection.lent(), CaptureQueriesContext(connections[DEFAULT_DB_ALIAS]) as queries:
            live.event(shipment)
        return len(queries)

    unheard = statements()
    assert unheard > 0
    for name in ("one", "two", "three"):
        subscribe(NOWHERE, name)
    assert (statements(), Delivery.objects.count()) == (unheard, 20 * 3 * 2 * 2)
    assert Delivery.objects.values("message_id").distinct().count() == Delivery.objects.count()
    pairs = AuditEvent.objects.filter(action="settlement_created").count()
    assert Delivery.objects.values("audit_event").distinct().count() == pairs // 2


def test_every_word_of_the_vocabulary_has_its_flow_above() -> None:
    assert {news.removeprefix("settlement.") for news in SETTLEMENT_NEWS} == {
        "created", "delayed", "review_required", "approved", "settled", "failed", "returned", "rejected", "cancelled",
    }  # fmt: skip
