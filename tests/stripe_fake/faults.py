"""What goes wrong between us and Stripe: by script, one fault after the other, or at random under a seed."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """One thing that can happen to a request."""

    DROP_BEFORE = "drop_before"  # the connection breaks, nothing was done
    DROP_AFTER = "drop_after"  # it was done, the answer is lost
    ERROR_BEFORE = "error_before"  # 500, nothing was done, and the 500 is kept under the key
    ERROR_AFTER = "error_after"  # it was done, then 500, and the 500 is kept under the key
    UNAVAILABLE = "unavailable"  # 503 from before the endpoint, nothing was done or kept
    CONFLICT = "conflict"  # 409: the key is in use by another request
    RATE_LIMITED = "rate_limited"  # 429, nothing was done
    LOCK_TIMEOUT = "lock_timeout"  # 429 with the code of a lock, nothing was done
    SLOW = "slow"  # done late, while the caller may have gone
    GARBAGE = "garbage"  # done, and the answer is no JSON
    CUT = "cut"  # done, and the answer ends in the middle
    UNAUTHORIZED = "unauthorized"  # 401: the key was rolled
    FORBIDDEN = "forbidden"  # 403: the key may not do that
    LAG = "lag"  # done, and lists show it later


# What strikes at random, and how often each of them compared with the others.
ON_WRITES: Final[Mapping[Fault, int]] = {
    Fault.DROP_BEFORE: 2,
    Fault.DROP_AFTER: 3,
    Fault.ERROR_BEFORE: 1,
    Fault.ERROR_AFTER: 2,
    Fault.UNAVAILABLE: 2,
    Fault.CONFLICT: 1,
    Fault.RATE_LIMITED: 2,
    Fault.SLOW: 1,
    Fault.GARBAGE: 1,
    Fault.CUT: 1,
    Fault.LAG: 2,
}
ON_READS: Final[Mapping[Fault, int]] = {
    Fault.DROP_BEFORE: 2,
    Fault.UNAVAILABLE: 2,
    Fault.RATE_LIMITED: 2,
    Fault.SLOW: 1,
    Fault.GARBAGE: 1,
}


@dataclass
class Faults:
    """What to do to the next requests. Scripted ones come first and are for one method, by default POST."""

    rate: float = 0.0
    seed: int = 0
    slow_seconds: float = 0.5
    lag_seconds: float = 1.0
    struck: list[tuple[str, Fault]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._scripted: list[tuple[str, Fault | None]] = []
        self._lock = threading.Lock()

    def script(self, *faults: Fault | None, method: str = "POST") -> None:
        """Each of the next requests of this method meets one of these; None lets one pass."""
        with self._lock:
            self._scripted += [(method, fault) for fault in faults]

    def over(self) -> None:
        """Nothing of what was scripted is left."""
        with self._lock:
            self._scripted.clear()

    def for_request(self, method: str) -> Fault | None:
        """The fault that this request meets."""
        with self._lock:
            fault = self._chosen(method)
            if fault is not None:
                self.struck.append((method, fault))
            return fault

    def _chosen(self, method: str) -> Fault | None:
        for place, (wanted, fault) in enumerate(self._scripted):
            if wanted == method:
                del self._scripted[place]
                return fault
        if self._random.random() >= self.rate:
            return None
        weights = ON_WRITES if method == "POST" else ON_READS
        return self._random.choices(list(weights), list(weights.values()))[0]
