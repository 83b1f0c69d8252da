"""Destinations over the API: pushed, shown masked, repeated without harm, refused field by field."""

import logging
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from rails import destinations
from rails.models import Destination, RecipientEdit
from tests.flows.conftest import Api
from tests.rails.test_routing import ACH, FEDWIRE, WIRE

STRIPE = {"account": "acct_1032D82eZvKYlo2C"}
SHOWN_ACH = {**ACH, "account_number": "••4567"}


def push(api: Api, given: Any, recipient: str = "R-1") -> Any:
    return api.put(f"/recipients/{recipient}", {"name": "Acme Factoring", "destinations": given})


def pushed(api: Api, given: Any) -> dict[str, Any]:
    answer = push(api, given)
    assert answer.status_code in {200, 201}, answer.content
    found: dict[str, Any] = answer.json()["destinations"]
    return found


def without_times(shown: dict[str, Any] | None) -> dict[str, Any] | None:
    return shown and {name: value for name, value in shown.items() if name not in {"usable_from", "proposed_at"}}


def test_the_first_destinations_are_answered_masked_and_usable(api: Api) -> None:
    found = pushed(api, {"stripe": STRIPE, "ach": ACH, "wire": WIRE})
    assert {rail: each["state"] for rail, each in found.items()} == dict.fromkeys(("ach", "stripe", "wire"), "usable")
    assert without_times(found["ach"]["in_force"]) == SHOWN_ACH
    assert without_times(found["wire"]["in_force"]) == {**WIRE, "iban": "••3000"}
    assert without_times(found["stripe"]["in_force"]) == STRIPE
    assert (found["ach"]["obstacle"], found["ach"]["proposed"]) == (None, None)
    assert api.get("/recipients/R-1")["destinations"] == found


def test_a_us_wire_is_answered_by_its_account_number(api: Api) -> None:
    found = pushed(api, {"wire": FEDWIRE})
    assert without_times(found["wire"]["in_force"]) == {**FEDWIRE, "account_number": "••0789"}


def test_a_repetition_writes_nothing(api: Api) -> None:
    first = pushed(api, {"ach": ACH, "wire": WIRE})
    before = (Destination.objects.count(), RecipientEdit.objects.count(), api.get("/recipients/R-1"))
    assert pushed(api, {"ach": ACH, "wire": {**WIRE, "iban": "DE89 3704 0044 0532 0130 00"}}) == first
    assert pushed(api, {}) == first
    assert pushed(api, None) == first
    assert (Destination.objects.count(), RecipientEdit.objects.count(), api.get("/recipients/R-1")) == before


def test_a_change_is_shown_beside_what_it_is_to_replace(api: Api) -> None:
    pushed(api, {"ach": ACH})
    found = pushed(api, {"ach": {**ACH, "account_number": "99887766554433"}})["ach"]
    assert (found["state"], found["obstacle"]) == (
        "awaiting_confirmation",
        "destination for ach awaits confirmation by another person",
    )
    assert found["in_force"]["account_number"] == "••4567"
    assert found["proposed"]["account_number"] == "••4433"
    assert found["proposed"]["usable_from"] > found["proposed"]["proposed_at"]


def test_confirmed_it_is_in_quarantine(api: Api) -> None:
    pushed(api, {"ach": ACH})
    pushed(api, {"ach": {**ACH, "account_number": "99887766554433"}})
    change = Destination.objects.get(state="PROPOSED")
    destinations.confirm(change.pk, user=User.objects.create_user("ben"), actor="user:ben", now=timezone.now())
    found = api.get("/recipients/R-1")["destinations"]["ach"]
    assert (found["state"], found["proposed"]) == ("quarantined", None)
    assert found["obstacle"].startswith("destination for ach is quarantined until 20")


def test_null_closes_one_and_what_is_absent_stays(api: Api) -> None:
    pushed(api, {"ach": ACH, "stripe": STRIPE})
    assert set(pushed(api, {"ach": None})) == {"stripe"}
    assert Destination.objects.get(rail="ach").ended_reason == "closed by the upstream"
    edits = RecipientEdit.objects.count()
    assert set(pushed(api, {"ach": None})) == {"stripe"}
    assert RecipientEdit.objects.count() == edits


@pytest.mark.usefixtures("staff")
def test_who_pushed_it_is_who_proposed_it(api: Api) -> None:
    pushed(Api("ops1"), {"ach": ACH})
    assert Destination.objects.get().proposed_by == User.objects.get(username="ops1")


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        ([], {"destinations": "destinations_not_an_object"}),
        ({"ach": "x"}, {"destinations.ach": "ach_not_an_object"}),
        ({"internal_ledger": {}}, {"destinations.internal_ledger": "destination_not_needed"}),
        ({"paypal": {}}, {"destinations.paypal": "payment_method_unknown"}),
        ({"stripe": {}}, {"destinations.stripe.account": "account_missing"}),
        (
            {"ach": {**ACH, "routing_number": "021000022", "sort_code": "1"}, "stripe": {"account": "acct"}},
            {
                "destinations.ach.sort_code": "unknown_field",
                "destinations.ach.routing_number": "routing_number_invalid",
                "destinations.stripe.account": "account_invalid",
            },
        ),
        ({"wire": {**WIRE, "bic": None}}, {"destinations.wire.iban": "account_ambiguous"}),
        ({"wire": {**WIRE, "iban": ["DE"]}}, {"destinations.wire.iban": "iban_invalid"}),
    ],
)
def test_each_fault_names_its_field_and_nothing_is_written(api: Api, given: Any, faults: dict[str, str]) -> None:
    answer = push(api, given)
    assert answer.status_code == 400
    body = answer.json()
    assert {each["field"]: each["code"] for each in body.get("errors", [body])} == faults
    assert not RecipientEdit.objects.exists()


def test_no_answer_and_no_log_has_a_number_in_it(
    api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = ("12345678901234567", "DE89370400440532013000")
    with caplog.at_level(logging.DEBUG):
        answers = [
            push(api, {"ach": ACH, "wire": WIRE}),
            push(api, {"ach": {**ACH, "routing_number": "1"}, "wire": {**WIRE, "bic": "x"}}),
            push(api, {"ach": {**ACH, "account_number": ACH["account_number"] + "8"}}),
            push(api, {"ach": {"12345678901234567": "x"}}),
        ]
    assert [answer.status_code for answer in answers] == [201, 400, 400, 400]
    told = b"".join(answer.content for answer in answers[:3]).decode() + caplog.text
    assert not [secret for secret in secrets if secret in told]


def test_numbers_may_come_as_json_writes_them(api: Api) -> None:
    body = orjson.dumps({"name": "Acme", "destinations": {"ach": {**ACH, "account_number": 1234567890}}})
    assert api.put("/recipients/R-1", body).json()["field"] == "destinations.ach.account_number"
