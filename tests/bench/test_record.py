"""Figures against their targets, and what stays on record of a run."""

from pathlib import Path
from typing import Any

import pytest

from bench import record
from bench.record import Figure, Run, Target

MACHINE = {"processor": "one", "cores": 2, "load_at_start": [0.5, 0.4, 0.3]}


def a_figure(**changed: Any) -> Figure:
    words: dict[str, Any] = {
        "part": "exports",
        "name": "CSV",
        "unit": "s",
        "rounds": [12.0, 10.0, 11.0],
        "floor": [],
        "command": "make bench",
    }
    return Figure(**words | changed)


def test_a_ratio_is_the_middle_of_the_rounds_own_ratios_so_that_a_slow_moment_hurts_one_of_them_only() -> None:
    assert a_figure(floor=[10.0, 10.0, 100.0]).ratio == 1.0
    assert a_figure(floor=[11.0]).ratio == 1.0
    assert a_figure().ratio is None


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target(of="median", at_most=11.0), True),
        (Target(of="median", at_most=10.9), False),
        (Target(of="median", at_least=11.0), True),
        (Target(of="median", at_least=11.1), False),
        (Target(of="highest", at_most=12.0), True),
        (Target(of="highest", at_most=11.9), False),
        (Target(of="ratio", at_least=0.9, at_most=1.1), True),
        (Target(of="ratio", at_least=1.1), False),
        (None, None),
    ],
)
def test_a_target_is_met_up_to_its_bound_and_missed_beyond(target: Target | None, met: bool | None) -> None:
    assert a_figure(floor=[12.0, 10.0, 11.0], target=target).met is met


def test_a_ratio_without_a_floor_is_no_figure() -> None:
    with pytest.raises(ValueError, match="a ratio wants a floor"):
        assert a_figure(target=Target(of="ratio", at_most=1.0)).met


def test_runs_are_appended_and_read_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "results" / "runs.jsonl"
    first = Run(at="2026-11-28T10:00:00+00:00", commit="aaa", machine=MACHINE, figures=[a_figure(rounds=[20.0])])
    second = Run(
        at="2026-11-29T10:00:00+00:00",
        commit="bbb+",
        machine=MACHINE,
        figures=[a_figure(floor=[10.0, 10.0, 10.0], target=Target(of="ratio", at_most=1.05))],
    )
    record.append(first, path)
    record.append(second, path)
    assert record.runs(path) == [first, second]
    assert record.runs(tmp_path / "none") == []


def test_the_table_shows_the_newest_of_each_figure_with_its_command() -> None:
    old = Run(at="2026-11-28T10:00:00+00:00", commit="a", machine=MACHINE, figures=[a_figure(), a_figure(name="old")])
    new = Run(
        at="2026-11-29T10:00:00+00:00",
        commit="b",
        machine=MACHINE,
        figures=[a_figure(rounds=[9.0], floor=[10.0], target=Target(of="ratio", at_most=1.05))],
    )
    lines = record.table([old, new])
    assert lines[2:] == [
        "| exports: CSV | 9 s | one round | 10 s | 0.90 | ratio at most 1.05 | met | 2026-11-29 | 0.5 | `make bench` |",
        "| exports: old | 11 s | 10 to 12 |  |  |  |  | 2026-11-28 | 0.5 | `make bench` |",
    ]


def test_parts_tell_their_figures_to_the_run_that_started_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collected = tmp_path / "figures"
    monkeypatch.setenv(record.COLLECTED_IN, str(collected))
    told = [a_figure(target=Target(of="median", at_most=60.0)), a_figure(name="first byte")]
    record.told(told[:1])
    record.told(told[1:])
    assert record.collected(collected) == told


def test_a_part_that_runs_alone_prints_its_own_summary(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(record.COLLECTED_IN, raising=False)
    record.told([a_figure(target=Target(of="median", at_most=10.0))])
    assert "CSV     11 s    10 to 12" in capsys.readouterr().out
