"""Archiving that is killed anywhere and run again, twice, or by two at once: nothing is lost and nothing is doubled."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from django.db import connection, transaction

from settlements.archives import beside, files, records
from settlements.archiving import archiving
from settlements.archiving.archiving import ArchivingUnderWay, BooksNotProven, Step
from settlements.models import AuditArchive, BooksCheck, OfficeEvent
from tests.factories import now
from tests.rails.killed import killed_before_line
from tests.settlements.archived import MONTH, a_cancelled_intent, archived, ready, sequences
from tests.settlements.lived_in import difference, verified

pytestmark = pytest.mark.django_db(transaction=True)


def test_killed_before_any_line_and_again_it_is_archived_exactly_once(archives_dir: Path) -> None:
    ready()
    line, killed = 0, True
    while killed:
        line += 1
        month = date(1990 + line // 12, line % 12 + 1, 1)
        intent = a_cancelled_intent(at=datetime(month.year, month.month, 28, tzinfo=UTC))
        connection.close()
        killed = killed_before_line(line, [archiving, files], partial(archived, month))
        events = set(sequences(intent))
        assert events in ({1, 2}, {2})
        archived(month)
        assert sequences(intent) == [2], f"killed before line {line}"
        (archive,) = AuditArchive.objects.filter(month=month)
        with transaction.atomic(), records.opened(archive) as lines:
            assert records.compare(archive, lines) == 2
        assert OfficeEvent.objects.filter(action="audit_archived", subject=archive.label).count() == 1
        assert archived(month) == []
    assert line > 100
    assert sorted(path.name for path in archives_dir.iterdir()) == sorted(
        AuditArchive.objects.values_list("file_name", flat=True)
    )
    assert "All is proven." in verified()


@pytest.mark.parametrize("step", list(Step))
def test_broken_off_at_a_step_the_books_are_proven_before_it_is_run_again(
    step: Step, archives_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "_EVENTS_BETWEEN", 1)
    intents = [a_cancelled_intent() for _ in range(3)]
    ready()

    def progress(reached: Step, events: int) -> None:
        if reached is step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archived(progress=progress)
    if step in {Step.NAMED, Step.READ_AGAIN}:
        (path,) = archives_dir.iterdir()
        assert difference() == f"{path}: no audit archive on record is this file"
    else:
        assert "All is proven." in verified()
    # At the last step nothing is left to do.
    assert len(archived()) == (step is not Step.REMOVING)
    assert [sequences(intent) for intent in intents] == [[2], [2], [2]]
    assert AuditArchive.objects.count() == 1
    assert "All is proven." in verified()


def test_only_its_own_file_off_the_record_and_only_of_late_is_gone_on_from(archives_dir: Path) -> None:
    a_cancelled_intent()
    ready()
    archives_dir.mkdir()
    own, other = (archives_dir / files.name_of(MONTH, number) for number in (1, 2))
    own.write_bytes(b"of a run that broke off")
    assert difference().startswith(f"{own}: ")
    archiving.may_be_archived(MONTH, now=now())
    with pytest.raises(BooksNotProven):
        archiving.may_be_archived(MONTH, now=now() + timedelta(hours=37))
    with pytest.raises(BooksNotProven):
        archiving.may_be_archived(date(2024, 1, 1), now=now())
    own.rename(other)
    assert difference().startswith(f"{other}: ")
    with pytest.raises(BooksNotProven):
        archiving.may_be_archived(MONTH, now=now())
    BooksCheck.objects.create(
        actor="test", started_at=now(), finished_at=now(), failed_check="another", difference=f"{own}: it is another"
    )
    with pytest.raises(BooksNotProven):
        archiving.may_be_archived(MONTH, now=now())


def test_an_archive_first_recorded_while_a_verification_begins_is_in_its_moment_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_cancelled_intent()
    ready()
    asked = beside.are_any

    def meanwhile() -> bool:
        answer = asked()
        if not AuditArchive.objects.exists():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(in_another_session).result(60)
        return answer

    def in_another_session() -> None:
        try:
            archived()
        finally:
            connection.close()

    monkeypatch.setattr(beside, "are_any", meanwhile)
    assert " 0 archived audit events are in their files" in verified()
    assert " 2 archived audit events are in their files" in verified()


def test_a_batch_at_a_time_is_removed_and_what_is_left_of_it_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "_CHAINS_AT_A_TIME", 2)
    intents = [a_cancelled_intent() for _ in range(5)]
    ready()

    def progress(reached: Step, events: int) -> None:
        if reached is Step.REMOVING:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archived(progress=progress)
    assert [len(sequences(intent)) for intent in intents] == [1, 1, 2, 2, 2]
    assert "All is proven." in verified()
    (done,) = archived()
    assert (done.created, done.removed) == (False, 3)
    assert [len(sequences(intent)) for intent in intents] == [1] * 5


def test_a_file_that_was_changed_after_it_was_recorded_removes_nothing(archives_dir: Path) -> None:
    intent = a_cancelled_intent()
    ready()

    def progress(reached: Step, events: int) -> None:
        if reached is Step.RECORDED:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archived(progress=progress)
    (path,) = archives_dir.iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(archiving.ArchiveDamaged, match="is not as it was written: its SHA-256 is another"):
        archived()
    assert sequences(intent) == [1, 2]


def test_a_strangers_file_of_the_same_name_is_never_written_over(archives_dir: Path) -> None:
    a_cancelled_intent()
    ready()
    archives_dir.mkdir()
    path = archives_dir / files.name_of(MONTH, 1)
    path.write_bytes(b"somebody else's")
    with pytest.raises(files.InTheWay, match="Move it away, keep it, and try again"):
        archived()
    assert path.read_bytes() == b"somebody else's"
    assert not AuditArchive.objects.exists()


def test_two_at_once_archive_once(archives_dir: Path) -> None:
    intents = [a_cancelled_intent() for _ in range(3)]
    ready()
    reached, go_on = threading.Event(), threading.Event()

    def progress(step: Step, events: int) -> None:
        if step is Step.WRITTEN:
            reached.set()
            assert go_on.wait(60)

    def first() -> None:
        try:
            archived(progress=progress)
        finally:
            connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert reached.wait(60)
        with pytest.raises(ArchivingUnderWay):
            archived()
    finally:
        go_on.set()
        thread.join()
    assert [sequences(intent) for intent in intents] == [[2], [2], [2]]
    assert AuditArchive.objects.count() == 1
    assert archived() == []
