"""Every page of the admin, for every role: it renders, and it is there for those who may see it only."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from compliance.models import ReviewQueue
from compliance.roles import READABLE_APPS, Role
from rails import switches
from rails.base import SettlementProvider
from rails.models import JournalEntry
from settlements import api_keys, redelivery, sources, subscribers
from settlements.models import IdempotencyKey, MilestoneSettlement, PaymentIntent
from settlements.permissions import Scope
from tests.compliance.conftest import logged_in
from tests.rails.rows import a_row_of_each
from tests.settlements.rows import office_rows

MODELS = [model for label in READABLE_APPS for model in apps.get_app_config(label).get_models()]
LABELS = [model._meta.label for model in MODELS]


@pytest.fixture
def demo(settings, db):
    """The demo's data, and a row of each model that it has none of."""
    settings.CHAINPAY_DEMO = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    call_command("load_demo", verbosity=0)
    now = timezone.now()
    a_row_of_each(now)
    office_rows(now)
    switches.turn_on(provider=SettlementProvider.INTERNAL_LEDGER, reason="test", actor="test", now=now)
    intent = PaymentIntent.objects.earliest("pk")
    subscriber, _ = subscribers.create("tms", "https://tms.example.com/", actor="test", now=now)
    redelivery.ping(subscriber.pk, actor="test", now=now)
    IdempotencyKey.objects.create(actor="test", key="k", body_hash=b"x", intent=intent, answer="{}", created_at=now)
    for name in ("a-carrier", "another"):
        sources.create(name, carrier_id=name, actor="test", now=now)
    for user in User.objects.filter(username__in=["officer1", "ops1"]):
        api_keys.create(f"of-{user.username}", scopes=[Scope.INTENTS_READ], user=user, actor="test", now=now)


def address(model: Any, page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_every_model_is_in_the_admin():
    assert [label for label, model in zip(LABELS, MODELS, strict=True) if model not in admin.site._registry] == []


@pytest.mark.parametrize("role", list(Role))
def test_every_role_may_read_every_list_and_row(demo, staff, role):
    client = logged_in(staff(role))
    for model in MODELS:
        row = model._default_manager.order_by("pk").first()
        assert row is not None, model
        listed = client.get(address(model, "changelist"))
        assert listed.status_code == 200, model
        assert client.get(address(model, "change", row.pk)).status_code == 200, model
        assert client.get(address(model, "changelist"), {"q": "SHIP-LAREDO-004"}).status_code == 200, model
        for word in ("7", "9" * 30, "a\x00b", "'; --", "٣"):
            assert client.get(address(model, "changelist"), {"q": word}).status_code in {200, 302}, (model, word)


@pytest.mark.parametrize("role", [*Role, None])
def test_nobody_writes_through_the_lists_not_even_a_superuser(demo, staff, role):
    client = logged_in(staff(role, is_superuser=role is None))
    for model in MODELS:
        row = model._default_manager.earliest("pk")
        for page, args in (("add", ()), ("change", (row.pk,)), ("delete", (row.pk,))):
            assert client.post(address(model, page, *args), {"status": "APPROVED"}).status_code == 403, (model, page)


@pytest.mark.parametrize("role", list(Role))
def test_logins_and_groups_are_for_superusers(staff, role):
    client = logged_in(staff(role))
    for page in ("/admin/auth/user/", "/admin/auth/group/"):
        assert client.get(page).status_code == 403
    root = logged_in(staff(None, is_superuser=True))
    assert root.get("/admin/auth/user/").status_code == 200


def test_staff_without_a_role_see_nothing(demo, staff):
    client = logged_in(staff(None))
    for model in MODELS:
        assert client.get(address(model, "changelist")).status_code == 403


def test_a_list_reads_as_many_statements_for_many_rows_as_for_few(demo, staff):
    client = logged_in(staff(Role.AUDITOR))

    def statements(model: Any, **only: Any) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(address(model, "changelist"), only).status_code == 200
        return len(seen)

    for model in MODELS:
        first = model._default_manager.order_by("-pk").values_list("pk", flat=True)[0]
        assert statements(model) <= statements(model, pk=str(first)) + 1, model


def test_the_review_of_a_settlement_is_a_fixed_number_of_statements(demo):
    client = logged_in(User.objects.get(username="officer1"))
    counts = set()
    for one in MilestoneSettlement.objects.all():
        with CaptureQueriesContext(connection) as seen:
            assert client.get(f"/admin/compliance/reviewqueue/{one.pk}/").status_code == 200
        counts.add(len(seen))
    # Less where there is no recipient, nothing to approve and nobody to assign it to.
    assert max(counts) <= 26


@pytest.mark.parametrize("status", ["PENDING", "APPROVED", "nonsense"])
def test_filters_find_by_known_words_and_ignore_others(demo, staff, status):
    client = logged_in(staff(Role.AUDITOR))
    page = client.get(address(MilestoneSettlement, "changelist"), {"status": status})
    expected = MilestoneSettlement.objects.all()
    if status != "nonsense":
        expected = expected.filter(status=status)
    assert page.context["cl"].result_count == expected.count()


def test_settlements_are_found_by_shipment_recipient_intent_and_reference(demo, staff):
    client = logged_in(staff(Role.AUDITOR))

    def found(word: str) -> set[int]:
        page = client.get(address(MilestoneSettlement, "changelist"), {"q": word})
        return {row.pk for row in page.context["cl"].result_list}

    def those(**of: object) -> set[int]:
        return set(MilestoneSettlement.objects.filter(**of).values_list("pk", flat=True))

    assert found("SHIP-LAREDO-004") == those(intent__shipment__shipment_id="SHIP-LAREDO-004")
    assert found("sakura-logistics") == those(intent__recipient__recipient_id="sakura-logistics")
    booked = JournalEntry.objects.earliest("pk")
    assert those(pk=booked.milestone_id) <= found(booked.reference)
    last = PaymentIntent.objects.latest("pk")
    assert those(intent=last) <= found(str(last.pk))
    assert found("nothing of the kind") == set()


def test_the_index_leads_to_the_queue_for_those_who_may_read_it(demo, staff):
    page = logged_in(staff(Role.AUDITOR)).get("/admin/").content.decode()
    assert address(ReviewQueue, "changelist") in page


@pytest.mark.parametrize("page", ["1", "2", "200"])
def test_the_queue_has_an_answer_for_every_page_number(demo, staff, page):
    answer = logged_in(staff(Role.AUDITOR)).get(address(ReviewQueue, "changelist"), {"page": page}, follow=True)
    assert answer.status_code == 200
    assert "settlements wait" in answer.content.decode()


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 40, "٣"])
def test_what_is_no_page_number_is_told_so(demo, staff, page):
    answer = logged_in(staff(Role.AUDITOR)).get(address(ReviewQueue, "changelist"), {"page": page})
    assert answer.status_code == 400
    assert "page" in answer.content.decode()


def test_no_page_asks_another_host_for_anything(demo, staff):
    client = logged_in(staff(Role.COMPLIANCE_OFFICER))
    one = MilestoneSettlement.objects.filter(status="PENDING", amount_minor__gt=0).earliest("pk")
    queue = address(ReviewQueue, "changelist")
    for path in ("/admin/", queue, f"{queue}{one.pk}/", f"{queue}{one.pk}/approve/"):
        page = client.get(path).content.decode()
        assert 'src="http' not in page
        assert 'href="http' not in page
        assert "<script>" not in page
