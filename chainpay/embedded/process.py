"""Is that process alive, is it ours, and how does it end?"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

PROC = Path("/proc")

_BURIAL_SECONDS = 5.0


def alive(*, pid: int) -> bool:
    """Whether `pid` runs. A dead child of ours is reaped on the way; other people's unreaped dead do not count."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _status(pid)[0] != "Z"


def runs(*, pid: int, mentioning: str) -> bool:
    """Whether `pid` is alive and its command line holds `mentioning`: pids are used again, command lines tell."""
    return alive(pid=pid) and mentioning.encode() in _command_line(pid)


def stop(*, pid: int, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Sends each signal in turn, with so many seconds to obey, and SIGKILL in the end."""
    for number, seconds in (*steps, (signal.SIGKILL, 10.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not alive(pid=pid):
                _wait_for_burial(pid)
                return
            time.sleep(0.02)


def descendants(*, pid: int) -> list[int]:
    """Every process below `pid`, nearest first; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for directory in PROC.glob("[0-9]*"):
        _, parent = _status(int(directory.name))
        children.setdefault(int(parent), []).append(int(directory.name))
    found = list(children.get(pid, []))
    for each in found:
        found.extend(children.get(each, []))
    return found


def pid_in(*, file: Path) -> int | None:
    """The process id on the first line of `file`, or None when there is none to read."""
    try:
        first = file.read_text(errors="replace").split("\n", 1)[0].strip()
    except FileNotFoundError:
        return None
    return int(first) if first.isascii() and first.isdigit() and int(first) > 0 else None


def _wait_for_burial(pid: int) -> None:
    """Gives the parent of an adopted process a moment to reap it, so that no trace is left when we say "stopped"."""
    end = time.monotonic() + _BURIAL_SECONDS
    while _status(pid)[0] == "Z" and time.monotonic() < end:
        time.sleep(0.05)


def _status(pid: int) -> tuple[str, str]:
    """State letter and parent from /proc; `?` and 0 where there is none (proc(5))."""
    try:
        status = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return "?", "0"
    # The name in brackets may hold anything; the fields begin behind the last one.
    state, parent, *_ = status.rpartition(")")[2].split()
    return state, parent


def _command_line(pid: int) -> bytes:
    if PROC.is_dir():
        try:
            return (PROC / str(pid) / "cmdline").read_bytes()
        except OSError:
            return b""
    return subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False).stdout
