"""What did each figure come to, beside its floor and its target? Said once by the parts, kept as a line per run.

A part says its figures to `told`; `make bench` collects those of all parts in one file (named by BENCH_FIGURES), prints
the summary, and with `--record` appends the run to `bench/results/runs.jsonl`. `python -m bench.record` prints the
newest of each figure on record as the table of docs/performance.md.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

import orjson

from bench import machine

RUNS: Final = Path(__file__).parent / "results" / "runs.jsonl"
COLLECTED_IN: Final = "BENCH_FIGURES"

Judged = Literal["ratio", "median", "highest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a figure should keep: the bounds of its ratio to the floor, of its median or of its highest round."""

    of: Judged
    at_least: float | None = None
    at_most: float | None = None

    def text(self) -> str:
        """As the summary shows it, like `ratio at least 0.4`."""
        bounds = [(word, bound) for word, bound in (("at least", self.at_least), ("at most", self.at_most)) if bound]
        return " and ".join(f"{self.of} {word} {bound:g}" for word, bound in bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure: its rounds in `unit`, and the rounds of its floor by turns with them, in the same unit."""

    part: str
    name: str
    unit: str
    rounds: Sequence[float]
    floor: Sequence[float] = ()
    target: Target | None = None
    command: str = ""

    @property
    def median(self) -> float:
        """The middle round."""
        return median(self.rounds)

    @property
    def ratio(self) -> float | None:
        """To the floor: the middle of the rounds' own ratios where each round has its floor; None without a floor."""
        if not self.floor:
            return None
        if len(self.floor) == len(self.rounds):
            return median(mine / least for mine, least in zip(self.rounds, self.floor, strict=True))
        return self.median / median(self.floor)

    @property
    def met(self) -> bool | None:
        """Whether the target is kept; None without one. Raises ValueError for a ratio without a floor."""
        if self.target is None:
            return None
        found = {"ratio": self.ratio, "median": self.median, "highest": max(self.rounds)}[self.target.of]
        if found is None:
            raise ValueError(f"{self.part}, {self.name}: a ratio wants a floor")
        low, high = self.target.at_least, self.target.at_most
        return (low is None or found >= low) and (high is None or found <= high)

    def stored(self) -> dict[str, Any]:
        """As a run keeps it: what was measured, and what that came to."""
        return asdict(self) | {"median": self.median, "ratio": self.ratio, "met": self.met}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One `make bench`: where and on what it ran, and every figure."""

    at: str
    commit: str
    machine: dict[str, Any]
    figures: Sequence[Figure] = field(default_factory=list)


def told(figures: Iterable[Figure]) -> None:
    """Called by each part once its figures stand: they join those of the run; alone, the part prints its summary."""
    found = list(figures)
    collected = os.environ.get(COLLECTED_IN)
    if not collected:
        print("\n".join(["", *summary(found)]), flush=True)
        return
    with Path(collected).open("ab") as file:
        file.writelines(orjson.dumps(asdict(each)) + b"\n" for each in found)


def collected(path: Path) -> list[Figure]:
    """The figures that the parts of this run have told so far."""
    return [_figure(orjson.loads(line)) for line in path.read_bytes().splitlines()] if path.exists() else []


def summary(figures: Sequence[Figure]) -> list[str]:
    """A line per figure: median, spread, floor, ratio, target, and whether it was met."""
    rows = [("part", "figure", "median", "spread", "floor", "ratio", "target", "")]
    rows += [_row(each) for each in figures]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def run_of(figures: Sequence[Figure], *, database_url: str, load: tuple[float, float, float]) -> Run:
    """These figures with the machine of now; `load` is that before the start."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    facts = machine.facts(database_url) | {"load_at_start": [round(each, 2) for each in load]}
    return Run(at=at, commit=_commit(), machine=facts, figures=figures)


def append(run: Run, path: Path = RUNS) -> None:
    """One more line of the record."""
    kept = {"at": run.at, "commit": run.commit, "machine": run.machine}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(orjson.dumps(kept | {"figures": [each.stored() for each in run.figures]}) + b"\n")


def runs(path: Path = RUNS) -> list[Run]:
    """What is on record, oldest first."""
    kept = [orjson.loads(line) for line in path.read_bytes().splitlines() if line] if path.exists() else []
    return [
        Run(
            at=each["at"], commit=each["commit"], machine=each["machine"], figures=[_figure(f) for f in each["figures"]]
        )
        for each in kept
    ]


def table(kept: Sequence[Run]) -> list[str]:
    """The newest of each figure as a table of Markdown, with its day, its load and its command."""
    newest: dict[tuple[str, str], tuple[Run, Figure]] = {}
    for run in kept:
        newest |= {(each.part, each.name): (run, each) for each in run.figures}
    lines = ["| figure | median | spread | floor | ratio | target | | on | load | command |",
             "|---|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for (part, _), (run, each) in sorted(newest.items()):
        _, name, *cells = _row(each)
        load = run.machine["load_at_start"][0]
        lines.append(f"| {part}: {name} | {' | '.join(cells)} | {run.at[:10]} | {load} | `{each.command}` |")
    return lines


def _row(figure: Figure) -> tuple[str, str, str, str, str, str, str, str]:
    def shown(value: float) -> str:
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

    low, high, ratio = min(figure.rounds), max(figure.rounds), figure.ratio
    return (
        figure.part,
        figure.name,
        f"{shown(figure.median)} {figure.unit}",
        f"{shown(low)} to {shown(high)}" if len(figure.rounds) > 1 else "one round",
        f"{shown(median(figure.floor))} {figure.unit}" if figure.floor else "",
        "" if ratio is None else f"{ratio:.2f}",
        figure.target.text() if figure.target else "",
        {None: "", True: "met", False: "missed"}[figure.met],
    )


def _figure(told: dict[str, Any]) -> Figure:
    names = Figure.__dataclass_fields__
    known = {name: value for name, value in told.items() if name in names}
    return Figure(**known | {"target": Target(**known["target"]) if known.get("target") else None})


def _commit() -> str:
    """Of the working copy, with `+` behind it when that holds changes; empty outside of git."""
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def main() -> int:
    """Prints the table of what is on record."""
    print("\n".join(table(runs())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
