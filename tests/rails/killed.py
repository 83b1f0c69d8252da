"""Runs a piece of code in a process of its own that is killed, by SIGKILL, before the nth line of some module."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any


def killed_before_line(number: int, module: ModuleType, act: Callable[[], None]) -> bool:
    """Forks, runs `act` and kills it as it comes to its nth line of the module; whether it was killed.

    An act that ends before that many lines is not killed; one that fails is an AssertionError here.
    """
    child = os.fork()
    if child == 0:
        _run(number, module, act)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the act failed; its traceback is on stderr"
    return False


def _run(number: int, module: ModuleType, act: Callable[[], None]) -> None:
    left = number

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != module.__file__:
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
