"""`python -m bench.verifying`: how long `verify_books` takes over a million audit events, and how much memory it holds.

One paid intent is made by the domain; the others are its copies (`bench/copies.py`). Every check passes, and looks at
every row.
"""

import argparse
import resource
import subprocess
import sys
import time

import django

django.setup()

from bench import record  # noqa: E402
from bench.record import Figure, Target  # noqa: E402

COMMAND = 'make bench ARGS="--only verifying"'
TARGET_SECONDS = 60.0


def main() -> int:
    """Lays the books where there are none, verifies them in a process of its own, tells what that took."""
    parser = argparse.ArgumentParser(prog="python -m bench.verifying", description=__doc__)
    parser.add_argument("--events", type=int, required=True, help="audit events")
    parser.add_argument("--rounds", type=int, required=True, help="how often they are verified")
    given = parser.parse_args()
    laid = _laid() or _lay(given.events)
    print(f"Verifying the books: {laid:,} audit events", flush=True)
    times, peaks = [], []
    for _ in range(given.rounds):
        began = time.monotonic()
        subprocess.run([sys.executable, "manage.py", "verify_books", "--quiet"], check=True)
        times.append(time.monotonic() - began)
        peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    target = Target(of="median", at_most=TARGET_SECONDS)
    record.told(
        [
            Figure(
                part="verifying", name=f"{laid:,} audit events", unit="s", rounds=times, target=target, command=COMMAND
            ),
            Figure(part="verifying", name="peak memory of the process", unit="MiB", rounds=peaks, command=COMMAND),
        ]
    )
    return 0


def _laid() -> int:
    """How many audit events an earlier run has left here."""
    from settlements.models import AuditEvent

    return AuditEvent.objects.count()


def _lay(events: int) -> int:
    """Writes at least so many audit events, of intents of which every milestone is paid; how many."""
    from bench import copies
    from tests.factories import CLAIM, PICKUP, POD, an_intent, platform_source, settlement_of

    platform_source()
    intent = an_intent()
    for event_type in (PICKUP, POD, CLAIM):
        settlement_of(intent, event_type)
    template = copies.template()
    per_copy = len(template["settlements_auditevent"])
    last = -(-events // per_copy) - 1
    copies.write(template, first=1, last=last)
    return (last + 1) * per_copy


if __name__ == "__main__":
    sys.exit(main())
