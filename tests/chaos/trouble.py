"""What is done to the processes and servers of a run, one thing after the other, at random under a seed."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import psycopg

from chainpay.embedded import process
from chainpay.embedded.servers import Servers
from tests.chaos.fleet import Fleet, Member

_LONGEST_OUTAGE: Final = 2.0
_CLIENTS: Final = """
    SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


class Trouble:
    """Makes trouble; `done` counts what and how often. Each kind comes once before any comes twice."""

    def __init__(self, fleet: Fleet, servers: Servers, *, database_url: str, seed: int, gentle: bool = False) -> None:
        self.done: Counter[str] = Counter()
        self._fleet, self._servers, self._url = fleet, servers, database_url
        self._chance = random.Random(f"trouble {seed}")
        self._bag: list[str] = []
        self._kinds = [kind for kind in _KINDS if not (gentle and kind in _SERVERS)]

    def lacks(self) -> bool:
        """Whether some kind was not there yet."""
        return any(kind not in self.done for kind in self._kinds)

    def make(self) -> str:
        """One thing; its name."""
        if not self._bag:
            self._bag = [kind for kind in self._kinds for _ in range(_OFTEN.get(kind, 1) if self.done else 1)]
            self._chance.shuffle(self._bag)
        kind = self._bag.pop()
        _KINDS[kind](self)
        self.done[kind] += 1
        return kind

    def one_of(self, members: list[Member]) -> list[int]:
        """The processes of one of these members, itself first."""
        return self._chance.choice(members).family()

    def worker(self) -> None:
        _kill(self.one_of(self._fleet.workers)[:1])

    def worker_and_children(self) -> None:
        _kill(self.one_of(self._fleet.workers))

    def one_child(self) -> None:
        _kill(self._chance.sample(children, 1) if (children := self.one_of(self._fleet.workers)[1:]) else [])

    def beat(self) -> None:
        _kill(self.one_of(self._fleet.beats))

    def web(self) -> None:
        _kill(self.one_of([self._fleet.web])[:1])

    def web_child(self) -> None:
        _kill(self._chance.sample(children, 1) if (children := self.one_of([self._fleet.web])[1:]) else [])

    def postgres_restarted(self) -> None:
        assert self._servers.postgres is not None
        self._servers.postgres.stop()
        self._outage()

    def postgres_killed(self) -> None:
        assert self._servers.postgres is not None
        _kill([process.pid_in(file=self._servers.postgres.data / "postmaster.pid") or 0])
        self._outage()

    def connection_killed(self) -> None:
        """PostgreSQL takes the violent death of one of its own for a reason to end all of them and recover."""
        with suppress(psycopg.Error), psycopg.connect(self._url, connect_timeout=2) as connection:
            pids = [row[0] for row in connection.execute(_CLIENTS)]
            _kill(self._chance.sample(pids, 1) if pids else [])

    def redis_restarted(self) -> None:
        assert self._servers.redis is not None
        self._servers.redis.stop()
        self._outage()

    def redis_killed(self) -> None:
        assert self._servers.redis is not None
        _kill([process.pid_in(file=self._servers.redis.data / "redis.pid") or 0])
        self._outage()

    def _outage(self) -> None:
        time.sleep(self._chance.uniform(0, _LONGEST_OUTAGE))
        self._servers.ensure()


_KINDS: Final[Mapping[str, Callable[[Trouble], None]]] = {
    "worker killed, its children left alone": Trouble.worker,
    "worker and its children killed": Trouble.worker_and_children,
    "one process of a worker killed": Trouble.one_child,
    "beat killed": Trouble.beat,
    "web killed": Trouble.web,
    "one process of web killed": Trouble.web_child,
    "PostgreSQL restarted": Trouble.postgres_restarted,
    "PostgreSQL killed": Trouble.postgres_killed,
    "a connection's backend killed": Trouble.connection_killed,
    "Redis restarted": Trouble.redis_restarted,
    "Redis killed": Trouble.redis_killed,
}
_SERVERS: Final = frozenset(kind for kind in _KINDS if kind.startswith(("PostgreSQL", "Redis", "a connection")))
_OFTEN: Final = {"one process of a worker killed": 3, "worker and its children killed": 2, "beat killed": 2}


def _kill(pids: list[int]) -> None:
    for pid in pids:
        if pid > 1:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
