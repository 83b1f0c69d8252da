"""What the team is told: each settlement once when it joins the queue, once when it waits too long; nothing else."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from compliance import digest, digest_mail
from compliance.models import DigestItem, ReviewDigest
from compliance.roles import Role
from rails import recipients, switches
from rails.base import SettlementProvider
from settlements import tokens
from settlements.models import MilestoneSettlement
from settlements.tokens import TokenPush
from tests.compliance.conftest import Freight, Staff, event, freight, intent, logged_in, waiting
from tests.factories import HIGH, approve
from tests.flows import copies
from tests.flows.copies import FIRST

BASE = "https://pay.example.com"
TARGET = timedelta(hours=4)
NEW, MISSED = DigestItem.NEW, DigestItem.TARGET_MISSED


@pytest.fixture(autouse=True)
def _to_the_team(settings: Any) -> None:
    settings.CHAINPAY_DIGEST_TO = ["team@example.com", "lead@example.com"]
    settings.CHAINPAY_BASE_URL = BASE
    settings.CHAINPAY_REVIEW_TARGET_HOURS = 4


def told(after: timedelta = timedelta(0)) -> list[tuple[int, str]]:
    """What a run at this time tells of, as (settlement, kind)."""
    row = digest.write(now=timezone.now() + after)
    digest_mail.send_due(clock=lambda: timezone.now() + after)
    return [] if row is None else sorted(row.items.values_list("settlement_id", "kind"))


def page_of(settlement_id: int) -> str:
    return f"{BASE}/admin/compliance/reviewqueue/{settlement_id}/"


def test_when_nothing_is_new_nothing_is_sent_and_nothing_is_stored() -> None:
    assert told() == []
    waiting()
    assert len(told()) == 1
    assert told() == told(timedelta(hours=3)) == []
    assert (ReviewDigest.objects.count(), DigestItem.objects.count(), len(mail.outbox)) == (1, 1, 1)


def test_what_has_joined_the_queue_is_told_of_in_one_message_to_the_whole_team() -> None:
    small, large = waiting("10.00"), waiting("25000.00")
    assert told() == [(small.pk, NEW), (large.pk, NEW)]
    (message,) = mail.outbox
    assert message.to == ["team@example.com", "lead@example.com"]
    assert message.subject == "Review queue: 2 new (2 waiting)"
    text, html = contents(message)
    for page in (text, html):
        assert page.index(page_of(large.pk)) < page.index(page_of(small.pk))
        assert "20,000.00 USD" in page
        assert f"{BASE}/admin/compliance/reviewqueue/" in page
        assert "HIGH risk: 2, together 20,008.00 USD" in page
    assert message.extra_headers["Message-ID"] == ReviewDigest.objects.get().message_id
    assert message.extra_headers["Message-ID"].endswith("@pay.example.com>")


def test_who_misses_the_target_is_told_of_once_more_and_then_never_again() -> None:
    one = waiting()
    assert told() == [(one.pk, NEW)]
    assert told(TARGET - timedelta(minutes=1)) == []
    assert told(TARGET + timedelta(minutes=1)) == [(one.pk, MISSED)]
    assert mail.outbox[1].subject == "Review queue: 1 past the 4 h target (1 waiting)"
    assert "Waiting longer than 4 hours: 1" in mail.outbox[1].body
    assert told(TARGET * 9) == []


def test_what_waits_too_long_already_when_it_is_first_told_of_is_named_once() -> None:
    one = waiting()
    assert told(TARGET * 2) == [(one.pk, NEW), (one.pk, MISSED)]
    (message,) = mail.outbox
    assert message.subject == "Review queue: 1 past the 4 h target (1 waiting)"
    assert message.body.count(page_of(one.pk)) == 1
    assert told(TARGET * 3) == []


def test_overdue_comes_first_then_sums_by_tier_and_currency() -> None:
    late = waiting("5.00")
    assert told() == [(late.pk, NEW)]
    late.refresh_from_db()
    early = [waiting("1000.00"), waiting("2000.00"), waiting("300000", "JPY")]
    row = digest.write(now=late.created_at + TARGET + timedelta(microseconds=1))
    assert row is not None
    assert row.subject == "Review queue: 1 past the 4 h target, 3 new (4 waiting)"
    assert row.text.index(page_of(late.pk)) < min(row.text.index(page_of(each.pk)) for each in early)
    assert row.text.index("Waiting longer than 4 hours: 1") < row.text.index("New in the queue: 3")
    assert "HIGH risk: 1, together 240,000 JPY" in row.text
    assert "HIGH risk: 2, together 2,400.00 USD" in row.text
    assert "In the queue now: 4, of which 1 longer than 4 hours." in row.text


def of_the_haulier() -> MilestoneSettlement:
    """One that waits, for a recipient whom `edited` edits."""
    recipients.put("haulier", "Haulier", actor="test", now=timezone.now())
    return waiting(recipient_id="haulier")


def approved_with_the_rail_off(one: MilestoneSettlement, officer: User) -> None:
    """It leaves the queue, complete and blocked."""
    ledger = SettlementProvider.INTERNAL_LEDGER
    switches.turn_off(provider=ledger, reason="audit", actor="test", now=timezone.now())
    approve(one, officer)


def edited() -> None:
    """What was approved for the haulier is void."""
    recipients.put("haulier", "Another name", actor="test", now=timezone.now())


def test_who_left_the_queue_and_comes_back_is_news_again(officer: User) -> None:
    one = of_the_haulier()
    assert told() == [(one.pk, NEW)]
    approved_with_the_rail_off(one, officer)
    assert told() == []
    assert DigestItem.objects.get().left_at is not None
    edited()
    assert told() == [(one.pk, NEW)]
    assert told() == []
    assert DigestItem.objects.count() == 2


def test_who_left_and_came_back_between_two_looks_is_no_news(officer: User) -> None:
    one = of_the_haulier()
    assert told() == [(one.pk, NEW)]
    approved_with_the_rail_off(one, officer)
    edited()
    assert told() == []


def test_what_is_decided_leaves_without_a_word(officer: User) -> None:
    one = waiting()
    told()
    approve(one, officer)
    assert told(TARGET * 2) == []
    assert len(mail.outbox) == 1


def test_without_anybody_to_tell_nothing_is_stored_and_nothing_is_lost(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    one = waiting()
    settings.CHAINPAY_DIGEST_TO = []
    assert told() == []
    assert ReviewDigest.objects.count() == 0
    assert "Nobody is to be told of the review queue" in caplog.text
    settings.CHAINPAY_DIGEST_TO = ["team@example.com"]
    assert told() == [(one.pk, NEW)]


def test_ten_thousand_new_ones_are_one_short_message() -> None:
    copies.delayed_intents(5_000, per_shipment=5_000)
    tokens.put(FIRST, TokenPush(risk_score=HIGH), actor="test", now=timezone.now())
    event(Freight(FIRST, f"COPY-{FIRST}"))
    assert len(told()) == 10_000
    (message,) = mail.outbox
    assert message.subject == "Review queue: 10000 new (10000 waiting)"
    assert sum(len(part) for part in contents(message)) < 20_000
    assert "And 9980 more that are not named here." in message.body
    assert told() == []


@pytest.mark.parametrize("number", [1, 30])
def test_a_digest_has_a_fixed_number_of_statements(number: int) -> None:
    of = freight()
    for _ in range(number):
        intent(of)
    event(of)
    with CaptureQueriesContext(connection) as queries:
        row = digest.write(now=timezone.now())
    assert row is not None
    assert row.items.count() == number
    # Two for the savepoint that the test's own transaction makes of the outermost one.
    assert len(queries) == 10


def test_what_others_wrote_is_escaped_and_leads_nowhere() -> None:
    name = '"><img src=x><b>Acme</b> DE89370400440532013000 https://evil.example/'
    recipient_id = recipients.put("haulier", name, actor="test", now=timezone.now())[0].recipient_id
    of = freight(recipient_id=recipient_id, shipment="<script>alert(1)</script>&amp;\u202e http://evil.example/pay")
    intent(of)
    event(of)
    told()
    text, html = contents(mail.outbox[0])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;" in html
    assert not re.search(r"<(script|img|b)\b", html)
    for page in (text, html):
        assert "DE89370400440532013000" not in page
        assert "\u202e" not in page
        assert set(re.findall(r"https?://[^/\s]+", page)) == {BASE}
    assert all(link.startswith(f"{BASE}/admin/compliance/reviewqueue/") for link in re.findall(r'href="([^"]*)"', html))


def contents(message: Any) -> tuple[str, str]:
    ((html, kind),) = message.alternatives
    assert kind == "text/html"
    return message.body, html


def test_the_links_lead_to_the_pages_of_the_queue(staff: Staff) -> None:
    one = waiting()
    told()
    browser = logged_in(staff(Role.COMPLIANCE_OFFICER))
    for link in set(re.findall(r'href="([^"]*)"', contents(mail.outbox[0])[1])):
        assert browser.get(link.removeprefix(BASE)).status_code == 200
    assert page_of(one.pk) in mail.outbox[0].body


def test_the_database_lets_a_settlement_be_told_of_once_while_it_waits() -> None:
    one = waiting()
    told()
    other = ReviewDigest.objects.create(message_id="<x>", subject="s", text="t", html="h", created_at=timezone.now())
    with pytest.raises(DatabaseError, match="told_once_while_it_waits"), transaction.atomic():
        DigestItem.objects.create(digest=other, settlement=one, kind=NEW)


@pytest.mark.parametrize(
    "columns", [{"subject": "other"}, {"message_id": "<other>"}, {"sent_at": None}, {"attempts": 0}], ids=str
)
def test_the_database_keeps_a_digest_as_it_was_sent(columns: dict[str, Any]) -> None:
    waiting()
    told()
    with pytest.raises(DatabaseError), transaction.atomic():
        ReviewDigest.objects.update(**columns)
    with pytest.raises(DatabaseError), transaction.atomic():
        ReviewDigest.objects.all().delete()
