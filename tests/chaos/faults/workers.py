"""Workers: two beats over many due rows, and one that is stopped in the middle of them."""

import signal
import time
from collections.abc import Callable
from typing import Final

import psycopg

from chainpay.embedded.saying import say
from tests.chaos import orders
from tests.chaos.faults.stage import Stage
from tests.chaos.faults.upstream import Event
from tests.chaos.faults.verdict import Verdict
from tests.chaos.fleet import Member
from tests.factories import PICKUP, post_event

_PER_SHIPMENT: Final = 100
_PATIENCE_SECONDS: Final = 300.0
_RELEASED: Final = "SELECT count(*) FROM settlements_milestonesettlement WHERE status = 'APPROVED'"
# (share of the rows released, what is then done)
_STOPS: Final = (
    (0.1, "SIGTERM"), (0.3, "SIGKILL to all"), (0.5, "SIGKILL to a child"), (0.7, "SIGTERM"), (0.85, "SIGKILL to all"),
)  # fmt: skip


def two_beats(stage: Stage) -> Verdict:
    """Twice the wake-ups and twice the hands release nothing twice."""
    events = _due(stage.sized(10_000))
    with stage.running(stage.worker(1), stage.worker(2), stage.beat(1), stage.beat(2)):
        stage.rest(seconds=_PATIENCE_SECONDS)
        time.sleep(2)  # whoever was about to release one again has the time to do so
    rows = len(events) * _PER_SHIPMENT
    return stage.verdict(f"{rows} due rows, 2 beats, 2 workers", events, per_event=_PER_SHIPMENT)


def worker_stopped(stage: Stage) -> Verdict:
    """Each batch is released or not, whoever is stopped in it and however."""
    events = _due(stage.sized(100_000))
    rows, worker, done = len(events) * _PER_SHIPMENT, stage.worker(1), []
    with stage.running(worker, stage.beat(1)):
        for share, what in _STOPS:
            seen = _wait(stage, lambda share=share: rows * share)  # type: ignore[misc]
            _stop(worker, what)
            done.append(f"{what} at {seen}")
            say(f"  {done[-1]}")
        stage.rest(seconds=_PATIENCE_SECONDS)
    return stage.verdict(f"{rows} due rows; {', '.join(done)}", events, per_event=_PER_SHIPMENT)


def _due(rows: int) -> list[Event]:
    """Events of shipments with a hundred intents each, stored; what they bring is due after its hold of seconds."""
    shipments = orders.lay(max(1, rows // _PER_SHIPMENT), orders.Kind(per_shipment=_PER_SHIPMENT))
    say(f"  {len(shipments) * _PER_SHIPMENT} intents laid")
    for each in shipments:
        post_event(each, PICKUP)
    return [Event(each, PICKUP) for each in shipments]


def _wait(stage: Stage, wanted: Callable[[], float]) -> int:
    """Until so many are released; how many they are."""
    end, seen = time.monotonic() + _PATIENCE_SECONDS, 0
    with psycopg.connect(stage.database_url, autocommit=True) as connection:
        while time.monotonic() < end:
            seen = connection.execute(_RELEASED).fetchone()[0]  # type: ignore[index]
            if seen >= wanted():
                break
            time.sleep(0.02)
    return seen


def _stop(worker: Member, what: str) -> None:
    family = worker.family()
    if what == "SIGTERM":
        worker.send(signal.SIGTERM, family[:1])
    else:
        worker.send(signal.SIGKILL, family if what.endswith("all") else family[1:2])
