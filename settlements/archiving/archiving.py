"""Archiving a month: what is eligible is written, read again, recorded, and only then removed, a few chains at a time.

Every step may be the last before a crash: the next run finds the file, or the record, and goes on from there.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from settlements import books_checks, office_log
from settlements.archives import files, records
from settlements.archives.files import Damaged, Part, Written
from settlements.archives.lines import NotALine, written
from settlements.archiving import eligible
from settlements.closing import closing
from settlements.closing.confirmed import LOOK_BACK
from settlements.models import AuditArchive, BooksCheck
from settlements.office_log import OfficeAction, OfficeDraft
from settlements.refusals import Kind, Refusal

_CHAINS_AT_A_TIME: Final = 500
# How often progress is told while a file is written.
_EVENTS_BETWEEN: Final = 10_000
_RECORD_PARTS: Final = (
    "COPY settlements_archivedchain (archive_id, intent_id, first_sequence, last_sequence, hash) FROM STDIN"
)
_MAY_REMOVE: Final = "SELECT has_function_privilege('settlements_remove_archived(bigint, bigint, integer)', 'EXECUTE')"
_REMOVE: Final = "SELECT last_intent, removed FROM settlements_remove_archived(%s, %s, %s)"


class Step(StrEnum):
    """How far a run is, in the order of steps."""

    WRITING = "written so far"
    WRITTEN = "written under another name"
    NAMED = "under its own name"
    READ_AGAIN = "read again, record not committed"
    RECORDED = "on record"
    REMOVING = "removed so far"


# Hears of every step, with the number of audit events it is about.
Progress = Callable[[Step, int], None]


class TooYoung(Refusal):
    """A month is archived when no rail can return money of it any more."""

    code = "month_too_young"
    kind = Kind.CONFLICT


class BooksNotProven(Refusal):
    """Nothing is archived unless the last verification of the books proved all of them."""

    code = "books_not_proven"
    kind = Kind.CONFLICT


class DaysStillOpen(Refusal):
    """A month is archived when its days are closed, and the week after it, which looks back."""

    code = "days_still_open"
    kind = Kind.CONFLICT


class OwnerRemoves(Refusal):
    """Audit events are archived as the owner of the tables (DATABASE_OWNER_URL)."""

    code = "owner_removes"
    kind = Kind.FORBIDDEN


class ArchivingUnderWay(Refusal):
    """One run archives at a time."""

    code = "archiving_under_way"
    kind = Kind.CONFLICT


class ArchiveDamaged(Refusal):
    """An archive is not what its record says, or an audit event not what its hash says; nothing was removed."""

    code = "archive_damaged"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """An archive, and how many events this run has removed for it; `created` is False when it was on record before."""

    archive: AuditArchive
    removed: int
    created: bool


def may_be_archived(month: date, *, now: datetime) -> None:
    """Raises OwnerRemoves, TooYoung, DaysStillOpen or BooksNotProven where a month must not be archived."""
    if not _may_remove():
        raise OwnerRemoves(
            "The role of this session may remove no audit event, so nothing is archived: run it with "
            "DATABASE_OWNER_URL, as the owner of the tables."
        )
    until, days = eligible.bounds(month)["until"], settings.CHAINPAY_ARCHIVE_AFTER_DAYS
    if until + timedelta(days=days) > now:
        first = (until + timedelta(days=days)).astimezone(UTC)
        raise TooYoung(
            f"{month:%Y-%m} can be archived from {first:%Y-%m-%d} on, {days} days after it ended "
            "(CHAINPAY_ARCHIVE_AFTER_DAYS)."
        )
    wanted, opened = until.date() + LOOK_BACK, closing.next_to_close()
    if opened is not None and opened < wanted:
        last = wanted - timedelta(days=1)
        raise DaysStillOpen(f"{opened} is open: close every day up to {last} first (close_day {last} --through).")
    last_check = BooksCheck.objects.order_by("-started_at", "-pk").first()
    if last_check is None:
        raise BooksNotProven("The books were never verified: run verify_books first.")
    if _broke_off_before_its_record(month, last_check) and not books_checks.is_long_ago(last_check, now=now):
        return
    alarm = books_checks.alarm(now=now)
    if alarm is not None or not last_check.is_proven:
        raise BooksNotProven(f"The books are not proven: {alarm.sentence if alarm else last_check.difference}")


def _may_remove() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_MAY_REMOVE)
        row: tuple[bool] = cursor.fetchone()
    return row[0]


def _broke_off_before_its_record(month: date, check: BooksCheck) -> bool:
    """Whether all is proven but that the file lies there which a run left that broke off; this one goes on from it."""
    return check.failed_check == records.STRANGERS and check.difference == records.stranger(_next_path(month))


def archive(
    month: date, *, actor: str, clock: Callable[[], datetime], progress: Progress = lambda step, events: None
) -> list[Archived]:
    """Finishes what broke off of a month, then archives what is eligible of it; empty if there is nothing of either.

    Files go where `files.directory` says. Opens its own transactions. Raises what `may_be_archived` does,
    ArchivingUnderWay, ArchiveDamaged, files.InTheWay, and OSError from the directory.
    """
    with _alone():
        may_be_archived(month, now=clock())
        done = []
        try:
            for recorded in AuditArchive.objects.filter(month=month).order_by("number"):
                removed = _finished(recorded, progress)
                if removed:
                    done.append(Archived(archive=recorded, removed=removed, created=False))
            made = _made(month, actor=actor, clock=clock, progress=progress)
        except (Damaged, NotALine) as wrong:
            raise ArchiveDamaged(f"{str(wrong)[0].upper()}{str(wrong)[1:]}.") from wrong
        if made is not None:
            done.append(Archived(archive=made, removed=_removed(made, progress), created=True))
    return done


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [records.ALONE])
        if not cursor.fetchone()[0]:
            raise ArchivingUnderWay("Audit events are being archived at this moment.")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [records.ALONE])


def _finished(recorded: AuditArchive, progress: Progress) -> int:
    """Removes what a run that broke off has left, once the file was read again; how many events."""
    if not _left(recorded):
        return 0
    with transaction.atomic(), records.opened(recorded) as lines:
        records.compare(recorded, lines)
    return _removed(recorded, progress)


def _left(recorded: AuditArchive) -> bool:
    return recorded.parts.extra(
        where=[
            "EXISTS (SELECT 1 FROM settlements_auditevent a WHERE a.intent_id = settlements_archivedchain.intent_id"
            " AND a.sequence = settlements_archivedchain.first_sequence)"
        ]
    ).exists()


def _made(month: date, *, actor: str, clock: Callable[[], datetime], progress: Progress) -> AuditArchive | None:
    number, path = _next_number(month), _next_path(month)
    # One statement, so one moment.
    with transaction.atomic(), contextlib.closing(_told(month, progress)) as told:
        first = next(told, None)
        if first is None:
            return None
        file = files.write(path, month, number, chain([first], told))
    progress(Step.WRITTEN, 0)
    files.put(file)
    progress(Step.NAMED, 0)
    with transaction.atomic():
        made = _recorded(month, number, file, actor=actor, now=clock())
        progress(Step.READ_AGAIN, made.events)
    progress(Step.RECORDED, made.events)
    return made


def _next_number(month: date) -> int:
    return 1 + AuditArchive.objects.filter(month=month).count()


def _next_path(month: date) -> Path:
    return files.directory() / files.name_of(month, _next_number(month))


def _told(month: date, progress: Progress) -> Generator[bytes, None, None]:
    with contextlib.closing(eligible.events(month)) as events:
        for count, row in enumerate(events, start=1):
            if count % _EVENTS_BETWEEN == 0:
                progress(Step.WRITING, count)
            yield written(row)


def _recorded(month: date, number: int, file: Written, *, actor: str, now: datetime) -> AuditArchive:
    """Reads the file as it lies on the disk and records what it holds; the office's event tells of it."""
    last = AuditArchive.objects.order_by("-pk").first()
    made = AuditArchive(
        id=last.pk + 1 if last else 1,
        month=month,
        number=number,
        file_name=file.path.name,
        sha256=file.sha256,
        size=file.size,
        chains=0,
        events=0,
        after_days=settings.CHAINPAY_ARCHIVE_AFTER_DAYS,
        actor=actor,
        created_at=now,
    )
    with records.opened(made) as lines, connection.cursor() as cursor, cursor.copy(_RECORD_PARTS) as rows:
        for part in files.parts(lines, file.path):
            rows.write_row(_row(made, part))
            made.chains += 1
            made.events += part.last - part.first + 1
    made.save(force_insert=True)
    told = {
        "file": made.file_name,
        "sha256": made.sha256,
        "bytes": made.size,
        "intents": made.chains,
        "events": made.events,
        "after_days": made.after_days,
    }
    draft = OfficeDraft(action=OfficeAction.AUDIT_ARCHIVED, subject=made.label, actor=actor, data=told)
    office_log.record(draft, now=now)
    return made


def _row(made: AuditArchive, part: Part) -> tuple[int, int, int, int, bytes]:
    return (made.pk, part.intent_id, part.first, part.last, part.hash)


def _removed(recorded: AuditArchive, progress: Progress) -> int:
    """Removes what the record names, in transactions of their own; how many events."""
    total, after = 0, 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_REMOVE, [recorded.pk, after, _CHAINS_AT_A_TIME])
            row: tuple[int, int] | None = cursor.fetchone()
        if row is None:
            return total
        after, total = row[0], total + row[1]
        progress(Step.REMOVING, total)
