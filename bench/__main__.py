"""`make bench`: every figure beside its floor, part by part, and one summary at the end.

`make bench ARGS="--only webhook,exports"`, `make bench ARGS="--rounds 5"`, `make bench ARGS="--keep --only verifying"`.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import databases, machine, record
from chainpay.embedded import paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A module of the bench, the database (or none) that it shares with others, and its words for the options given."""

    name: str
    module: str
    database: str
    words: Callable[[argparse.Namespace], Sequence[object]]
    when_named: bool = False  # takes too long, or too much of the disk, for every run


def _by_turns(given: argparse.Namespace) -> Sequence[object]:
    return ["--events", given.events, "--rounds", given.rounds, "--warm-up", given.warm_up]


def _hot_path(given: argparse.Namespace) -> Sequence[object]:
    return [*_by_turns(given), "--floor-factor", given.floor_factor, f"--server={given.server}"]


def _million(given: argparse.Namespace) -> Sequence[object]:
    return [*_by_turns(given), "--intents", given.intents, "--per-shipment", given.per_shipment]


def _review(given: argparse.Namespace) -> Sequence[object]:
    return [given.settlements, given.waiting, given.turns]


def _verifying(given: argparse.Namespace) -> Sequence[object]:
    return ["--events", given.audit_events, "--rounds", given.verifications]


def _sweep(given: argparse.Namespace) -> Sequence[object]:
    return ["--due", given.due, "--rounds", given.sweeps]


def _partitions(given: argparse.Namespace) -> Sequence[object]:
    return ["--rows", given.rows]


# In their order: the backlog is laid by the first of its three, and spoiled by the last.
PARTS: Final = (
    Part(name="webhook", module="bench.hot_path", database="webhook", words=_hot_path),
    Part(name="review", module="bench.review", database="backlog", words=_review),
    Part(name="exports", module="bench.exports", database="backlog", words=lambda given: [given.exports]),
    Part(name="reconciling", module="bench.reconciling", database="backlog", words=lambda given: [given.turns]),
    Part(name="verifying", module="bench.verifying", database="books", words=_verifying),
    Part(name="sweep", module="bench.sweep", database="sweep", words=_sweep),
    Part(name="startup", module="bench.startup", database="", words=lambda given: [given.starts]),
    Part(name="webhook-million", module="bench.million", database="million", words=_million, when_named=True),
    Part(name="servers", module="bench.web_servers", database="servers", words=_by_turns, when_named=True),
    Part(name="hosts", module="bench.hosts", database="hosts", words=lambda given: [], when_named=True),
    Part(name="adopting", module="bench.adopting", database="adopting", words=lambda given: [], when_named=True),
    Part(name="partitions", module="bench.partitions", database="year", words=_partitions, when_named=True),
)
# What an earlier run laid can be measured again; posted events can not be posted again.
KEPT: Final = ("backlog", "books")


def main() -> int:
    """Measures and prints; 0 also when a target is missed, for a busy machine is no bug."""
    given = _given()
    parts = [part for part in PARTS if part.name in given.only or not (given.only or part.when_named)]
    load, server = os.getloadavg(), os.environ["DATABASE_URL"]
    print("\n".join(machine.description(server)), flush=True)
    collected = paths.logs(Path(os.environ.get("CHAINPAY_VAR", "var"))) / "bench-figures.jsonl"
    collected.parent.mkdir(parents=True, exist_ok=True)
    collected.write_bytes(b"")
    os.environ[record.COLLECTED_IN] = str(collected)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chainpay.settings")
    named = list(dict.fromkeys(part.database for part in parts))
    with databases.migrated_once(server) if any(named) else nullcontext():
        for database in named:
            kept = given.keep and database in KEPT
            with databases.own(server, database, kept=kept) if database else nullcontext(server) as database_url:
                for part in parts:
                    if part.database == database:
                        _measure(part, given, database_url)
    figures = record.collected(collected)
    print("\n".join(["", *record.summary(figures)]), flush=True)
    if given.record:
        record.append(record.run_of(figures, database_url=server, load=load))
    return 0


def _measure(part: Part, given: argparse.Namespace, database_url: str) -> None:
    """In a process of its own, for each part is about a database of its own."""
    words = [sys.executable, "-m", part.module, *(str(word) for word in part.words(given))]
    subprocess.run(words, env=os.environ | {"DATABASE_URL": database_url}, check=True)
    print(flush=True)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", type=_names, default=(), help=f"some of {','.join(part.name for part in PARTS)}")
    parser.add_argument("--record", action="store_true", help="append this run to bench/results/runs.jsonl")
    parser.add_argument("--keep", action="store_true", help="keep the databases, and use those that were kept")
    parser.add_argument("--events", type=int, default=3_000, help="events of one webhook round (default: 3000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each, by turns (default: 5)")
    parser.add_argument("--warm-up", type=int, default=500, help="events before the first round (default: 500)")
    parser.add_argument("--floor-factor", type=int, default=2, help="floor events per webhook event (default: 2)")
    parser.add_argument("--server", default="", help='other options of the web server, like "--workers 4"')
    parser.add_argument("--intents", type=int, default=1_000_000, help="of webhook-million (default: 1000000)")
    parser.add_argument("--per-shipment", type=int, default=100, help="intents, of the same (default: 100)")
    parser.add_argument("--settlements", type=int, default=1_000_000, help="of the backlog (default: 1000000)")
    parser.add_argument("--waiting", type=int, default=10_000, help="of them in the queue (default: 10000)")
    parser.add_argument("--turns", type=int, default=20, help="of each page (default: 20)")
    parser.add_argument("--exports", type=int, default=3, help="downloads of all settlements (default: 3)")
    parser.add_argument("--audit-events", type=int, default=1_000_000, help="of the books verified (default: 1000000)")
    parser.add_argument("--due", type=int, default=100_000, help="settlements of one sweep (default: 100000)")
    parser.add_argument("--sweeps", type=int, default=3, help="rounds of the sweep and its floor (default: 3)")
    parser.add_argument("--starts", type=int, default=2, help="fresh copies that are started (default: 2)")
    parser.add_argument("--rows", type=int, default=10_000_000, help="of tables by month (default: 10000000)")
    parser.add_argument("--verifications", type=int, default=1, help="of those books (default: 1)")
    return parser.parse_args()


def _names(text: str) -> tuple[str, ...]:
    names, known = tuple(text.split(",")), [part.name for part in PARTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(known)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
