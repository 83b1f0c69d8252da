"""The statement of a recipient in the admin: on the screen, on paper, and as a file that is on record."""

import csv
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.test import Client

from compliance.roles import Role
from rails.models import Recipient
from settlements import holds
from settlements.models import OfficeEvent
from tests.compliance.conftest import Staff, logged_in
from tests.factories import ACTOR, HIGH, POD, an_intent, now, settlement_of
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, pretend_provider
from tests.flows.resolving import returned
from tests.flows.test_statements import arrived, by_the_ledger
from tests.settlements.test_closing import TODAY, days_ago

pytestmark = pytest.mark.django_db
YESTERDAY = days_ago(1)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


def page(recipient: Recipient, **asked: str) -> str:
    return f"/admin/rails/recipient/{recipient.pk}/statement/" + ("?" + "&".join(f"{k}={v}" for k, v in asked.items()))


@pytest.fixture
def recipient(provider: PretendProvider) -> Recipient:
    made = a_payable_recipient()
    arrived(provider, made)
    returned(provider, made)
    by_the_ledger(provider, made)
    hostile = an_intent(risk=HIGH, recipient=made)
    holds.place(settlement_of(hostile, POD).pk, reason="=1+1 said the carrier", actor=ACTOR, now=now())
    return made


@pytest.fixture
def finance(staff: Staff) -> Client:
    return logged_in(staff(Role.FINANCE))


def test_the_page_shows_this_month_and_the_way_to_paper_and_file(recipient: Recipient, finance: Client) -> None:
    shown = finance.get(page(recipient))
    text = shown.content.decode()
    assert shown.context["statement"].first == TODAY.replace(day=1)
    for words in ("Earned", "Paid", "Returned", "On hold", "=1+1 said the carrier", "Download CSV", "internal ledger"):
        assert words in text
    assert (
        f'href="{page(recipient).partition("?")[0]}"'
        in finance.get(f"/admin/rails/recipient/{recipient.pk}/change/").content.decode()
    )
    assert not OfficeEvent.objects.exists()
    paper = finance.get(page(recipient, paper="1")).content.decode()
    assert "Closing balance" in paper
    assert "nav-sidebar" not in paper


def test_the_file_is_on_record_with_its_digest_and_inert(recipient: Recipient, finance: Client) -> None:
    answer = finance.post(page(recipient).partition("?")[0], {"first": str(YESTERDAY), "last": str(TODAY)})
    content = answer.content
    event = OfficeEvent.objects.get()
    assert (event.action, event.subject) == ("exported", "recipient_statement")
    assert event.data["sha256"] == hashlib.sha256(content).hexdigest()
    rows = list(csv.DictReader(StringIO(content.decode()), strict=True))
    assert event.data["rows"] == len(rows)
    (opening,) = [row for row in rows if row["what"] == "opening"]
    (end,) = [row for row in rows if row["what"] == "closing"]
    lines = [row for row in rows if row["booked_on"] and row["amount"]]
    assert Decimal(opening["balance"]) + sum(Decimal(row["amount"]) for row in lines) == Decimal(end["balance"])
    assert event.data["closing"] == {"USD": end["balance"]}
    assert [row["why"] for row in rows if row["what"] == "waits:held"] == ["'=1+1 said the carrier"]
    assert answer["Content-Type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize(
    ("role", "reads", "takes"),
    [
        (Role.FINANCE, 200, 200), (Role.AUDITOR, 200, 200), (Role.COMPLIANCE_MANAGER, 200, 200),
        (Role.COMPLIANCE_OFFICER, 200, 403), (Role.OPERATIONS, 200, 403), (None, 403, 403),
    ],
)  # fmt: skip
def test_who_reads_and_who_takes_a_statement(
    recipient: Recipient, staff: Staff, role: Role | None, reads: int, takes: int
) -> None:
    client = logged_in(staff(role))
    assert client.get(page(recipient)).status_code == reads
    assert client.post(page(recipient)).status_code == takes
    assert OfficeEvent.objects.count() == (takes == 200)


@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-02-30", "2026-03-01"), ("2026-03-02", "2026-03-01"), ("2024-01-01", "2026-01-01"), ("x", "y"),
     ("0001-01-01", "0001-01-02"), ("9999-12-30", "9999-12-31")],
)  # fmt: skip
def test_a_period_that_is_none_is_said_so(recipient: Recipient, finance: Client, first: str, last: str) -> None:
    assert finance.get(page(recipient, first=first, last=last)).status_code == 400
    assert finance.post(page(recipient).partition("?")[0], {"first": first, "last": last}).status_code == 400
    assert not OfficeEvent.objects.exists()


def test_a_recipient_that_is_none_has_no_statement(finance: Client) -> None:
    assert finance.get("/admin/rails/recipient/999999/statement/").status_code == 404


def test_a_period_before_everything_is_empty(recipient: Recipient, finance: Client) -> None:
    before = TODAY - timedelta(days=40)
    shown = finance.get(page(recipient, first=str(before), last=str(before)))
    assert list(shown.context["statement"].currencies) == []
    assert "Nothing was booked" in shown.content.decode()
