"""A closed day: in order, once, frozen, and what is booked afterwards lands in the open day."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import orjson
import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from rails.accounts import AccountCode, AccountKey
from rails.entries import Entry
from rails.models import ClosedDay, EntryKind, JournalEntry
from rails.money import Money
from settlements import house_entries, requests
from settlements.closing import closing, documents
from settlements.closing.closing import DayNotOver, DayOutOfOrder, NothingBooked
from settlements.closing.open_items import OpenKind
from settlements.intents import ScheduleRequest
from settlements.models import OfficeEvent, PaymentIntent
from settlements.statuses import ScheduleType
from tests.factories import POD, a_recipient, an_intent, now, post_event, settlement_of
from tests.settlements.conftest import Refused, Sql
from tests.settlements.lived_in import difference, lived_in, verified

pytestmark = pytest.mark.django_db
ACTOR = "user:finance1"
TODAY = datetime.now(UTC).date()


def days_ago(count: int) -> date:
    return TODAY - timedelta(days=count)


@contextmanager
def on(day: date, hour: int = 12) -> Iterator[None]:
    with time_machine.travel(datetime(day.year, day.month, day.day, hour, tzinfo=UTC)):
        yield


def book(reference: str, minor: int = 10_000, currency: str = "USD", at: datetime | None = None) -> JournalEntry:
    """A fee that a bank took."""
    fee = Entry(
        kind=EntryKind.FEE,
        reference=reference,
        amount=Money(minor, currency),
        debit=AccountKey(AccountCode.RAIL_FEES, currency),
        credit=AccountKey(AccountCode.BANK_ACCOUNT, currency),
    )
    posted = house_entries.book([fee], actor=ACTOR, reason="the bank's statement", now=at or now())
    return JournalEntry.objects.get(pk=posted[0].entry_id)


def close(day: date) -> ClosedDay:
    closed = closing.close(day, actor=ACTOR, now=now())
    assert closed.created
    return closed.row


def balances(row: ClosedDay) -> dict[str, tuple[str, str, str, str]]:
    """Account -> opening, debits, credits, closing, of the frozen document itself."""
    accounts = orjson.loads(row.figures)["accounts"]
    return {
        f"{each['account']} {each['currency']} {each['recipient_id']}".strip(): (
            each["opening"], each["debits"], each["credits"], each["closing"],
        )
        for each in accounts
    }  # fmt: skip


def test_nothing_is_closed_where_nothing_is_booked():
    with pytest.raises(NothingBooked):
        close(days_ago(1))
    assert closing.next_to_close() is None


def test_a_day_is_closed_when_it_is_over_and_not_before():
    with on(days_ago(1)):
        book("a")
    book("b")
    close(days_ago(1))
    with pytest.raises(DayNotOver):
        close(TODAY)
    with pytest.raises(DayNotOver):
        close(TODAY + timedelta(days=1))
    midnight = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)
    assert closing.is_over(days_ago(1), now=midnight)
    assert not closing.is_over(days_ago(1), now=midnight - timedelta(microseconds=1))


def test_days_are_closed_one_after_the_other_from_the_first_with_a_booking():
    with on(days_ago(4)):
        book("a")
    with on(days_ago(2)):
        book("b")
    for wrong in (days_ago(5), days_ago(3), days_ago(2)):
        with pytest.raises(DayOutOfOrder):
            close(wrong)
    for day in (days_ago(4), days_ago(3), days_ago(2), days_ago(1)):
        close(day)
    assert list(ClosedDay.objects.values_list("day", flat=True)) == [days_ago(count) for count in (1, 2, 3, 4)]
    assert closing.next_to_close() == TODAY
    verified()


def test_a_second_close_answers_what_the_first_froze_and_writes_nothing():
    with on(days_ago(1)):
        book("a")
    first = close(days_ago(1))
    book("b", at=datetime.now(UTC) - timedelta(days=1))
    again = closing.close(days_ago(1), actor="user:somebody", now=now())
    assert (again.created, again.row.figures, again.row.closed_by) == (False, first.figures, ACTOR)
    assert OfficeEvent.objects.filter(action="day_closed").count() == 1


def test_each_account_carries_its_balance_from_day_to_day():
    with on(days_ago(3)):
        book("a", 10_000)
        book("yen", 700, "JPY")
    with on(days_ago(2)):
        book("b", 2_550)
    rows = [close(days_ago(count)) for count in (3, 2, 1)]
    assert [balances(row)["rail_fees USD"] for row in rows] == [
        ("0.00", "100.00", "0.00", "100.00"),
        ("100.00", "25.50", "0.00", "125.50"),
        ("125.50", "0.00", "0.00", "125.50"),
    ]
    assert balances(rows[2])["bank_account JPY"] == ("-700", "0", "0", "-700")
    for row in rows:
        for currency in ("USD", "JPY"):
            mine = [each for each in documents.read(row.figures).accounts if each.currency == currency]
            assert sum(each.opening for each in mine) == sum(each.closing for each in mine) == 0
            assert sum(each.debits for each in mine) == sum(each.credits for each in mine)


def test_what_is_booked_after_the_close_with_a_time_of_the_closed_day_counts_in_the_open_one():
    evening = datetime(days_ago(2).year, days_ago(2).month, days_ago(2).day, 23, 59, 59, 999_999, tzinfo=UTC)
    before = book("before", at=evening)
    close(days_ago(2))
    late = book("late", at=evening)
    on_time = book("on time", at=evening + timedelta(microseconds=1))
    assert [each.booked_on for each in (before, late, on_time)] == [days_ago(2), days_ago(1), days_ago(1)]
    assert late.posted_at == evening
    row = close(days_ago(1))
    assert balances(row)["rail_fees USD"] == ("100.00", "200.00", "0.00", "300.00")
    assert book("later still", at=evening).booked_on == TODAY
    verified()


def test_nobody_chooses_the_day_of_an_entry(sql: Sql):
    with on(days_ago(1)):
        book("a")
    close(days_ago(1))
    insert = """INSERT INTO rails_journalentry (reference, kind, attempt_number, currency, amount_minor, description,
        posted_at, booked_on) VALUES ('mine', 'fee', 1, 'USD', 5, '', now() - interval '1 day', %s)"""
    with transaction.atomic():
        sql(insert, days_ago(1))
        assert JournalEntry.objects.get(reference="mine").booked_on == TODAY
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rails_closedday SET figures = '{}'",
        "UPDATE rails_closedday SET day = day - 1",
        "DELETE FROM rails_closedday",
        "TRUNCATE rails_closedday",
    ],
)
def test_what_is_frozen_stays(sql: Sql, change: str):
    with on(days_ago(1)):
        book("a")
    close(days_ago(1))
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        sql(change)


@pytest.mark.parametrize(
    ("day", "digest", "why"),
    [
        (2, None, "the next is"),
        (0, None, "when it is over"),
        (1, "0" * 64, "the digest is not that of its figures"),
    ],
)
def test_the_database_refuses_a_day_that_may_not_be_closed(sql: Sql, refused: Refused, day: int, digest: str, why: str):
    with on(days_ago(1)):
        book("a")
    if day == 0:
        close(days_ago(1))
    with refused(why):
        sql(
            "INSERT INTO rails_closedday (day, closed_at, closed_by, figures, sha256) "
            "VALUES (%s, now(), 'me', '{}', %s)",
            days_ago(day),
            digest or documents.digest("{}"),
        )


def test_the_close_is_an_office_event_with_the_digest_of_the_figures():
    with on(days_ago(1)):
        book("a")
    row = close(days_ago(1))
    event = OfficeEvent.objects.get(action="day_closed")
    assert (event.action, event.subject, event.actor) == ("day_closed", days_ago(1).isoformat(), ACTOR)
    assert event.data == {"sha256": row.sha256, "entries": 1, "moved": {"USD": "100.00"}, "open_items": 0}


def test_what_is_frozen_reads_back_as_it_was_written():
    with on(days_ago(1)):
        lived_in()
    shown = closing.preview(days_ago(1), now=now())
    assert shown.open_items
    row = close(days_ago(1))
    frozen = documents.read(row.figures)
    assert documents.written(frozen) == row.figures
    assert (frozen.accounts, frozen.rails, frozen.open_items) == (shown.accounts, shown.rails, shown.open_items)


def test_a_house_that_was_lived_in_closes_and_is_proven():
    with on(days_ago(1)):
        lived_in()
    row = close(days_ago(1))
    frozen = documents.read(row.figures)
    by_rail = {(each.rail, each.currency): each for each in frozen.rails}
    assert by_rail["internal_ledger", "KWD"].settled[0] == 3
    assert by_rail["internal_ledger", "USD"].returned == (1, 700_000)
    kinds = {item.kind for item in frozen.open_items}
    assert kinds == {OpenKind.RETURNED, OpenKind.HELD, OpenKind.DELAYED}
    assert all(item.until for item in frozen.open_items if item.kind is OpenKind.DELAYED)
    assert "1 closed days are what the journal says" in verified()


def test_what_began_after_the_day_is_no_open_item_of_it():
    with on(days_ago(1)):
        book("a")
    settlement_of(an_intent(risk=None), POD)
    assert documents.read(close(days_ago(1)).figures).open_items == []


def test_a_confirmation_that_was_written_late_counts_in_the_next_day(sql: Sql):
    with on(days_ago(2)):
        early, late = (an_intent(schedule=ScheduleRequest(type=ScheduleType.FULL_ON_POD)) for _ in range(2))
        for intent in (early, late):
            post_event(intent.shipment.shipment_id, POD)
        _confirm(early)
    first = documents.read(close(days_ago(2)).figures)
    with on(days_ago(2), 23):
        _confirm(late)
    second = documents.read(close(days_ago(1)).figures)
    assert [each.settled for each in (*first.rails, *second.rails)] == [(1, 1_000_000), (1, 1_000_000)]


def _confirm(intent: PaymentIntent) -> None:
    requests.complete(intent.pk, actor=ACTOR, now=now())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "UPDATE rails_posting SET amount_minor = 9999",
            "was frozen with",
        ),
        (
            "UPDATE rails_journalentry SET booked_on = booked_on + 1",
            "was frozen with",
        ),
        (
            "UPDATE rails_closedday SET sha256 = repeat('0', 64)",
            "its digest is not that of its figures",
        ),
        (
            "UPDATE rails_closedday SET figures = replace(figures, '100.00', '100.01'), "
            "sha256 = encode(sha256(convert_to(replace(figures, '100.00', '100.01'), 'UTF8')), 'hex')",
            "100.01",
        ),
        (
            "UPDATE rails_closedday SET figures = replace(figures, 'rail_fees', 'rail_feed'), "
            "sha256 = encode(sha256(convert_to(replace(figures, 'rail_fees', 'rail_feed'), 'UTF8')), 'hex')",
            "was frozen as rail_feed",
        ),
        ("DELETE FROM settlements_officeevent", "no office event tells of it"),
        ("DELETE FROM rails_closedday", "there is no such closed day"),
    ],
)
def test_verify_books_names_what_was_changed_behind_the_guards(behind_the_guards, change: str, words: str):
    with on(days_ago(1)):
        book("a")
    close(days_ago(1))
    behind_the_guards(change)
    if change.startswith("UPDATE rails_posting"):
        behind_the_guards("UPDATE rails_journalentry SET amount_minor = 9999")
    assert words in difference()


def test_verify_books_finds_a_day_that_is_missing_among_closed_ones(behind_the_guards):
    with on(days_ago(3)):
        book("a")
    for count in (3, 2, 1):
        close(days_ago(count))
    behind_the_guards("DELETE FROM rails_closedday WHERE day = %s", days_ago(2))
    assert f"the day before it, {days_ago(2)}, is not closed" in difference()


def test_the_command_closes_a_day_and_tells_of_a_closed_one():
    with on(days_ago(3)):
        book("a")
    out = StringIO()
    call_command("close_day", days_ago(3).isoformat(), stdout=out)
    digest = ClosedDay.objects.get().sha256
    assert out.getvalue() == f"{days_ago(3)} is closed: 1 entry, 0 open items, SHA-256 {digest}\n"
    again = StringIO()
    call_command("close_day", days_ago(3).isoformat(), stdout=again)
    assert "was closed at" in again.getvalue()
    call_command("close_day", days_ago(1).isoformat(), "--through", stdout=StringIO())
    assert ClosedDay.objects.count() == 3


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "", "28.11.2026"])
def test_the_command_wants_a_date(day: str):
    with pytest.raises(CommandError, match="Write the day like"):
        call_command("close_day", day)


def test_the_command_refuses_in_a_sentence():
    with pytest.raises(CommandError, match="so there is no day to close"):
        call_command("close_day", days_ago(1).isoformat())
    book("a")
    with pytest.raises(CommandError, match="is not over"):
        call_command("close_day", TODAY.isoformat())


def test_a_recipient_is_named_in_the_trial_balance():
    with on(days_ago(1)):
        intent = an_intent(recipient=a_recipient())
        post_event(intent.shipment.shipment_id, POD)
    owed = [each for each in documents.read(close(days_ago(1)).figures).accounts if each.code == "recipient_payable"]
    assert [(each.recipient_name, each.credits, each.closing) for each in owed] == [
        ("Bozza Haulage", 700_000, -700_000)
    ]


@pytest.mark.parametrize(
    "figures",
    ["{}", "[]", "null", "no JSON", '{"version": 1}', '{"version": 1, "day": 7}', '{"version": 2}', ""],
)
def test_no_day_is_carried_on_from_figures_that_somebody_changed(behind_the_guards, figures: str):
    with on(days_ago(2)):
        book("a")
    close(days_ago(2))
    for digest in ("0" * 64, documents.digest(figures)):
        behind_the_guards("UPDATE rails_closedday SET figures = %s, sha256 = %s", figures, digest)
        with pytest.raises(closing.ClosedDayChanged, match="were changed past"):
            close(days_ago(1))
        with pytest.raises(CommandError, match="were changed past"):
            call_command("close_day", days_ago(2).isoformat(), stdout=StringIO())
        with pytest.raises(documents.NotADocument):
            documents.read(figures)
    assert ClosedDay.objects.count() == 1


def test_a_changed_amount_that_reads_well_is_carried_into_no_other_day(behind_the_guards):
    with on(days_ago(2)):
        book("a")
    close(days_ago(2))
    behind_the_guards("UPDATE rails_closedday SET figures = replace(figures, '100.00', '100.01')")
    with pytest.raises(closing.ClosedDayChanged):
        close(days_ago(1))
