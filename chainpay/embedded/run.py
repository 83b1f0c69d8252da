"""`make run`: PostgreSQL, Redis, web, workers and beat of one checkout, until Ctrl-C.

Everything but PostgreSQL and Redis stays in this process group; those two have sessions of their own, survive our
violent death, and are adopted by the next run.
"""

import http.client
import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from chainpay import environment
from chainpay.embedded import children, configuration, lock, paths, server_log, servers, stopping
from chainpay.embedded.children import Child
from chainpay.embedded.refusal import CannotStart
from chainpay.embedded.saying import say

ADDRESS = "127.0.0.1"
DEMO_LOGINS = "officer1, officer2, manager1, finance1, ops1, auditor1"
DEMO_PASSWORD = "chainpay-demo"

# What waits in one process is committed together, so each has threads to spare (ADR 0071).
WEB_PROCESSES = 2
WEB_THREADS = 16
WORKER_PROCESSES = 2
# One verifies the books while the other makes exports.
LONG_PROCESSES = 2

_ANSWER_SECONDS = 60.0
# The children of a run that was killed need a moment to notice.
_PORT_SECONDS = 3.0
_TICK_SECONDS = 0.2
_CHECK_SERVERS_EVERY = 10

Line = list[str | Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is to run: the settings, and which servers are ours to start."""

    settings: environment.Environment

    @property
    def var(self) -> Path:
        return self.settings.var

    @property
    def port(self) -> int:
        return self.settings.port

    def log(self, name: str) -> Path:
        return paths.logs(self.var) / f"{name}-{self.port}.log"


def main() -> int:
    """Runs until told to stop, which is its proper end: 0.

    Raises CannotStart.
    """
    parent = os.getppid() if "--stop-with-parent" in sys.argv[1:] else None
    try:
        _run(Run(settings=configuration.read()), parent=parent)
    except stopping.Stopped:
        say("Stopped.")
    return 0


def _run(run: Run, *, parent: int | None) -> None:
    _refuse_taken_port(run.port)
    settings = run.settings
    if settings.embedded_database or settings.embedded_redis:
        ours = {"PostgreSQL": settings.embedded_database, "Redis": settings.embedded_redis}
        say(f"Starting {' and '.join(name for name, wanted in ours.items() if wanted)} under {run.var} ...")
    with servers.used(var=run.var, postgres=settings.embedded_database, redis=settings.embedded_redis) as embedded:
        _prepare(run)
        _forget_figures(run)
        family = _family(run)
        try:
            for child in family:
                child.start()
            _wait_for_answer(run, family)
            _announce(run)
            _watch(family, embedded, parent)
        finally:
            if stopping.asked():
                say("\nStopping ...")
            children.stop_all([child.running for child in family if child.running])


def _refuse_taken_port(port: int) -> None:
    end = time.monotonic() + _PORT_SECONDS
    while True:
        with socket.socket() as door:
            # As the web server does: connections of an earlier run that linger are no obstacle.
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                door.bind((ADDRESS, port))
                door.listen()
                return
            except PermissionError:
                raise CannotStart(f"port {port} is not open to ordinary users: make run PORT=8003.") from None
            except OSError:
                if time.monotonic() > end:
                    raise CannotStart(f"port {port} is taken; choose another: make run PORT={port + 1}.") from None
        stopping.pause(seconds=_TICK_SECONDS)


def _prepare(run: Run) -> None:
    """Migrates, collects static files or loads the demo data; two runs of one directory take turns."""
    with lock.exclusive(file=run.var / "prepare.lock", waiting="Another run prepares the database; waiting."):
        say("Migrating the database ...")
        _step(run, "migrate", "--noinput")
        if not (run.settings.embedded_database or run.settings.demo):
            # Elsewhere the web server takes static files from where the apps keep them.
            say("Collecting static files ...")
            _step(run, "collectstatic", "--noinput")
        if run.settings.demo:
            say("Loading the demo data ...")
            _step(run, "load_demo")


def _forget_figures(run: Run) -> None:
    """What processes of an earlier web server counted: each leaves a file, and every scrape would read them all."""
    for file in run.settings.operation.metrics_dir.glob("*.db"):
        file.unlink(missing_ok=True)


def _step(run: Run, *words: str) -> None:
    """One `manage.py` command, to its end.

    Raises CannotStart with its last words when it fails, and Stopped when a signal comes meanwhile.
    """
    log = run.log("prepare")
    since = server_log.size(log)
    step = children.spawn(command=[sys.executable, "manage.py", *words], log=log)
    try:
        while step.poll() is None:
            stopping.pause(seconds=0.05)
    finally:
        children.stop_all([step])
    if stopping.asked():
        raise stopping.Stopped
    if step.returncode != 0:
        reason = server_log.complaint(file=log, since=since)
        raise CannotStart(f"manage.py {words[0]} failed: {reason} (see {log})")


def web_command(port: int) -> Line:
    """The production web server on loopback; the one place that names it."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--no-ws"),
        *("--host", ADDRESS, "--port", str(port)),
        *("--workers", str(WEB_PROCESSES), "--blocking-threads", str(WEB_THREADS)),
        *("--respawn-failed-workers", "--workers-kill-timeout", "15", "--log-level", "warning"),
        "chainpay.embedded.web:application",
    ]


