"""Exports that are made beside: queued, written to a file, kept for a week; killed in the middle, made again.

One file at a time is written, so that releases always find a worker.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import psycopg
from django.contrib.auth.models import User
from django.db import Error as DatabaseError
from django.db import connection, transaction

from settlements.exports import files, on_screen, records
from settlements.exports.datasets import Asked, Dataset, UnknownDataset, find
from settlements.exports.filters import FilterInvalid
from settlements.exports.pieces import Pieces
from settlements.exports.records import Incomplete, Overtaken
from settlements.exports.snapshot import Snapshot, UnderWay, is_free
from settlements.models import Export, ExportState
from settlements.models.export import FILE
from settlements.permissions import Permission

logger = logging.getLogger(__name__)

MOST_TRIES: Final = 3
# An export that begins is on record a moment before it holds its lock.
_BEGINNING: Final = timedelta(minutes=1)
_PROGRESS_SECONDS: Final = 2.0
# The advisory lock of who writes files; the number means nothing and is nobody else's.
_ALONE: Final = 5_033_164_877


class NotAllowed(Exception):
    """Whoever asked may not export this any more."""


def make_all(*, clock: Callable[[], datetime]) -> int:
    """Makes what is queued, the oldest first; how many. Does nothing while another process does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_ALONE])
        if not cursor.fetchone()[0]:
            return 0
    made = 0
    try:
        while (export_id := _oldest()) is not None and make(export_id, clock=clock):
            made += 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ALONE])
    return made


def make(export_id: int, *, clock: Callable[[], datetime]) -> bool:
    """Makes one queued file; False if another process has taken it, or its turn comes again later."""
    try:
        snapshot = Snapshot.open(export_id)
    except UnderWay:
        return False
    try:
        export = records.start(export_id, now=clock())
        try:
            _write(export, snapshot, clock)
        except (NotAllowed, FilterInvalid, UnknownDataset) as refused:
            records.break_off(export, str(refused), rows=0, count=0, now=clock())
        except (psycopg.Error, DatabaseError, OSError, Incomplete) as trouble:
            logger.exception("Export %s broke off", export_id)
            return _again(export, trouble, clock())
    except Overtaken:
        return False
    finally:
        snapshot.close()
    return True


def sweep(*, now: datetime) -> int:
    """Exports that nobody makes any more: files are queued again, streams have broken off; how many."""
    found = 0
    under_way = Export.objects.filter(state=ExportState.RUNNING, started_at__lt=now - _BEGINNING)
    for export in under_way.order_by("pk"):
        with transaction.atomic():
            if not is_free(export.pk):
                continue
            found += 1
            try:
                if export.delivery == FILE and export.tries < MOST_TRIES:
                    records.put_back(export)
                else:
                    why = "The process that made it ended before it did."
                    records.break_off(export, why, rows=export.rows_done, count=export.bytes_done, now=now)
            except Overtaken:
                logger.info("Export %s ended by itself", export.pk)
    return found


def clear(*, now: datetime) -> int:
    """Files past their week are removed, and those that no export needs; how many exports have expired."""
    expired = 0
    for export in Export.objects.filter(state=ExportState.READY, expires_at__lte=now):
        try:
            records.expire(export)
        except Overtaken:
            continue
        expired += 1
    lying = files.kept()
    needed = Export.objects.filter(pk__in=lying).exclude(state__in=[ExportState.EXPIRED, ExportState.FAILED])
    for export_id in lying - set(needed.values_list("pk", flat=True)):
        files.remove(export_id)
    return expired


def _oldest() -> int | None:
    return Export.objects.filter(state=ExportState.QUEUED).order_by("pk").values_list("pk", flat=True).first()


def _write(export: Export, snapshot: Snapshot, clock: Callable[[], datetime]) -> None:
    dataset = find(export.dataset)
    user = _still_allowed(export, dataset)
    if dataset.version != export.version:
        raise FilterInvalid("dataset", "The columns have changed since; ask for it again.")
    asked = export.asked
    selection, key = on_screen.selected(
        dataset,
        Asked(dataset=dataset.name, filters=asked["filters"], list_label=asked["list"], query=asked["query"]),
        user=user,
    )
    figures = snapshot.figures(dataset, selection, key=key)
    pieces, told = Pieces(snapshot.lines(dataset, selection, key=key)), 0.0
    with files.writing(export.pk) as file:
        for piece in pieces:
            file.write(piece)
            if time.monotonic() - told > _PROGRESS_SECONDS:
                told = time.monotonic()
                records.progress(export.pk, rows=pieces.rows, count=pieces.bytes, total=figures.rows)
    if figures.rows != pieces.rows:
        raise Incomplete(f"{pieces.rows} lines of {figures.rows} rows")
    records.complete(export, pieces.sent, figures, now=clock())


def _still_allowed(export: Export, dataset: Dataset) -> User | None:
    """The person who asked, with the rights of now; a service's were looked at when it asked."""
    if export.requested_by_id is None:
        return None
    user = User.objects.get(pk=export.requested_by_id)
    if not (user.is_active and user.is_staff and may_export(user, dataset)):
        raise NotAllowed(f"{user.get_username()} may not export this any more.")
    return user


def may_export(user: User, dataset: Dataset) -> bool:
    """Whether a member of staff may export a dataset."""
    return user.has_perms([Permission.EXPORT_DATA.full_name, dataset.permission.full_name])


def _again(export: Export, trouble: Exception, now: datetime) -> bool:
    files.remove(export.pk)
    if export.tries < MOST_TRIES:
        records.put_back(export)
        return False
    records.break_off(export, f"It was tried {MOST_TRIES} times: {type(trouble).__name__}.", rows=0, count=0, now=now)
    return True
