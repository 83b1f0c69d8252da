"""What the clock starts; every task may run twice, late, or beside itself."""

from collections import Counter

from celery import shared_task
from django.utils import timezone

from rails import reconciling, registry
from rails.base import Reconcilable
from settlements import deliveries, release, reprocessing, submitting

MOST_BATCHES = 1_000


@shared_task(name="settlements.sweep")  # type: ignore[untyped-decorator]
def sweep() -> dict[str, int]:
    """Processes stored events that still wait, then releases what is due, a thousand at a time, until nothing is."""
    events = reprocessing.sweep(now=timezone.now())
    report = sweep_due()
    return {"events": events, "released": report.released, "tightened": report.tightened, "failed": report.failed}


def sweep_due() -> release.SweepReport:
    """Batches until one moves nothing; what one batch failed on is put off and not met again."""
    total = release.SweepReport()
    for _ in range(MOST_BATCHES):
        report = release.sweep(now=timezone.now())
        total += report
        if not report.released + report.tightened:
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
    for rail in registry.remote_rails():
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
    for rail in registry.remote_rails():
        counted.update({applied.value.lower(): n for applied, n in submitting.hear(rail, clock=timezone.now).items()})
    return dict(counted)


@shared_task(name="settlements.reconcile")  # type: ignore[untyped-decorator]
def reconcile() -> dict[str, int]:
    """Compares each rail with its provider; how many differences each has, -1 where the provider could not be read."""
    counted = {}
    for rail in registry.remote_rails():
        if isinstance(rail, Reconcilable):
            run = reconciling.reconcile(provider=rail.get_provider(), actor="beat", now=timezone.now())
            counted[rail.get_provider().method] = -1 if run.error else run.differences
    return counted
