"""The front page: its figures are those of a naive computation, for those who may read them."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from compliance import dashboard
from compliance.dashboard import BANDS, Flow, Stuck
from compliance.roles import Role
from rails.money import Money
from settlements import holds
from settlements.models import Hold, MilestoneSettlement, PaymentIntent
from settlements.statuses import EventType, RiskTier
from tests.compliance.conftest import event, freight, intent, logged_in, settlement, waiting

INDEX = "/admin/"
NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
PICKUP, POD, CLAIM = EventType


def behind_the_guards(statement: str, *parameters: Any) -> None:
    """What only somebody with the keys of the database could write: other times and statuses."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, parameters)
        cursor.execute("SET LOCAL session_replication_role = origin")


def change(row: MilestoneSettlement, **columns: Any) -> None:
    assignments = ", ".join(f"{column} = %s" for column in columns)
    behind_the_guards(
        f"UPDATE settlements_milestonesettlement SET {assignments} WHERE id = %s", *columns.values(), row.pk
    )


def released(at: datetime, amount: str = "100.00", currency: str = "USD") -> MilestoneSettlement:
    """A settlement of LOW risk, released at that time: 70 % of the amount."""
    of = freight("0.15")
    number = intent(of, amount, currency)
    event(of)
    one = settlement(number)
    change(one, created_at=at, released_at=at)
    return one


def delayed(until: datetime, amount: str = "100.00", currency: str = "USD") -> MilestoneSettlement:
    """A settlement of MEDIUM risk that waits until then: 10 % of the amount."""
    of = freight("0.50")
    number = intent(of, amount, currency)
    event(of, PICKUP)
    one = settlement(number, PICKUP)
    change(one, created_at=NOW - timedelta(days=100), settlement_delayed_until=until)
    return one


def gone_wrong(status: str, *, updated_at: datetime) -> MilestoneSettlement:
    """A settlement that a remote rail keeps, refused or gave back."""
    one = waiting()
    change(one, status=status, updated_at=updated_at, reference="provider's", released_at=NOW)
    return one


@pytest.fixture
def officer_page(officer):
    client = logged_in(officer)
    return lambda: client.get(INDEX)


class TestWhatWaits:
    def test_is_told_by_tier_and_age(self, settings):
        settings.CHAINPAY_REVIEW_TARGET_HOURS = 4
        chance = random.Random(1)
        ages = [timedelta(seconds=chance.randrange(6 * 24 * 3600)) for _ in range(12)]
        ages += [timedelta(hours=4), timedelta(hours=4, microseconds=-1), timedelta(hours=24), timedelta(days=3)]
        rows = {}
        for age in ages:
            one = waiting()
            tier = chance.choice(list(RiskTier))
            change(one, created_at=NOW - age, risk_tier=tier.value)
            rows[one.pk] = (age, tier)

        def band(age: timedelta) -> str:
            limits = [timedelta(hours=4), timedelta(hours=24), timedelta(days=3)]
            return BANDS[sum(age >= limit for limit in limits)]

        known = Counter((band(age), tier) for age, tier in rows.values())
        found = dashboard.waiting(now=NOW)
        assert {(name, tier): n for name, numbers in found.bands for tier, n in numbers.items() if n} == dict(known)
        assert found.total == len(rows)
        assert found.overdue == sum(age > timedelta(hours=4) for age in ages)
        oldest = max(rows, key=lambda pk: rows[pk][0])
        assert (found.oldest_id, found.oldest_since) == (oldest, NOW - rows[oldest][0])

    def test_is_the_queue_and_nothing_else(self):
        of = freight("0.81")
        intent(of)
        event(of, PICKUP)
        released(NOW)
        delayed(NOW)
        assert dashboard.waiting(now=NOW).total == 0


