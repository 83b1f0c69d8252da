"""The processes of a run: Stripe, web, two workers and two beats, started again whenever they die."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chainpay.embedded import identity, paths, process, server_log
from chainpay.embedded.run import web_command

CELERY: Final = (sys.executable, "-m", "celery", "-A", "chainpay.celery")
QUIET: Final = ("--loglevel", "WARNING")
_PR_SET_PDEATHSIG: Final = 1
_AGAIN_SECONDS: Final = 0.5


class NotUp(Exception):
    """A process that does not come up; its log says why."""


@dataclass(slots=True, kw_only=True)
class Member:
    """One process, in a group of its own with whatever it starts."""

    name: str
    command: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    running: subprocess.Popen[bytes] | None = None
    groups: list[int] = field(default_factory=list)
    starts: int = 0
    again_at: float = 0.0

    def start(self) -> None:
        """Starts it. Should the thread that starts it end, the kernel ends the process."""
        self.starts += 1
        environment = os.environ | self.environment | {"CHAOS_SEED": f"{self.name} {self.starts}"}
        with server_log.appending(self.log) as output:
            self.running = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                process_group=0,
                preexec_fn=lambda: identity.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
            )
        self.groups.append(self.running.pid)

    def watch(self) -> bool:
        """Starts it again a moment after it died; whether it was found dead just now."""
        assert self.running is not None
        if self.running.poll() is None:
            return False
        if not self.again_at:
            self.again_at = time.monotonic() + _AGAIN_SECONDS
            return True
        if time.monotonic() >= self.again_at:
            self.again_at = 0.0
            self.start()
        return False

    def family(self) -> list[int]:
        """Its processes, itself first."""
        assert self.running is not None
        return [self.running.pid, *process.descendants(pid=self.running.pid)]

    def send(self, number: signal.Signals, pids: list[int]) -> None:
        """A signal to some of its processes; those that are gone are gone."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def end(self) -> None:
        """Nothing of it is left, orphans included."""
        for group in self.groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self.running is not None:
            self.running.wait()


@dataclass(slots=True, kw_only=True)
class Fleet:
    """All of them; to be driven by one thread."""

    var: Path
    stripe: Member
    web: Member
    workers: list[Member]
    beats: list[Member]
    stripe_port: int
    web_port: int
    found_dead: Counter[str] = field(default_factory=Counter)

    def members(self) -> list[Member]:
        return [self.stripe, self.web, *self.workers, *self.beats]

    def start(self) -> None:
        """Starts all; Stripe and web answer when this returns. Raises NotUp."""
        for member in self.members():
            member.start()
        await_answer(self.stripe, self.stripe_port, "/_fake/state")
        await_answer(self.web, self.web_port, "/healthz")

    def watch(self) -> None:
        """Starts the dead again."""
        for member in self.members():
            if member.watch():
                self.found_dead[member.name.rstrip("0123456789-")] += 1

    def stop(self) -> None:
        """Ends all."""
        for member in self.members():
            member.end()

    def ask_stripe(self, path: str, body: Any = None) -> Any:
        """What the fake says of itself, or does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.stripe_port, timeout=30)
        try:
            connection.request("GET" if body is None else "POST", f"/_fake/{path}", json.dumps(body or {}))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


def of(
    var: Path, *, database_url: str, ports: tuple[int, int], stripe: list[str], worker: list[str],
    environment: dict[str, str],
) -> Fleet:  # fmt: skip
    """The fleet on this database; `stripe` and `worker` are further words of their commands."""
    stripe_port, web_port = ports
    provider = [sys.executable, "-m", "tests.chaos.provider", "--port", str(stripe_port)]
    provider += ["--database-url", database_url, "--witness", str(var / "witness"), *stripe]
    return Fleet(
        var=var,
        stripe=Member(name="stripe", command=provider, log=paths.logs(var) / "stripe.log"),
        web=web(var, web_port),
        workers=[worker_of(var, n, *worker, **environment) for n in (1, 2)],
        beats=[beat(var, n) for n in (1, 2)],
        stripe_port=stripe_port,
        web_port=web_port,
    )


def web(var: Path, port: int, **environment: str) -> Member:
    """The web server of `make run`."""
    command = [str(word) for word in web_command(port)]
    return Member(name="web", command=command, log=paths.logs(var) / "web.log", environment=environment)


def worker_of(var: Path, number: int, *words: str, **environment: str) -> Member:
    """A Celery worker of two processes."""
    lone = ("--without-mingle", "--without-gossip", "--concurrency", "2")
    return _celery(var, f"worker-{number}", "worker", "--hostname", f"chaos-{number}@%h", *lone, *words, **environment)


def beat(var: Path, number: int) -> Member:
    """A beat with a schedule of its own."""
    return _celery(var, f"beat-{number}", "beat", "--schedule", str(var / f"beat-{number}"), "--pidfile", "")


def _celery(var: Path, name: str, *words: str, **environment: str) -> Member:
    log = paths.logs(var) / f"{name}.log"
    return Member(name=name, command=[*CELERY, *words, *QUIET], log=log, environment=environment)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def await_answer(member: Member, port: int, path: str, *, seconds: float = 90.0) -> None:
    """Until it answers at that path. Raises NotUp."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path, headers={"Host": f"localhost:{port}"})
            if connection.getresponse().status < 500:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
        finally:
            connection.close()
    raise NotUp(f"{member.name} does not come up: {server_log.complaint(file=member.log)} (see {member.log})")
