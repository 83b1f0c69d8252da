"""Each filter of the queue alone, all pairs of them, paging with them, and search words of every kind."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from compliance import assignments, counters, queries
from compliance.filters import EVERYTHING, Filters, State
from compliance.models import Assignment
from compliance.queries import QueueItem
from settlements import approvals, holds
from settlements.approvals import Officer
from settlements.models import MilestoneSettlement
from settlements.statuses import Channel, EventType, RiskTier
from tests.compliance.conftest import event, freight, intent, recipient, settlement, waiting

# What each filter means, said again over the items of the whole queue.
ASKED: dict[str, tuple[dict[str, Any], Callable[[QueueItem], bool]]] = {
    "tier": ({"tier": RiskTier.HIGH}, lambda item: item.risk_tier is RiskTier.HIGH),
    "other tier": ({"tier": RiskTier.LOW}, lambda item: False),
    "event": ({"event_type": EventType.CLAIM_WINDOW_CLOSED}, lambda item: item.event_type == "CLAIM_WINDOW_CLOSED"),
    "rail": ({"payment_method": "internal_ledger"}, lambda item: item.rail == "internal_ledger"),
    "recipient": ({"recipient_id": "haulier"}, lambda item: item.recipient_id == "haulier"),
    "currency": ({"currency": "JPY"}, lambda item: item.amount.currency == "JPY"),
    "at least": ({"min_amount": Decimal("800.00")}, lambda item: item.amount.major >= 800),
    "at most": ({"max_amount": Decimal("800.00")}, lambda item: item.amount.major <= 800),
    "overdue": ({"overdue": True}, lambda item: item.overdue),
    "not overdue": ({"overdue": False}, lambda item: not item.overdue),
    "older": ({"older_than_hours": 1}, lambda item: item.overdue),
    "younger": ({"younger_than_hours": 1}, lambda item: not item.overdue),
    "assignee": ({"assignee": "olga"}, lambda item: item.assignee == "olga"),
    "unassigned": ({"unassigned": True}, lambda item: item.assignee is None),
    "assigned": ({"unassigned": False}, lambda item: item.assignee is not None),
    "on hold": ({"on_hold": True}, lambda item: item.held),
    "not on hold": ({"on_hold": False}, lambda item: not item.held),
    "begun": ({"approvals_begun": True}, lambda item: item.approvals > 0),
    "not begun": ({"approvals_begun": False}, lambda item: item.approvals == 0),
    "search": ({"q": "haul"}, lambda item: item.recipient_id == "haulier"),
}


@pytest.fixture
def later() -> datetime:
    return timezone.now() + timedelta(hours=settings.CHAINPAY_REVIEW_TARGET_HOURS, minutes=1)


def age(one: MilestoneSettlement, hours: int) -> None:
    """As if it had come so many hours earlier; only a test rewrites history, and only with the guards asleep."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE settlements_milestonesettlement SET created_at = created_at - make_interval(hours => %s)"
            " WHERE id = %s",
            [hours, one.pk],
        )
        cursor.execute("SET LOCAL session_replication_role = origin")


def as_officer(user: User) -> Officer:
    return Officer(pk=user.pk, username=user.username, channel=Channel.ITEM)


def item_of(one: MilestoneSettlement, **changed: Any) -> QueueItem:
    _, (item,) = queries.queue(skip=0, limit=1, milestone_id=one.pk, now=timezone.now(), **changed)
    return item


@pytest.fixture
def many(officer, second_officer) -> list[QueueItem]:
    """A queue in which every filter has something to take and something to leave."""
    recipient()
    large, held, yen, assigned, old, _ = (
        waiting("50000.00"), waiting("1000.00"), waiting("90000", "JPY"), waiting("1000.00"), waiting("700.00"),
        waiting("2000.00", recipient_id="haulier"),
    )  # fmt: skip
    closing = freight(recipient_id="haulier")
    closing_intent = intent(closing, "300.00")
    event(closing)
    event(closing, EventType.CLAIM_WINDOW_CLOSED)
    settlement(closing_intent, EventType.CLAIM_WINDOW_CLOSED)
    now = timezone.now()
    approvals.approve(
        large.pk, officer=as_officer(second_officer), reason="ok", version=item_of(large).version, now=now
    )
    holds.place(held.pk, reason="claim", actor="test", now=now)
    assignments.assign(assigned.pk, assignee=officer, officer=as_officer(officer), reason="mine", now=now)
    assignments.assign(large.pk, assignee=second_officer, officer=as_officer(officer), reason="his", now=now)
    for one in (old, yen, large):
        age(one, 50)
    _, items = queries.queue(skip=0, limit=500, now=now)
    assert len(items) == 8
    return items


def found(filters: Filters) -> list[int]:
    total, items = queries.queue(skip=0, limit=500, filters=filters, now=timezone.now())
    assert total == len(items)
    return [item.milestone_id for item in items]


