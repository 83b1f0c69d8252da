"""The webhook under its production server: started as `make run` starts it, driven by a process of its own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import cpu, figures
from bench.figures import Figures
from chainpay.embedded import children
from chainpay.embedded import process as processes
from chainpay.embedded.run import web_command

CONNECTIONS = 8
_START_SECONDS = 30.0
_LOAD_SECONDS = 600.0


class WrongAnswers(Exception):
    """The server answered something else than the settlements a message should make; the figures mean nothing."""


class WebDied(Exception):
    """The web server did not start or did not stay; its log says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """The running server."""

    port: int
    process: subprocess.Popen[bytes]
    database_url: str

    def cpu_seconds(self) -> tuple[float, float]:
        """What the server and its PostgreSQL backends have used so far."""
        family = [self.process.pid, *processes.descendants(pid=self.process.pid)]
        return cpu.of_processes(family), cpu.of_backends(self.database_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who posts: an event source with its secret."""

    name: str
    secret: str


@contextmanager
def serving(
    database_url: str,
    *,
    log: Path,
    server_options: Sequence[str] = (),
    command: Callable[[int], Sequence[str | Path]] = web_command,
    settings: str = "chainpay.settings",
) -> Iterator[Web]:
    """The web server on a free port of loopback, outside of the demo: every message is signed. Raises WebDied.

    `command` starts another server on the port it is given, `settings` names other settings of Django.
    """
    port = free_port()
    environment = os.environ | {
        "CHAINPAY_DEMO": "0",
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": settings,
    }
    words = [*(str(word) for word in command(port)), *server_options]
    process = children.spawn(command=words, log=log, environment=environment)
    try:
        _wait(port, process, log)
        yield Web(port=port, process=process, database_url=database_url)
    finally:
        children.stop_all([process])


def run(
    web: Web, source: Source, bodies: Sequence[bytes], *, connections: int = CONNECTIONS, created: int = 1
) -> Figures:
    """Posts each body once, signed by the source, over so many persistent connections.

    Raises WrongAnswers where one was answered by anything else than so many created settlements.
    """
    before = web.cpu_seconds()
    load = subprocess.run(
        [sys.executable, "-m", "bench.load", str(web.port), str(connections), str(created)],
        input=b"\n".join([source.name.encode(), source.secret.encode(), *bodies]),
        stdout=subprocess.PIPE,
        timeout=_LOAD_SECONDS,
        check=True,
    )
    outcome = json.loads(load.stdout)
    if outcome["wrong"]:
        raise WrongAnswers(outcome["wrong"][0])
    client, database = (after - earlier for after, earlier in zip(web.cpu_seconds(), before, strict=True))
    return figures.of(outcome["latencies"], elapsed=outcome["elapsed"], client_cpu=client, database_cpu=database)


def free_port() -> int:
    """A port of loopback that nobody uses at this moment."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise WebDied(f"the web server does not answer; see {log}")
