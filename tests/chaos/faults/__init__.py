"""One fault after the other, each on a database of its own, and one table of what came of them."""

from collections.abc import Mapping
from typing import Final

RELEASES: Final = "releases"
DISK: Final = "disk-full"
WAL_DISK: Final = "log-disk-full"
NAMES: Final[Mapping[str, str]] = {
    RELEASES: "thousands of payments through Stripe while everything is killed",
    "redis": "Redis killed, stopped and flushed under load",
    "postgres": "PostgreSQL restarted and killed under load",
    "two-beats": "two beats and two workers over 10,000 due rows",
    "worker": "a worker stopped and killed in a sweep of 100,000 rows",
    DISK: "no room for PostgreSQL's tables",
    WAL_DISK: "no room for PostgreSQL's write-ahead log",
    "clock": "a host whose clock is a day ahead",
    "slow-clients": "clients who send a byte a second",
    "migration": "tables changed under traffic",
    "big-body": "bodies of 60 MB, announced and in chunks",
}
