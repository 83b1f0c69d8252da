"""What each endpoint really answers, when all is well and when it is not, is what the document says of it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from rails.stripe.configuration import StripeSettings
from settlements.exports.datasets import KNOWN
from tests.flows.conftest import REASON, Api
from tests.openapi.test_document import list_of, operations, validator_of
from tests.stripe_fake import signature

pytestmark = pytest.mark.usefixtures("staff", "stripe")
STRIPE_SECRET = "whsec_of_a_test"


@pytest.fixture
def stripe(settings: Any) -> None:
    """Stripe's webhooks are let in under this secret."""
    settings.CHAINPAY_STRIPE = StripeSettings(webhook_secrets=(STRIPE_SECRET,))


class Checked(Api):
    """Requests whose answers are held against the document."""

    def __init__(self, document: dict[str, Any], as_user: str | None = None) -> None:
        super().__init__(as_user)
        self.document = document
        self.seen: set[tuple[str, str, int]] = set()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = super().send(method, path, body, **headers)
        template, told = self._told(method, path.partition("?")[0])
        described = told["responses"].get(str(answer.status_code))
        assert described is not None, (method, path, answer.status_code, answer.content)
        for name, header in described.get("headers", {}).items():
            assert name in answer.headers or not header.get("required"), (path, name)
        media_types = described.get("content", {})
        if media_types:
            schema = media_types[answer["Content-Type"]]["schema"]
            if answer["Content-Type"] == "application/json":
                validator = validator_of(schema, self.document)
                assert validator.is_valid(answer.json()), (path, list_of(validator, answer.json()), answer.content)
        else:
            assert answer.content == b""
        self.seen.add((method, template, answer.status_code))
        return answer

    def _told(self, method: str, path: str) -> tuple[str, dict[str, Any]]:
        for known, template, told in operations(self.document):
            if known == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return template, told
        raise AssertionError(f"the document has no {method} {path}")


@pytest.fixture
def checked(document: dict[str, Any], api: Api) -> Checked:
    return Checked(document)


def happy(checked: Checked) -> None:
    """Every operation once, with success."""
    officer = Checked(checked.document, "officer1")
    officer.seen = checked.seen
    checked.put("/recipients/acme-haulage", {"name": "Acme"})
    checked.put("/recipients/acme-haulage", {"name": "Acme Haulage"})
    checked.get("/recipients/acme-haulage")
    token, shipment = checked.token(risk="0.15", recipient_id="acme-haulage", carrier_id="acme")
    checked.put(f"/freight_tokens/{token}", {"risk_category": "LOW"})
    checked.get(f"/freight_tokens/{token}")
    intent = checked.intent(token, "10000.50", "EUR", description="two\nlines", schedule={"type": "full_on_pod"})
    event = {"shipment_id": shipment, "event_type": "pod_confirmed", "occurred_at": "2025-11-07T15:30:00Z"}
    assert checked.post("/webhooks/shipment_event?dry_run=1", event).json()["would_create"]
    checked.post("/webhooks/shipment_event", event)
    assert checked.post("/webhooks/shipment_event?dry_run=true", event).json()["first_answer"]
    checked.post("/webhooks/shipment_event", {"event_type": "ping"})
    checked.get("/payment_intents?status=approved&risk_tier=low")
    checked.get(f"/payment_intents/{intent}")
    checked.get(f"/audit/payment_intents/{intent}/milestones")
    checked.get(f"/audit/shipments/{shipment}")
    for milestone in checked.milestones(intent).values():
        checked.get(f"/audit/milestones/{milestone['id']}")
    checked.get(f"/payment_intents/{intent}/history")
    checked.post(f"/payment_intents/{intent}/assess_risk")
    checked.post(f"/payment_intents/{intent}/complete")
    other = checked.intent(token, 12, "JPY")
    checked.post(f"/payment_intents/{other}/set_payment_method", {"method": "internal_ledger"})
    checked.post(f"/payment_intents/{other}/settle", {"reason": REASON})
    checked.post(f"/payment_intents/{checked.intent(token)}/cancel", {"reason": REASON})
    checked.get(f"/audit/shipments/{shipment}")
    for verb in ("approve", "reject"):
        waiting, risky = checked.token(risk="0.81")
        checked.intent(waiting, 50, schedule={"type": "full_on_pod"})
        checked.event(risky)
        item = officer.get("/compliance/queue")["items"][0]
        body = {"reason": REASON, "version": item["version"]}
        officer.post(f"/compliance/{verb}/{item['milestone_id']}", body)
    waiting, risky = checked.token(risk="0.81")
    checked.intent(waiting, 50, schedule={"type": "full_on_pod"})
    checked.event(risky)
    item = officer.get("/compliance/queue")["items"][0]
    for verb in ("hold", "release_hold"):
        officer.post(f"/compliance/{verb}/{item['milestone_id']}", {"reason": REASON})
    officer.post(f"/compliance/note/{item['milestone_id']}", {"text": REASON})
    for assignee in ("officer2", None):
        officer.post(f"/compliance/assign/{item['milestone_id']}", {"assignee": assignee, "reason": REASON})
    token, shipment = checked.token(risk="0.50")
    delayed = checked.intent(token)
    checked.event(shipment, "PICKUP_CONFIRMED")
    until = (timezone.now() + timedelta(days=3)).isoformat()
    (milestone,) = checked.milestones(delayed).values()
    officer.post(f"/compliance/extend/{milestone['id']}", {"reason": REASON, "until": until})
    stripe = orjson.dumps({"id": "evt_1", "object": "event", "type": "x", "created": 1, "data": {"object": {}}})
    checked.post("/webhooks/stripe", stripe, Stripe_Signature=signature(stripe, STRIPE_SECRET))
    for path in ("/whoami", "/healthz", "/readyz", "/openapi.json"):
        checked.get(path)
    for path in ("/docs", "/docs/errors", *(f"/exports/{name}.csv" for name in KNOWN)):
        list(getattr(checked.send("GET", path), "streaming_content", ()))  # taken to its end, as by a client


