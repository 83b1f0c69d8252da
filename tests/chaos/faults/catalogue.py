"""Which function makes which fault. To be imported once Django's settings are ready."""

from collections.abc import Callable, Mapping
from typing import Final

from tests.chaos.faults import DISK, WAL_DISK, bodies, clocks, full_disk, migrating, servers_lost, slow_clients, workers
from tests.chaos.faults.stage import Stage
from tests.chaos.faults.verdict import Verdict

FAULTS: Final[Mapping[str, Callable[[Stage], Verdict]]] = {
    "redis": servers_lost.redis_lost,
    "postgres": servers_lost.postgres_lost,
    "two-beats": workers.two_beats,
    "worker": workers.worker_stopped,
    DISK: full_disk.made,
    WAL_DISK: full_disk.made,
    "clock": clocks.clock_ahead,
    "slow-clients": slow_clients.slow_clients,
    "migration": migrating.migrated,
    "big-body": bodies.big_body,
}
