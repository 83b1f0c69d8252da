"""Killed anywhere, looked at all the time, or done by many at once, a file is handed over exactly once."""

import sqlite3
import sys
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

from rails import handover
from rails.handover import Handed
from tests.rails.handing_over import CONTENT, DIGEST, NAME, Bank, bank, outbox
from tests.rails.killed import killed_before_line

__all__ = ["bank", "outbox"]


class Caller:
    """What a rail does around a file: a row that is committed between the steps."""

    def __init__(self, outbox: Path, rows: Path) -> None:
        self.outbox, self.rows = outbox, rows
        with closing(sqlite3.connect(rows)) as base, base:
            base.execute("CREATE TABLE IF NOT EXISTS file (name TEXT PRIMARY KEY, sha256 TEXT, state TEXT)")

    def state(self) -> tuple[str, str] | None:
        with closing(sqlite3.connect(self.rows)) as base:
            row: tuple[str, str] | None = base.execute("SELECT sha256, state FROM file").fetchone()
            return row

    def run(self) -> None:
        if self.state() is None:
            digest = handover.stage(self.outbox, NAME, CONTENT)
            with closing(sqlite3.connect(self.rows)) as base, base:
                base.execute("INSERT INTO file VALUES (?, ?, 'STAGED')", [NAME, digest])
        row = self.state()
        assert row is not None
        if row[1] == "STAGED":
            handover.hand_over(self.outbox, NAME, row[0])
            with closing(sqlite3.connect(self.rows)) as base, base:
                base.execute("UPDATE file SET state = 'HANDED_OVER'")


def test_killed_before_any_line_and_again_it_is_handed_over_exactly_once(tmp_path: Path) -> None:
    """The bank comes after every crash, and takes what it finds."""
    line, killed = 1, True
    while killed:
        place = tmp_path / str(line)
        (place / "outbox").mkdir(parents=True)
        bank, caller = Bank(place / "outbox"), Caller(place / "outbox", place / "rows.sqlite")
        killed = killed_before_line(line, [handover], caller.run)
        bank.look()
        killed_before_line(line, [handover], caller.run)
        bank.look()
        caller.run()
        bank.look()
        assert bank.taken == [(NAME, CONTENT)], f"killed before line {line}"
        assert caller.state() == (DIGEST, "HANDED_OVER")
        line += 1
    assert line > 50


def test_killed_between_two_rows_it_is_handed_over_exactly_once(tmp_path: Path) -> None:
    """The same for the caller's own lines: before and after it commits."""
    line, killed = 1, True
    while killed:
        place = tmp_path / str(line)
        (place / "outbox").mkdir(parents=True)
        bank, caller = Bank(place / "outbox"), Caller(place / "outbox", place / "rows.sqlite")
        killed = killed_before_line(line, [sys.modules[__name__]], caller.run)
        bank.look()
        caller.run()
        bank.look()
        assert bank.taken == [(NAME, CONTENT)], f"killed before line {line}"
        line += 1


def test_a_bank_that_looks_all_the_time_gets_each_file_once_and_whole(outbox: Path, bank: Bank) -> None:
    content = CONTENT * 1_000
    with bank.looking_all_the_time():
        for number in range(50):
            digest = handover.stage(outbox, f"{number}.xml", content)
            assert handover.hand_over(outbox, f"{number}.xml", digest) is Handed.NOW
            assert handover.hand_over(outbox, f"{number}.xml", digest) is Handed.BEFORE
    assert sorted(bank.taken) == sorted((f"{number}.xml", content) for number in range(50))


def _hand_over(outbox: str) -> str:
    return handover.hand_over(Path(outbox), NAME, DIGEST).value


def test_of_many_processes_one_hands_over(outbox: Path, bank: Bank) -> None:
    handover.stage(outbox, NAME, CONTENT)
    with get_context("fork").Pool(8) as processes:
        said = processes.map(_hand_over, [str(outbox)] * 8)
    bank.look()
    assert sorted(said) == [Handed.BEFORE] * 7 + [Handed.NOW]
    assert bank.taken == [(NAME, CONTENT)]
