"""The rubber-stamp report: which approvals came without the page having been opened, and how fast the others."""

import csv
import io
import itertools
import random
import statistics
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from compliance import inert_csv, openings, stamps
from compliance.models import Opening
from compliance.roles import Role
from compliance.stamps import Verdict, Wanted
from settlements.models import Approval, AuditEvent, MilestoneSettlement
from settlements.statuses import Channel
from tests.compliance.conftest import Staff, logged_in, waiting
from tests.factories import approval_row, version_of

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = NOON.date()
REPORT = "/admin/compliance/reviewqueue/rubber-stamps/"
CSV = f"{REPORT}csv/"
MAY = {Role.COMPLIANCE_MANAGER, Role.AUDITOR}
HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "<script>alert(1)</script>", 'a "quoted", name']


def approved(
    settlement: MilestoneSettlement, user: User, *, at: datetime = NOON, channel: Channel = Channel.ITEM, **others: Any
) -> Approval:
    return approval_row(settlement, user, created_at=at, channel=channel, **others)


def opened(settlement: MilestoneSettlement, user: User, *, at: datetime, version: str = "") -> Opening:
    version = version or version_of(settlement.pk)
    return Opening.objects.create(settlement=settlement, officer=user, version=version, nonce=uuid4(), opened_at=at)


def the_only() -> stamps.Stamp:
    (found,) = stamps.page(Wanted(first=DAY, last=DAY), skip=0, limit=50)
    return found


