"""Which payment method an intent may be given: one that is there, can pay the amounts, and has a place for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from rails import choosing, registry
from rails.base import Applied, Instruction, Notice, RemoteRail, SettlementProvider, SettlementResult
from rails.choosing import Payments
from rails.money import Money
from settlements.models import MilestoneSettlement, PaymentIntent
from tests.flows.conftest import Api
from tests.rails.test_routing import ACH
from tests.settlements.lived_in import difference, verified


class DollarsOnly(RemoteRail):
    """ACH without a bank: takes dollars, from 1.00 on."""

    most, lease_seconds = 100, 60

    def get_provider(self) -> SettlementProvider:
        return SettlementProvider.ACH

    def cannot_pay(self, amount: Money) -> str:
        if amount.currency != "USD":
            return "it pays US dollars only"
        return "" if amount.minor >= 100 else "it pays no less than 1.00 USD"

    def process_settlements(
        self, instructions: Sequence[Instruction], *, now: datetime | None = None
    ) -> list[SettlementResult]:
        raise AssertionError("nothing is submitted here")

    def is_open(self, *, now: datetime) -> bool:
        return False

    def hear(self, *, now: datetime) -> list[Notice]:
        return []

    def heard(self, told: Sequence[tuple[Notice, Applied]], *, now: datetime) -> None:
        pass


@pytest.fixture(autouse=True)
def _ach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._RAILS, SettlementProvider.ACH, DollarsOnly())


@pytest.fixture
def payee(api: Api) -> str:
    api.put("/recipients/R-1", {"name": "Acme", "destinations": {"ach": ACH}})
    api.put("/recipients/R-2", {"name": "Bozza"})
    return "R-1"


def why(answer: Any) -> tuple[str, str, str]:
    return *refused(answer), answer.json()["detail"]


def refused(answer: Any) -> tuple[str, str]:
    assert answer.status_code == 400, answer.content
    return answer.json()["code"], answer.json()["field"]


def create(api: Api, **fields: Any) -> Any:
    token, _ = api.token()
    return api.post("/payment_intents", {"freight_token_id": token, "amount": 100, **fields})


def choose(api: Api, intent: int, method: str) -> Any:
    return api.post(f"/payment_intents/{intent}/set_payment_method", {"method": method})


def test_an_intent_may_be_paid_to_a_destination(api: Api, payee: str) -> None:
    answer = create(api, payment_method="ach", recipient_id=payee)
    assert (answer.status_code, answer.json()["payment_method"]) == (201, "ach")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"payment_method": "cash"}, "payment_method_unknown"),
        ({"payment_method": "wire"}, "payment_method_not_enabled"),
        ({"payment_method": "ach"}, "destination_missing"),
        ({"payment_method": "ach", "recipient_id": "R-2"}, "destination_missing"),
        ({"payment_method": "ach", "recipient_id": "R-1", "currency": "EUR"}, "payment_method_cannot_pay"),
        ({"payment_method": "ach", "recipient_id": "R-1", "amount": 9}, "payment_method_cannot_pay"),
    ],
)
def test_an_intent_that_could_never_be_paid_is_refused(api: Api, payee: str, fields: dict[str, Any], code: str) -> None:
    assert refused(create(api, **fields)) == (code, "payment_method")
    assert not PaymentIntent.objects.exists()


def test_a_method_is_chosen_later_by_the_same_rules(api: Api, payee: str) -> None:
    intent = create(api, recipient_id=payee).json()["id"]
    assert choose(api, intent, "ach").json()["payment_method"] == "ach"
    assert choose(api, intent, "ach").status_code == 200
    assert refused(choose(api, intent, "cash")) == ("payment_method_unknown", "method")
    assert refused(choose(api, intent, "stripe")) == ("payment_method_not_enabled", "method")
    others = [create(api, recipient_id="R-2"), create(api), create(api, recipient_id=payee, currency="EUR")]
    assert [why(choose(api, other.json()["id"], "ach")) for other in others] == [
        ("destination_missing", "method", "Recipient R-2 has no destination for ach; push one first."),
        ("destination_missing", "method", "Payment method ach needs a recipient."),
        (
            "payment_method_cannot_pay",
            "method",
            "Payment method ach can not pay 20.00 EUR: it pays US dollars only.",
        ),
    ]


def test_what_was_submitted_keeps_its_rail_and_counts_no_more(api: Api, payee: str) -> None:
    token, shipment = api.token()
    # 0.50 at pickup are less than ACH pays; what is left is not.
    custom = {
        "type": "custom",
        "items": [
            {"event_type": "PICKUP_CONFIRMED", "share": "0.005"},
            {"event_type": "POD_CONFIRMED", "share": "0.995"},
        ],
    }
    intent = api.intent(token, 100, recipient_id=payee, schedule=custom)
    assert refused(choose(api, intent, "ach"))[0] == "payment_method_cannot_pay"
    api.event(shipment, "PICKUP_CONFIRMED")
    assert api.milestones(intent)["PICKUP_CONFIRMED"]["status"] == "approved"
    assert choose(api, intent, "ach").status_code == 200
    assert MilestoneSettlement.objects.get().rail == "internal_ledger"


def test_a_destination_that_waits_for_confirmation_may_be_chosen(api: Api, payee: str) -> None:
    api.put("/recipients/R-1", {"name": "Acme", "destinations": {"ach": {**ACH, "account_number": "5544332211"}}})
    intent = create(api, recipient_id=payee).json()["id"]
    assert choose(api, intent, "ach").status_code == 200


def test_a_destination_that_was_closed_may_not(api: Api, payee: str) -> None:
    api.put("/recipients/R-1", {"name": "Acme", "destinations": {"ach": None}})
    assert refused(create(api, payment_method="ach", recipient_id=payee))[0] == "destination_missing"


def rule(method: str, **payments: Any) -> int:
    made = choosing.add(Payments(**payments), method, reason="agreed", actor="user:ann", now=timezone.now())
    return made.pk


def chosen_by(api: Api, intent: int) -> tuple[str, str]:
    data = api.get(f"/payment_intents/{intent}/history")["logs"][0]["data"]
    return data["payment_method"], data["payment_method_by"]


def test_a_rule_chooses_where_the_request_does_not(api: Api, payee: str) -> None:
    number = rule("ach", currency="USD", lowest=Money(50_00, "USD"))
    by_rule = create(api, recipient_id=payee)
    assert by_rule.json()["payment_method"] == "ach"
    assert chosen_by(api, by_rule.json()["id"]) == ("ach", f"rule {number}")
    asked = create(api, recipient_id=payee, payment_method="internal_ledger")
    assert chosen_by(api, asked.json()["id"]) == ("internal_ledger", "request")
    small = create(api, recipient_id=payee, amount=49)
    assert chosen_by(api, small.json()["id"]) == ("internal_ledger", "default")


def test_a_default_that_can_not_pay_is_not_passed_over(api: Api, payee: str) -> None:
    number = rule("ach", currency="USD")
    detail = f"Recipient R-2 has no destination for ach; push one first. It is the default by rule {number}."
    assert why(create(api, recipient_id="R-2")) == ("destination_missing", "payment_method", detail)
    assert create(api, recipient_id="R-2", payment_method="internal_ledger").status_code == 201


def test_the_first_answer_stays_when_the_rules_change(api: Api, payee: str) -> None:
    token, _ = api.token()
    body = {"freight_token_id": token, "amount": 100, "recipient_id": payee}
    first = api.post("/payment_intents", body, Idempotency_Key="k-1")
    rule("ach", currency="USD")
    again = api.post("/payment_intents", body, Idempotency_Key="k-1")
    assert again.content == first.content
    named = api.post("/payment_intents", {**body, "payment_method": "internal_ledger"}, Idempotency_Key="k-1")
    assert named.status_code == 409


def test_a_rail_that_was_told_of_before_the_last_one_is_found(api: Api, payee: str) -> None:
    token, shipment = api.token(risk="0.9")
    intent = api.intent(token, payment_method="ach", recipient_id=payee)
    api.event(shipment)
    assert choose(api, intent, "internal_ledger").status_code == 200
    api.event(shipment, "PICKUP_CONFIRMED")
    waiting = MilestoneSettlement.objects.get(intent_id=intent, event_type="POD_CONFIRMED")
    assert (waiting.status, waiting.rail) == ("PENDING", "internal_ledger")
    assert "All is proven." in verified()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE settlements_milestonesettlement SET rail = 'ach' WHERE id = %s", [waiting.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert difference() == f"settlement {waiting.pk}: its rail is ach, but its audit events say internal_ledger"
