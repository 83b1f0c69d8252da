"""Everything SPEC sections 2 to 4 and 8 refuse: a clear 4xx in the one shape, and not a row written."""

import json
from typing import Any

import pytest
from django.apps import apps

from settlements.models import FreightToken
from tests.flows.conftest import Api

WATCHED = [
    *apps.get_app_config("settlements").get_models(),
    *apps.get_app_config("rails").get_models(),
]


def rows() -> dict[str, int]:
    return {model.__name__: model._default_manager.count() for model in WATCHED}


def assert_refused(answer: Any, status: int = 400) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    body: dict[str, Any] = answer.json()
    assert set(body) - {"errors"} == {"code", "detail", "field", "request_id"}
    assert "Traceback" not in answer.content.decode()
    return body


AMOUNTS = [
    "0",
    "0.00",
    "-1",
    "1e400",
    "1e999999999",
    "-1e999999999",
    "1e-999999999",
    "9" * 5_000,
    "0." + "1" * 5_000,
    "0.001",
    "100000000000.00",
    "99999999999.991",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    '""',
    '" 1"',
    '"1 "',
    '"+1"',
    '"-1"',
    '"1e3"',
    '"1_000"',
    '"1,000"',
    '"١٢"',
    '"NaN"',
    '"Infinity"',
    '"0x10"',
    '"1."',
    '".5"',
    "NaN",
    "Infinity",
    "-Infinity",
]


@pytest.mark.parametrize("amount", AMOUNTS, ids=lambda text: text[:20])
def test_an_amount_that_is_none_is_refused(api: Api, amount: str) -> None:
    token, _ = api.token()
    before = rows()
    assert_refused(api.post("/payment_intents", f'{{"freight_token_id": {token}, "amount": {amount}}}'))
    assert rows() == before


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("10000.5", "JPY"), ("1.2345", "KWD"), ("1", "usd"), ("1", "XXX"), ("1", ""), ("1", None), ("1", 840)],
)
def test_a_currency_or_its_digits_are_refused(api: Api, amount: str, currency: Any) -> None:
    token, _ = api.token()
    before = rows()
    body = {"freight_token_id": token, "amount": amount, "currency": currency}
    assert_refused(api.post("/payment_intents", body))
    assert rows() == before


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("99999999999.99", "USD", b"99999999999.99"),
        ("0.01", "USD", b"0.01"),
        ("10000.0", "JPY", b"10000,"),
        ("0.001", "KWD", b"0.001"),
        ("1.1000000", "USD", b"1.10"),
        ("1e4", "USD", b"10000.00"),
    ],
)
def test_amounts_at_the_edge_are_taken(api: Api, amount: str, currency: str, shown: bytes) -> None:
    token, _ = api.token()
    body = f'{{"freight_token_id": {token}, "amount": {amount}, "currency": "{currency}"}}'
    answer = api.post("/payment_intents", body)
    assert answer.status_code == 201
    assert b'"amount":' + shown in answer.content


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_the_largest_amount_is_split_exactly(api: Api, currency: str) -> None:
    token, _ = api.token()
    amount = {"USD": "99999999999.99", "JPY": "99999999999", "KWD": "99999999999.990"}[currency]
    assert api.intent(token, amount, currency)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"amount": 1},
        {"freight_token_id": 0, "amount": 1},
        {"freight_token_id": -1, "amount": 1},
        {"freight_token_id": 2**63, "amount": 1},
        {"freight_token_id": "1", "amount": 1},
        {"freight_token_id": True, "amount": 1},
        {"freight_token_id": 1, "amount": 1, "surprise": 1},
        {"freight_token_id": 1, "amount": 1, "description": "\u0000"},
        {"freight_token_id": 1, "amount": 1, "schedule": []},
        {"freight_token_id": 1, "amount": 1, "schedule": {"type": "weekly"}},
        {"freight_token_id": 1, "amount": 1, "recipient_id": "nobody-knows"},
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_an_intent_without_its_parts_is_refused(api: Api, body: Any) -> None:
    api.put("/freight_tokens/1", {"shipment_id": "S", "risk_score": 0.1})
    before = rows()
    assert_refused(api.post("/payment_intents", body))
    assert rows() == before


POD, CLAIM = "POD_CONFIRMED", "CLAIM_WINDOW_CLOSED"


@pytest.mark.parametrize(
    "items",
    [
        None,
        [],
        [{"event_type": POD, "share": "0.99"}],
        [{"event_type": POD, "share": "0.5"}, {"event_type": POD, "share": "0.5"}],
        [{"event_type": POD, "share": "1.5"}, {"event_type": CLAIM, "share": "-0.5"}],
        [{"event_type": POD, "share": "0.3333333333333"}, {"event_type": CLAIM, "share": "0.6666666666667"}],
        [{"event_type": "IN_TRANSIT", "share": "1"}],
        [{"event_type": POD, "share": None}],
        [{"event_type": POD}],
        [{"event_type": POD, "share": "1", "extra": 1}],
        [{"event_type": POD, "share": True}],
        [POD],
    ],
)
def test_a_custom_schedule_that_does_not_add_up_is_refused(api: Api, items: Any) -> None:
    token, _ = api.token()
    before = rows()
    schedule = {"type": "custom"} | ({} if items is None else {"items": items})
    assert_refused(api.post("/payment_intents", {"freight_token_id": token, "amount": 1, "schedule": schedule}))
    assert rows() == before


