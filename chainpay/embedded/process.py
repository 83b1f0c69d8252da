"""Is that process alive, is it ours, and how does it end?"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

PROC = Path("/proc")


def alive(*, pid: int) -> bool:
    """Whether `pid` runs; a dead child of ours is reaped on the way, for it would look alive for ever."""
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
    return True


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
                return
            time.sleep(0.02)


def descendants(*, pid: int) -> list[int]:
    """Every process below `pid`, nearest first; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for status in PROC.glob("[0-9]*/stat"):
        try:
            # The name in brackets may hold anything; the parent is the second field behind it.
            parent = int(status.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(status.parent.name))
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


def _command_line(pid: int) -> bytes:
    if PROC.is_dir():
        try:
            return (PROC / str(pid) / "cmdline").read_bytes()
        except OSError:
            return b""
    return subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False).stdout
