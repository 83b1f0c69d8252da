"""The clock of a Python process is ahead: with this directory on PYTHONPATH, by CHAOS_AHEAD_SECONDS.

Whatever asks for the time through Python is told the same; the database's clock is its own.
"""

import ctypes
import datetime
import gc
import os
import time
from typing import Any

_SECONDS = float(os.environ["CHAOS_AHEAD_SECONDS"])
_AHEAD = datetime.timedelta(seconds=_SECONDS)
_time, _time_ns, _now, _utcnow = time.time, time.time_ns, datetime.datetime.now, datetime.datetime.utcnow


def _put(name: str, told: Any) -> None:
    """Into the type itself: a class of ours in its place would be another type to whoever compares types."""
    gc.get_referents(datetime.datetime.__dict__)[0][name] = classmethod(told)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))


setattr(time, "time", lambda: _time() + _SECONDS)  # noqa: B010
setattr(time, "time_ns", lambda: _time_ns() + int(_SECONDS * 1e9))  # noqa: B010
_put("now", lambda cls, tz=None: _now(tz) + _AHEAD)
_put("utcnow", lambda cls: _utcnow() + _AHEAD)