class TestTheDays:
    def test_are_those_of_a_naive_computation(self):
        chance = random.Random(2)
        known: Counter[Any] = Counter()
        first = datetime(2026, 2, 25, tzinfo=UTC)
        for _ in range(15):
            at = first - timedelta(days=1) + timedelta(seconds=chance.randrange(15 * 24 * 3600))
            currency = chance.choice(["USD", "JPY"])
            one = released(at, str(chance.randrange(10, 5000)), currency)
            if at >= first:
                known[at.date(), Flow.RELEASED, currency] += one.amount_minor
                known[at.date(), Flow.RELEASED] += 1
        for _ in range(5):
            at = first + timedelta(seconds=chance.randrange(13 * 24 * 3600))
            one = delayed(NOW)
            change(one, created_at=at)
            known[at.date(), Flow.HELD, "USD"] += one.amount_minor
            known[at.date(), Flow.HELD] += 1
        days = dashboard.days(now=NOW)
        assert [day.day for day in days] == [(first + timedelta(days=number)).date() for number in range(14)]
        found: dict[Any, int] = {(day.day, flow): number for day in days for flow, number in day.counts.items()}
        found |= {
            (day.day, flow, currency): minor
            for day in days
            for currency, flows in day.amounts.items()
            for flow, minor in flows.items()
        }
        assert {key: number for key, number in found.items() if number} == dict(known)

    @pytest.mark.parametrize(
        ("at", "day"),
        [
            (datetime(2026, 2, 24, 23, 59, 59, 999_999, tzinfo=UTC), None),
            (datetime(2026, 2, 25, tzinfo=UTC), 0),
            (datetime(2026, 3, 9, 23, 59, 59, 999_999, tzinfo=UTC), 12),
            (datetime(2026, 3, 10, tzinfo=UTC), 13),
            (datetime(2026, 3, 11, tzinfo=UTC), None),
        ],
    )
    def test_are_utc_days(self, at, day):
        released(at)
        counts = [each.counts[Flow.RELEASED] for each in dashboard.days(now=NOW)]
        assert counts == [int(number == day) for number in range(14)]

    def test_count_a_return_on_the_day_of_the_return(self):
        one = released(NOW - timedelta(days=3))
        behind_the_guards(
            "INSERT INTO settlements_auditevent (intent_id, settlement_id, sequence, action, from_status, to_status, "
            "reason, triggered_by, approved_by, data, created_at, prev_hash, hash) "
            "VALUES (%s, %s, 99, 'returned', 'APPROVED', 'RETURNED', '', 'bank', '', '{}', %s, '', '')",
            one.intent_id, one.pk, NOW - timedelta(days=1),
        )  # fmt: skip
        days = dashboard.days(now=NOW)
        assert [day.counts[Flow.RETURNED] for day in days] == [0] * 12 + [1, 0]
        assert [day.counts[Flow.RELEASED] for day in days] == [0] * 10 + [1, 0, 0, 0]
        assert days[12].amounts["USD"][Flow.RETURNED] == 7_000

    def test_do_not_count_what_is_nothing_to_release(self):
        of = freight("0.81")
        number = intent(of)
        event(of, PICKUP)
        change(settlement(number, PICKUP), created_at=NOW)
        assert not any(sum(day.counts.values()) for day in dashboard.days(now=NOW))


class TestWhatIsDue:
    @pytest.mark.parametrize(
        ("after", "hour"),
        [
            (timedelta(days=-2), 0),
            (timedelta(0), 0),
            (timedelta(hours=1, microseconds=-1), 0),
            (timedelta(hours=1), 1),
            (timedelta(hours=24, microseconds=-1), 23),
            (timedelta(hours=24), None),
        ],
    )
    def test_is_told_by_the_hour(self, after, hour):
        delayed(NOW + after)
        found = dashboard.due(now=NOW)
        assert list(found.per_hour) == [int(number == hour) for number in range(24)]

    def test_sums_each_currency(self):
        delayed(NOW + timedelta(hours=2), "1000.00")
        delayed(NOW + timedelta(hours=3), "10.00")
        delayed(NOW + timedelta(hours=3), "5000", "JPY")
        found = dashboard.due(now=NOW)
        assert (found.total, list(found.sums)) == (3, [Money(500, "JPY"), Money(10_100, "USD")])

    def test_leaves_out_what_is_on_hold_or_cancelled(self):
        held, cancelled = delayed(NOW), delayed(NOW)
        holds.place(held.pk, reason="claim filed by phone", actor="test", now=timezone.now())
        behind_the_guards(
            "UPDATE settlements_paymentintent SET cancelled_at = now(), status = 'CANCELLED' WHERE id = %s",
            cancelled.intent_id,
        )
        assert Hold.objects.count() == 1
        assert dashboard.due(now=NOW).total == 0