def test_each_filter_alone_and_all_pairs_take_what_they_say_in_the_order_of_the_whole(many: list[QueueItem]) -> None:
    for name, (asked, means) in ASKED.items():
        expected = [item.milestone_id for item in many if means(item)]
        assert found(Filters(**asked)) == expected, name
        assert name == "other tier" or name == "rail" or name == "tier" or 0 < len(expected) < len(many), name
    for (one, (asked, means)), (other, (more, mean_too)) in itertools.combinations(ASKED.items(), 2):
        if asked.keys() & more.keys():
            continue
        expected = [item.milestone_id for item in many if means(item) and mean_too(item)]
        assert found(Filters(**asked, **more)) == expected, (one, other)


def test_pages_of_a_filtered_list_are_cut_from_one_order(many: list[QueueItem]) -> None:
    wanted = Filters(unassigned=True)
    whole = found(wanted)
    pages = [
        queries.queue(skip=skip, limit=2, filters=wanted, now=timezone.now()) for skip in range(0, len(whole) + 2, 2)
    ]
    assert [item.milestone_id for _, items in pages for item in items] == whole
    assert {total for total, _ in pages} == {len(whole)}


def test_amount_bounds_are_figures_of_any_currency_with_three_digits() -> None:
    yen, dinar, dollar = waiting("1250", "JPY"), waiting("1.250", "KWD"), waiting("1.25")
    assert found(Filters(min_amount=Decimal("1000"))) == [yen.pk]
    assert sorted(found(Filters(max_amount=Decimal("1.000")))) == sorted([dinar.pk, dollar.pk])
    assert found(Filters(max_amount=Decimal("0.999"))) == []


@pytest.mark.parametrize("begin", ["SHIP-", "ship-", "Haul", "haulier", "HAULIER LTD"])
def test_search_finds_by_the_beginning_in_any_letter_case(begin: str) -> None:
    recipient()
    one = waiting(recipient_id="haulier")
    waiting_without_a_name = waiting()
    expected = {one.pk} | ({waiting_without_a_name.pk} if begin.lower() == "ship-" else set())
    assert set(found(Filters(q=begin))) == expected


def test_search_finds_by_the_number_of_intent_and_milestone() -> None:
    one = waiting()
    waiting()
    assert one.pk in found(Filters(q=str(one.pk)))
    assert one.pk in found(Filters(q=str(one.intent_id)))
    assert found(Filters(q="9" * 19)) == []


@pytest.mark.parametrize("word", ["%", "_", "\\", "%%", "S%", "SHIP_", "aulier", "'; --", "💶", "x" * 200, "9" * 200])
def test_search_takes_every_word_literally(word: str) -> None:
    recipient()
    waiting(recipient_id="haulier")
    assert found(Filters(q=word)) == []


def test_what_releases_by_itself_is_listed_by_its_time_and_what_is_held_whatever_it_waits_for(officer) -> None:
    later_one, sooner = (delayed("5000.00"), delayed("100.00"))
    holds.extend(
        later_one.pk, until=timezone.now() + timedelta(days=9), reason="claim", actor="test", now=timezone.now()
    )
    one = waiting()
    assert found(Filters(state=State.DELAYED)) == [sooner.pk, later_one.pk]
    assert found(EVERYTHING) == [one.pk]
    for held in (one, sooner):
        holds.place(held.pk, reason="claim filed", actor="test", now=timezone.now())
    assert sorted(found(Filters(state=State.HELD))) == sorted([one.pk, sooner.pk])
    held_item = item_of(sooner, filters=Filters(state=State.HELD))
    assert (held_item.hold_reason, held_item.due_by, held_item.overdue) == ("claim filed", None, False)
    assert held_item.releases_at == MilestoneSettlement.objects.get(pk=sooner.pk).settlement_delayed_until
    assert found(Filters(state=State.DELAYED, on_hold=False)) == [later_one.pk]


def delayed(amount: str) -> MilestoneSettlement:
    of = freight("0.50")
    intent_id = intent(of, amount)
    event(of, EventType.PICKUP_CONFIRMED)
    return settlement(intent_id, EventType.PICKUP_CONFIRMED)


def test_an_item_tells_when_it_is_due_and_who_works_on_it(officer) -> None:
    one = waiting()
    target = timedelta(hours=settings.CHAINPAY_REVIEW_TARGET_HOURS)
    item = item_of(one)
    assert (item.due_by, item.releases_at, item.assignee) == (one.created_at + target, None, None)
    assignments.assign(one.pk, assignee=officer, officer=as_officer(officer), reason="x", now=timezone.now())
    assert item_of(one).assignee == "olga"
    assignments.unassign(one.pk, officer=as_officer(officer), reason="x", now=timezone.now())
    assert item_of(one).assignee is None


def test_selected_ones_are_read_whether_they_wait_or_not(officer) -> None:
    one, other = waiting(), waiting()
    approvals.approve(
        one.pk, officer=as_officer(officer), reason="ok", version=item_of(one).version, now=timezone.now()
    )
    with CaptureQueriesContext(connection) as seen:
        items = queries.selected([one.pk, other.pk, 987_654], now=timezone.now())
    assert (len(seen), sorted(items)) == (1, sorted([one.pk, other.pk]))
    assert items[one.pk].status == "APPROVED"


