"""The only writer of exports, and of what the office's log tells of them: begun, complete or broken off, downloaded.

What is asked for is on record before anything leaves, and what left when it has: neither a client that hangs up nor a
process that dies leaves an export without a trace.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from settlements import office_log
from settlements.exports.datasets import Asked, Dataset
from settlements.exports.selections import Selection
from settlements.exports.statements import Figures
from settlements.models import Export, ExportState
from settlements.models.export import FILE, STREAM
from settlements.office_log import OfficeAction, OfficeDraft

KEPT: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who exports: what the log calls them, and the person if there is one."""

    actor: str
    user_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was handed over: rows (the line of names is none), bytes, and the SHA-256 of those in hexadecimal."""

    rows: int
    bytes: int
    sha256: str


class Overtaken(Exception):
    """The export is not in the state this step begins from: somebody else took it."""


class Incomplete(Exception):
    """Not every row that there is was handed over."""


def begin(asked: Asked, dataset: Dataset, selection: Selection, *, by: By, delivery: str, now: datetime) -> Export:
    """The export is on record: a stream as running, a file as queued."""
    streamed = delivery == STREAM
    with transaction.atomic():
        export = Export.objects.create(
            dataset=dataset.name,
            version=dataset.version,
            delivery=delivery,
            asked=asked.data(),
            filter_words=selection.words,
            file_name=dataset.file_name(now),
            requested_by_id=by.user_id,
            actor=by.actor,
            state=ExportState.RUNNING if streamed else ExportState.QUEUED,
            tries=int(streamed),
            created_at=now,
            started_at=now if streamed else None,
        )
        _tell(OfficeAction.EXPORT_BEGUN, export, by=by.actor, now=now)
    return export


def start(export_id: int, *, now: datetime) -> Export:
    """A queued file is being made. Raises Overtaken."""
    _move(export_id, ExportState.QUEUED, state=ExportState.RUNNING, started_at=now, tries=F("tries") + 1)
    return Export.objects.get(pk=export_id)


def progress(export_id: int, *, rows: int, count: int, total: int | None = None) -> None:
    """How far it is: rows, bytes and, once known, rows in all."""
    known = {} if total is None else {"rows_total": total}
    Export.objects.filter(pk=export_id, state=ExportState.RUNNING).update(rows_done=rows, bytes_done=count, **known)


def complete(export: Export, sent: Sent, figures: Figures, *, now: datetime) -> None:
    """All of it was handed over. Raises Overtaken."""
    is_file = export.delivery == FILE
    with transaction.atomic():
        _move(
            export.pk,
            ExportState.RUNNING,
            state=ExportState.READY if is_file else ExportState.SENT,
            rows_done=sent.rows,
            rows_total=figures.rows,
            bytes_done=sent.bytes,
            totals=dict(figures.totals),
            sha256=sent.sha256,
            finished_at=now,
            expires_at=now + KEPT if is_file else None,
        )
        figured = {**_figures(sent), "totals": dict(figures.totals)}
        _tell(OfficeAction.EXPORTED, export, by=export.actor, now=now, **figured)


def break_off(export: Export, why: str, *, rows: int, count: int, now: datetime) -> None:
    """It ended before its end; at most so much of it left. Raises Overtaken."""
    with transaction.atomic():
        _move(
            export.pk,
            ExportState.RUNNING,
            state=ExportState.FAILED,
            error=why,
            rows_done=rows,
            bytes_done=count,
            finished_at=now,
        )
        _tell(
            OfficeAction.EXPORT_BROKEN_OFF, export, by=export.actor, now=now, reason=why, rows_at_most=rows, bytes=count
        )


def put_back(export: Export) -> None:
    """Whoever made the file died: it is made again from the beginning. Raises Overtaken."""
    _move(export.pk, ExportState.RUNNING, state=ExportState.QUEUED, rows_done=0, bytes_done=0, rows_total=None)


def downloaded(export: Export, *, by: By, now: datetime) -> None:
    """Somebody takes the file."""
    sent = Sent(rows=export.rows_done, bytes=export.bytes_done, sha256=export.sha256)
    with transaction.atomic():
        figured = {**_figures(sent), "totals": export.totals}
        _tell(OfficeAction.EXPORT_DOWNLOADED, export, by=by.actor, now=now, **figured)


def expire(export: Export) -> None:
    """The file is removed from now on. Raises Overtaken."""
    _move(export.pk, ExportState.READY, state=ExportState.EXPIRED)


def _move(export_id: int, was: ExportState, **columns: Any) -> None:
    if not Export.objects.filter(pk=export_id, state=was).update(**columns):
        raise Overtaken(f"export {export_id} is not {was.value}")


def _figures(sent: Sent) -> dict[str, Any]:
    return {"rows": sent.rows, "bytes": sent.bytes, "sha256": sent.sha256}


def _tell(action: OfficeAction, export: Export, *, by: str, now: datetime, reason: str = "", **figures: Any) -> None:
    data: Mapping[str, Any] = {
        "export": export.pk,
        "version": export.version,
        "delivery": export.delivery.lower(),
        "filter": export.filter_words,
        "asked": export.asked,
        **figures,
    }
    draft = OfficeDraft(action=action, subject=export.dataset, actor=by, reason=reason, data=data)
    office_log.record(draft, now=now)