def as_rows(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def manager(staff: Staff) -> User:
    return staff(Role.COMPLIANCE_MANAGER, "mona")


class TestAnApproval:
    def test_after_the_page_was_opened_is_read(self, officer):
        one = waiting()
        opened(one, officer, at=NOON - timedelta(seconds=95))
        approved(one, officer)
        found = the_only()
        assert (found.verdict, found.took) == (Verdict.READ, timedelta(seconds=95))
        assert (found.officer, found.milestone_id, found.opened_at) == ("olga", one.pk, NOON - timedelta(seconds=95))

    def test_is_timed_from_the_last_opening_before_it(self, officer):
        one = waiting()
        for before in (300, 40, 120):
            opened(one, officer, at=NOON - timedelta(seconds=before))
        opened(one, officer, at=NOON + timedelta(seconds=1))
        approved(one, officer)
        assert the_only().took == timedelta(seconds=40)

    @pytest.mark.parametrize(("milliseconds", "verdict"), [(9_999, Verdict.HASTY), (10_000, Verdict.READ)])
    def test_is_hasty_under_the_threshold(self, milliseconds, verdict, officer):
        one = waiting()
        opened(one, officer, at=NOON - timedelta(milliseconds=milliseconds))
        approved(one, officer)
        assert the_only().verdict is verdict

    def test_without_any_opening_is_flagged(self, officer):
        approved(waiting(), officer)
        found = the_only()
        assert (found.verdict, found.opened_at, found.took) == (Verdict.NOT_OPENED, None, None)

    def test_before_the_opening_is_flagged(self, officer):
        one = waiting()
        opened(one, officer, at=NOON + timedelta(microseconds=1))
        approved(one, officer)
        assert the_only().verdict is Verdict.NOT_OPENED

    def test_opened_by_another_officer_does_not_count(self, officer, second_officer):
        one = waiting()
        opened(one, second_officer, at=NOON - timedelta(minutes=1))
        approved(one, officer)
        assert the_only().verdict is Verdict.NOT_OPENED

    def test_opened_at_an_older_version_does_not_count(self, officer):
        one = waiting()
        opened(one, officer, at=NOON - timedelta(minutes=1), version="of before")
        approved(one, officer)
        assert the_only().verdict is Verdict.NOT_OPENED

    def test_of_another_settlement_does_not_count(self, officer):
        one, other = waiting(), waiting()
        opened(other, officer, at=NOON - timedelta(minutes=1))
        approved(one, officer)
        assert the_only().verdict is Verdict.NOT_OPENED

    def test_from_before_openings_were_kept_is_judged_by_nothing(self, officer):
        one = waiting()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            approved(one, officer, channel=Channel.UNKNOWN)
            cursor.execute("SET LOCAL session_replication_role = origin")
        assert the_only().verdict is Verdict.UNKNOWN
        (total, _) = stamps.figures(Wanted(first=DAY, last=DAY))
        assert (total.approvals, total.unknown, total.unopened, total.share_unopened) == (1, 1, 0, None)

    def test_is_told_of_but_a_rejection_is_not(self, officer):
        approved(waiting(), officer, decision=Approval.REJECT)
        assert stamps.page(Wanted(first=DAY, last=DAY), skip=0, limit=50) == []
        assert stamps.figures(Wanted(first=DAY, last=DAY)) == []

    @pytest.mark.parametrize(
        ("at", "counts"),
        [
            (datetime(2026, 3, 9, 23, 59, 59, 999_999, tzinfo=UTC), False),
            (datetime(2026, 3, 10, tzinfo=UTC), True),
            (datetime(2026, 3, 10, 23, 59, 59, 999_999, tzinfo=UTC), True),
            (datetime(2026, 3, 11, tzinfo=UTC), False),
        ],
    )
    def test_belongs_to_its_utc_day(self, at, counts, officer):
        approved(waiting(), officer, at=at)
        assert len(stamps.page(Wanted(first=DAY, last=DAY), skip=0, limit=50)) == counts


class TestTheFigures:
    def test_are_those_of_a_naive_computation(self, staff):
        chance = random.Random(4)
        people = [staff(Role.COMPLIANCE_OFFICER, f"judge{number}") for number in range(3)]
        channels = [channel for channel in Channel if channel is not Channel.UNKNOWN]
        known: dict[tuple[str, Channel], list[timedelta | None]] = {}
        for settlement in [waiting() for _ in range(8)]:
            for person in people:
                channel = chance.choice(channels)
                took = chance.choice([None, *(timedelta(milliseconds=chance.randrange(1, 60_000)) for _ in range(4))])
                at = NOON + timedelta(seconds=chance.randrange(3600))
                if took:
                    opened(settlement, person, at=at - took)
                approved(settlement, person, at=at, channel=channel)
                known.setdefault((person.username, channel), []).append(took)
        found = stamps.figures(Wanted(first=DAY, last=DAY))
        assert {(each.officer, each.channel) for each in found if each.channel} == set(known)
        for each in found:
            mine = [
                took
                for (who, channel), of in known.items()
                if who == each.officer and each.channel in (None, channel)
                for took in of
            ]
            read = [took for took in mine if took is not None]
            assert (each.approvals, each.unopened) == (len(mine), mine.count(None))
            assert each.hasty == sum(took < timedelta(seconds=10) for took in read)
            assert each.fastest == min(read, default=None)
            # percentile_cont computes in floating point.
            assert (each.median is None) == (not read)
            if each.median is not None:
                middle = statistics.median(took // timedelta(microseconds=1) for took in read)
                assert abs(each.median // timedelta(microseconds=1) - middle) < 2

    def test_can_be_one_officers_and_the_flagged_ones_alone(self, officer, second_officer):
        one, two = waiting(), waiting()
        opened(one, officer, at=NOON - timedelta(minutes=5))
        approved(one, officer)
        flagged = approved(two, officer)
        approved(one, second_officer)
        mine = Wanted(first=DAY, last=DAY, officer_id=officer.pk)
        assert [each.officer for each in stamps.figures(mine)] == ["olga", "olga"]
        assert len(stamps.page(mine, skip=0, limit=50)) == 2
        only = Wanted(first=DAY, last=DAY, officer_id=officer.pk, only_flagged=True)
        assert [each.approval_id for each in stamps.page(only, skip=0, limit=50)] == [flagged.pk]
        assert stamps.officers() == [(officer.pk, "olga"), (second_officer.pk, "otto")]


class TestThePage:
    @pytest.mark.parametrize("role", [*Role, None])
    def test_is_for_who_oversees_alone(self, role, staff, officer):
        approved(waiting(), officer)
        client = logged_in(staff(role))
        expected = 200 if role in MAY else 403
        assert client.get(REPORT).status_code == expected
        assert client.post(CSV).status_code == expected
        assert LogEntry.objects.count() == (1 if role in MAY else 0)

    def test_needs_a_login(self, client):
        assert client.get(REPORT).status_code == client.post(CSV).status_code == 302

    def test_of_an_empty_database_says_so(self, manager):
        page = logged_in(manager).get(REPORT).content.decode()
        assert "Nobody approved anything in these days." in page
        assert "There are no approvals in these days." in page

    def test_shows_names_as_text(self, manager, staff):
        bad = "<script>alert(1)</script>"
        approved(waiting(), staff(Role.COMPLIANCE_OFFICER, bad), at=timezone.now(), reason=bad)
        page = logged_in(manager).get(REPORT).content.decode()
        assert bad not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page

    @pytest.mark.parametrize(
        "query",
        [
            "first=yesterday",
            "first=2026-03-11&last=2026-03-10",
            "first=2020-01-01&last=2026-01-01",
            "first=9999-12-31&last=9999-12-31",
            "first=0000-00-00",
            "under=0",
            "under=-1",
            "under=3601",
            "under=%F0%9F%92%A3",
            "officer=1%27%20OR%201=1",
            "officer=99999999999999999999",
            "first=%00",
        ],
    )
    def test_refuses_a_filter_that_makes_no_sense(self, query, manager):
        client = logged_in(manager)
        answer = client.get(f"{REPORT}?{query}")
        assert answer.status_code == 400
        assert b"errorlist" in answer.content
        assert client.post(CSV, query, content_type="application/x-www-form-urlencoded").status_code == 400
        assert not LogEntry.objects.exists()

    def test_takes_the_same_statements_for_one_approval_and_for_many(self, manager, officer, second_officer):
        client = logged_in(manager)

        def statements() -> int:
            with CaptureQueriesContext(connection) as seen:
                assert client.get(f"{REPORT}?first=2026-03-10&last=2026-03-10").status_code == 200
            return len(seen)

        approved(waiting(), officer)
        statements()
        one = statements()
        for _ in range(5):
            approved(waiting(), officer)
            approved(waiting(), second_officer, channel=Channel.API)
        assert statements() == one

    def test_goes_on_page_by_page_with_its_filter(self, manager, officer, monkeypatch):
        monkeypatch.setattr("compliance.stamp_pages.PER_PAGE", 2)
        numbers = [approved(waiting(), officer, at=NOON + timedelta(seconds=n)).pk for n in range(5)]
        client = logged_in(manager)
        where = f"{REPORT}?first=2026-03-10&last=2026-03-10&under=20"
        seen = [client.get(f"{where}&page={number}").context["stamps"] for number in (1, 2, 3)]
        assert [each.approval_id for each in itertools.chain(*seen)] == numbers[::-1]
        assert "under=20&amp;page=2" in client.get(where).content.decode()
        assert client.get(f"{where}&page=9")["Location"].endswith("under=20&page=3")


class TestTheFile:
    def test_has_the_columns_that_are_documented(self, manager, officer):
        one = waiting("1234.50")
        opened(one, officer, at=NOON - timedelta(milliseconds=4_250))
        row = approved(one, officer, channel=Channel.BULK, reason='papers, "in order"\nall')
        answer = logged_in(manager).post(CSV, {"first": "2026-03-10", "last": "2026-03-10"})
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"] == 'attachment; filename="rubber-stamps-2026-03-10-to-2026-03-10.csv"'
        assert as_rows(answer) == [
            {
                "approval_id": str(row.pk),
                "approved_at": "2026-03-10T12:00:00+00:00",
                "officer": "olga",
                "channel": "bulk",
                "verdict": "hasty",
                "opened_at": "2026-03-10T11:59:55.750000+00:00",
                "seconds": "4.250",
                "milestone_id": str(one.pk),
                "payment_intent_id": str(one.intent_id),
                "shipment_id": one.intent.shipment.shipment_id,
                "event_type": "POD_CONFIRMED",
                "amount": "987.60",
                "currency": "USD",
                "reason": 'papers, "in order"\nall',
            }
        ]

    def test_is_over_the_filter_on_the_screen(self, manager, officer, second_officer):
        one, two = waiting(), waiting()
        opened(one, officer, at=NOON - timedelta(minutes=5))
        approved(one, officer)
        flagged = approved(two, officer)
        approved(one, second_officer)
        asked = {"first": "2026-03-10", "last": "2026-03-10", "officer": officer.pk, "flagged": "on"}
        client = logged_in(manager)
        page = client.get(REPORT, asked)
        assert [row["approval_id"] for row in as_rows(client.post(CSV, asked))] == [str(flagged.pk)]
        assert [each.approval_id for each in page.context["stamps"]] == [flagged.pk]

    @pytest.mark.parametrize("bad", HOSTILE)
    def test_has_cells_that_stay_text(self, bad, manager, staff):
        approved(waiting(), staff(Role.COMPLIANCE_OFFICER, bad), reason=bad)
        (row,) = as_rows(logged_in(manager).post(CSV, {"first": "2026-03-10", "last": "2026-03-10"}))
        expected = f"'{bad}" if bad[0] in "=+-@\t\r" else bad
        assert (row["officer"], row["reason"]) == (expected, expected)

    def test_of_nothing_is_its_columns(self, manager):
        file: Any = logged_in(manager).post(CSV)
        assert b"".join(file.streaming_content).startswith(b"approval_id,approved_at,officer,")

    def test_is_not_there_for_a_get_nor_without_a_token(self, manager):
        assert logged_in(manager).get(CSV).status_code == 405
        assert logged_in(manager, csrf=True).post(CSV).status_code == 403
        assert not LogEntry.objects.exists()

    def test_leaves_a_trace(self, manager, officer, caplog):
        approved(waiting(), officer)
        caplog.set_level("INFO", logger="compliance.stamp_csv")
        asked = {"first": "2026-03-10", "last": "2026-03-10", "under": "5"}
        answer: Any = logged_in(manager).post(CSV, asked)
        entry = LogEntry.objects.get()
        assert (entry.user, entry.object_repr) == (manager, "Rubber-stamp report")
        assert "first=2026-03-10, last=2026-03-10, officer=all, under=5.000" in entry.change_message
        list(answer.streaming_content)
        assert "by=user:mona, rows=1, sha256=" in caplog.messages[-1]

    def test_escapes_only_what_a_spreadsheet_would_compute(self):
        assert inert_csv.inert("a=1") == "a=1"
        assert inert_csv.inert("") == ""
        assert inert_csv.inert("=1") == "'=1"


class TestOpeningAPage:
    def ticket(self, client: Any, settlement: MilestoneSettlement) -> str:
        page = client.get(reverse("admin:compliance_reviewqueue_review", args=[settlement.pk])).content.decode()
        assert 'src="/static/compliance/opened.js"' in page
        return str(page.split('name="ticket" value="')[1].split('"')[0])

    def tell(self, client: Any, settlement: MilestoneSettlement, ticket: str) -> int:
        address = reverse("admin:compliance_reviewqueue_opened", args=[settlement.pk])
        return int(client.post(address, {"ticket": ticket}).status_code)

    def test_is_recorded_once_however_often_it_is_told(self, officer):
        client, one = logged_in(officer), waiting()
        ticket = self.ticket(client, one)
        assert not Opening.objects.exists()
        assert [self.tell(client, one, ticket) for _ in range(3)] == [204, 204, 204]
        opening = Opening.objects.get()
        assert (opening.settlement_id, opening.officer, opening.version) == (one.pk, officer, version_of(one.pk))
        assert self.tell(client, one, self.ticket(client, one)) == 204
        assert Opening.objects.count() == 2

    def test_keeps_the_version_that_was_shown(self, officer):
        client, one = logged_in(officer), waiting()
        shown, ticket = version_of(one.pk), self.ticket(client, one)
        MilestoneSettlement.objects.filter(pk=one.pk).update(rail="wire", approvals_required=2)
        assert version_of(one.pk) != shown
        assert self.tell(client, one, ticket) == 204
        assert Opening.objects.get().version == shown

    def test_is_nothing_that_a_get_does(self, officer):
        client, one = logged_in(officer), waiting()
        address = reverse("admin:compliance_reviewqueue_opened", args=[one.pk])
        assert client.get(address).status_code == client.head(address).status_code == 405
        assert not Opening.objects.exists()

    def test_needs_the_ticket_of_that_page_and_that_person(self, officer, second_officer):
        client, one, other = logged_in(officer), waiting(), waiting()
        ticket = self.ticket(client, one)
        assert self.tell(client, other, ticket) == 400
        assert self.tell(logged_in(second_officer), one, ticket) == 400
        for bad in ("", "made up", f"{ticket}x", "\x00", "x" * 5_000):
            assert self.tell(client, one, bad) == 400
        assert not Opening.objects.exists()

    def test_needs_a_ticket_that_is_not_too_old(self, officer, monkeypatch):
        client, one = logged_in(officer), waiting()
        ticket = self.ticket(client, one)
        monkeypatch.setattr(openings, "TICKET_AGE", timedelta(seconds=-1))
        assert self.tell(client, one, ticket) == 400

    def test_needs_the_permission_to_read_the_queue_and_a_csrf_token(self, officer, staff):
        one = waiting()
        ticket = self.ticket(logged_in(officer), one)
        assert self.tell(logged_in(staff(None)), one, ticket) == 403
        assert self.tell(logged_in(officer, csrf=True), one, ticket) == 403
        assert not Opening.objects.exists()

    def test_is_never_changed(self, officer):
        row = opened(waiting(), officer, at=NOON)
        for change in (lambda: Opening.objects.update(opened_at=NOON), row.delete):
            with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
                change()


def test_a_decision_tells_its_channel_to_the_audit_trail(officer):
    one = waiting()
    version = version_of(one.pk)
    address = reverse("admin:compliance_reviewqueue_approve", args=[one.pk])
    logged_in(officer).post(address, {"reason": "papers are in order", "version": version})
    assert Approval.objects.get().channel == Channel.ITEM
    assert AuditEvent.objects.get(action="approval_recorded").data["channel"] == "ITEM"