def test_counters_are_the_lengths_of_the_lists_in_one_statement(many, officer, later) -> None:
    delayed("100.00")
    for now in (timezone.now(), later):
        with CaptureQueriesContext(connection) as seen:
            counted = counters.counts(officer, now)
        assert len(seen) == 1
        lists = (
            EVERYTHING, Filters(overdue=True), Filters(assignee="olga"), Filters(state=State.HELD),
            Filters(state=State.DELAYED),
        )  # fmt: skip
        expected = [queries.queue(skip=0, limit=1, filters=wanted, now=now)[0] for wanted in lists]
        assert [counted.waiting, counted.overdue, counted.mine, counted.held, counted.delayed] == expected


def test_an_empty_queue_counts_nothing(officer) -> None:
    assert counters.counts(officer, timezone.now()) == counters.Counters(0, 0, 0, 0, 0, 0, 0, 0)


def test_every_filter_of_the_dataclass_is_described_and_has_its_condition() -> None:
    from compliance import queue_sql
    from compliance.filters import NAMES

    names = {name for name in replace(EVERYTHING).__slots__}
    assert names == NAMES
    assert names - {"state"} == set(queue_sql.CONDITIONS) - {"milestone_id"}


@pytest.fixture
def api(settings, officer) -> Callable[[str], Any]:
    """GET /compliance/queue as the demo client."""
    settings.CHAINPAY_DEMO = True
    settings.ALLOWED_HOSTS = ["localhost"]

    def ask(query: str) -> Any:
        return Client().get(f"/compliance/queue?{query}", HTTP_HOST="localhost")

    return ask


def test_the_api_takes_the_same_filters(api, many) -> None:
    by_query: dict[str, dict[str, Any]] = {
        "tier=high": {"tier": RiskTier.HIGH},
        "event_type=CLAIM_WINDOW_CLOSED": {"event_type": EventType.CLAIM_WINDOW_CLOSED},
        "payment_method=wire": {"payment_method": "wire"},
        "recipient_id=haulier": {"recipient_id": "haulier"},
        "currency=JPY": {"currency": "JPY"},
        "min_amount=500&max_amount=900.5": {"min_amount": Decimal(500), "max_amount": Decimal("900.5")},
        "overdue=true": {"overdue": True},
        "overdue=0": {"overdue": False},
        "older_than_hours=1": {"older_than_hours": 1},
        "younger_than_hours=1": {"younger_than_hours": 1},
        "assignee=olga": {"assignee": "olga"},
        "unassigned=1": {"unassigned": True},
        "on_hold=1": {"on_hold": True},
        "approvals_begun=1": {"approvals_begun": True},
        "q=haul": {"q": "haul"},
        "state=held": {"state": State.HELD},
        "state=delayed": {"state": State.DELAYED},
    }
    for query, asked in by_query.items():
        answer = api(query).json()
        assert [item["milestone_id"] for item in answer["items"]] == found(Filters(**asked)), query
        assert answer["total"] == len(answer["items"])
    (item,) = api("assignee=olga").json()["items"]
    assert (item["assignee"], item["releases_at"], item["hold_reason"], item["blocked_reason"]) == (
        "olga", None, None, None,
    )  # fmt: skip
    assert item["due_by"] > item["waiting_since"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("tier=odd", "tier_invalid"),
        ("tier=HIGH", "tier_invalid"),
        ("tier=", "tier_invalid"),
        ("event_type=CREATED", "event_type_invalid"),
        ("payment_method=cash", "payment_method_invalid"),
        ("currency=usd", "currency_invalid"),
        ("min_amount=-1", "min_amount_invalid"),
        ("min_amount=1e5", "min_amount_invalid"),
        ("min_amount=NaN", "min_amount_invalid"),
        ("min_amount=1.2345", "min_amount_invalid"),
        ("max_amount=" + "9" * 5000, "max_amount_invalid"),
        ("max_amount=%D9%A1", "max_amount_invalid"),
        ("overdue=yes", "overdue_invalid"),
        ("older_than_hours=-1", "older_than_hours_invalid"),
        ("older_than_hours=999999999999", "older_than_hours_invalid"),
        ("q=%00", "q_invalid"),
        ("q=", "q_invalid"),
        ("q=" + "x" * 201, "q_invalid"),
        ("assignee=%00", "assignee_invalid"),
        ("recipient_id=%0A", "recipient_id_invalid"),
        ("state=all", "state_invalid"),
        ("colour=red", "unknown_parameter"),
        ("tier=high&tier=low", "repeated_parameter"),
    ],
)
def test_what_can_not_be_read_is_refused_by_name(api, query: str, code: str) -> None:
    answer = api(query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_old_assignments_do_not_count(officer, second_officer) -> None:
    one = waiting()
    for to in (officer, second_officer):
        assignments.assign(one.pk, assignee=to, officer=as_officer(officer), reason="x", now=timezone.now())
    assert Assignment.objects.count() == 2
    assert found(Filters(assignee="olga")) == []
    assert found(Filters(assignee="otto")) == [one.pk]
    assert counters.counts(officer, timezone.now()).mine == 0
