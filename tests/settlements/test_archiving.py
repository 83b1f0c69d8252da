"""Old audit events go into files by month, and everything is proven afterwards as before."""

import gzip
import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from django.db import connection, transaction

from rails.models import ClosedDay
from settlements import audit, books_checks
from settlements.archives import lines
from settlements.archiving import archiving, eligible
from settlements.audit import Draft
from settlements.models import ArchivedChain, AuditArchive, AuditEvent, BooksCheck, OfficeEvent, PaymentIntent
from settlements.proof import checkpoints
from tests.factories import now
from tests.settlements.archived import (
    MONTH,
    OLD,
    a_cancelled_intent,
    an_intent_that_is_over,
    archived,
    file_of,
    ready,
    sequences,
)
from tests.settlements.conftest import Refused, Sql
from tests.settlements.lived_in import World, verified


def test_what_is_over_goes_into_a_file_and_all_is_proven_as_before(world: World, archives_dir: Path) -> None:
    over, gone = an_intent_that_is_over(), a_cancelled_intent()
    assert checkpoints.make(now=now())
    ready()
    before = verified()
    events = AuditEvent.objects.count()
    (done,) = archived()
    assert done.created
    assert sequences(over)[0] == sequences(over)[-1] > 1
    assert len(sequences(gone)) == 1
    assert done.archive.events == done.removed + done.archive.chains
    assert AuditEvent.objects.count() == events - done.removed
    # What is not over stays whole, and every check looks at as much as before.
    assert sequences(world.delayed)[0] == 1
    after = verified()
    for out in (before, after):
        assert f" {events} audit events are chained\n" in out
    assert f" {done.archive.events} archived audit events are in their files\n" in after
    assert checkpoints.make(now=now())
    assert "All is proven." in verified()


def test_the_file_is_what_its_record_and_the_office_say(db: None, archives_dir: Path) -> None:
    over = an_intent_that_is_over()
    kept = {event.sequence: event for event in AuditEvent.objects.filter(intent=over)}
    ready()
    (done,) = archived()
    content = (archives_dir / file_of()).read_bytes()
    assert done.archive.file_name == f"audit-{MONTH:%Y-%m}-1.jsonl.gz"
    assert (done.archive.sha256, done.archive.size) == (hashlib.sha256(content).hexdigest(), len(content))
    first, *rest = gzip.decompress(content).splitlines(keepends=True)
    assert orjson.loads(first) == {"kind": "chainpay audit archive 1", "month": f"{MONTH:%Y-%m}", "number": 1}
    found = [lines.read(line) for line in rest]
    assert [line.sequence for line in found] == sorted(kept)
    assert [(line.id, line.hash) for line in found] == [(e.pk, bytes(e.hash)) for _, e in sorted(kept.items())]
    told = OfficeEvent.objects.get(action="audit_archived")
    assert told.subject == done.archive.label == f"{MONTH:%Y-%m}/1"
    assert told.data["sha256"] == done.archive.sha256
    part = ArchivedChain.objects.get()
    assert (part.first_sequence, part.last_sequence, bytes(part.hash)) == (1, len(kept), found[-1].hash)


def test_the_same_events_are_the_same_bytes(db: None, archives_dir: Path) -> None:
    an_intent_that_is_over()
    ready()
    with transaction.atomic():
        archived()
        content = (archives_dir / file_of()).read_bytes()
        transaction.set_rollback(True)
    (archives_dir / file_of()).unlink()
    archived()
    assert (archives_dir / file_of()).read_bytes() == content


