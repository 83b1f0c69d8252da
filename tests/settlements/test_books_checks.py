"""Every verification is on record; a difference stands in red until a later run proves the books."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from chainpay.celery import app
from settlements import books_checks, tasks, verify
from settlements.models import BooksCheck
from settlements.verification import catalog
from settlements.verification.differences import Difference
from tests.factories import now, platform_source
from tests.settlements.conftest import Sql
from tests.settlements.lived_in import World, difference, verified
from tests.settlements.prompt import dsn, one

NIGHT = datetime(2026, 11, 29, 2, 20, tzinfo=UTC)
WRONG = "posting 7: it moves nothing"


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the one check finds: the first of these sentences, or nothing."""
    found: list[str] = []

    def look() -> int:
        if found:
            raise Difference(found[0])
        return 3

    monkeypatch.setattr(verify, "CHECKS", (("postings move something", look),))
    monkeypatch.setattr(verify, "BESIDE", ())
    return found


def verified_at(moment: datetime, actor: str = "command:ops") -> BooksCheck:
    return books_checks.verify_on_record(actor=actor, clock=lambda: moment)[0]


class TestTheRecord:
    def test_of_a_proof_says_who_when_and_what(self, world: World) -> None:
        assert "All is proven." in verified()
        check = BooksCheck.objects.get()
        assert check.is_proven
        assert check.actor.startswith("command:")
        assert [each["check"] for each in check.proven] == [what for what, _ in (*verify.CHECKS, *verify.BESIDE)]
        assert check.rows == sum(each["rows"] for each in check.proven) > 0
        assert check.started_at <= check.finished_at

    def test_of_a_night_tells_what_could_not_be_compared(
        self, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        known = catalog.by_migrations()
        monkeypatch.setattr(catalog, "by_migrations", lambda: replace(known, version=known.version - 1))
        check = books_checks.verify_tonight(clock=now)
        assert check is not None
        assert check.is_proven
        (note,) = BooksCheck.objects.get(night=check.night).notes
        assert f"known for PostgreSQL {known.version - 1}; this is {known.version}" in note
        assert note in caplog.text

    def test_of_the_version_that_the_file_is_of_has_nothing_to_tell(self, world: World) -> None:
        verified()
        assert BooksCheck.objects.get().notes == []

    def test_of_a_difference_names_it_and_what_was_proven_before(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE rails_posting SET amount_minor = amount_minor + 1")
        words = difference()
        check = BooksCheck.objects.get()
        assert (check.difference, check.failed_check, check.error) == (words, "journal entries balance", "")
        assert [each["check"] for each in check.proven] == [what for what, _ in verify.CHECKS[:5]]

    def test_of_a_check_that_breaks_says_why_and_the_trouble_is_not_hidden(
        self, db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks() -> int:
            raise RuntimeError("no space left\nSELECT secret")

        monkeypatch.setattr(verify, "CHECKS", (("postings move something", breaks),))
        with pytest.raises(RuntimeError):
            verified_at(NIGHT)
        check = BooksCheck.objects.get()
        assert (check.failed_check, check.difference, check.error) == ("postings move something", "", "no space left")
        standing = books_checks.alarm(now=NIGHT)
        assert standing is not None
        assert standing.sentence == "The check broke off: no space left"

    def test_is_never_changed_or_removed(self, db: None, wrong: list[str]) -> None:
        wrong.append(WRONG)
        verified_at(NIGHT)
        for statement in (
            "UPDATE settlements_bookscheck SET difference = ''", "DELETE FROM settlements_bookscheck",
            "TRUNCATE settlements_bookscheck",
        ):  # fmt: skip
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)

    def test_has_one_outcome(self, db: None) -> None:
        for outcome in (
            {"difference": WRONG}, {"failed_check": "x"}, {"error": "broke"},
            {"failed_check": "x", "difference": WRONG, "error": "broke"},
        ):  # fmt: skip
            with pytest.raises(DatabaseError), transaction.atomic():
                BooksCheck.objects.create(actor="beat", started_at=NIGHT, finished_at=NIGHT, **outcome)

    def test_is_left_out_where_the_database_only_reads(
        self, transactional_db: None, wrong: list[str], capsys: Any
    ) -> None:
        platform_source()
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")
            try:
                call_command("verify_books")
            finally:
                cursor.execute("SET default_transaction_read_only = off")
        shown = capsys.readouterr()
        assert "All is proven." in shown.out
        assert "not on record" in shown.err
        assert BooksCheck.objects.count() == 0


class TestTheCommand:
    def test_tells_on_stderr_what_is_under_way(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("verify_books")
        shown = capsys.readouterr()
        assert [line for line in shown.err.splitlines() if "checking:" in line] == [
            f"           checking: {what} ..." for what, _ in (*verify.CHECKS, *verify.BESIDE)
        ]
        assert "checking" not in shown.out

    def test_is_quiet_when_asked(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("verify_books", quiet=True)
        assert "checking" not in capsys.readouterr().err

    def test_counts_the_rows_it_has_looked_at(self, world: World) -> None:
        heard: list[tuple[str, int]] = []
        books_checks.verify_on_record(actor="test", clock=now, progress=lambda what, rows: heard.append((what, rows)))
        of_chain = [rows for what, rows in heard if what == "audit events are chained"]
        assert of_chain[0] == 0
        assert of_chain[-1] == one("SELECT count(*) FROM settlements_auditevent")

    def test_ends_with_an_error_at_the_first_difference(self, db: None, wrong: list[str]) -> None:
        wrong.append(WRONG)
        with pytest.raises(CommandError, match=WRONG) as caught:
            call_command("verify_books", quiet=True)
        assert caught.value.returncode == 1


class TestTheNight:
    @pytest.fixture(autouse=True)
    def _committed(self, transactional_db: None) -> None:
        platform_source()

    def test_is_on_the_timetable_and_starts_the_task(self, wrong: list[str]) -> None:
        entry = app.conf.beat_schedule["verify_books"]
        assert entry["task"] == "settlements.verify_books"
        assert tasks.verify_books() == ""
        assert BooksCheck.objects.get().actor == "beat"

    def test_its_task_ends_before_its_message_is_given_to_another_worker(self) -> None:
        assert app.conf.broker_transport_options["visibility_timeout"] > tasks.VERIFY_SECONDS

    def test_is_verified_once_however_often_the_clock_calls(self, wrong: list[str]) -> None:
        for hour in range(24):
            books_checks.verify_tonight(clock=_clock(NIGHT + timedelta(hours=hour)))
        assert list(BooksCheck.objects.values_list("night", flat=True)) == [date(2026, 11, 29)]

    def test_begins_at_two_and_lasts_until_the_next(self, wrong: list[str]) -> None:
        for moment in (
            datetime(2026, 11, 29, 1, 59, tzinfo=UTC), datetime(2026, 11, 29, 2, 0, tzinfo=UTC),
            datetime(2026, 11, 30, 1, 59, tzinfo=UTC),
        ):  # fmt: skip
            books_checks.verify_tonight(clock=_clock(moment))
        nights = list(BooksCheck.objects.order_by("night").values_list("night", flat=True))
        assert nights == [date(2026, 11, 28), date(2026, 11, 29)]

    def test_is_not_verified_beside_another_run(self, wrong: list[str]) -> None:
        with psycopg.connect(**dsn(), autocommit=True) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [books_checks._ALONE])
            assert books_checks.verify_tonight(clock=lambda: NIGHT) is None
        _until_nobody_holds_a_lock()
        assert books_checks.verify_tonight(clock=lambda: NIGHT) is not None

    def test_is_verified_once_by_two_beats_at_once(self, wrong: list[str]) -> None:
        def run() -> None:
            try:
                books_checks.verify_tonight(clock=lambda: NIGHT)
            finally:
                connection.close()

        threads = [Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert BooksCheck.objects.count() == 1

    def test_has_one_record_in_the_database_too(self) -> None:
        BooksCheck.objects.create(actor="beat", night=NIGHT.date(), started_at=NIGHT, finished_at=NIGHT)
        with pytest.raises(DatabaseError):
            BooksCheck.objects.create(actor="beat", night=NIGHT.date(), started_at=NIGHT, finished_at=NIGHT)

    def test_that_broke_off_leaves_the_lock_free(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def breaks() -> int:
            raise RuntimeError("broke")

        monkeypatch.setattr(verify, "CHECKS", (("x", breaks),))
        with pytest.raises(RuntimeError):
            books_checks.verify_tonight(clock=lambda: NIGHT)
        assert one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0

    def test_that_broke_off_is_tried_again_within_the_hour_and_the_red_goes(
        self, wrong: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks() -> int:
            raise DatabaseError("the database system is shutting down")

        with monkeypatch.context() as restarting:
            restarting.setattr(verify, "CHECKS", (("x", breaks),))
            for hour in range(2):
                with pytest.raises(DatabaseError):
                    books_checks.verify_tonight(clock=_clock(NIGHT + timedelta(hours=hour)))
        standing = books_checks.alarm(now=NIGHT + timedelta(hours=1))
        assert standing is not None
        assert standing.broke_off
        again = NIGHT + timedelta(hours=2)
        proven = books_checks.verify_tonight(clock=lambda: again)
        assert proven is not None
        assert proven.is_proven
        assert books_checks.alarm(now=again) is None
        assert list(BooksCheck.objects.order_by("pk").values_list("night", flat=True)) == [None, None, NIGHT.date()]
        assert books_checks.verify_tonight(clock=_clock(NIGHT + timedelta(hours=3))) is None

    def test_that_was_killed_is_verified_at_the_next_call(self, wrong: list[str]) -> None:
        """Who is killed stores nothing, and the lock dies with the connection."""
        with psycopg.connect(**dsn(), autocommit=True) as killed:
            killed.execute("SELECT pg_advisory_lock(%s)", [books_checks._ALONE])
            assert one("SELECT pg_terminate_backend(%s)", killed.info.backend_pid)
        _until_nobody_holds_a_lock()
        assert books_checks.verify_tonight(clock=lambda: NIGHT + timedelta(hours=1)) is not None


def _until_nobody_holds_a_lock() -> None:
    while one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"):
        pass


def _clock(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


class TestTheAlarm:
    def test_is_an_error_in_the_log_with_the_difference_and_the_runbook(
        self, db: None, wrong: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        wrong.append(WRONG)
        verified_at(NIGHT)
        (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert WRONG in record.getMessage()
        assert books_checks.RUNBOOK in record.getMessage()
        assert "\n" not in record.getMessage()

    def test_stands_until_a_later_run_proves_the_books(self, db: None, wrong: list[str]) -> None:
        assert books_checks.alarm(now=NIGHT) is None
        wrong.append(WRONG)
        verified_at(NIGHT)
        for hour in (1, 2):
            standing = books_checks.alarm(now=NIGHT + timedelta(hours=hour))
            assert standing is not None
            assert (standing.sentence, standing.late) == (WRONG, False)
        wrong.clear()
        verified_at(NIGHT + timedelta(hours=3))
        assert books_checks.alarm(now=NIGHT + timedelta(hours=4)) is None

    def test_tells_the_last_difference(self, db: None, wrong: list[str]) -> None:
        wrong.append(WRONG)
        verified_at(NIGHT)
        wrong[:] = ["another"]
        verified_at(NIGHT + timedelta(hours=1))
        standing = books_checks.alarm(now=NIGHT + timedelta(hours=2))
        assert standing is not None
        assert standing.sentence == "another"

    def test_of_a_difference_is_not_softened_by_a_later_run_that_broke_off(
        self, db: None, wrong: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks() -> int:
            raise RuntimeError("broke")

        wrong.append(WRONG)
        verified_at(NIGHT)
        monkeypatch.setattr(verify, "CHECKS", (("x", breaks),))
        with pytest.raises(RuntimeError):
            verified_at(NIGHT + timedelta(hours=1))
        standing = books_checks.alarm(now=NIGHT + timedelta(hours=2))
        assert standing is not None
        assert (standing.sentence, standing.broke_off) == (WRONG, False)

    def test_is_not_ended_by_a_run_that_began_before_and_ends_after(self, db: None, wrong: list[str]) -> None:
        wrong.append(WRONG)
        verified_at(NIGHT + timedelta(minutes=5))
        wrong.clear()
        moments = iter([NIGHT, NIGHT + timedelta(minutes=30)])
        books_checks.verify_on_record(actor="slow", clock=lambda: next(moments))
        assert books_checks.alarm(now=NIGHT + timedelta(hours=1)) is not None

    def test_is_given_when_the_nights_are_missed(self, db: None, wrong: list[str]) -> None:
        verified_at(NIGHT)
        assert books_checks.alarm(now=NIGHT + timedelta(hours=36)) is None
        standing = books_checks.alarm(now=NIGHT + timedelta(hours=36, seconds=1))
        assert standing is not None
        assert standing.sentence == "Nobody has verified the books since 2026-11-29 02:20 UTC."

    @pytest.mark.parametrize(
        ("hours", "wrong_at", "counted"), [(1, False, 0), (1, True, 1), (37, False, 1), (37, True, 1)]
    )
    def test_counts_as_one_piece_of_work(
        self, hours: int, wrong_at: bool, counted: int, db: None, wrong: list[str]
    ) -> None:
        if wrong_at:
            wrong.append(WRONG)
        verified_at(NIGHT)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {books_checks.COUNT}", {"now": NIGHT + timedelta(hours=hours)})
            assert cursor.fetchone() == (counted,)