def test_every_operation_answers_with_success_as_described(checked: Checked) -> None:
    happy(checked)
    succeeded = {(method, path) for method, path, status in checked.seen if status < 300}
    assert succeeded == {(method, path) for method, path, _ in operations(checked.document)}


def of_stripe(api: Checked, body: bytes) -> Any:
    return api.post("/webhooks/stripe", body, Stripe_Signature=signature(body, STRIPE_SECRET))


EVENT = {"shipment_id": "S", "event_type": "POD_CONFIRMED", "occurred_at": "2025-11-07T15:30:00Z"}
REFUSED: dict[str, tuple[int, Callable[[Checked], Any]]] = {
    "a field of every kind that is wrong": (
        400,
        lambda api: api.post(
            "/payment_intents",
            {
                "freight_token_id": "1",
                "amount": "-1",
                "description": 5,
                "schedule": {"type": "custom", "items": [{"event_type": "X", "share": "2"}]},
            },
        ),
    ),
    "an unknown token": (404, lambda api: api.post("/payment_intents", {"freight_token_id": 9, "amount": 1})),
    "an unknown recipient": (400, lambda api: api.put("/freight_tokens/5", {"shipment_id": "S", "recipient_id": "X"})),
    "a token without a shipment": (400, lambda api: api.put("/freight_tokens/5", {})),
    "a destination": (400, lambda api: api.put("/recipients/R", {"name": "R", "destinations": {"stripe": {}, "x": 1}})),
    "a recipient without a name": (400, lambda api: api.put("/recipients/R", {"name": " "})),
    "a recipient's id with a space": (400, lambda api: api.put("/recipients/R%20R", {"name": "R"})),
    "a missing recipient": (404, lambda api: api.send("GET", "/recipients/nobody")),
    "an event that makes no sense": (
        400,
        lambda api: api.event("", "NOTHING", occurred_at="2999-01-01", event_id=True),
    ),
    "an event of the future": (400, lambda api: api.event("S", occurred_at="2999-01-01T00:00:00Z")),
    "a message id that is none": (400, lambda api: api.send("POST", "/webhooks/shipment_event", EVENT, webhook_id="")),
    "no JSON": (400, lambda api: api.post("/webhooks/shipment_event", b"{")),
    "an array": (400, lambda api: api.post("/webhooks/shipment_event", b"[]")),
    "a body that is too large": (413, lambda api: api.post("/webhooks/shipment_event", b" " * 70_000)),
    "a compressed body": (415, lambda api: api.send("POST", "/payment_intents", {}, Content_Encoding="gzip")),
    "a body in chunks": (411, lambda api: api.send("POST", "/payment_intents", {}, Transfer_Encoding="chunked")),
    "an unknown parameter": (400, lambda api: api.send("GET", "/payment_intents?colour=red")),
    "a parameter given twice": (400, lambda api: api.send("GET", "/payment_intents?skip=1&skip=2")),
    "a parameter that is wrong": (400, lambda api: api.send("GET", "/payment_intents?limit=0")),
    "a word that is none": (400, lambda api: api.send("GET", "/payment_intents?status=SETTLED")),
    "a key that is none": (401, lambda api: api.send("GET", "/payment_intents", Authorization="Bearer cpk_x")),
    "a signature that is none": (
        401,
        lambda api: api.send("POST", "/webhooks/shipment_event", EVENT, X_Event_Source="nobody"),
    ),
    "an event that Stripe has not signed": (401, lambda api: api.post("/webhooks/stripe", {"id": "evt_1"})),
    "a body of Stripe's that is no event": (400, lambda api: of_stripe(api, b"{}")),
    "a body of Stripe's that is no JSON": (400, lambda api: of_stripe(api, b"{")),
    "an unknown login": (401, lambda api: api.send("GET", "/whoami", X_Demo_User="nobody")),
    "a page of another origin": (403, lambda api: api.send("GET", "/whoami", Origin="https://elsewhere.example")),
    "a decision of the demo client": (403, lambda api: api.post("/compliance/approve/1", {})),
    "a forced approval of the demo client": (
        403,
        lambda api: api.post("/payment_intents/1/settle", {"force_approval": True}),
    ),
    "a hold of the demo client": (403, lambda api: api.post("/compliance/hold/1", {"reason": "x"})),
    "an extension without an end": (
        400,
        lambda api: api.send(
            "POST",
            "/compliance/extend/1",
            {"reason": "x", "until": "9999-12-31T00:00:00Z"},
            X_Demo_User="officer1",
        ),
    ),
    "an assignee who decides nothing": (
        400,
        lambda api: api.send(
            "POST", "/compliance/assign/1", {"assignee": "ops1", "reason": "x"}, X_Demo_User="officer1"
        ),
    ),
    "a role that is missing": (403, lambda api: api.send("POST", "/compliance/reject/1", {}, X_Demo_User="auditor1")),
    "a missing intent": (404, lambda api: api.send("GET", "/payment_intents/999999")),
    "an id that can not be one": (404, lambda api: api.send("GET", "/payment_intents/0")),
    "a missing shipment": (404, lambda api: api.send("GET", "/audit/shipments/NOBODY")),
    "a missing milestone": (
        404,
        lambda api: api.send(
            "POST", "/compliance/approve/999999", {"reason": "x", "version": "x"}, X_Demo_User="officer1"
        ),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_is_answered_as_described(what: str, checked: Checked) -> None:
    status, ask = REFUSED[what]
    assert ask(checked).status_code == status


def test_a_conflict_is_answered_as_described(checked: Checked) -> None:
    token, shipment = checked.token(risk="0.5")
    body = {"freight_token_id": token, "amount": 1}
    answers = [
        checked.put(f"/freight_tokens/{token}", {"shipment_id": "ANOTHER"}),
        *[checked.post("/payment_intents", {**body, "amount": amount}, Idempotency_Key="k") for amount in (1, 2)][1:],
        *[checked.event(shipment, event_id="e", note=note) for note in (1, 2)][1:],
    ]
    intent = checked.intent(token)
    answers += [checked.post(f"/payment_intents/{intent}/cancel", {"reason": REASON}) for _ in range(2)][1:]
    answers.append(checked.post(f"/payment_intents/{intent}/settle"))
    assert [answer.status_code for answer in answers] == [409] * 5
    wrong = checked.intent(token)
    assert checked.post(f"/payment_intents/{wrong}/complete").status_code == 400
    assert checked.post(f"/payment_intents/{wrong}/set_payment_method", {"method": "wire"}).status_code == 400


def test_a_page_that_has_not_changed_is_answered_as_described(checked: Checked) -> None:
    for path in ("/openapi.json", "/docs", "/docs/errors"):
        tag = checked.send("GET", path)["ETag"]
        assert checked.send("GET", path, If_None_Match=tag).status_code == 304


def test_a_service_that_is_not_ready_says_so_as_described(checked: Checked, settings: Any) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    assert checked.send("GET", "/readyz").json()["status"] == "degraded"
    assert checked.send("GET", "/readyz?strict=1").status_code == 503
