"""How the admin looks: words instead of codes, titles that say what a page shows, values that are never markup."""

import html
import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from compliance.roles import READABLE_APPS, Role
from rails import switches
from rails.base import SettlementProvider
from rails.wording import actor, in_words
from settlements import api_keys, redelivery, sources, subscribers
from settlements.models import IdempotencyKey, MilestoneSettlement, PaymentIntent, ShipmentEvent
from settlements.permissions import Scope
from settlements.statuses import (
    EVENT_WORDS,
    DeliveryState,
    EventState,
    IntentStatus,
    Origin,
    ReleaseStrategy,
    SettlementStatus,
)
from tests.compliance.conftest import logged_in
from tests.rails.rows import a_row_of_each
from tests.settlements.rows import office_rows

# The pages of these are other people's: the queue is tested with itself.
_OWN_PAGES = {"reviewqueue"}
MODELS = [
    model
    for label in READABLE_APPS
    for model in apps.get_app_config(label).get_models()
    if model._meta.model_name not in _OWN_PAGES and model._meta.app_label != "compliance"
]
CODES = {
    *SettlementStatus, *IntentStatus, *ReleaseStrategy, *EVENT_WORDS, *Origin, *EventState, *DeliveryState,
    *(provider.method for provider in SettlementProvider if "_" in provider.method),
}  # fmt: skip
CODE = re.compile(rf"\b(?:{'|'.join(sorted(CODES, key=len, reverse=True))})\b")
# What came from outside is shown as it came; a payment's reference is a name that holds a word.
_AS_IT_CAME = re.compile(r"<pre.*?</pre>|<code.*?</code>|\b[A-Z_]+:\d{8}T\w+:\d+", re.S)


@pytest.fixture
def demo(settings, db):
    """The demo's data, and a row of each model that it has none of."""
    settings.CHAINPAY_DEMO = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    call_command("load_demo", verbosity=0)
    now = timezone.now()
    a_row_of_each(now)
    office_rows(now)
    switches.turn_on(provider=SettlementProvider.INTERNAL_LEDGER, reason="test", actor="user:ops1", now=now)
    subscriber, _ = subscribers.create("tms", "https://tms.example.com/", actor="user:ops1", now=now)
    redelivery.ping(subscriber.pk, actor="user:ops1", now=now)
    intent = PaymentIntent.objects.earliest("pk")
    IdempotencyKey.objects.create(actor="test", key="k", body_hash=b"x", intent=intent, answer="{}", created_at=now)
    sources.create("a-carrier", carrier_id="a-carrier", actor="user:ops1", now=now)
    officer = User.objects.get(username="officer1")
    api_keys.create("of-officer1", scopes=[Scope.INTENTS_READ], user=officer, actor="user:ops1", now=now)


