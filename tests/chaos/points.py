"""Where a worker dies by SIGKILL: `celery -A chainpay.celery worker --include tests.chaos.points`.

Loaded into real workers, beside the application and not instead of it. At each point that a run goes through it dies
with the probability of `CHAOS_DEATH_RATE`; each death is written down first. Once the file `CHAOS_ARMED` is gone nobody
dies any more.
"""

import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

LINES: Final = "at any line"
POINTS: Final = (
    "before the claim is committed",
    "between claim and call",
    "during the call",
    "between call and record",
    "before the record is committed",
    "after the record",
    "before the sweep is committed",
    LINES,
)
# The modules whose lines count: from the claim to the record, and the rail between them.
_SPINE: Final = (
    "settlements/submitting.py", "settlements/outcomes.py", "settlements/release.py", "settlements/sending.py",
    "settlements/lifecycle.py", "settlements/audit.py", "rails/attempts.py", "rails/books.py", "rails/ledger.py",
    "rails/notices.py", "rails/stripe/",
)  # fmt: skip
_MOST_LINES: Final = 3_000
_LONGEST_CALL: Final = 0.06

Act = Callable[..., Any]
Die = Callable[[str], None]


def after(act: Act, point: str, die: Die) -> Act:
    """The act, and then perhaps death."""

    def acted(*args: Any, **kwargs: Any) -> Any:
        done = act(*args, **kwargs)
        die(point)
        return done

    return acted


def before(act: Act, point: str, die: Die) -> Act:
    """Perhaps death, else the act."""

    def acted(*args: Any, **kwargs: Any) -> Any:
        die(point)
        return act(*args, **kwargs)

    return acted


def during(act: Act, point: str, die: Die, seconds: Callable[[], float]) -> Act:
    """The act, with perhaps death after so many seconds of it."""

    def acted(*args: Any, **kwargs: Any) -> Any:
        over = threading.Event()

        def wait() -> None:
            if not over.wait(seconds()):
                die(point)

        threading.Thread(target=wait, daemon=True).start()
        try:
            return act(*args, **kwargs)
        finally:
            over.set()

    return acted


def at_a_line(act: Act, die: Callable[[], None], line: Callable[[], int], files: tuple[str, ...] = _SPINE) -> Act:
    """The act, dead as it comes to that line of it, counted over these files and all its threads; 0 is no line."""

    def acted(*args: Any, **kwargs: Any) -> Any:
        left = line()
        if not left:
            return act(*args, **kwargs)

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal left
            if not any(file in frame.f_code.co_filename for file in files):
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    die()
            return trace

        threading.settrace(trace)
        sys.settrace(trace)
        try:
            return act(*args, **kwargs)
        finally:
            sys.settrace(None)
            threading.settrace(None)

    return acted


class Fate:
    """Decides who dies where; each process of each worker has dice of its own."""

    def __init__(self, *, rate: float, seed: str, armed: Path, deaths: Path) -> None:
        self._rate, self._seed, self._armed, self._deaths = rate, seed, armed, deaths
        self._dice: dict[int, random.Random] = {}

    def dice(self) -> random.Random:
        """A process that was forked after us throws its own."""
        return self._dice.setdefault(os.getpid(), random.Random(f"{self._seed} {os.getpid()}"))

    def decides(self) -> bool:
        """Whether to die at the next point."""
        return self.dice().random() < self._rate and self._armed.exists()

    def die(self, point: str) -> None:
        """Dies if it is so decided."""
        if self.decides():
            self.end(point)

    def end(self, point: str) -> None:
        """Dies; every third time the worker that we are a part of dies as well."""
        whole = self.dice().random() < 1 / 3
        with open(self._deaths, "a") as file:
            file.write(f"{point}\n")
        if whole:
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def line(self) -> int:
        """The line to die at, or 0."""
        return self.dice().randint(1, _MOST_LINES) if self.decides() else 0

    def moment(self) -> float:
        """Seconds of a call that pass before the decision."""
        return self.dice().uniform(0, _LONGEST_CALL)


def plant(fate: Fate) -> None:
    """Puts the points into the running application."""
    from rails import attempts, notices
    from rails.stripe.rail import StripeRail
    from settlements import release, submitting

    claim, recorded, *_ = POINTS[0], POINTS[5]
    put(attempts, "claim", lambda act: after(act, claim, fate.die))
    put(StripeRail, "process_settlements", lambda act: during(act, POINTS[2], fate.die, fate.moment))
    put(StripeRail, "process_settlements", lambda act: before(act, POINTS[1], fate.die))
    put(StripeRail, "process_settlements", lambda act: after(act, POINTS[3], fate.die))
    put(notices, "take_down", lambda act: after(act, POINTS[4], fate.die))
    put(attempts, "leave", lambda act: before(act, recorded, fate.die))
    put(release, "release", lambda act: after(act, POINTS[6], fate.die))
    for module, name in ((submitting, "submit"), (release, "sweep")):
        put(module, name, lambda act: at_a_line(act, lambda: fate.end(LINES), fate.line))


def put(owner: Any, name: str, wrapped: Callable[[Act], Act]) -> None:
    """Replaces a function of a module, or a method of a class, by what is made of it."""
    setattr(owner, name, wrapped(getattr(owner, name)))


if "CHAOS_DEATH_RATE" in os.environ:
    plant(
        Fate(
            rate=float(os.environ["CHAOS_DEATH_RATE"]),
            seed=os.environ["CHAOS_SEED"],
            armed=Path(os.environ["CHAOS_ARMED"]),
            deaths=Path(os.environ["CHAOS_DEATHS"]),
        )
    )
