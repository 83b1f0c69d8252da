"""Archiving that is killed anywhere and run again, twice, or by two at once: nothing is lost and nothing is doubled."""

import threading
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest
from django.db import connection, transaction

from settlements.archives import files, records
from settlements.archiving import archiving
from settlements.archiving.archiving import ArchivingUnderWay, Step
from settlements.models import AuditArchive, OfficeEvent
from tests.rails.killed import killed_before_line
from tests.settlements.archived import MONTH, a_cancelled_intent, archived, ready, sequences
from tests.settlements.lived_in import verified

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
    if step not in {Step.NAMED, Step.READ_AGAIN}:  # then a file lies there that is not on record
        assert "All is proven." in verified()
    # At the last step nothing is left to do.
    assert len(archived()) == (step is not Step.REMOVING)
    assert [sequences(intent) for intent in intents] == [[2], [2], [2]]
    assert AuditArchive.objects.count() == 1
    assert "All is proven." in verified()


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
