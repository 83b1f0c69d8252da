"""Days in the admin: who closes, what is shown before and after, and that looking changes nothing."""

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from compliance.roles import Role
from rails.models import ClosedDay
from settlements.models import OfficeEvent
from tests.compliance.conftest import Staff, logged_in
from tests.settlements.lived_in import lived_in, verified
from tests.settlements.test_closing import TODAY, book, close, days_ago, on

pytestmark = pytest.mark.django_db
DAYS = "/admin/rails/closedday/"
CLOSERS = {Role.FINANCE}
YESTERDAY = days_ago(1)


def page_of(day: date) -> str:
    return f"{DAYS}open/{day.isoformat()}/"


@pytest.fixture
def yesterday() -> date:
    with on(YESTERDAY):
        lived_in()
    return YESTERDAY


@pytest.fixture
def finance(staff: Staff) -> User:
    return staff(Role.FINANCE)


def test_finance_looks_at_a_day_closes_it_and_finds_it_frozen(yesterday: date, finance: User) -> None:
    client = logged_in(finance)
    listed = client.get(DAYS)
    assert listed.context["next"].day == yesterday
    assert "Look and close" in listed.content.decode()
    before = client.get(page_of(yesterday)).content.decode()
    assert "This is what would be frozen" in before
    assert 'id="dialog-close"' in before
    answer = client.post(f"{page_of(yesterday)}close/", follow=True)
    after = answer.content.decode()
    row = ClosedDay.objects.get()
    assert answer.redirect_chain == [(f"{DAYS}{row.pk}/change/", 302)]
    assert row.closed_by == f"user:{finance.username}"
    assert row.sha256 in after
    assert "Close the day" not in after
    for figure in ("Balanced", "Recipient payable", "On hold", "dispute"):
        assert figure in before
        assert figure in after
    verified()


@pytest.mark.parametrize("role", [*Role, None])
def test_only_those_who_may_close_days_do(yesterday: date, staff: Staff, role: Role | None) -> None:
    client = logged_in(staff(role))
    may = role in CLOSERS
    shown = client.get(page_of(yesterday))
    assert shown.status_code == (200 if role else 403)
    assert (b'id="dialog-close"' in shown.content) == may
    assert client.get(f"{page_of(yesterday)}close/").status_code == (200 if may else 403)
    assert not ClosedDay.objects.exists()
    assert client.post(f"{page_of(yesterday)}close/").status_code == (302 if may else 403)
    assert ClosedDay.objects.exists() == may


def test_looking_closes_nothing(yesterday: date, finance: User) -> None:
    client = logged_in(finance)
    for address in (DAYS, page_of(yesterday), f"{page_of(yesterday)}close/"):
        assert client.get(address).status_code == 200
    assert client.put(f"{page_of(yesterday)}close/").status_code == 405
    assert (ClosedDay.objects.count(), OfficeEvent.objects.count()) == (0, 0)


def test_a_form_without_its_token_closes_nothing(yesterday: date, finance: User, settings: Any) -> None:
    settings.CHAINPAY_DEMO = True
    client = Client(enforce_csrf_checks=True)
    client.force_login(finance)
    assert client.post(f"{page_of(yesterday)}close/").status_code == 403
    assert not ClosedDay.objects.exists()


def test_whoever_has_not_shown_lately_who_they_are_is_asked_first(
    yesterday: date, finance: User, settings: Any
) -> None:
    client = logged_in(finance)
    settings.CHAINPAY_RECENT_LOGIN_MINUTES = 0
    answer = client.post(f"{page_of(yesterday)}close/")
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert not ClosedDay.objects.exists()


def test_a_day_under_way_is_shown_and_not_closed(finance: User) -> None:
    book("a")
    client = logged_in(finance)
    shown = client.get(page_of(TODAY)).content.decode()
    assert "Under way" in shown
    assert 'id="dialog-close"' not in shown
    refused = client.post(f"{page_of(TODAY)}close/")
    assert refused.status_code == 409
    assert "is not over" in refused.content.decode()
    assert not ClosedDay.objects.exists()


def test_a_day_whose_day_before_is_open_is_not_closed(finance: User) -> None:
    with on(days_ago(2)):
        book("a")
    client = logged_in(finance)
    assert "is closed first" in client.get(page_of(YESTERDAY)).content.decode()
    refused = client.post(f"{page_of(YESTERDAY)}close/")
    assert refused.status_code == 409
    assert "is closed before" in refused.content.decode()


def test_a_second_close_of_a_day_leads_to_what_is_frozen(yesterday: date, finance: User) -> None:
    client = logged_in(finance)
    client.post(f"{page_of(yesterday)}close/")
    row = ClosedDay.objects.get()
    for answer in (client.post(f"{page_of(yesterday)}close/"), client.get(page_of(yesterday))):
        assert (answer.status_code, answer["Location"]) == (302, f"{DAYS}{row.pk}/change/")
    assert OfficeEvent.objects.count() == 1


@pytest.mark.parametrize("day", ["tomorrow", "2026-02-30", "0001-01-01", "9999-12-31"])
def test_a_day_without_books_is_not_found(yesterday: date, finance: User, day: str) -> None:
    client = logged_in(finance)
    assert client.get(f"{DAYS}open/{day}/").status_code == 404
    assert client.get(f"{DAYS}open/{day}/close/").status_code == 404


def test_where_nothing_is_booked_there_is_no_day(finance: User) -> None:
    client = logged_in(finance)
    assert "Nothing is booked yet" in client.get(DAYS).content.decode()
    assert client.get(page_of(YESTERDAY)).status_code == 404


def test_the_figures_are_taken_as_a_file_that_is_what_the_digest_says(yesterday: date, staff: Staff) -> None:
    row = close(yesterday)
    address = f"{DAYS}{row.pk}/figures/"
    auditor = logged_in(staff(Role.AUDITOR))
    assert auditor.get(address).status_code == 405
    answer = auditor.post(address)
    assert answer.content.decode() == row.figures
    assert answer["Content-Disposition"] == f'attachment; filename="chainpay_day_{yesterday}.json"'
    event = OfficeEvent.objects.latest("sequence")
    assert (event.action, event.subject, event.data) == (
        "export_downloaded",
        f"closed_day {yesterday}",
        {"sha256": row.sha256},
    )
    assert logged_in(staff(Role.OPERATIONS)).post(address).status_code == 403


def test_the_list_of_days_reads_as_many_statements_for_many_as_for_few(
    finance: User, django_assert_max_num_queries
) -> None:
    with on(days_ago(20)):
        book("a")
    for count in range(20, 0, -1):
        close(days_ago(count))
    client = logged_in(finance)
    with django_assert_max_num_queries(25):
        page = client.get(DAYS)
    assert len(page.context["lines"]) == 21


def test_a_closed_day_that_was_changed_past_the_guards_says_so_wherever_it_is_read(
    yesterday: date, finance: User, behind_the_guards: Any
) -> None:
    client = logged_in(finance)
    with on(days_ago(2)):
        book("earlier")
    row = close(days_ago(2))
    behind_the_guards("UPDATE rails_closedday SET figures = '{}'")
    for path in (f"{DAYS}{row.pk}/change/", page_of(yesterday), f"{page_of(yesterday)}close/"):
        response = client.get(path)
        assert response.status_code == 200
        assert "were changed past the database&#x27;s guards" in response.content.decode()
    answer = client.post(f"{page_of(yesterday)}close/")
    assert answer.status_code == 409
    assert answer.content.decode().count("were changed past") == 1
    assert ClosedDay.objects.count() == 1