def address(model: Any, page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def pages(client: Client) -> dict[str, str]:
    """Every list and the page of every row of a model's first few, by address."""
    found = {}
    for model in MODELS:
        rows = model._default_manager.order_by("pk").values_list("pk", flat=True)[:12]
        for path in (address(model, "changelist"), *(address(model, "change", pk) for pk in rows)):
            page = client.get(path)
            assert page.status_code == 200, path
            found[path] = page.content.decode()
    return found


def text_of(page: str) -> str:
    """What is read on the page, without its markup and without what came from outside."""
    content = _AS_IT_CAME.sub(" ", page[page.index('<div id="content"') :])
    return html.unescape(re.sub(r"<[^>]+>", " ", content))


def between(element: str, page: str) -> str:
    """What the first such element of the page holds."""
    found = re.search(rf"<{element}\b[^>]*>\s*(.*?)\s*</{element}>", page, re.S)
    assert found is not None, element
    return html.unescape(found[1])


@pytest.mark.parametrize("role", [*Role, None])
def test_no_page_shows_a_code_word_to_anybody(demo, staff, role):
    for path, page in pages(logged_in(staff(role, is_superuser=role is None))).items():
        assert CODE.findall(text_of(page)) == [], path


def test_every_page_is_called_by_what_it_shows_and_leads_back_to_its_list(demo, staff):
    found = pages(logged_in(staff(Role.AUDITOR)))
    for path, page in found.items():
        title, heading = between("title", page), between("h1", page)
        assert title == f"{heading} | ChainPay", path
        assert not re.match(r"(Select|View|Change) ", title), path
        assert re.findall(r"\b(?:\w+ minor|Sha256|Sec|Rdfi|PREPARED|ACCEPTED)\b", text_of(page)) == [], path
        if path.endswith("/change/"):
            back = path.rsplit("/", 3)[0] + "/"
            assert f'<li><a href="{back}">' in page, path
    assert len({between("title", page) for page in found.values()}) > len(MODELS)


def test_a_row_to_read_has_no_form_to_save(demo, staff):
    for path, page in pages(logged_in(staff(Role.AUDITOR))).items():
        if path.endswith("/change/"):
            assert 'id="submit-row"' not in page, path
            assert "Type to search" not in page, path
            assert "_form" not in re.findall(r'<form[^>]* id="(\w+)"', page), path


def test_the_way_past_the_navigation_comes_first(demo, staff):
    page = logged_in(staff(Role.AUDITOR)).get("/admin/settlements/paymentintent/").content.decode()
    first = re.search(r"<(?:a|button|input|select|summary)\b[^>]*>", page[page.index("<body") :])
    assert first is not None
    assert 'href="#content"' in first[0]


def test_filters_show_words_and_ask_for_what_is_stored(demo, staff):
    page = logged_in(staff(Role.AUDITOR)).get("/admin/settlements/milestonesettlement/").content.decode()
    assert '<a href="?status=PENDING">Pending</a>' in page
    assert '<a href="?event_type=POD_CONFIRMED">POD confirmed</a>' in page
    asked = logged_in(staff(Role.AUDITOR)).get("/admin/settlements/milestonesettlement/?status=REJECTED")
    assert asked.context["cl"].result_count == MilestoneSettlement.objects.filter(status="REJECTED").count()


def test_a_list_without_rows_says_so_and_one_without_matches_offers_the_rest(staff, db):
    client = logged_in(staff(Role.AUDITOR))
    assert "There are no holds yet." in client.get("/admin/settlements/hold/").content.decode()
    unmatched = client.get("/admin/settlements/hold/?q=12345").content.decode()
    assert "No holds match." in unmatched
    assert '<a class="cp-button" href="?">Show all</a>' in unmatched


def test_there_is_no_search_over_everything(demo, staff):
    assert logged_in(staff(None, is_superuser=True)).get("/admin/search/?s=a").status_code == 404
    with pytest.raises(NoReverseMatch):
        reverse("admin:search")


def test_the_number_of_statements_of_a_list_does_not_grow_with_its_rows(demo, staff):
    client = logged_in(staff(Role.AUDITOR))
    for model in MODELS:
        last = model._default_manager.order_by("-pk").values_list("pk", flat=True)[0]
        counts = []
        for only in ({}, {"pk": str(last)}):
            with CaptureQueriesContext(connection) as seen:
                assert client.get(address(model, "changelist"), only).status_code == 200
            counts.append(len(seen))
        assert counts[0] <= counts[1] + 1, model


# Words the database takes from a known vocabulary only, and code computes with.
_CHECKED = {"state", "scopes", "currency", "rail"}
HOSTILE = "<script>alert(1)</script>"


def test_no_text_that_is_stored_is_markup_on_a_page(demo, staff):
    """Every text column that the database lets hold it holds it, on copies that are shown and never saved."""
    client = logged_in(staff(None, is_superuser=True))
    rows = 0
    for model in MODELS:
        original = model.from_db

        def hostile(cls: Any, db: Any, names: Any, values: Any, of: Any = original) -> Any:
            row = of(db, names, values)
            for field in row._meta.concrete_fields:
                if isinstance(field, models.TextField) and field.attname in row.__dict__:
                    if field.name not in _CHECKED:
                        setattr(row, field.attname, f"{HOSTILE}:{HOSTILE}")
                elif isinstance(field, models.JSONField) and field.attname in row.__dict__:
                    setattr(row, field.attname, {HOSTILE: HOSTILE})
            return row

        pk = model._default_manager.order_by("pk").values_list("pk", flat=True)[0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(model, "from_db", classmethod(hostile))
            for path in (address(model, "changelist"), address(model, "change", pk)):
                page = client.get(path).content.decode()
                assert HOSTILE not in page, path
                rows += html.escape(HOSTILE)[:11] in page
    assert rows > len(MODELS)


@pytest.mark.parametrize("path", ["/admin/nowhere/", "/admin/settlements/hold/abc/nowhere/"])
def test_strangers_are_told_in_plain_pages_too(db, path):
    page = Client().get(path, follow=True)
    assert page.status_code in {200, 404}
    assert "ChainPay" in page.content.decode()


def test_a_form_without_its_token_is_told_so(demo, staff):
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff(Role.OPERATIONS))
    page = client.post("/admin/settlements/apikey/new/", {"name": "x"})
    assert page.status_code == 403
    assert "nothing was changed" in page.content.decode()


def test_what_the_admin_offers_to_do_is_a_form_or_leads_to_one(demo, staff):
    client = logged_in(staff(Role.OPERATIONS))
    event = ShipmentEvent.objects.earliest("pk")
    page = client.get(address(ShipmentEvent, "change", event.pk)).content.decode()
    assert "Dry run</a>" in page
    assert "Process again&hellip;</a>" in page
    before = MilestoneSettlement.objects.count()
    assert client.get(f"/admin/settlements/shipmentevent/process_again/?event={event.pk}").status_code == 200
    assert MilestoneSettlement.objects.count() == before


def test_a_superuser_makes_a_login_with_a_role_and_gives_no_single_permissions(demo, staff):
    root = logged_in(staff(None, is_superuser=True))
    password = "a-long-enough-phrase-77"
    root.post(
        "/admin/auth/user/add/",
        {"username": "nina", "password1": password, "password2": password, "usable_password": "true"},
    )
    made = User.objects.get(username="nina")
    page = root.get(f"/admin/auth/user/{made.pk}/change/").content.decode()
    assert "Login nina" in page
    assert "Compliance Officer" in page
    assert 'name="user_permissions"' not in page


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("POD_CONFIRMED", "POD confirmed"), ("internal_ledger", "Internal ledger"), ("ach", "ACH"),
        ("settlement.review_required", "Settlement review required"), ("approval_recorded", "Approval recorded"),
        ("", ""), ("_", " "), ("PENDING", "Pending"),
    ],
)  # fmt: skip
def test_a_stored_word_is_written_for_reading(code, words):
    assert in_words(code) == words


@pytest.mark.parametrize(
    ("stored", "written"),
    [("user:ops1", "ops1"), ("service:tms", "tms (service)"), ("demo-data", "demo-data"), ("user:a:b", "a:b")],
)
def test_an_actor_is_named_as_people_know_them(stored, written):
    assert actor(stored) == written
