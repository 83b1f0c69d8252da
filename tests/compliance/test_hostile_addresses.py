"""Whatever somebody types into an address of the admin: an ordinary answer, and no look at what pages do not show."""

from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.urls import reverse

from compliance.roles import Role
from tests.compliance.conftest import logged_in

OURS = [model for model in admin.site._registry if model._meta.app_label in {"rails", "settlements", "compliance"}]
HOSTILE = [
    "?id__exact=%00", "?id=abc", "?pk=abc", "?pk=%00", "?pk=99999999999999999999", "?pk__in=1,x",
    "?created_at__gte=nonsense", "?created_at__gte=%00", "?q=%00",
    "?q=%F0%9F%9A%9A", "?q=" + "9" * 40, "?p=abc", "?p=-1", "?p=99999999999", "?o=x", "?o=99", "?all=%00",
    "?body__regex=(", "?message_id=%00", "?answer__contains=%00", "?event_type__exact=%00", "?status=%00",
    "?kind__exact=%00", "?active__exact=2", "?e=1", "?__proto__=1", "?_facets=%00", "?source__id__exact=abc",
    "?subscriber__id__exact=99999999999999999999", "?event__id__exact=abc", "?event__id__exact=99999999999999999999",
]  # fmt: skip
ROWS = ["%C2%B2", "9" * 30, "%00", "abc", "-1", "1_2F"]


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_no_list_and_no_row_answers_with_an_error_of_ours(staff: Any, model: type[Model]) -> None:
    browser = logged_in(staff(Role.OPERATIONS, is_superuser=True))
    browser.raise_request_exception = False
    for query in HOSTILE:
        assert browser.get(list_of(model) + query).status_code < 500, query
    for row in ROWS:
        assert browser.get(f"{list_of(model)}{row}/change/").status_code < 500, row
        for action in ("process_again", "deliver_again", "dry_run", "delete_selected", "\x00"):
            forged = {"action": action, "_selected_action": row, "index": 0}
            assert browser.post(list_of(model), forged).status_code < 500, (action, row)


@pytest.mark.parametrize(
    "query",
    [
        "shipmentevent/?body__contains=hunter2", "shipmentevent/?body__regex=h", "shipmentevent/?body=x",
        "shipmentevent/?source__secrets__sealed__startswith=a", "sourcesecret/?sealed__startswith=a",
        "subscribersecret/?sealed__gte=a", "apikey/?digest=x", "apikey/?prefix__startswith=cpk_a",
        "subscriber/?url__startswith=https", "idempotencykey/?answer__contains=a", "shipmentevent/?event_type__gt=a",
    ],
)  # fmt: skip
def test_columns_that_a_list_does_not_filter_by_can_not_be_asked(staff: Any, query: str) -> None:
    browser = logged_in(staff(Role.AUDITOR))
    assert browser.get(f"/admin/settlements/{query}").status_code == 400


def test_what_filters_and_links_ask_is_answered(staff: Any) -> None:
    browser = logged_in(staff(Role.AUDITOR))
    for query in (
        "shipmentevent/?event_type=POD_CONFIRMED", "shipmentevent/?source__id__exact=1",
        "shipmentevent/?received_at__gte=2026-01-01", "milestonesettlement/?event__id__exact=1",
        "delivery/?subscriber__id__exact=1", "subscriber/?active__exact=1", "hold/?lifted_at__isempty=1",
        "eventsource/?kind__exact=carrier", "milestonesettlement/?status=PENDING",
    ):  # fmt: skip
        assert browser.get(f"/admin/settlements/{query}").status_code == 200, query
