"""A close and bookings on connections of their own: no entry gets into a day after its figures were computed."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from django.db import DatabaseError, connection, connections, transaction

from rails import days
from rails.models import ClosedDay, JournalEntry
from settlements.closing import closing, documents
from settlements.closing.closing import JournalBusy
from settlements.models import OfficeEvent
from tests.factories import now
from tests.flows.conftest import at_once
from tests.settlements.test_closing import ACTOR, book

pytestmark = pytest.mark.django_db(transaction=True)
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture
def yesterday() -> date:
    book("first", at=evening())
    return YESTERDAY


def evening() -> datetime:
    return datetime(YESTERDAY.year, YESTERDAY.month, YESTERDAY.day, 23, 30, tzinfo=UTC)


def close() -> closing.Closed:
    return closing.close(YESTERDAY, actor=ACTOR, now=now())


def in_a_thread(run: Callable[[], object]) -> threading.Thread:
    def closing_connections() -> None:
        try:
            run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=closing_connections)
    thread.start()
    return thread


def test_a_close_waits_for_a_booking_that_was_under_way_and_counts_it(yesterday: date) -> None:
    written, go_on = threading.Event(), threading.Event()

    def long_transaction() -> None:
        with transaction.atomic():
            book("slow", at=evening())
            written.set()
            assert go_on.wait(30)

    thread = in_a_thread(long_transaction)
    assert written.wait(30)
    with pytest.raises(JournalBusy):
        close()
    assert not ClosedDay.objects.exists()
    go_on.set()
    thread.join()
    assert documents.read(close().row.figures).entries == 2


def test_a_long_transaction_that_began_before_the_close_books_into_the_open_day(yesterday: date) -> None:
    begun, closed = threading.Event(), threading.Event()

    def long_transaction() -> None:
        with transaction.atomic():
            assert JournalEntry.objects.count() == 1
            begun.set()
            assert closed.wait(30)
            book("late", at=evening())

    thread = in_a_thread(long_transaction)
    assert begun.wait(30)
    assert documents.read(close().row.figures).entries == 1
    closed.set()
    thread.join()
    assert JournalEntry.objects.get(reference="late").booked_on == YESTERDAY + timedelta(days=1)


def test_a_booking_that_waits_for_the_close_sees_that_the_day_is_closed(yesterday: date) -> None:
    thread: list[threading.Thread] = []

    def waits_for_a_lock() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(cursor.fetchone()[0])

    with transaction.atomic():
        days.hold_the_journal()
        thread.append(in_a_thread(partial(book, "waits", at=evening())))
        while thread[0].is_alive() and not waits_for_a_lock():
            pass
        close()
    thread[0].join()
    assert JournalEntry.objects.get(reference="waits").booked_on == YESTERDAY + timedelta(days=1)


def test_an_old_snapshot_can_not_book_at_all(yesterday: date) -> None:
    def from_an_old_snapshot() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            assert JournalEntry.objects.count() == 1
            book("old", at=evening())

    with pytest.raises(DatabaseError, match="READ COMMITTED"):
        from_an_old_snapshot()


def test_ten_closes_at_once_close_once(yesterday: date) -> None:
    found = at_once([close] * 10)
    assert sum(each.created for each in found) == 1
    assert len({each.row.sha256 for each in found}) == 1
    assert (ClosedDay.objects.count(), OfficeEvent.objects.filter(action="day_closed").count()) == (1, 1)


def test_bookings_amid_a_close_are_in_its_figures_or_in_the_next_day(yesterday: date) -> None:
    calls: list[Callable[[], object]] = [partial(book, f"amid {number}", at=evening()) for number in range(60)]
    calls.insert(30, close)
    at_once(calls)
    counted = documents.read(ClosedDay.objects.get().figures)
    in_the_day = JournalEntry.objects.filter(booked_on=YESTERDAY)
    assert counted.entries == in_the_day.count()
    assert JournalEntry.objects.filter(booked_on=YESTERDAY + timedelta(days=1)).count() == 61 - counted.entries
    (fees,) = [each for each in counted.accounts if each.code == "rail_fees"]
    assert fees.debits == 10_000 * counted.entries


def test_whoever_reads_the_journal_is_not_kept_by_a_close_nor_keeps_it(yesterday: date) -> None:
    begun, closed = threading.Event(), threading.Event()

    def reader() -> None:
        with transaction.atomic():
            assert JournalEntry.objects.count() == 1
            begun.set()
            assert closed.wait(30)

    thread = in_a_thread(reader)
    assert begun.wait(30)
    close()
    closed.set()
    thread.join()
