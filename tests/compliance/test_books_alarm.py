"""A difference in the books stands in red where people look first, for all who may look it up."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from compliance.roles import Role
from settlements.models import BooksCheck
from settlements.proof import checkpoints
from tests.compliance.conftest import Staff, logged_in
from tests.factories import an_intent

WORDS = "posting 7: it is in <USD>, but its entry is in JPY"


@pytest.fixture
def found(db: None) -> BooksCheck:
    at = timezone.now()
    return BooksCheck.objects.create(
        actor="beat", started_at=at, finished_at=at, failed_check="journal entries balance", difference=WORDS
    )


def page(client: Client, name: str, *args: Any) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("role", Role)
def test_every_role_reads_it_on_the_front_page_and_the_work_list(role: Role, found: BooksCheck, staff: Staff) -> None:
    client = logged_in(staff(role))
    for name in ("admin:index", "admin:compliance_work_list"):
        html = page(client, name)
        assert "The books can not be proven" in html
        assert "posting 7: it is in &lt;USD&gt;, but its entry is in JPY" in html
        assert 'role="alert"' in html
        assert reverse("admin:settlements_bookscheck_change", args=[found.pk]) in html


def test_it_is_gone_after_a_later_run_that_proved_them(found: BooksCheck, staff: Staff) -> None:
    later = found.started_at + timedelta(seconds=1)
    BooksCheck.objects.create(actor="command:ops", started_at=later, finished_at=later)
    assert "The books can not be proven" not in page(logged_in(staff(Role.AUDITOR)), "admin:index")


def test_a_run_that_broke_off_has_other_words_than_a_difference(db: None, staff: Staff) -> None:
    at = timezone.now()
    BooksCheck.objects.create(
        actor="beat", started_at=at, finished_at=at, failed_check="journal entries balance", error="no connection"
    )
    client = logged_in(staff(Role.AUDITOR))
    for name in ("admin:index", "admin:compliance_work_list"):
        html = page(client, name)
        assert "It is not known whether the books are right" in html
        assert "The check broke off: no connection" in html
        assert "tried again every hour" in html
        assert "Turn the rails off" not in html


def test_it_is_counted_beside_the_work_list(found: BooksCheck, staff: Staff) -> None:
    assert '<span class="cp-badge cp-alarm">1</span>' in page(logged_in(staff(Role.AUDITOR)), "admin:index")


def test_nights_that_were_missed_are_told(db: None, staff: Staff) -> None:
    long_ago = timezone.now() - timedelta(hours=40)
    BooksCheck.objects.create(actor="beat", started_at=long_ago, finished_at=long_ago)
    html = page(logged_in(staff(Role.AUDITOR)), "admin:index")
    assert "The books were not verified" in html
    assert "Nobody has verified the books since" in html


def test_the_list_says_what_each_run_found(found: BooksCheck, staff: Staff) -> None:
    client = logged_in(staff(Role.AUDITOR))
    html = page(client, "admin:settlements_bookscheck_changelist")
    assert "Difference" in html
    assert "posting 7" in html
    row = page(client, "admin:settlements_bookscheck_change", found.pk)
    assert "journal entries balance" in row
    for outcome, shown in (("difference", True), ("broken", False), ("proven", False)):
        answer = client.get(reverse("admin:settlements_bookscheck_changelist"), {"outcome": outcome})
        assert ("posting 7" in answer.content.decode()) == shown


@pytest.mark.parametrize("role", Role)
def test_history_that_is_not_signed_stands_in_red_until_it_is(role: Role, db: None, staff: Staff) -> None:
    with time_machine.travel(timezone.now() - timedelta(hours=4), tick=False):
        an_intent()
    client = logged_in(staff(role))
    for name in ("admin:index", "admin:compliance_work_list"):
        html = page(client, name)
        assert "History is not being signed" in html
        assert 'role="alert"' in html
    assert '<span class="cp-badge cp-alarm">1</span>' in page(client, "admin:index")
    checkpoints.make(now=timezone.now())
    assert "History is not being signed" not in page(client, "admin:compliance_work_list")
