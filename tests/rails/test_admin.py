import pytest
from django.contrib.admin.sites import site
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import include, path, reverse
from pytest_django import Settings

from rails import ledger, recipients, switches
from rails.admin_pages import ReadOnlyAdmin
from rails.base import SettlementProvider
from rails.models import Account, JournalEntry, Posting, RailSwitch, Recipient, RecipientEdit
from tests.factories import log_in
from tests.rails.rail_contract import NOW
from tests.rails.test_ledger import release

MODELS = [Recipient, RecipientEdit, Account, JournalEntry, Posting, RailSwitch]
urlpatterns = [path("admin/", include("chainpay.access.urls")), path("admin/", site.urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture(autouse=True)
def _books(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    recipients.put("CARRIER-1", "Bozza Haulage", actor="demo", now=NOW)
    ledger.reverse(ledger.post([release(1)], now=NOW)[0].entry_id, now=NOW)
    switches.turn_off(provider=SettlementProvider.INTERNAL_LEDGER, reason="Month end", actor="ops1", now=NOW)


@pytest.fixture
def auditor(client: Client) -> Client:
    user = User.objects.create_user("auditor1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="rails", codename__startswith="view_"))
    return log_in(client, user)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("query", ["", "?q=CARRIER", "?q=17", "?q=%00", "?q=1e9"])
def test_every_list_opens_and_can_be_searched(auditor: Client, model: type, query: str) -> None:
    url = reverse(f"admin:rails_{model.__name__.lower()}_changelist")
    assert auditor.get(url + query).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_every_row_opens_and_has_nothing_to_save(auditor: Client, model: type) -> None:
    row = model.objects.latest("pk")  # type: ignore[attr-defined]
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


@pytest.mark.parametrize("model", MODELS)
def test_staff_without_the_permission_sees_nothing(client: Client, model: type) -> None:
    log_in(client, User.objects.create_user("visitor", is_staff=True))
    assert client.get(reverse(f"admin:rails_{model.__name__.lower()}_changelist")).status_code == 403


def test_amounts_are_shown_in_major_units(auditor: Client) -> None:
    assert b"7.00 USD" in auditor.get(reverse("admin:rails_journalentry_changelist")).content


def test_an_entry_is_found_by_its_milestone(auditor: Client) -> None:
    url = reverse("admin:rails_journalentry_changelist")
    assert b"TEST:1:1" in auditor.get(url + "?q=1").content
    assert b"TEST:1:1" not in auditor.get(url + "?q=2").content
