"""The demo: there in demo mode only, the same after a second load, and with something to see of everything."""

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from compliance import demo, queries
from rails import ledger
from rails.money import Money
from settlements import intents, tokens
from settlements.intents import IntentRequest
from settlements.models import FreightToken, PaymentIntent, ShipmentEvent
from settlements.statuses import EventState, IntentStatus

LOGINS = {
    "officer1": "Compliance Officer",
    "officer2": "Compliance Officer",
    "manager1": "Compliance Manager",
    "finance1": "Finance",
    "ops1": "Operations",
    "auditor1": "Auditor",
}


@pytest.fixture
def load(settings, db):
    settings.CHAINPAY_DEMO = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

    def call() -> None:
        call_command("load_demo", verbosity=0)

    return call


def all_rows() -> dict[str, list[tuple[object, ...]]]:
    models = [model for label in ("rails", "settlements", "auth") for model in apps.get_app_config(label).get_models()]
    return {model._meta.label: list(model._default_manager.order_by("pk").values_list()) for model in models}


def test_outside_the_demo_nothing_is_loaded(settings, db):
    settings.CHAINPAY_DEMO = False
    with pytest.raises(CommandError, match="demo mode only"):
        call_command("load_demo")
    assert not User.objects.exists()
    assert not FreightToken.objects.exists()


def test_a_second_load_changes_nothing(load):
    load()
    before = all_rows()
    load()
    assert all_rows() == before
    demo.load()
    assert all_rows() == before


def test_a_load_that_was_cut_short_is_finished_by_the_next(load, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(demo, "_decide", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            load()
    assert not demo.is_loaded()
    load()
    assert demo.is_loaded()
    assert PaymentIntent.objects.count() == len(demo.INTENTS)
    assert set(PaymentIntent.objects.values_list("status", flat=True)) == set(IntentStatus)


def test_there_are_intents_in_every_status(load):
    load()
    assert set(PaymentIntent.objects.values_list("status", flat=True)) == set(IntentStatus)


def test_the_tokens_are_the_promised_ones(load):
    load()
    tokens_by_id = {token.pk: token for token in FreightToken.objects.select_related("shipment")}
    assert sorted(tokens_by_id) == [1, 2, 3, 4, 5, 6, 7, 8]
    told = {pk: (token.shipment.shipment_id, token.risk_score and str(token.risk_score.normalize()))
            for pk, token in tokens_by_id.items()}  # fmt: skip
    assert told[1] == ("SHIP-TEST-001", "0.15")
    assert told[5] == ("SHIP-BOZZA-001", "0.28")
    assert told[2][1] == "0.5"
    assert told[3] == ("3", "0.81")
    assert told[4][1] is None
    assert {pk: token.status for pk, token in tokens_by_id.items() if token.status != "active"} == {8: "cancelled"}
    currencies = PaymentIntent.objects.order_by("freight_token_id").values_list("freight_token_id", "currency")
    assert {(6, "EUR"), (7, "JPY")} <= set(currencies)


def test_a_visitor_begins_with_clean_shipments(load):
    load()
    untouched = ["SHIP-TEST-001", "SHIP-BOZZA-001", "SHIP-DALLAS-002", "3"]
    assert not ShipmentEvent.objects.filter(shipment__shipment_id__in=untouched).exists()
    assert not PaymentIntent.objects.filter(freight_token_id__in=[1, 5]).exists()


def test_a_fresh_intent_on_the_risky_shipment_still_meets_its_events(load):
    load()
    request = IntentRequest(freight_token_id=3, amount=Money.from_major(1000, "USD"))
    pk = intents.create(request, actor="demo", now=timezone.now())
    assert not PaymentIntent.objects.get(pk=pk).settlements.exists()
    demo._receive("3", demo.POD)
    assert [row.status for row in PaymentIntent.objects.get(pk=pk).settlements.all()] == ["PENDING"]


def test_a_cancelled_token_takes_no_new_intents(load):
    load()
    request = IntentRequest(freight_token_id=8, amount=Money.from_major(1000, "USD"))
    with pytest.raises(intents.TokenNotLive):
        intents.create(request, actor="demo", now=timezone.now())
    assert tokens.find(8).status == "cancelled"


def test_the_logins_have_their_roles_and_work(load):
    load()
    for username, role in LOGINS.items():
        user = User.objects.get(username=username)
        assert user.is_staff
        assert not user.is_superuser
        assert [group.name for group in user.groups.all()] == [role]
        assert Client().login(username=username, password="chainpay-demo")
    assert User.objects.count() == len(LOGINS)


def test_there_is_something_to_decide_and_a_parked_event(load):
    load()
    total, items = queries.queue(skip=0, limit=50, now=timezone.now())
    assert total == len(items) == 6
    assert (items[0].approvals, items[0].approvals_required) == (1, 2)
    assert ShipmentEvent.objects.filter(state=EventState.PARKED).count() == 1
    assert not ShipmentEvent.objects.filter(state__in=[EventState.WAITING, EventState.FAILED]).exists()


def test_the_books_of_the_demo_balance(load):
    load()
    for currency in ("EUR", "JPY"):
        rows = ledger.trial_balance(currency)
        assert rows
        assert sum(row.debit.minor for row in rows) == sum(row.credit.minor for row in rows)


@pytest.mark.parametrize("is_demo", [True, False])
def test_the_login_page_names_the_demo_logins_in_the_demo_only(settings, db, is_demo):
    settings.CHAINPAY_DEMO = is_demo
    page = Client().get("/admin/login/").content.decode()
    assert all((username in page) is is_demo for username in LOGINS)
    assert ("chainpay-demo" in page) is is_demo
