"""Who may call what: every row and column of the table in docs/api.md, tried out."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from chainpay.operation import urls as operation_urls
from compliance import urls as compliance_urls
from settlements import api_keys, holds, signatures, sources
from settlements.api import urls as settlements_urls
from settlements.exports.datasets import KNOWN
from settlements.models import MilestoneSettlement, PaymentIntent
from settlements.permissions import GRANTABLE, OF_A_CARRIER, PERSONAL
from tests.factories import (
    HIGH,
    MEDIUM,
    PICKUP,
    POD,
    a_recipient,
    a_token,
    an_intent,
    post_event,
    settlement_of,
    version_of,
)
from tests.flows.conftest import LOGINS, PAST, REASON

pytestmark = pytest.mark.django_db

_numbers = count(1)
_DOCUMENT = Path(__file__).resolve().parents[2] / "docs/api.md"
_ROW = re.compile(r"^\| `([A-Z]+ /[^`]*)` \|(.*)\|$", re.MULTILINE)
_CARRIER, _OTHER = "CARRIER-1", "CARRIER-2"

Headers = Mapping[str, str]
Sign = Callable[[str, bytes], Headers]


@dataclass(frozen=True, slots=True)
class Things:
    """What one request may be about; `carrier` hauls it."""

    intent: PaymentIntent
    settlement: MilestoneSettlement
    carrier: str

    @property
    def shipment(self) -> str:
        return self.intent.shipment.shipment_id


def things(carrier: str) -> Things:
    """A HIGH intent of a token that the carrier hauls, with a POD that waits for an officer."""
    recipient = a_recipient()
    token = a_token(risk_score=HIGH, carrier_id=carrier, recipient=recipient)
    intent = an_intent(token=token, recipient=recipient)
    return Things(intent, settlement_of(intent, POD), carrier)


def _intent(path: str, body: Any = None) -> Callable[[Things], tuple[str, Any]]:
    return lambda found: (f"/payment_intents/{found.intent.pk}{path}", body)


def _decision(verb: str) -> Callable[[Things], tuple[str, Any]]:
    return lambda found: (
        f"/compliance/{verb}/{found.settlement.pk}",
        {"reason": REASON, "version": version_of(found.settlement.pk)},
    )


def _completable(found: Things) -> tuple[str, Any]:
    token = a_token(carrier_id=found.carrier)
    intent = an_intent(token=token)
    for event_type in ("PICKUP_CONFIRMED", "POD_CONFIRMED", "CLAIM_WINDOW_CLOSED"):
        post_event(intent.shipment.shipment_id, event_type)
    return f"/payment_intents/{intent.pk}/complete", {}


def _held(found: Things) -> tuple[str, Any]:
    holds.place(found.settlement.pk, reason=REASON, actor="test", now=timezone.now())
    return f"/compliance/release_hold/{found.settlement.pk}", {"reason": REASON}


def _export(name: str) -> Callable[[Things], tuple[str, Any]]:
    return lambda found: (f"/exports/{name}.csv", None)


def _delayed(found: Things) -> tuple[str, Any]:
    delayed = settlement_of(an_intent(token=a_token(risk_score=MEDIUM, carrier_id=found.carrier)), PICKUP)
    until = (timezone.now() + timedelta(days=3)).isoformat()
    return f"/compliance/extend/{delayed.pk}", {"reason": REASON, "until": until}


REQUESTS: dict[str, Callable[[Things], tuple[str, Any]]] = {
    "POST /payment_intents": lambda found: (
        "/payment_intents",
        {"freight_token_id": found.intent.freight_token_id, "amount": 100},
    ),
    "GET /payment_intents": lambda found: ("/payment_intents", None),
    "GET /payment_intents/{id}": _intent(""),
    "POST /payment_intents/{id}/assess_risk": _intent("/assess_risk", {}),
    "POST /payment_intents/{id}/settle": _intent("/settle", {}),
    "POST /payment_intents/{id}/complete": _completable,
    "POST /payment_intents/{id}/set_payment_method": _intent("/set_payment_method", {"method": "internal_ledger"}),
    "POST /payment_intents/{id}/cancel": _intent("/cancel", {"reason": REASON}),
    "GET /payment_intents/{id}/history": _intent("/history"),
    "PUT /freight_tokens/{id}": lambda found: (f"/freight_tokens/{found.intent.freight_token_id}", {}),
    "GET /freight_tokens/{id}": lambda found: (f"/freight_tokens/{found.intent.freight_token_id}", None),
    "PUT /recipients/{recipient_id}": lambda found: ("/recipients/new-one", {"name": "New One"}),
    "GET /recipients/{recipient_id}": lambda found: (
        f"/recipients/{found.intent.recipient and found.intent.recipient.recipient_id}",
        None,
    ),
    "POST /webhooks/shipment_event": lambda found: (
        "/webhooks/shipment_event",
        {"shipment_id": found.shipment, "event_type": "PICKUP_CONFIRMED", "occurred_at": PAST},
    ),
    "GET /audit/shipments/{shipment_id}": lambda found: (f"/audit/shipments/{found.shipment}", None),
    "GET /audit/payment_intents/{id}/milestones": lambda found: (
        f"/audit/payment_intents/{found.intent.pk}/milestones",
        None,
    ),
    "GET /audit/milestones/{milestone_id}": lambda found: (f"/audit/milestones/{found.settlement.pk}", None),
    **{f"GET /exports/{name}.csv": _export(name) for name in KNOWN},
    "GET /compliance/queue": lambda found: ("/compliance/queue", None),
    "POST /compliance/approve/{milestone_id}": _decision("approve"),
    "POST /compliance/reject/{milestone_id}": _decision("reject"),
    "POST /compliance/hold/{milestone_id}": lambda found: (
        f"/compliance/hold/{found.settlement.pk}",
        {"reason": REASON},
    ),
    "POST /compliance/release_hold/{milestone_id}": _held,
    "POST /compliance/extend/{milestone_id}": _delayed,
    "POST /compliance/assign/{milestone_id}": lambda found: (
        f"/compliance/assign/{found.settlement.pk}",
        {"assignee": "officer2", "reason": REASON},
    ),
    "POST /compliance/note/{milestone_id}": lambda found: (f"/compliance/note/{found.settlement.pk}", {"text": REASON}),
    "GET /whoami": lambda found: ("/whoami", None),
    "GET /healthz": lambda found: ("/healthz", None),
    "GET /readyz": lambda found: ("/readyz", None),
}


def nobody(path: str, body: bytes) -> Headers:
    return {}


def staff_key(login: str) -> Sign:
    def sign(path: str, body: bytes) -> Headers:
        return bearer(user=User.objects.get(username=login), scopes=GRANTABLE)

    return sign


def service_key(path: str, body: bytes) -> Headers:
    return bearer(service="tms", scopes=GRANTABLE - PERSONAL)


def carrier_key(path: str, body: bytes) -> Headers:
    return bearer(service="acme", scopes=OF_A_CARRIER, carrier_id=_CARRIER)


def bearer(**fields: Any) -> Headers:
    _, shown = api_keys.create(f"key-{next(_numbers)}", actor="test", now=timezone.now(), **fields)
    return {"Authorization": f"Bearer {shown}"}


def carrier_source(path: str, body: bytes) -> Headers:
    now = timezone.now()
    name = f"source-{next(_numbers)}"
    _, secret = sources.create(name, carrier_id=_CARRIER, actor="test", now=now)
    message_id = f"msg_{next(_numbers)}"
    return {
        "X-Event-Source": name,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signatures.sign(signatures.key_of(secret), message_id=message_id, at=now, body=body),
    }


# The columns of the table, each with how it signs and whose freight it asks about.
COLUMNS: dict[str, tuple[Sign, str]] = {
    "nobody": (nobody, _CARRIER),
    "Compliance Officer": (staff_key("officer1"), _OTHER),
    "Compliance Manager": (staff_key("manager1"), _OTHER),
    "Finance": (staff_key("finance1"), _OTHER),
    "Operations": (staff_key("ops1"), _OTHER),
    "Auditor": (staff_key("auditor1"), _OTHER),
    "service": (service_key, _OTHER),
    "carrier's key, own": (carrier_key, _CARRIER),
    "carrier's key, foreign": (carrier_key, _OTHER),
    "carrier's source, own": (carrier_source, _CARRIER),
    "carrier's source, foreign": (carrier_source, _OTHER),
}


def table() -> dict[str, dict[str, str]]:
    """The table as the document prints it: cells by row and column."""
    section = _DOCUMENT.read_text().partition("## Who may call what")[2].partition("\n## ")[0]
    heads = [head.strip() for head in re.findall(r"^\| request \|(.*)\|$", section, re.MULTILINE)[0].split("|")]
    assert heads == list(COLUMNS)
    rows = _ROW.findall(section)
    return {row: dict(zip(heads, (cell.strip() for cell in cells.split("|")), strict=True)) for row, cells in rows}


@pytest.fixture(autouse=True)
def _not_the_demo(settings: Any, staff: None) -> None:
    settings.CHAINPAY_DEMO = False
    sources.forget()


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", REQUESTS)
def test_every_cell_of_the_table_is_what_happens(row: str, column: str) -> None:
    sign, carrier = COLUMNS[column]
    path, body = REQUESTS[row](things(carrier))
    method = row.split()[0]
    sent = b"" if body is None else orjson.dumps(body)
    answer = Client(SERVER_NAME="localhost", raise_request_exception=False).generic(
        method, path, sent, content_type="application/json", headers=dict(sign(path, sent))
    )
    status = answer.status_code
    list(getattr(answer, "streaming_content", ()))  # taken to its end, as by a client
    assert table()[row][column] == ("yes" if 200 <= status < 300 else str(status)), getattr(answer, "content", b"")


def test_the_table_has_a_row_for_every_endpoint() -> None:
    routes = set()
    for endpoint in [*settlements_urls.urlpatterns, *compliance_urls.urlpatterns, *operation_urls.urlpatterns]:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(endpoint.pattern))
        path = path.replace("{intent_id}", "{id}").replace("{token_id}", "{id}")
        view = endpoint.callback.view_class  # type: ignore[attr-defined]
        routes |= {f"{method} /{path}" for method in view.scopes if path not in {*PUBLIC_PAGES, *OF_PROVIDERS}}
    assert set(REQUESTS) == routes == set(table())


PUBLIC_PAGES = {"openapi.json", "docs", "docs/errors"}
# Signed by the provider itself, whoever calls: no role has a say there (tests/openapi/test_answers.py).
OF_PROVIDERS = {"webhooks/stripe"}


def test_a_carriers_key_lists_its_own_intents_only() -> None:
    own, foreign = things(_CARRIER), things(_OTHER)
    client = Client(SERVER_NAME="localhost")
    listed = client.get("/payment_intents", headers=dict(carrier_key("", b""))).json()
    assert [each["id"] for each in listed["payment_intents"]] == [own.intent.pk]
    assert listed["total"] == 1
    everything = client.get("/payment_intents", headers=dict(service_key("", b""))).json()
    assert {each["id"] for each in everything["payment_intents"]} == {own.intent.pk, foreign.intent.pk}


FOREIGN = (
    "/payment_intents/{}",
    "/payment_intents/{}/history",
    "/freight_tokens/{}",
    "/audit/payment_intents/{}/milestones",
    "/audit/shipments/{}",
    "/audit/milestones/{}",
)


@pytest.mark.parametrize("path", FOREIGN)
def test_what_is_foreign_looks_like_what_is_missing(path: str) -> None:
    foreign = things(_OTHER)
    there: Any = foreign.intent.pk
    if "shipments" in path:
        there = foreign.shipment
    elif "audit/milestones" in path:
        there = foreign.settlement.pk
    elif "tokens" in path:
        there = foreign.intent.freight_token_id
    client, key = Client(SERVER_NAME="localhost"), dict(carrier_key("", b""))
    missing = "999999"
    answers = [client.get(path.format(each), headers=key) for each in (there, missing)]
    texts = [
        {**answer.json(), "detail": answer.json()["detail"].replace(str(each), "X"), "request_id": ""}
        for answer, each in zip(answers, (there, missing), strict=True)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert texts[0] == texts[1]


def test_a_shipment_of_two_carriers_shows_each_its_own_part() -> None:
    own = things(_CARRIER)
    other_token = a_token(shipment_id=own.shipment, carrier_id=_OTHER)
    other = an_intent(token=other_token)
    post_event(own.shipment, "PICKUP_CONFIRMED")
    found = (
        Client(SERVER_NAME="localhost")
        .get(f"/audit/shipments/{own.shipment}", headers=dict(carrier_key("", b"")))
        .json()
    )
    assert {each["payment_intent_id"] for each in found["milestones"]} == {own.intent.pk} != {other.pk}
    assert found["summary"]["total_milestones"] == len(found["milestones"])


def test_a_key_is_no_use_after_its_owner_has_lost_the_role() -> None:
    key = dict(staff_key("officer1")("", b""))
    client = Client(SERVER_NAME="localhost")
    assert client.get("/compliance/queue", headers=key).status_code == 200
    User.objects.get(username="officer1").groups.clear()
    assert client.get("/compliance/queue", headers=key).status_code == 403


def test_every_role_has_its_column() -> None:
    assert {role.value for role in LOGINS.values()} == set(Group.objects.values_list("name", flat=True))
    assert {role.value for role in LOGINS.values()} < set(COLUMNS)
