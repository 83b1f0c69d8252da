"""`python -m bench.review SETTLEMENTS WAITING TURNS`: how long does an officer wait for the review queue?

View and template in process, without middleware, on an empty migrated database; beside them the least SQL.
"""

import sys
import time
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlencode

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench import backlog as backlogs  # noqa: E402
from bench import record  # noqa: E402
from bench.backlog import Backlog  # noqa: E402
from bench.record import Figure, Target  # noqa: E402
from compliance import counters, queue_pages  # noqa: E402

COMMAND = 'make bench ARGS="--only review"'
TARGET_MS = 300.0
_PAGE = 50
_WARM_UP = 6

# The least that finds the first page: what waits, the largest first, by the index it lies in.
_FLOOR = """
    SELECT id FROM settlements_milestonesettlement
    WHERE status = 'PENDING' AND amount_minor > 0 AND strategy IN ('MANUAL_REVIEW', 'PENDING')
    ORDER BY created_at < %s DESC, amount_minor DESC LIMIT 50
"""


def measure(backlog: Backlog, *, rounds: int) -> dict[str, list[float]]:
    """Each page by turns, so that all of them meet the same machine; milliseconds by page."""
    officer = backlog.officers[0]
    last = max(-(-backlog.waiting // _PAGE), 1)
    pages = {
        "first page": {},
        "filtered": {"tier": "high", "min_amount": "1000", "currency": "USD"},
        "unassigned, not held": {"unassigned": "1", "on_hold": "0"},
        "begun": {"approvals_begun": "1"},
        "searched": {"q": "carrier 1"},
        "delayed": {"state": "delayed"},
        f"page {min(100, last)}": {"page": str(min(100, last))},
    }
    jobs: dict[str, Callable[[], object]] = {"floor": _floor, "counters": lambda: counters.counts(officer, _now())}
    jobs |= {name: _page(officer, query) for name, query in pages.items()}
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(_WARM_UP + rounds):
        for name, job in jobs.items():
            began = time.perf_counter()
            job()
            if turn >= _WARM_UP:
                times[name].append(1000 * (time.perf_counter() - began))
    return times


def told(times: dict[str, list[float]]) -> list[Figure]:
    """Each page against the target, the first also beside the least SQL."""
    target = Target(of="median", at_most=TARGET_MS)
    floors = {"first page": times["floor"]}
    return [
        Figure(
            part="review",
            name=name,
            unit="ms",
            rounds=taken,
            floor=floors.get(name, ()),
            target=target,
            command=COMMAND,
        )
        for name, taken in times.items()
        if name != "floor"
    ]


def _page(officer: User, query: dict[str, str]) -> Callable[[], object]:
    address = f"/admin/compliance/reviewqueue/?{urlencode(query)}"

    def ask() -> object:
        request = RequestFactory().get(address)
        request.user = User.objects.get(pk=officer.pk)
        answer = queue_pages.queue_view(request)
        answer.render()  # type: ignore[attr-defined]
        if answer.status_code != 200 or b"</table>" not in answer.content:
            raise WrongPage(f"{address}: {answer.status_code}")
        return answer

    return ask


class WrongPage(Exception):
    """The page did not list anything; the figures mean nothing."""


def _floor() -> object:
    with connection.cursor() as cursor:
        cursor.execute(_FLOOR, [_now()])
        return cursor.fetchall()


def _now() -> datetime:
    return timezone.now()


def main() -> None:
    """Writes the backlog, measures, prints."""
    settlements, waiting, turns = (int(word) for word in sys.argv[1:4])
    backlog = backlogs.found() or backlogs.prepare(settlements, waiting=waiting, now=_now())
    print(f"Review queue: {backlog.waiting} waiting of {backlog.settlements} settlements", flush=True)
    record.told(told(measure(backlog, rounds=turns)))


if __name__ == "__main__":
    main()
