"""What staff read in the admin: dates, amounts and shares as people write them, and pages that say what is wrong."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.test import Client

from compliance.roles import Role
from settlements.admin import share_in_percent
from settlements.models import FreightToken, MilestoneSettlement, PaymentIntent, PaymentScheduleItem, ShipmentEvent
from tests.compliance.conftest import logged_in


@pytest.fixture
def demo(settings, db):
    settings.CHAINPAY_DEMO = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    call_command("load_demo", verbosity=0)


def read(client: Client, path: str, status: int = 200) -> str:
    page = client.get(path)
    assert page.status_code == status
    return page.content.decode()


def waiting(**of: Any) -> MilestoneSettlement:
    return MilestoneSettlement.objects.filter(status="PENDING", amount_minor__gt=0, **of).earliest("pk")


def test_a_time_names_its_zone_and_its_seconds(demo, staff):
    intent = PaymentIntent.objects.earliest("pk")
    page = read(logged_in(staff(Role.AUDITOR)), f"/admin/settlements/paymentintent/{intent.pk}/change/")
    assert f"{intent.created_at:%Y-%m-%d %H:%M:%S} UTC" in page


def test_amounts_have_their_thousands_apart_in_the_lists_too(demo, staff):
    page = read(logged_in(staff(Role.AUDITOR)), "/admin/settlements/paymentintent/")
    assert "19,999.99 USD" in page
    assert "1,250,000 JPY" in page


@pytest.mark.parametrize(
    ("share", "text"),
    [("0.200000000000", "20 %"), ("1.000000000000", "100 %"), ("0", "0 %"), ("0.0005", "0.05 %"), ("0.125", "12.5 %")],
)
def test_a_share_is_a_percentage(share, text):
    assert share_in_percent(PaymentScheduleItem(share=Decimal(share))) == text


def test_an_event_is_not_called_by_a_number_that_looks_like_a_shipment(demo):
    event = ShipmentEvent.objects.earliest("pk")
    assert str(event) == f"Pickup confirmed, shipment event {event.pk}"


def test_nothing_leads_to_the_empty_history_of_the_admin_itself(demo, staff):
    client = logged_in(staff(Role.AUDITOR))
    for model in admin.site._registry:
        if model._meta.app_label in {"rails", "settlements"} and (row := model._default_manager.first()):
            path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/"
            assert f"{path}history/" not in read(client, f"{path}change/"), model


def test_a_page_that_is_not_allowed_says_so_and_leads_back(demo, staff, caplog):
    client = logged_in(staff(Role.AUDITOR, "anna"))
    page = read(client, f"/admin/compliance/reviewqueue/{waiting().pk}/approve/", 403)
    (refused,) = [record for record in caplog.records if record.name == "django.request"]
    assert refused.exc_info is None
    assert "lacks the permission" in page
    assert "logged in as anna" in page
    assert 'href="/admin/"' in page


@pytest.mark.parametrize("path", ["/admin/nowhere/", "/admin/compliance/reviewqueue/999999/"])
def test_a_page_that_does_not_exist_says_so_and_leads_back(demo, staff, path):
    page = read(logged_in(staff(Role.AUDITOR)), path, 404)
    assert "There is nothing at this address" in page
    assert 'href="/admin/"' in page


def test_the_review_warns_when_the_freight_token_lets_no_money_go(demo, staff):
    client = logged_in(staff(Role.COMPLIANCE_OFFICER))
    one = waiting(intent__freight_token__status="active")
    for path in ("", "approve/"):
        assert "Token cancelled" not in read(client, f"/admin/compliance/reviewqueue/{one.pk}/{path}")
    FreightToken.objects.filter(pk=one.intent.freight_token_id).update(status="cancelled")
    for path in ("", "approve/"):
        assert "Token cancelled" in read(client, f"/admin/compliance/reviewqueue/{one.pk}/{path}")
