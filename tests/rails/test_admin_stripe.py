"""Stripe's rows and reconciliations can be looked up, in words, and never written."""

import pytest
from django.contrib.admin.sites import site
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import include, path, reverse
from pytest_django import Settings

from rails.admin_pages import ReadOnlyAdmin
from rails.models import (
    RailDifference,
    RailReconciliation,
    StripeAccount,
    StripeEvent,
    StripeEventDecision,
    StripeInstallation,
    StripeListening,
    StripePayout,
    StripePayoutPart,
)
from tests.factories import log_in
from tests.rails import stripe_rows

MODELS = [
    StripeEvent,
    StripeEventDecision,
    StripePayout,
    StripePayoutPart,
    StripeAccount,
    StripeListening,
    StripeInstallation,
    RailReconciliation,
    RailDifference,
]
urlpatterns = [path("admin/", include("chainpay.access.urls")), path("admin/", site.urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture(autouse=True)
def _rows(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    stripe_rows.load()


@pytest.fixture
def auditor(client: Client) -> Client:
    user = User.objects.create_user("auditor1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="rails", codename__startswith="view_"))
    return log_in(client, user)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("query", ["", "?q=po_1", "?q=17", "?q=%00", "?q=acct_1032D82eZvKYlo2C"])
def test_every_list_opens_and_can_be_searched(auditor: Client, model: type, query: str) -> None:
    url = reverse(f"admin:rails_{model.__name__.lower()}_changelist")
    assert auditor.get(url + query).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_every_row_opens_and_has_nothing_to_save(auditor: Client, model: type) -> None:
    for row in model.objects.all():  # type: ignore[attr-defined]
        answer = auditor.get(reverse(f"admin:rails_{model.__name__.lower()}_change", args=[row.pk]))
        assert answer.status_code == 200
        assert b'name="_save"' not in answer.content


@pytest.mark.parametrize("model", MODELS)
def test_not_even_a_superuser_may_write(client: Client, admin_user: User, model: type) -> None:
    log_in(client, admin_user)
    name = f"admin:rails_{model.__name__.lower()}"
    row = model.objects.latest("pk")  # type: ignore[attr-defined]
    assert isinstance(site._registry[model], ReadOnlyAdmin)
    assert client.post(reverse(f"{name}_add"), {}).status_code == 403
    assert client.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
    assert client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_amounts_are_in_major_units_and_ages_in_days(auditor: Client) -> None:
    assert b"38,400.00 USD" in auditor.get(reverse("admin:rails_stripepayout_changelist")).content
    differences = auditor.get(reverse("admin:rails_raildifference_changelist")).content
    assert b"12 days" in differences
    assert b"Theirs without ours" in differences


def test_what_the_provider_has_and_what_came_back_are_amounts(auditor: Client) -> None:
    known = RailDifference.objects.latest("pk")
    row = RailDifference.objects.create(
        reconciliation=known.reconciliation,
        kind=known.kind,
        amount_minor=1_234_500,
        returned_minor=10_050,
        currency="USD",
        occurred_at=known.occurred_at,
        first_seen_at=known.first_seen_at,
    )
    for each, amounts in ((row, ["12,345.00 USD", "100.50 USD"]), (known, [])):
        page = auditor.get(reverse("admin:rails_raildifference_change", args=[each.pk])).content.decode()
        assert "their amount" in page.lower()
        assert "came back" in page.lower()
        assert "minor" not in page
        assert [amount for amount in ("12,345.00 USD", "100.50 USD") if amount in page] == amounts
