"""Redis killed and flushed, PostgreSQL restarted and killed, while events arrive and holds run out."""

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

import psycopg
import redis

from chainpay.embedded import paths, process
from settlements.statuses import RiskTier
from tests.chaos import orders
from tests.chaos.faults.stage import Deed, Stage, do
from tests.chaos.faults.upstream import Event
from tests.chaos.faults.verdict import Verdict
from tests.factories import PICKUP, POD

_EVENTS = 1_200
_PER_SECOND = 60.0
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


def redis_lost(stage: Stage) -> Verdict:
    """No event may notice: limits are not kept while Redis is away, and what is due waits for the next wake-up."""
    assert stage.servers.redis is not None
    server = stage.servers.redis

    def kill() -> None:
        os.kill(process.pid_in(file=server.data / "redis.pid") or 0, signal.SIGKILL)

    def flush() -> None:
        redis.Redis(unix_socket_path=str(paths.redis_socket(stage.var))).flushall()

    def stop() -> None:
        server.stop()

    deeds = _spread(
        stage,
        [
            ("Redis killed", kill),
            ("and started", stage.servers.ensure),
            ("flushed", flush),
            ("stopped", stop),
            ("and started", stage.servers.ensure),
            ("flushed", flush),
            ("killed", kill),
            ("and started", stage.servers.ensure),
        ],
    )
    return _under_load(stage, deeds, may_refuse=False)


def postgres_lost(stage: Stage) -> Verdict:
    """Whoever can not be served is told 503 and repeats; what was answered is there afterwards."""
    assert stage.servers.postgres is not None
    server = stage.servers.postgres

    def kill() -> None:
        os.kill(process.pid_in(file=server.data / "postmaster.pid") or 0, signal.SIGKILL)

    def kill_a_backend() -> None:
        """PostgreSQL ends all connections then, and recovers."""
        with suppress(psycopg.Error), psycopg.connect(stage.database_url) as connection:
            for row in connection.execute(_BACKENDS).fetchmany(1):
                os.kill(row[0], signal.SIGKILL)

    def restart() -> None:
        server.stop()
        stage.servers.ensure()

    deeds = _spread(
        stage,
        [
            ("PostgreSQL restarted", restart),
            ("a backend killed", kill_a_backend),
            ("all killed", kill),
            ("and started", stage.servers.ensure),
            ("restarted", restart),
        ],
    )
    return _under_load(stage, deeds, may_refuse=True)


def mixed(count: int) -> list[Event]:
    """Events for as many shipments: of three that release at once, one is held for a moment and swept."""
    held = orders.lay(count // 4, orders.Kind(tier=RiskTier.MEDIUM))
    at_once = orders.lay(count - len(held), orders.Kind(tier=RiskTier.LOW))
    later = iter([Event(each, PICKUP) for each in held])
    events: list[Event] = []
    for number, each in enumerate(at_once):
        events.append(Event(each, POD))
        if number % 3 == 2:
            events += [event for event in [next(later, None)] if event]
    return events + list(later)


def _spread(stage: Stage, named: Sequence[tuple[str, Callable[[], object]]]) -> list[Deed]:
    """The deeds, evenly over the time that the load takes."""
    seconds = stage.sized(_EVENTS) / _PER_SECOND
    return [Deed(seconds * (place + 1) / (len(named) + 1), *each) for place, each in enumerate(named)]


def _under_load(stage: Stage, deeds: Sequence[Deed], *, may_refuse: bool) -> Verdict:
    events = mixed(stage.sized(_EVENTS))
    upstream = stage.upstream(events, per_second=_PER_SECOND, may_refuse=may_refuse)
    with stage.running(stage.web(), stage.worker(1), stage.beat(1)):
        upstream.start()
        done = do(deeds, upstream)
        stage.rest()
    refused = f", {upstream.statuses[503]} answered 503" if may_refuse else ""
    return stage.verdict(f"{len(events)} events{refused}; {', '.join(done)}", events, upstream)