def _family(run: Run) -> list[Child]:
    """Web, workers and beat; names and files carry the port, for several runs may share one directory."""
    celery: Line = [sys.executable, "-m", "celery", "-A", "chainpay.celery"]
    quiet: Line = ["--without-mingle", "--without-gossip"]
    worker: Line = ["worker", "--queues", "celery", "--hostname", f"chainpay-{run.port}@%h"]
    worker += ["--concurrency", str(WORKER_PROCESSES), *quiet]
    long: Line = ["worker", "--queues", "long", "--hostname", f"chainpay-long-{run.port}@%h"]
    long += ["--concurrency", str(LONG_PROCESSES), *quiet]
    beat: Line = ["beat", "--schedule", run.var / f"beat-{run.port}", "--pidfile", ""]
    level: Line = ["--loglevel", run.settings.log_level]
    commands: dict[str, Line] = {
        "web": web_command(run.port),
        "worker": [*celery, *worker, *level],
        "worker-long": [*celery, *long, *level],
        "beat": [*celery, *beat, *level],
    }
    return [Child(name=name, command=command, log=run.log(name)) for name, command in commands.items()]


def _wait_for_answer(run: Run, family: list[Child]) -> None:
    end = time.monotonic() + _ANSWER_SECONDS
    while not _answers(run.port):
        stopping.pause(seconds=0.1)
        for child in family:
            _refuse_dead(child)
        if time.monotonic() > end:
            raise CannotStart(f"web does not answer on port {run.port}; see {run.log('web')}")


def _refuse_dead(child: Child) -> None:
    code = child.running.poll() if child.running else None
    if code is not None and not stopping.asked():
        reason = server_log.complaint(file=child.log)
        raise CannotStart(f"{child.name} {children.ending(code)}: {reason} (see {child.log})")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=2)
    try:
        connection.request("GET", "/healthz", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _announce(run: Run) -> None:
    settings = run.settings
    lines = [
        "",
        f"ChainPay runs at  http://localhost:{run.port}/",
        f"Admin             http://localhost:{run.port}/admin/",
    ]
    if settings.demo:
        lines.append(f"Demo logins       {DEMO_LOGINS}; password {DEMO_PASSWORD}")
    lines.append(f"Demo mode         {'on' if settings.demo else 'off'}")
    lines.append(f"PostgreSQL        {'embedded' if settings.embedded_database else 'from DATABASE_URL'}")
    lines.append(f"Redis             {'embedded' if settings.embedded_redis else 'from REDIS_URL'}")
    lines.append(f"Logs              {paths.logs(run.var)}")
    lines.append("Ctrl-C stops it.")
    say("\n".join(lines))


def _watch(family: list[Child], embedded: servers.Servers, parent: int | None) -> None:
    """Until somebody asks us to stop, or the `make` that started us is gone."""
    tick = 0
    while parent is None or os.getppid() == parent:
        stopping.pause(seconds=_TICK_SECONDS)
        for child in family:
            if sentence := child.watch():
                say(sentence)
        tick += 1
        if tick % _CHECK_SERVERS_EVERY == 0 and (dead := embedded.dead()):
            say(f"{' and '.join(dead)} died; starting again ...")
            embedded.ensure()


if __name__ == "__main__":
    sys.exit(configuration.outcome(main))
