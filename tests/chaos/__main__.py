"""`make chaos`: every fault in turn, and one table: what was done, lost, moved twice, answered wrongly.

`make chaos ARGS="--only redis,postgres"` makes some of them, `--scale 0.1` smaller ones; `--releases 500 --seed 7` is
of the run through Stripe. `make chaos ARGS=--mutants` plants mistakes and shows each caught.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import django

from chainpay.embedded import configuration
from chainpay.embedded.saying import say
from chainpay.embedded.servers import Servers
from tests.chaos import fleet, ground
from tests.chaos.faults import NAMES, RELEASES
from tests.chaos.faults.mutants import FAULT_MUTANTS
from tests.chaos.faults.verdict import Verdict, of_a_run, table
from tests.chaos.mutants import MUTANTS
from tests.chaos.report import in_words
from tests.chaos.run import Options, run, settings

_OF_A_MUTANT: Final[dict[str, Any]] = {
    "releases": 90, "fault_rate": 0.25, "death_rate": 0.02, "seconds": 8.0, "every": 2.0, "patience": 45.0,
    "each": 2, "gentle": True,
}  # fmt: skip
_SCALE_OF_A_MUTANT: Final = 0.25


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
            return _all(asked.only or list(NAMES), options, scale=asked.scale, var=var, ports=ports, servers=servers)
        caught = [
            _shows(name, var=var, port=ports[1], servers=servers)
            if name in FAULT_MUTANTS
            else _is_caught(name, options, var=var, ports=ports, servers=servers)
            for name in asked.mutants or (*MUTANTS, *FAULT_MUTANTS)
        ]
        say(f"{sum(caught)} of {len(caught)} mutants caught.")
        return 0 if all(caught) else 1


def _all(
    names: Sequence[str], options: Options, *, scale: float, var: Path, ports: tuple[int, int], servers: Servers
) -> int:
    """Each fault in turn, then the table; 1 if anything was violated."""
    verdicts = []
    for name in names:
        say(f"{name}: {NAMES[name]} ...")
        if name == RELEASES:
            report = run(options, var=var, ports=ports, servers=servers)
            say(in_words(report))
            verdicts.append(of_a_run(report))
        else:
            verdicts.append(_one(name, scale=scale, var=var, port=ports[1], servers=servers))
        say(f"{name}: {'nothing wrong' if verdicts[-1].passed else 'VIOLATED'}, {verdicts[-1].seconds:.0f} s\n")
    _keep(var, verdicts)
    say("\n".join([table(verdicts), "", *(line for verdict in verdicts for line in verdict.told())]))
    passed = sum(verdict.passed for verdict in verdicts)
    say(f"{passed} of {len(verdicts)} faults: nothing lost, nothing moved twice, no wrong answer, books proven.")
    return 0 if passed == len(verdicts) else 1


def _one(name: str, *, scale: float, var: Path, port: int, servers: Servers, mutant: str = "") -> Verdict:
    from tests.chaos.faults.catalogue import FAULTS  # its models need the settings that are ready only now
    from tests.chaos.faults.stage import Stage

    return FAULTS[name](Stage(name=name, var=var, servers=servers, port=port, scale=scale, mutant=mutant))


def _keep(var: Path, verdicts: Sequence[Verdict]) -> None:
    """The results of this run, beside those of earlier ones."""
    results = var / "results"
    results.mkdir(exist_ok=True)
    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    (results / f"{name}.json").write_text(json.dumps([asdict(each) for each in verdicts], indent=1))
    (results / f"{name}.md").write_text(table(verdicts) + "\n")


def _shows(name: str, *, var: Path, port: int, servers: Servers) -> bool:
    """Whether its fault shows a mutant as what it is."""
    mutant = FAULT_MUTANTS[name]
    say(f"Mutant {name} in {mutant.fault}: {mutant.says}")
    verdict = _one(mutant.fault, scale=_SCALE_OF_A_MUTANT, var=var, port=port, servers=servers, mutant=name)
    shown = {column: getattr(verdict, column) for column in sorted(mutant.shows) if getattr(verdict, column)}
    told = f"caught, {shown}; the first: {verdict.told()[0]}" if shown else f"NOT CAUGHT: {verdict.told()[:3]}"
    say(f"Mutant {name}, {verdict.seconds:.0f} s: {told}\n")
    return bool(shown)


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


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not names or not NAMES.keys() >= set(names):
        raise argparse.ArgumentTypeError(f"choose from {', '.join(NAMES)}")
    return names


def _asked() -> Any:
    faults = "; ".join(f"{name}: {what}" for name, what in NAMES.items())
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__, epilog=f"Faults: {faults}.")
    parser.add_argument("--only", type=_names, help="faults, divided by commas (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the sizes of all faults but releases (default: 1)")
    parser.add_argument("--releases", type=int, default=2_000, help="at least so many (default: 2000)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of plan, faults, trouble and deaths")
    parser.add_argument("--fault-rate", type=float, default=0.15, help="per request to Stripe (default: 0.15)")
    parser.add_argument("--death-rate", type=float, default=0.04, help="per point of a worker (default: 0.04)")
    parser.add_argument("--minutes", type=float, default=3.0, help="over which releases are asked for (default: 3)")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two kills (default: 3)")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to come to rest in quiet (default: 60)")
    parser.add_argument(
        "--mutants", nargs="*", choices=sorted({*MUTANTS, *FAULT_MUTANTS}), help="plants mistakes: these, or all"
    )
    parser.add_argument("--var", default="", help="state directory (default: CHAINPAY_VAR)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(configuration.outcome(main))
