"""Checks that run at once see one moment, answer in their order, and leave nothing running."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection

from rails.models import Recipient
from settlements import books_checks, verify
from settlements.models import BooksCheck
from settlements.verification import sessions
from settlements.verification.differences import Difference, rows_of
from tests.factories import a_recipient, now

pytestmark = pytest.mark.django_db(transaction=True)

Say = Callable[[int], None]


def answers(*jobs: Callable[[Say], Any], at_once: int = 2) -> Iterator[Any]:
    with sessions.one_moment():
        yield from sessions.run(jobs, sessions=at_once, tell=lambda place, rows: None)


def recipients(_: Say) -> int:
    return Recipient.objects.count()


def backend(_: Say) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_what_is_written_after_the_moment_is_seen_by_no_session() -> None:
    written = threading.Event()

    def recipients_later(say: Say) -> int:
        assert written.wait(20)
        return recipients(say)

    a_recipient(recipient_id="before")
    found = answers(recipients, recipients_later, recipients_later, at_once=3)
    assert next(found) == 1
    in_another_thread(lambda: a_recipient(recipient_id="after"))
    written.set()
    assert list(found) == [1, 1]
    assert Recipient.objects.count() == 2


def test_answers_come_in_the_order_of_the_jobs_whichever_ends_first() -> None:
    second_is_done = threading.Event()

    def first(_: Say) -> str:
        assert second_is_done.wait(20)
        return "first"

    def second(_: Say) -> str:
        second_is_done.set()
        return "second"

    assert list(answers(first, second)) == ["first", "second"]


def test_jobs_run_on_connections_of_their_own_that_only_read() -> None:
    gate = threading.Barrier(2)

    def alone(say: Say) -> int:
        gate.wait(20)
        return backend(say)

    def writing(_: Say) -> None:
        a_recipient(recipient_id="never")

    mine = backend(lambda rows: None)
    first, second = answers(alone, alone)
    assert len({mine, first, second}) == 3
    with pytest.raises(DatabaseError, match="read-only"):
        list(answers(writing))
    assert not Recipient.objects.exists()


def test_the_first_difference_in_their_order_is_raised_even_when_a_later_one_is_found_sooner() -> None:
    later_is_found = threading.Event()

    def early(_: Say) -> None:
        assert later_is_found.wait(20)
        raise Difference("early")

    def late(_: Say) -> None:
        later_is_found.set()
        raise Difference("late")

    with pytest.raises(Difference, match="early"):
        list(answers(early, late))


def test_what_stands_behind_a_difference_is_not_run_and_what_stands_before_it_is() -> None:
    ran: list[int] = []

    def ordinary(place: int) -> Callable[[Say], None]:
        return lambda say: ran.append(place)

    def broken(_: Say) -> None:
        raise Difference("broken")

    found = answers(ordinary(0), ordinary(1), broken, ordinary(3), ordinary(4), at_once=1)
    assert [next(found), next(found)] == [None, None]
    with pytest.raises(Difference):
        next(found)
    assert ran == [0, 1]


def test_a_job_that_breaks_its_transaction_breaks_the_run_off_instead_of_blaming_the_next() -> None:
    def broken(_: Say) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    with pytest.raises(DatabaseError, match="division by zero"):
        list(answers(broken, recipients, recipients, at_once=1))


def test_whoever_stops_listening_leaves_no_session_behind() -> None:
    begun = threading.Event()

    def endless(say: Say) -> None:
        with rows_of("SELECT generate_series(1, 1000000000)") as rows:
            for number, _ in enumerate(rows):
                begun.set()
                if number % 1000 == 0:
                    say(1000)

    found = answers(recipients, endless)
    assert next(found) == 0
    assert begun.wait(20)
    found.close()  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE %s",
                       ["%generate_series(1, 1000000000)%"])  # fmt: skip
        # This statement names it too.
        assert cursor.fetchone()[0] <= 1


def test_the_check_that_failed_is_the_one_on_record_though_others_were_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = threading.Event()

    def fails() -> int:
        assert ahead.wait(20)
        raise Difference("intent 1: it is not")

    def runs_ahead() -> int:
        with rows_of("SELECT generate_series(1, 5000)") as rows:
            found = len(list(rows))
        ahead.set()
        return found

    monkeypatch.setattr(verify, "CHECKS", (("first fails", fails), ("second is ahead", runs_ahead)))
    check, proven = books_checks.verify_on_record(actor="test", clock=now, at_once=2)
    assert (check.failed_check, check.difference, proven) == ("first fails", "intent 1: it is not", [])
    assert BooksCheck.objects.get().failed_check == "first fails"


@pytest.mark.parametrize("at_once", ["1", "2", "5"])
def test_the_command_proves_the_same_however_many_checks_run_at_once(
    at_once: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("verify_books", "--quiet", "--times", "--at-once", at_once)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "All is proven."
    names = [what for what, _ in (*verify.CHECKS, *verify.BESIDE)]
    assert [line.rpartition(" in ")[0].strip().partition(" ")[2] for line in lines[:-1]] == names
    assert all(line.endswith(" s") for line in lines[:-1])


def test_less_than_one_check_at_a_time_is_refused() -> None:
    with pytest.raises(CommandError, match="at least 1"):
        call_command("verify_books", "--at-once", "0")


def in_another_thread(act: Callable[[], Any]) -> None:
    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
