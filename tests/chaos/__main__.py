"""`make chaos`: thousands of remote releases while workers, beats, web and servers are killed and Stripe fails.

`make chaos ARGS="--releases 500 --seed 7"`; `make chaos ARGS=--mutants` plants mistakes and shows each caught.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import django

from chainpay.embedded import configuration
from chainpay.embedded.saying import say
from chainpay.embedded.servers import Servers
from tests.chaos import fleet, ground
from tests.chaos.mutants import MUTANTS
from tests.chaos.report import in_words
from tests.chaos.run import Options, run, settings

_OF_A_MUTANT: Final[dict[str, Any]] = {
    "releases": 90, "fault_rate": 0.25, "death_rate": 0.02, "seconds": 8.0, "every": 2.0, "patience": 45.0,
    "each": 2, "gentle": True,
}  # fmt: skip


def main() -> int:
    """0 when nothing was wrong; with --mutants, when something was wrong with each."""
    asked = _asked()
    options = Options(
        releases=asked.releases,
        seed=asked.seed,
        fault_rate=asked.fault_rate,
        death_rate=asked.death_rate,
        seconds=asked.minutes * 60,
        every=asked.every,
        patience=asked.patience,
        each=3,
    )
    var = Path(asked.var or os.environ["CHAINPAY_VAR"]).absolute()
    ports = fleet.free_port(), fleet.free_port()
    with ground.ground(var, settings(ports)) as servers:
        django.setup()
        if asked.mutants is None:
            report = run(options, var=var, ports=ports, servers=servers)
            say(in_words(report))
            return 1 if report.violations else 0
        caught = [_is_caught(name, options, var=var, ports=ports, servers=servers) for name in asked.mutants or MUTANTS]
        say(f"{sum(caught)} of {len(caught)} mutants caught.")
        return 0 if all(caught) else 1


def _is_caught(name: str, options: Options, *, var: Path, ports: tuple[int, int], servers: Servers) -> bool:
    """Whether what it does wrong is what it was planted to do wrong."""
    began = time.monotonic()
    say(f"Mutant {name}: {MUTANTS[name].says}")
    mutant = replace(options, mutant=name, **_OF_A_MUTANT)
    violations = run(mutant, var=var, ports=ports, servers=servers).violations
    shown = [violation for violation in violations if violation.wrong in MUTANTS[name].shows]
    verdict = f"caught, {len(shown)} times; the first: {shown[0]}" if shown else f"NOT CAUGHT: {violations[:3]}"
    say(f"Mutant {name}, {time.monotonic() - began:.0f} s: {verdict}\n")
    return bool(shown)


def _asked() -> Any:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--releases", type=int, default=2_000, help="at least so many (default: 2000)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of plan, faults, trouble and deaths")
    parser.add_argument("--fault-rate", type=float, default=0.15, help="per request to Stripe (default: 0.15)")
    parser.add_argument("--death-rate", type=float, default=0.04, help="per point of a worker (default: 0.04)")
    parser.add_argument("--minutes", type=float, default=3.0, help="over which releases are asked for (default: 3)")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two kills (default: 3)")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to come to rest in quiet (default: 60)")
    parser.add_argument("--mutants", nargs="*", choices=sorted(MUTANTS), help="plants mistakes: these, or all")
    parser.add_argument("--var", default="", help="state directory (default: CHAINPAY_VAR)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(configuration.outcome(main))
