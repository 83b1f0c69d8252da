"""What every fault stands on: a new database, the processes it asks for, a verdict from what is found at the end."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg

from chainpay.embedded.saying import say
from chainpay.embedded.servers import Servers
from tests.chaos import fleet, ground, looking
from tests.chaos.faults import counting, mutants
from tests.chaos.faults.upstream import Event, Upstream
from tests.chaos.faults.verdict import Verdict
from tests.chaos.fleet import Member
from tests.chaos.ground import Credentials

REST_SECONDS: Final = 90.0
_TICK_SECONDS: Final = 0.1


@dataclass(slots=True, kw_only=True)
class Stage:
    """A fault's own database and processes; `scale` multiplies the sizes that are usual."""

    name: str
    var: Path
    servers: Servers
    port: int
    scale: float = 1.0
    mutant: str = ""
    tablespace: str = ""
    began: float = field(default_factory=time.monotonic)
    people: Credentials = field(init=False)

    def __post_init__(self) -> None:
        self.servers.ensure()
        ground.clean(self.var, tablespace=self.tablespace)
        self.people = ground.people()

    @property
    def database_url(self) -> str:
        return ground.url(self.var, ground.DATABASE)

    def sized(self, usual: int) -> int:
        """A usual size, scaled; at least 1."""
        return max(1, round(usual * self.scale))

    def web(self, **environment: str) -> Member:
        member = fleet.web(self.var, self.port, **environment, **self._planted)
        if self.mutant:
            member.command[-1] = f"{mutants.__name__}:application"
        return member

    def worker(self, number: int = 1, **environment: str) -> Member:
        words = ("--include", mutants.__name__) if self.mutant else ()
        return fleet.worker_of(self.var, number, *words, **environment, **self._planted)

    @property
    def _planted(self) -> dict[str, str]:
        return {mutants.VARIABLE: self.mutant} if self.mutant else {}

    def beat(self, number: int = 1) -> Member:
        return fleet.beat(self.var, number)

    def upstream(self, events: Sequence[Event], *, per_second: float, **allowed: bool) -> Upstream:
        """Not started yet."""
        return Upstream(events, port=self.port, as_=self.people, per_second=per_second, **allowed)

    @contextmanager
    def running(self, *members: Member) -> Iterator["Crew"]:
        """These processes, started again whenever they die, until the end. Raises NotUp."""
        crew = Crew(members)
        try:
            for member in members:
                member.start()
            for member in members:
                if member.name == "web":
                    fleet.await_answer(member, self.port, "/healthz")
            crew.start()
            yield crew
        finally:
            crew.end()

    def rest(self, *, seconds: float = REST_SECONDS) -> None:
        """Waits until nothing moves any more, or for as long as the patience lasts."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(psycopg.OperationalError):
                if not counting.moving(self.database_url):
                    return
            time.sleep(0.3)

    def verdict(
        self, done: str, events: Sequence[Event] = (), upstream: Upstream | None = None, *, per_event: int = 1,
        wrong: Sequence[str] = (),
    ) -> Verdict:  # fmt: skip
        """Judges what is there now; `wrong` is what the fault itself has seen."""
        taken = upstream.taken if upstream else set()
        counted = counting.count(self.database_url, events, taken=taken, per_event=per_event)
        seen = [*wrong, *(upstream.wrong if upstream else ())]
        return Verdict(
            fault=self.name,
            done=done,
            lost=counted.lost,
            twice=counted.twice,
            wrong=len(seen),
            away=upstream.away if upstream else None,
            books=looking.verify_books(),
            seconds=time.monotonic() - self.began,
            complaints=[*seen, *counted.complaints],
        )


class Crew:
    """Processes, watched by a thread; only what `leave_alone` names is not started again."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.left_alone: set[str] = set()
        self._members = members
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Nothing of them is left."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        for member in self._members:
            member.end()

    def _watch(self) -> None:
        while not self._over.wait(_TICK_SECONDS):
            for member in self._members:
                if member.name not in self.left_alone:
                    member.watch()


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that is done to the system so many seconds after the load has begun."""

    at: float
    name: str
    act: Callable[[], object]


def do(deeds: Sequence[Deed], upstream: Upstream) -> list[str]:
    """Does one after the other while the upstream posts, then waits for its end; what was done."""
    began, done = time.monotonic(), []
    for deed in deeds:
        time.sleep(max(0.0, began + deed.at - time.monotonic()))
        say(f"  {deed.name}")
        deed.act()
        done.append(deed.name)
    while upstream.at_work():
        time.sleep(_TICK_SECONDS)
    return done