class TestWhatStandsStill:
    def test_is_counted_by_kind(self):
        assert dashboard.stuck(now=NOW) == Stuck(releasing=0, blocked=0, failed=0, returned=0, events=0, deliveries=0)
        for status, updated in (("RELEASING", 61), ("RELEASING", 59), ("FAILED", 1), ("RETURNED", 1), ("RETURNED", 1)):
            gone_wrong(status, updated_at=NOW - timedelta(minutes=updated))
        change(waiting(), blocked_reason="rail internal_ledger is switched off")
        change(delayed(NOW), blocked_reason="payouts to the recipient are switched off")
        change(released(NOW), blocked_reason="of before")
        behind_the_guards(
            "UPDATE settlements_shipmentevent SET state = 'FAILED' WHERE id = (SELECT min(id) "
            "FROM settlements_shipmentevent)"
        )
        assert dashboard.stuck(now=NOW) == Stuck(releasing=1, blocked=2, failed=1, returned=2, events=1, deliveries=0)

    def test_leads_to_lists_that_show_just_these(self, officer):
        slow = gone_wrong("RELEASING", updated_at=timezone.now() - timedelta(hours=2))
        gone_wrong("RELEASING", updated_at=timezone.now())
        blocked = waiting()
        change(blocked, blocked_reason="rail internal_ledger is switched off")
        back = gone_wrong("RETURNED", updated_at=NOW)
        client = logged_in(officer)
        shown = {
            line.words: [row.pk for row in client.get(line.address).context["cl"].result_list]
            for line in client.get(INDEX).context["stuck"]
            if line.number
        }
        assert shown == {
            "Releasing for over an hour": [slow.pk],
            "Authorised, but blocked": [blocked.pk],
            "Returned by the provider": [back.pk],
        }


class TestThePage:
    @pytest.mark.parametrize("role", list(Role))
    def test_is_there_for_every_role(self, role, staff):
        page = logged_in(staff(role)).get(INDEX)
        assert page.status_code == 200
        assert page.context["waiting"].total == 0

    def test_of_who_may_not_read_the_queue_tells_nothing_of_it(self, staff):
        one = waiting()
        with CaptureQueriesContext(connection) as seen:
            page = logged_in(staff(None)).get(INDEX)
        assert page.status_code == 200
        assert "waiting" not in page.context
        assert one.intent.shipment.shipment_id not in page.content.decode()
        assert "Waiting now" not in page.content.decode()
        assert not [query for query in seen if "settlements_milestonesettlement" in query["sql"]]

    def test_of_an_empty_database_has_friendly_words(self, officer_page):
        page = officer_page().content.decode()
        assert "Nothing waits for a decision." in page
        assert "Nothing is due by itself." in page
        assert PaymentIntent.objects.count() == 0

    def test_shows_numbers_charts_and_the_oldest_with_its_link(self, officer_page):
        one = waiting("38400.00")
        change(one, created_at=timezone.now() - timedelta(days=5, hours=2))
        released(timezone.now() - timedelta(days=1), "123.45", "KWD")
        page = officer_page().content.decode()
        assert f'<a href="/admin/compliance/reviewqueue/{one.pk}/">5 d 2 h</a>' in page
        assert 'aria-label="1 waiting, by age and risk tier"' in page
        assert "released 86.415 KWD</title>" in page
        assert "Per day: KWD" in page

    def test_has_nothing_that_a_strict_policy_refuses(self, officer_page):
        waiting()
        main = officer_page().content.decode().split('id="content"')[1]
        assert " style=" not in main.split("</main>")[0].split("cp-tiles")[1]
        assert "<script" not in main.split("cp-tiles")[1].split("cp-board")[1].split("</section>")[0]

    def test_takes_the_same_statements_however_much_there_is(self, officer_page):
        officer_page()
        with CaptureQueriesContext(connection) as before:
            officer_page()
        for _ in range(4):
            waiting()
            released(timezone.now())
            delayed(timezone.now())
        with CaptureQueriesContext(connection) as after:
            officer_page()
        assert len(after) == len(before)
