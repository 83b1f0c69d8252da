"""Was this process asked to stop? Signals set a mark, and waits look at it: nothing is ever interrupted half-way."""

import signal
import time
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_came: list[int] = []


class Stopped(Exception):
    """Somebody asked this process to stop."""


def listen() -> None:
    """From now on SIGINT, SIGTERM and SIGHUP are noted; under nohup SIGHUP stays ignored."""
    for number in SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue
        signal.signal(number, _note)


def asked() -> bool:
    """Whether a signal came."""
    return bool(_came)


def by_keyboard() -> bool:
    """Whether it was Ctrl-C, which a terminal sends to our children as well."""
    return _came[:1] == [signal.SIGINT]


def exit_code() -> int:
    """What a shell expects of somebody who ended by that signal."""
    return 128 + _came[0] if _came else 0


def pause(*, seconds: float) -> None:
    """Sleeps a moment.

    Raises Stopped when a signal has come.
    """
    time.sleep(seconds)
    if _came:
        raise Stopped


def _note(number: int, frame: FrameType | None) -> None:
    _came.append(number)
