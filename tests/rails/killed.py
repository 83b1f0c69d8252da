"""Runs a piece of code in a process of its own that is killed, by SIGKILL, before the nth line of some module."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection
from types import FrameType, ModuleType
from typing import Any


def killed_before_line(number: int, modules: Collection[ModuleType], act: Callable[[], object]) -> bool:
    """Forks, runs `act` and kills it as it comes to its nth line of the modules; whether it was killed.

    Whoever has a database connection closes it before: the child would send its farewell on the same socket.

    An act that ends before that many lines is not killed; one that fails is an AssertionError here.
    """
    files = {module.__file__ for module in modules}
    child = os.fork()
    if child == 0:
        _run(number, files, act)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the act failed; its traceback is on stderr"
    return False


def _run(number: int, files: Collection[str | None], act: Callable[[], object]) -> None:
    left = number

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    failed = True
    try:
        sys.settrace(trace)
        act()
        failed = False
    finally:
        sys.settrace(None)
        if failed:
            traceback.print_exc()
        os._exit(failed)