class TestWhatIsEligible:
    @pytest.mark.parametrize(
        ("at", "month", "taken"),
        [
            (datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), date(2024, 2, 1), True),
            (datetime(2024, 3, 1, tzinfo=UTC), date(2024, 2, 1), False),
            (datetime(2024, 3, 1, tzinfo=UTC), date(2024, 3, 1), True),
            (datetime(2024, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), date(2024, 12, 1), True),
            (datetime(2025, 1, 1, tzinfo=UTC), date(2024, 12, 1), False),
            # Half past one in the morning of the first, two hours east of UTC.
            (datetime.fromisoformat("2024-04-01T01:30:00+02:00"), date(2024, 3, 1), True),
        ],
    )
    def test_the_month_of_the_last_event_counts_in_utc(self, at: datetime, month: date, taken: bool, db: None) -> None:
        a_cancelled_intent(at=at)
        assert eligible.counted(month).intents == int(taken)

    def test_what_is_not_over_stays(self, world: World) -> None:
        this_month = now().date().replace(day=1)
        found = eligible.counted(this_month)
        assert found.staying.keys() == {"a milestone is not final"}
        chosen = {row[1] for row in eligible.events(this_month)}
        assert len(chosen) == found.intents
        assert (
            set(PaymentIntent.objects.filter(status__in=["REJECTED", "SETTLED"]).values_list("pk", flat=True)) == chosen
        )
        assert chosen.isdisjoint(
            {world.delayed.pk, world.approved.pk, world.returned.intent_id, world.reviewed.intent_id}
        )

    @pytest.mark.parametrize("action", ["evidence_added", "work_closed"])
    def test_what_daily_work_asks_for_keeps_the_intent_whole(self, action: str, db: None) -> None:
        intent = a_cancelled_intent()
        with transaction.atomic():
            audit.record([Draft(intent_id=intent.pk, action=action, triggered_by="user:o")], now=OLD)
        assert eligible.counted(MONTH).staying == {"work was closed or evidence added": 1}
        assert _chosen() == set()

    def test_what_is_archived_already_is_not_again(self, db: None) -> None:
        an_intent_that_is_over()
        ready()
        archived()
        assert eligible.counted(MONTH).intents == 0
        assert archived() == []
        assert AuditArchive.objects.count() == 1


class TestWhenNothingIsArchived:
    def test_before_the_month_has_rested_long_enough(self, db: None) -> None:
        month, rest = date(2024, 2, 1), timedelta(days=800)
        first = datetime(2024, 3, 1, tzinfo=UTC) + rest
        books_checks.verify_on_record(actor="test", clock=lambda: first - timedelta(hours=1))
        with pytest.raises(archiving.TooYoung, match=f"from {first:%Y-%m-%d} on, 800 days after it ended"):
            archiving.may_be_archived(month, now=first - timedelta(microseconds=1))
        archiving.may_be_archived(month, now=first)

    def test_unless_the_books_were_proven_by_the_last_run(self, world: World, behind_the_guards: Sql) -> None:
        with pytest.raises(archiving.BooksNotProven, match="never verified"):
            archiving.may_be_archived(date(2024, 2, 1), now=now())
        books_checks.verify_on_record(actor="test", clock=lambda: now())
        archiving.may_be_archived(date(2024, 2, 1), now=now())
        BooksCheck.objects.create(
            actor="test",
            started_at=now(),
            finished_at=now(),
            failed_check="some check",
            difference="settlement 7: it is",
        )
        with pytest.raises(archiving.BooksNotProven, match="settlement 7: it is"):
            archiving.may_be_archived(date(2024, 2, 1), now=now())

    def test_when_nobody_has_verified_the_books_of_late(self, db: None) -> None:
        books_checks.verify_on_record(actor="test", clock=lambda: now() - timedelta(days=3))
        with pytest.raises(archiving.BooksNotProven, match="Nobody has verified"):
            archiving.may_be_archived(date(2024, 2, 1), now=now())

    def test_while_a_day_of_the_month_or_of_the_week_after_it_is_open(self, db: None) -> None:
        an_intent_that_is_over()
        ready()
        archiving.may_be_archived(MONTH, now=now())
        last = ClosedDay.objects.latest("day")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("DELETE FROM rails_closedday WHERE day = %s", [last.day])
        with pytest.raises(archiving.DaysStillOpen, match=f"{last.day} is open"):
            archiving.may_be_archived(MONTH, now=now())


