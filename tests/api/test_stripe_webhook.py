"""POST /webhooks/stripe: signed by a live secret and of now, stored once, answered plainly; else nothing is written."""

import itertools
import json
import time
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from rails.models import StripeEvent, StripeEventState
from rails.stripe.configuration import StripeSettings
from tests.stripe_fake import signature

pytestmark = pytest.mark.django_db
OLD, NEW = "whsec_old_secret", "whsec_new_secret"
_numbers = itertools.count(1)


@pytest.fixture(autouse=True, params=[True, False], ids=["demo", "production"])
def configured(settings: Settings, request: pytest.FixtureRequest) -> None:
    settings.CHAINPAY_STRIPE = StripeSettings(api_key="sk_test_chainpay", webhook_secrets=(OLD, NEW))
    settings.CHAINPAY_DEMO = request.param


def event(kind: str = "payout.paid", **changes: Any) -> dict[str, Any]:
    about = {"id": "po_1", "object": "payout", "amount": 5, "status": "paid", "statement_descriptor": "not kept"}
    return {
        "id": f"evt_{next(_numbers):06d}",
        "object": "event",
        "type": kind,
        "account": "acct_1032D82eZvKYlo2C",
        "created": 1_762_529_400,
        "livemode": False,
        "pending_webhooks": 1,
        "data": {"object": about},
        **changes,
    }


def post(body: Any, *, secret: str = NEW, at: float | None = None, header: str | None = None) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = signature(raw, secret, at=at) if header is None else header
    headers = {"Stripe-Signature": signed} if signed else {}
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    return client.post("/webhooks/stripe", raw, content_type="application/json; charset=utf-8", headers=headers)


def is_refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert set(answer.json()) == {"code", "detail", "field", "request_id"}
    assert not StripeEvent.objects.exists()


def test_an_event_is_stored_with_what_is_read_of_it_and_no_more() -> None:
    sent = event()
    answer = post(sent)
    assert (answer.status_code, answer.json()["event_id"]) == (200, sent["id"])
    stored = StripeEvent.objects.get()
    assert (stored.type, stored.account, stored.about_id) == ("payout.paid", "acct_1032D82eZvKYlo2C", "po_1")
    assert stored.about == {"id": "po_1", "object": "payout", "amount": 5, "status": "paid"}
    assert (stored.state, stored.came_by) == (StripeEventState.WAITING, "webhook")


def test_of_a_person_nothing_is_kept() -> None:
    about = {
        "id": "acct_1032D82eZvKYlo2C",
        "object": "account",
        "payouts_enabled": True,
        "individual": {"first_name": "Jenny", "dob": {"year": 1990}},
        "external_accounts": {"data": [{"last4": "6789", "routing_number": "110000000"}]},
    }
    post(event("account.updated", data={"object": about}))
    assert StripeEvent.objects.get().about == {
        "id": "acct_1032D82eZvKYlo2C",
        "object": "account",
        "payouts_enabled": True,
    }


def test_a_repeat_is_answered_200_and_changes_nothing_whatever_it_says() -> None:
    sent = event()
    assert post(sent).status_code == 200
    again = post({**sent, "pending_webhooks": 0, "type": "payout.failed"})
    assert (again.status_code, again.json()["message"]) == (200, "Known already; nothing changed.")
    assert StripeEvent.objects.get().type == "payout.paid"


@pytest.mark.parametrize("kind", ["invoice.paid", "treasury.outbound_payment.posted", "something_new"])
def test_a_type_that_nothing_follows_from_is_stored_and_answered_200(kind: str) -> None:
    about = {"id": "in_1", "object": "invoice", "customer_email": "jenny@example.com"}
    assert post(event(kind, data={"object": about})).status_code == 200
    stored = StripeEvent.objects.get()
    assert (stored.state, stored.about) == (StripeEventState.IGNORED, {"id": "in_1", "object": "invoice"})


def test_an_event_of_the_other_mode_is_ignored() -> None:
    assert post(event(livemode=True)).status_code == 200
    assert StripeEvent.objects.get().state == StripeEventState.IGNORED


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_each_live_secret_counts(secret: str) -> None:
    assert post(event(), secret=secret).status_code == 200


def test_another_secret_does_not() -> None:
    is_refused(post(event(), secret="whsec_somebody_else"), 401, "invalid_signature")


def test_without_a_secret_of_our_own_nobody_is_let_in(settings: Settings) -> None:
    settings.CHAINPAY_STRIPE = StripeSettings(api_key="sk_test_chainpay")
    is_refused(post(event(), secret=""), 401, "invalid_signature")
    is_refused(post(event()), 401, "invalid_signature")


@pytest.mark.parametrize("seconds", [-290, 290])
def test_a_clock_may_be_five_minutes_off(seconds: int) -> None:
    assert post(event(), at=time.time() + seconds).status_code == 200


@pytest.mark.parametrize("seconds", [-302, 302, 86_400, -(10**9)])
def test_a_signature_of_another_time_does_not_count(seconds: int) -> None:
    is_refused(post(event(), at=time.time() + seconds), 401, "invalid_signature")


def test_another_body_under_a_signature_does_not_count() -> None:
    signed = signature(b"{}", NEW)
    is_refused(post(event(), header=signed), 401, "invalid_signature")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=",
        "v1=abc",
        "t=1,v1=",
        "t=now,v1=abc",
        "t=1\u00b2,v1=abc",
        "t=99999999999999999999,v1=abc",
        f"t={int(time.time())},v1=\u00e9\u00e9",
        f"t={int(time.time())},v0=" + "a" * 64,
        f"t={int(time.time())},t={int(time.time())},v1=" + "a" * 64,
        f"t={int(time.time())}" + ",v1=aa" * 1000,
        "null",
    ],
)
def test_a_header_that_is_none_is_401_and_no_fault_of_ours(header: str) -> None:
    is_refused(post(event(), header=header), 401, "invalid_signature")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "malformed_json"),
        (b"\xff\xfe", "invalid_signature"),
        (b"[]", "not_an_object"),
        (b'{"a": 1, "a": 2}', "malformed_json"),
        (b'{"a": "\\u0000"}', "malformed_json"),
        (b'{"a": "\\ud800"}', "malformed_json"),
        (b"[" * 1000 + b"]" * 1000, "malformed_json"),
        (b"{}", "stripe_event_invalid"),
    ],
)
def test_what_is_signed_and_makes_no_sense_is_400(body: bytes, code: str) -> None:
    header = f"t={int(time.time())},v1=" + "a" * 64 if code == "invalid_signature" else None
    is_refused(post(body, header=header), 401 if code == "invalid_signature" else 400, code)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": "evt 1"},
        {"id": "evt_" + "1" * 300},
        {"object": "v2.core.event"},
        {"type": "PAYOUT"},
        {"type": 5},
    ],
)
def test_what_is_no_event_is_400(changes: dict[str, Any]) -> None:
    is_refused(post(event(**changes)), 400, "stripe_event_invalid")


def test_a_body_that_is_too_large_is_413_before_it_is_read() -> None:
    is_refused(post(event(data={"object": {"id": "x" * 70_000}})), 413, "body_too_large")


def test_a_key_is_no_credential_here() -> None:
    client = Client(SERVER_NAME="localhost")
    answer = client.post(
        "/webhooks/stripe",
        json.dumps(event()),
        content_type="application/json",
        headers={"Authorization": "Bearer cpk_x"},
    )
    is_refused(answer, 401, "invalid_signature")


def test_who_asks_otherwise_is_told_of_post() -> None:
    answer = Client(SERVER_NAME="localhost").get("/webhooks/stripe")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