def test_an_unknown_token_is_told_as_such(api: Api) -> None:
    body = assert_refused(api.post("/payment_intents", {"freight_token_id": 4242, "amount": 1}), 404)
    assert body["detail"] == "Freight token 4242 not found or unreachable"


@pytest.mark.parametrize("status", ["cancelled", "expired", "something_new"])
def test_a_token_out_of_use_gets_no_intent(api: Api, status: str) -> None:
    token, _ = api.token(status=status)
    before = rows()
    assert_refused(api.post("/payment_intents", {"freight_token_id": token, "amount": 1}))
    assert rows() == before


@pytest.mark.parametrize("status", ["active", "locked", "ACTIVE"])
def test_a_live_token_gets_one(api: Api, status: str) -> None:
    token, _ = api.token(status=status)
    assert api.intent(token)


@pytest.mark.parametrize(
    "change",
    [
        {"shipment_id": None},
        {"shipment_id": ""},
        {"shipment_id": "x" * 201},
        {"shipment_id": "   "},
        {"shipment_id": "a\u0000b"},
        {"shipment_id": 1.5},
        {"shipment_id": -3},
        {"shipment_id": ["S"]},
        {"event_type": "POD"},
        {"event_type": ""},
        {"event_type": None},
        {"event_type": 7},
        {"occurred_at": None},
        {"occurred_at": "yesterday"},
        {"occurred_at": "2025-11-07"},
        {"occurred_at": 1_762_529_400},
        {"occurred_at": "2025-13-07T15:30:00Z"},
        {"occurred_at": "2999-01-01T00:00:00Z"},
        {"occurred_at": "0001-01-01T00:00:00+14:00"},
        {"event_id": True},
        {"event_id": ""},
        {"event_id": {"a": 1}},
    ],
    ids=lambda change: json.dumps(change)[:50],
)
def test_an_event_that_makes_no_sense_is_refused(api: Api, change: Any) -> None:
    _, shipment = api.token()
    before = rows()
    body = {"shipment_id": shipment, "event_type": POD, "occurred_at": "2025-11-07T15:30:00Z"} | change
    assert_refused(api.post("/webhooks/shipment_event", body))
    assert rows() == before


def test_a_wrong_event_type_is_told_the_accepted_ones(api: Api) -> None:
    _, shipment = api.token()
    body = assert_refused(api.event(shipment, "DELIVERED"))
    for word in ("PICKUP_CONFIRMED", "POD_CONFIRMED", "CLAIM_WINDOW_CLOSED", "IN_TRANSIT", "CREATED"):
        assert word in body["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"risk_score": "1.01"},
        {"risk_score": -0.1},
        {"risk_score": "NaN"},
        {"risk_score": True},
        {"risk_score": "0.3e0"},
        {"risk_score": "0.123456789012345678901"},
        {"shipment_id": None},
        {"status": "two words"},
        {"status": None},
        {"recipient_id": "nobody-knows"},
        {"face_value": 12},
    ],
)
def test_a_token_that_makes_no_sense_is_refused(api: Api, change: Any) -> None:
    before = rows()
    assert_refused(api.put("/freight_tokens/9", {"shipment_id": "S"} | change))
    assert rows() == before
    assert not FreightToken.objects.filter(pk=9).exists()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/payment_intents/999", 404),
        ("GET", "/payment_intents/999/history", 404),
        ("POST", "/payment_intents/999/settle", 404),
        ("POST", "/payment_intents/999/complete", 404),
        ("POST", "/payment_intents/999/assess_risk", 404),
        ("POST", "/payment_intents/999/set_payment_method?method=internal_ledger", 404),
        ("GET", "/audit/payment_intents/999/milestones", 404),
        ("GET", "/audit/shipments/NOBODY", 404),
        ("GET", "/freight_tokens/999", 404),
        ("GET", "/recipients/NOBODY", 404),
        ("GET", "/payment_intents/", 404),
        ("GET", "/payment_intents/0", 404),
        ("GET", "/payment_intents/99999999999999999999", 404),
        ("GET", "/payment_intents/abc", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/payment_intents/1", 405),
        ("PUT", "/payment_intents", 405),
        ("GET", "/webhooks/shipment_event", 405),
    ],
)
def test_addresses_that_lead_nowhere_are_told_in_the_one_shape(api: Api, method: str, path: str, status: int) -> None:
    assert_refused(api.send(method, path), status)


def test_a_recipient_has_a_name(api: Api) -> None:
    before = rows()
    for body in ({}, {"name": ""}, {"name": 5}, {"name": "A", "destinations": {"stripe": {"account": "acct_1"}}}):
        assert_refused(api.put("/recipients/R-1", body))
    assert rows() == before
    answer = api.put("/recipients/R-1", {"name": "Acme Factoring"})
    assert (answer.status_code, answer.json()["destinations"]) == (201, {})
    assert api.put("/recipients/R-1", {"name": "Acme Factoring", "destinations": {}}).status_code == 200
