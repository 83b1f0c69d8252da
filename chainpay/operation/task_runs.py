"""How tasks of the clock went: counted in the database when one begins and when it ends, whichever worker runs it.

The heartbeat is a task that does nothing: that it ended says that beat, broker, a worker and the database all work.
"""

import time
from typing import Any, Final

from celery.signals import before_task_publish, task_postrun, task_prerun
from django.db import connection

from chainpay.operation import database_names
from settlements.api import request_ids

HEARTBEAT: Final = "operation.heartbeat"
HEARTBEAT_SECONDS: Final = 15
# Longer than a worker that is busy with a sweep of a hundred thousand keeps a message waiting.
STALE_AFTER_SECONDS: Final = 120

_BEGUN: Final = """
    INSERT INTO operation_taskrun AS run (task, begun, succeeded, failed, seconds, last_seconds, last_began_at)
    VALUES (%s, 1, 0, 0, 0, 0, clock_timestamp())
    ON CONFLICT (task) DO UPDATE SET begun = run.begun + 1, last_began_at = excluded.last_began_at
"""
_ENDED: Final = """
    UPDATE operation_taskrun SET succeeded = succeeded + %(succeeded)s, failed = failed + 1 - %(succeeded)s,
        seconds = seconds + %(seconds)s, last_seconds = %(seconds)s,
        last_succeeded_at = CASE WHEN %(succeeded)s = 1 THEN clock_timestamp() ELSE last_succeeded_at END,
        last_failed_at = CASE WHEN %(succeeded)s = 1 THEN last_failed_at ELSE clock_timestamp() END
    WHERE task = %(task)s
"""
_AGE: Final = "SELECT extract(epoch FROM clock_timestamp() - last_succeeded_at) FROM operation_taskrun WHERE task = %s"

_began: dict[str, float] = {}


def connect() -> None:
    """Has every task of this process counted; what fails in it is logged by Celery and hurts no task."""
    before_task_publish.connect(_name_the_request, dispatch_uid="operation.task_runs")
    task_prerun.connect(_note_begin, dispatch_uid="operation.task_runs")
    task_postrun.connect(_note_end, dispatch_uid="operation.task_runs")


def _name_the_request(*, headers: dict[str, Any], **_: Any) -> None:
    """A task that a request asked for logs under that request's id."""
    if request_ids.current() != request_ids.NOBODY:
        headers["request_id"] = request_ids.current()


def _note_begin(*, task_id: str, task: Any, **_: Any) -> None:
    database_names.name_what_follows(True)
    request_ids.work_for(getattr(task.request, "request_id", None) or task_id)
    _began[task_id] = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(_BEGUN, [task.name])


def _note_end(*, task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    seconds = time.monotonic() - _began.pop(task_id, time.monotonic())
    with connection.cursor() as cursor:
        cursor.execute(_ENDED, {"task": task.name, "succeeded": int(state == "SUCCESS"), "seconds": seconds})


def heartbeat_age(cursor: Any) -> float | None:
    """Seconds since the last heartbeat by the database's clock; None as long as there was none."""
    row = cursor.execute(_AGE, [HEARTBEAT]).fetchone()
    return None if row is None or row[0] is None else float(row[0])
