"""The queue's page: filters that stay while paging and can be taken off, quick links, words for what is empty."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from compliance import assignments, queue_pages
from compliance.roles import Role
from rails import recipients
from settlements import holds
from settlements.approvals import Officer
from settlements.models import Approval, AuditEvent, MilestoneSettlement
from settlements.statuses import Channel
from tests.compliance.conftest import Staff, logged_in, recipient, waiting
from tests.factories import approve

QUEUE = "/admin/compliance/reviewqueue/"
NAUGHTY = ["%00", "%25", "_", "%27%3B--", "%F0%9F%92%B6", "x" * 5000, "%ED%A0%80", "<script>alert(1)</script>"]


def page(user, query: str = "", status: int = 200) -> str:
    answer = logged_in(user).get(QUEUE + (f"?{query}" if query else ""))
    assert answer.status_code == status
    return answer.content.decode()


def links(html: str) -> list[str]:
    return [found.replace("&amp;", "&") for found in re.findall(r'href="(\?[^"]*)"', html)]


def test_a_row_tells_all_that_is_needed_to_choose(officer, second_officer):
    recipient()
    one = waiting("50000.00", recipient_id="haulier")
    by = Officer(pk=officer.pk, username="olga", channel=Channel.ITEM)
    assignments.assign(one.pk, assignee=second_officer, officer=by, reason="x", now=timezone.now())
    holds.place(one.pk, reason="claim <filed>", actor="test", now=timezone.now())
    html = page(officer)
    for words in (
        "40,000.00 USD", f"milestone {one.pk}", f"intent {one.intent_id}", "Haulier Ltd", "haulier", "internal ledger",
        "HIGH risk (0.81 &gt;= 0.67) at POD_CONFIRMED: manual review", "otto", "0 of 2", "On hold",
        "claim &lt;filed&gt;", "POD confirmed", "target",
    ):  # fmt: skip
        assert words in html


def test_filters_that_are_on_are_shown_and_each_can_be_taken_off(officer):
    waiting()
    html = page(officer, "tier=high&min_amount=100&q=ship&overdue=")
    assert "Tier: High" in html
    assert "Amount from: 100" in html
    assert "Search: ship" in html
    assert {"?min_amount=100&q=ship", "?tier=high&q=ship", "?tier=high&min_amount=100"} <= set(links(html))


def test_filters_stay_while_paging(officer, monkeypatch):
    monkeypatch.setattr(queue_pages, "PER_PAGE", 1)
    for _ in range(3):
        waiting()
    html = page(officer, "tier=high&page=2")
    assert {"?tier=high&page=1", "?tier=high&page=3"} <= set(links(html))
    assert 'name="back" value="tier=high&amp;page=2"' in html
    beyond = logged_in(officer).get(QUEUE + "?tier=high&page=9")
    assert (beyond.status_code, beyond["Location"]) == (302, QUEUE + "?tier=high&page=3")


def test_quick_links_count_what_they_lead_to(officer):
    one = waiting()
    waiting()
    by = Officer(pk=officer.pk, username="olga", channel=Channel.ITEM)
    assignments.assign(one.pk, assignee=officer, officer=by, reason="x", now=timezone.now())
    html = page(officer, "assignee=olga")
    assert re.search(r'<a href="\?assignee=olga" aria-current="page">Mine <span class="cp-count">1</span>', html)
    assert re.search(r'>All <span class="cp-count">2</span>', html)
    assert html.count('name="row"') == 1
    for query in ("overdue=1", "unassigned=1", "state=held", "state=delayed"):
        assert f'href="?{query}"' in html
        page(officer, query)


def test_an_empty_list_says_why(officer):
    assert "Nothing waits for a decision" in page(officer)
    assert "No settlement fits these filters" in page(officer, "tier=low")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("tier=odd", "tier must be one of low, medium, high"),
        ("colour=red", "no query parameter"),
        ("min_amount=abc", "min_amount must be a number"),
        ("page=0", "page must be a whole number"),
        ("page=abc", "page must be a whole number"),
        ("tier=high&tier=low", "given more than once"),
    ],
)
def test_what_can_not_be_read_is_said_and_nothing_is_listed(officer, query, words):
    waiting()
    html = page(officer, query, status=400)
    assert words in html
    assert 'name="row"' not in html


@pytest.mark.parametrize("name", ["q", "recipient_id", "assignee", "tier", "page", "min_amount", "x"])
@pytest.mark.parametrize("word", NAUGHTY)
def test_naughty_words_are_no_fault_of_ours(officer, name, word):
    waiting()
    answer = logged_in(officer).get(f"{QUEUE}?{name}={word}")
    assert answer.status_code in {200, 400}
    assert "<script>alert" not in answer.content.decode()


def test_names_and_reasons_are_text(officer):
    recipients.put("haulier", "<img src=x onerror=alert(1)>", actor="test", now=timezone.now())
    one = waiting(recipient_id="haulier")
    holds.place(one.pk, reason="<script>alert(2)</script>", actor="test", now=timezone.now())
    html = page(officer)
    assert "<img src=x" not in html
    assert "<script>alert" not in html
    assert "style=" not in html.partition('id="content"')[2].partition("</main>")[0]


def test_the_page_takes_the_same_statements_for_one_row_and_for_fifty(officer):
    client = logged_in(officer)
    counts = []
    for more in (1, 49):
        for _ in range(more):
            waiting()
        client.get(QUEUE)
        with CaptureQueriesContext(connection) as seen:
            client.get(QUEUE)
        counts.append(len(seen))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("role", [Role.FINANCE, Role.OPERATIONS, Role.AUDITOR])
def test_who_only_reads_finds_no_boxes_and_no_acts(staff: Staff, role):
    waiting()
    html = page(staff(role))
    assert "800.00 USD" in html
    assert 'name="row"' not in html
    assert "formaction" not in html


def test_looking_changes_nothing(officer):
    waiting()
    before = (AuditEvent.objects.count(), Approval.objects.count())
    page(officer, "tier=high&q=ship")
    assert (AuditEvent.objects.count(), Approval.objects.count()) == before


class TestTheNextOne:
    def address(self, one: MilestoneSettlement) -> str:
        return f"/admin/compliance/reviewqueue/{one.pk}/next/"

    def test_is_the_one_behind_in_the_queue_and_after_the_last_the_first(self, officer):
        small, large, middle = waiting("100.00"), waiting("9000.00"), waiting("900.00")
        client = logged_in(officer)
        for one, follows in ((large, middle), (middle, small), (small, large)):
            answer = client.get(self.address(one))
            assert (answer.status_code, answer["Location"]) == (302, f"/admin/compliance/reviewqueue/{follows.pk}/")

    def test_is_the_first_after_what_waits_no_more(self, officer):
        first, second = waiting("9000.00"), waiting("100.00")
        approve(second, officer)
        assert logged_in(officer).get(self.address(second))["Location"].endswith(f"/{first.pk}/")

    def test_is_none_that_the_officer_has_approved_already(self, officer, second_officer):
        large, one = waiting("50000.00"), waiting("100.00")
        approve(large, officer)
        assert logged_in(officer).get(self.address(one))["Location"] == "/admin/compliance/reviewqueue/"
        assert logged_in(second_officer).get(self.address(one))["Location"].endswith(f"/{large.pk}/")

    def test_is_for_those_who_read_the_queue(self, staff):
        assert logged_in(staff(None)).get(self.address(waiting())).status_code == 403
