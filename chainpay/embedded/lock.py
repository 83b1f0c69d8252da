"""Who else is at work in this state directory? Locks of the kernel: a killed holder holds nothing."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chainpay.embedded import stopping
from chainpay.embedded.saying import say


@contextmanager
def exclusive(*, file: Path, waiting: str) -> Iterator[None]:
    """Holds `file` alone, saying `waiting` when somebody else has it.

    Raises Stopped when a signal comes while waiting.
    """
    descriptor = _open(file)
    try:
        if not _try(descriptor, fcntl.LOCK_EX):
            say(waiting)
            while not _try(descriptor, fcntl.LOCK_EX):
                stopping.pause(seconds=0.1)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def patient(*, file: Path) -> Iterator[None]:
    """Holds `file` alone even while this process is being stopped: for those who leave."""
    descriptor = _open(file)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Share:
    """One user among several of whatever `file` stands for, until closed or dead."""

    def __init__(self, *, file: Path) -> None:
        self._descriptor = _open(file)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def is_last(self) -> bool:
        """Whether nobody else shares; gives the share up, so ask only when leaving."""
        return _try(self._descriptor, fcntl.LOCK_EX)

    def close(self) -> None:
        os.close(self._descriptor)


def _open(file: Path) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