class TestWhatComesLate:
    def test_a_late_event_follows_the_chain_and_goes_into_the_next_file(self, db: None) -> None:
        over, other = an_intent_that_is_over(), a_cancelled_intent()
        ready()
        archived()
        (head,) = sequences(over)
        with transaction.atomic():
            audit.record([Draft(intent_id=over.pk, action="note_added", triggered_by="user:o")], now=OLD)
        assert sequences(over) == [head, head + 1]
        assert "All is proven." in verified()
        assert checkpoints.make(now=now())
        ready()
        (done,) = archived()
        assert (done.archive.number, done.archive.chains, done.removed) == (2, 1, 1)
        assert sequences(over) == [head + 1]
        assert len(sequences(other)) == 1
        assert "All is proven." in verified()
        assert checkpoints.make(now=now())


class TestNothingElseRemovesAnEvent:
    def test_not_even_what_an_archive_has_but_by_the_one_function(self, db: None, sql: Sql, refused: Refused) -> None:
        over = an_intent_that_is_over()
        ready()
        archived()
        with refused("Cannot delete rows from settlements_auditevent table but what an archive has"):
            sql("DELETE FROM settlements_auditevent WHERE intent_id = %s", over.pk)

    def test_the_function_removes_nothing_without_a_record(self, db: None, sql: Sql) -> None:
        over = an_intent_that_is_over()
        whole = sequences(over)
        sql("SELECT settlements_remove_archived(1, 0, 500)")
        assert sequences(over) == whole

    def test_a_function_of_another_name_removes_nothing_either(self, db: None, sql: Sql, refused: Refused) -> None:
        over = an_intent_that_is_over()
        ready()
        with pytest.raises(_Enough):
            archived(progress=_stop_at(archiving.Step.RECORDED))
        sql(
            "CREATE FUNCTION settlements_remove_archived_too() RETURNS void LANGUAGE sql AS "
            f"'DELETE FROM settlements_auditevent WHERE intent_id = {over.pk} AND sequence = 1'"
        )
        with refused("Cannot delete rows"):
            sql("SELECT settlements_remove_archived_too()")

    def test_nobody_but_its_owner_may_call_it(self, db: None) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT prosecdef, proconfig, proacl::text FROM pg_proc WHERE proname = 'settlements_remove_archived'"
            )
            definer, config, rights = cursor.fetchone()
        assert definer
        assert config == ["search_path=pg_catalog, public, pg_temp"]
        assert rights.startswith("{")
        assert "{=" not in rights
        assert ",=" not in rights

    def test_records_are_written_once_and_whole(self, db: None, sql: Sql, refused: Refused) -> None:
        over = an_intent_that_is_over()
        ready()
        archived()
        for statement, words in (
            ("UPDATE settlements_auditarchive SET number = 2", "Cannot update rows"),
            ("DELETE FROM settlements_auditarchive", "Cannot delete rows"),
            ("UPDATE settlements_archivedchain SET last_sequence = 99", "Cannot update rows"),
            ("DELETE FROM settlements_archivedchain", "Cannot delete rows"),
        ):
            with refused(words):
                sql(statement)
        another = a_cancelled_intent()
        with refused("chains are written before their archive is"):
            sql(_CHAIN, 1, 1, 2, another.pk)
        with refused("an archived chain ends with an audit event that stays"):
            sql(_CHAIN, 2, 1, 9, another.pk)
        with refused("a chain is archived from where it begins in the table"):
            sql(_CHAIN, 2, 1, sequences(over)[0], over.pk)
        with refused("recorded with the chains and events that it holds"):
            sql(
                "INSERT INTO settlements_auditarchive (id, month, number, file_name, sha256, size, chains, events,"
                " after_days, actor, created_at) SELECT 2, month, 2, 'x', sha256, size, chains, events, after_days,"
                " actor, created_at FROM settlements_auditarchive"
            )


_CHAIN = """
    INSERT INTO settlements_archivedchain (archive_id, intent_id, first_sequence, last_sequence, hash)
    SELECT %s, a.intent_id, %s, %s, a.hash FROM settlements_auditevent a WHERE a.intent_id = %s LIMIT 1
"""


class _Enough(Exception):
    pass


def _stop_at(wanted: archiving.Step) -> archiving.Progress:
    def progress(step: archiving.Step, events: int) -> None:
        if step is wanted:
            raise _Enough

    return progress


def _chosen() -> set[int]:
    return {row[1] for row in eligible.events(MONTH)}
