"""What the clock starts; every task may run twice, late, or beside itself."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from celery import shared_task
from django.db import connection
from django.utils import timezone

from rails import reconciling, registry
from rails.base import Reconcilable, RemoteRail
from settlements import books_checks, deliveries, release, reprocessing, submitting
from settlements.exports import background
from settlements.proof import checkpoints, publishing, seals
from settlements.reconciliation import comparing

logger = logging.getLogger(__name__)

MOST_BATCHES = 1_000
# Well below the broker's visibility timeout: a message is not given to a second worker meanwhile.
EXPORT_SECONDS = 30 * 60
VERIFY_SECONDS = 50 * 60


@shared_task(name="settlements.sweep")  # type: ignore[untyped-decorator]
def sweep() -> dict[str, int]:
    """Processes stored events that still wait, then releases what is due, a thousand at a time, until nothing is."""
    events = reprocessing.sweep(now=timezone.now())
    report = sweep_due()
    return {"events": events, "released": report.released, "tightened": report.tightened, "failed": report.failed}


def sweep_due() -> release.SweepReport:
    """Batches until one moves nothing; what one batch failed on is put off and not met again."""
    total, tell_blocked = release.SweepReport(), True
    for _ in range(MOST_BATCHES):
        report = release.sweep(now=timezone.now(), tell_blocked=tell_blocked)
        total, tell_blocked = total + report, report.more_blocked
        if not (report.released + report.tightened or tell_blocked):
            break
    return total


@shared_task(name="settlements.deliver")  # type: ignore[untyped-decorator]
def deliver() -> dict[str, int]:
    """Sends subscribers what is due for them; does nothing while another process does."""
    report = deliveries.deliver_alone(clock=timezone.now)
    return {"delivered": report.delivered, "failed": report.failed, "parked": report.parked}


@shared_task(name="settlements.submit")  # type: ignore[untyped-decorator]
def submit() -> dict[str, int]:
    """Hands what waits to its providers, rail by rail."""
    total = submitting.Report()
    with _each_for_itself() as attend:
        for rail in registry.remote_rails():
            with attend(rail):
                total += submitting.submit(rail, clock=timezone.now)
    return {
        "accepted": total.accepted,
        "refused": total.refused,
        "unknown": total.unknown,
        "not_yet": total.not_yet,
    }


@shared_task(name="settlements.hear")  # type: ignore[untyped-decorator]
def hear() -> dict[str, int]:
    """Applies what providers have told since, rail by rail."""
    counted: Counter[str] = Counter()
    with _each_for_itself() as attend:
        for rail in registry.remote_rails():
            with attend(rail):
                heard = submitting.hear(rail, clock=timezone.now)
                counted.update({applied.value.lower(): n for applied, n in heard.items()})
    return dict(counted)


@shared_task(name="settlements.export", time_limit=EXPORT_SECONDS)  # type: ignore[untyped-decorator]
def export() -> dict[str, int]:
    """Takes care of exports that nobody makes any more, makes those that are queued, removes those of last week."""
    left = background.sweep(now=timezone.now())
    made = background.make_all(clock=timezone.now)
    return {"left": left, "made": made, "expired": background.clear(now=timezone.now())}


@shared_task(name="settlements.checkpoint")  # type: ignore[untyped-decorator]
def checkpoint() -> dict[str, int]:
    """Seals new rows, signs where every chain stands, if any has grown, and publishes what is not published yet."""
    sealed = seals.seal_new(actor=books_checks.BY_CLOCK, now=timezone.now())
    made = checkpoints.make(now=timezone.now())
    return {"sealed": sealed, "made": int(made is not None), "published": publishing.publish()}


@shared_task(name="settlements.verify_books", time_limit=VERIFY_SECONDS)  # type: ignore[untyped-decorator]
def verify_books() -> str:
    """Verifies the books once a night; the night's first difference, empty for none or for nothing to do."""
    check = books_checks.verify_tonight(clock=timezone.now)
    return "" if check is None else check.difference


@contextmanager
def _each_for_itself() -> Iterator[Callable[[RemoteRail], AbstractContextManager[None]]]:
    """The trouble of one rail keeps no other from its turn; it is raised when all have had theirs."""
    troubles: list[Exception] = []

    @contextmanager
    def attend(rail: RemoteRail) -> Iterator[None]:
        try:
            yield
        except Exception as trouble:  # not swallowed: the task fails with it, loudly, after the other rails
            logger.exception("Rail %s failed its turn", rail.get_provider().method)
            if not connection.in_atomic_block and not connection.is_usable():
                connection.close()
            troubles.append(trouble)

    yield attend
    if troubles:
        raise troubles[0]


@shared_task(name="settlements.reconcile")  # type: ignore[untyped-decorator]
def reconcile() -> dict[str, int]:
    """Compares each rail with its provider; how many differences each has, -1 where the provider could not be read."""
    counted = {}
    for rail in registry.remote_rails():
        if isinstance(rail, Reconcilable):
            run = reconciling.reconcile(provider=rail.get_provider(), actor="beat", now=timezone.now())
            counted[rail.get_provider().method] = -1 if run.error else run.differences
    return counted


@shared_task(name="settlements.compare")  # type: ignore[untyped-decorator]
def compare() -> dict[str, int]:
    """Compares settlements, attempts, journal and what providers and banks have told; no network."""
    comparison = comparing.compare(actor="beat", now=timezone.now())
    return {"payments": comparison.payments, "differences": comparison.differences}
