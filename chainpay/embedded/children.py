"""The processes of one `make run`: started, watched, started again when they die, stopped together."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chainpay.embedded import identity, process, server_log, stopping

STOP_SECONDS = 20.0
BACKOFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# Who lived this long starts with a short backoff again.
SETTLED_SECONDS = 60.0

PR_SET_PDEATHSIG = 1


@dataclass(slots=True, kw_only=True)
class Child:
    """One long-running process in the supervisor's own process group, and the file its output goes to."""

    name: str
    command: Sequence[str | Path]
    log: Path
    running: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    again_at: float | None = field(default=None)

    def start(self) -> None:
        """Starts it; should the supervisor be killed, the kernel ends it too."""
        self.running = spawn(command=self.command, log=self.log)
        self.started_at = time.monotonic()
        self.again_at = None

    def complaint(self) -> str:
        """What it said last."""
        return server_log.tail(file=self.log)

    def watch(self) -> str | None:
        """Starts it again when its time has come; returns a sentence when it has just died."""
        now = time.monotonic()
        if self.again_at is not None:
            if now >= self.again_at:
                self.start()
            return None
        if self.running is None or self.running.poll() is None:
            return None
        self.deaths = 0 if now - self.started_at > SETTLED_SECONDS else self.deaths
        delay = BACKOFF_SECONDS[min(self.deaths, len(BACKOFF_SECONDS) - 1)]
        self.deaths += 1
        self.again_at = now + delay
        return f"{self.name} {ending(self.running.returncode)}; starting it again in {delay:.0f} s (see {self.log})"


def spawn(
    *, command: Sequence[str | Path], log: Path | None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """A process that ends with us, its output in `log`; without a log it shares our terminal."""
    supervisor = os.getpid()

    def end_with_supervisor() -> None:
        if log is not None:
            # A terminal's Ctrl-C reaches the whole group; those in the background hear of it from us, once.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        if sys.platform == "linux":
            identity.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != supervisor:
                os._exit(1)

    if log is None:
        return subprocess.Popen(command, env=environment, preexec_fn=end_with_supervisor)
    with server_log.appending(log) as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            preexec_fn=end_with_supervisor,
        )


def foreground(*, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> int:
    """Runs a command on our terminal to its end and returns its exit code.

    Raises Stopped, with the command ended, when a signal came.
    """
    child = spawn(command=command, log=None, environment=environment)
    while child.poll() is None and not stopping.asked():
        time.sleep(0.05)
    if stopping.by_keyboard():
        # The terminal told the child too; let it say its last words.
        end = time.monotonic() + STOP_SECONDS
        while child.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
    stop_all([child])
    if stopping.asked():
        raise stopping.Stopped
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def stop_all(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Asks all of them at once, waits, then kills whoever is left together with whatever they started."""
    families = {child.pid: child for child in children if child.poll() is None}
    for child in families.values():
        child.terminate()
    end = time.monotonic() + STOP_SECONDS
    while time.monotonic() < end and any(child.poll() is None for child in families.values()):
        time.sleep(0.05)
    for pid, child in families.items():
        if child.poll() is None:
            for victim in [pid, *process.descendants(pid=pid)]:
                _kill(victim)
            child.wait()


def ending(code: int) -> str:
    """How a process ended, in words."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
