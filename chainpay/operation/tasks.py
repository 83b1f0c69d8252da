"""What the clock starts for operation; every task may run twice, late, or beside itself."""

from celery import shared_task

from chainpay.operation import tally, task_runs


@shared_task(name=task_runs.HEARTBEAT)  # type: ignore[untyped-decorator]
def heartbeat() -> None:
    """Nothing: that it ran is what counts."""


@shared_task(name="operation.tally")  # type: ignore[untyped-decorator]
def count() -> dict[str, int]:
    """Counts what was written since the last time; how many rows of each table."""
    return tally.count_all()
