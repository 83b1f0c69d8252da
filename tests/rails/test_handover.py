import ctypes
import errno
import hashlib
import os
import resource
import shutil
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest

from rails import handover
from rails.handover import Handed
from tests.rails.killed import killed_before_line

NAME = "WIRE-USD-20261130-1.xml"
CONTENT = b"<Document>70.00</Document>"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    place = tmp_path / "outbox"
    place.mkdir(mode=0o700)
    return place


class Bank:
    """Takes away at once whatever it finds, and remembers it."""

    def __init__(self, outbox: Path) -> None:
        self.outbox = outbox
        self.taken: list[tuple[str, bytes]] = []

    def look(self) -> None:
        for file in sorted(self.outbox.glob("[!.]*")):
            self.taken.append((file.name, file.read_bytes()))
            file.unlink()

    @contextmanager
    def looking_all_the_time(self) -> Iterator[None]:
        done = threading.Event()

        def look() -> None:
            while not done.is_set():
                self.look()

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            self.look()


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


@pytest.fixture
def bank(outbox: Path) -> Bank:
    return Bank(outbox)


@pytest.fixture
def caller(outbox: Path, tmp_path: Path) -> Caller:
    return Caller(outbox, tmp_path / "rows.sqlite")


def test_a_file_is_handed_over_once_and_whole(outbox: Path, bank: Bank) -> None:
    assert handover.stage(outbox, NAME, CONTENT) == DIGEST
    bank.look()
    assert bank.taken == []
    assert handover.hand_over(outbox, NAME, DIGEST) is Handed.NOW
    bank.look()
    assert bank.taken == [(NAME, CONTENT)]
    assert handover.hand_over(outbox, NAME, DIGEST) is Handed.BEFORE
    bank.look()
    assert bank.taken == [(NAME, CONTENT)]


def test_handing_over_again_before_the_bank_came_does_nothing(outbox: Path, bank: Bank) -> None:
    handover.stage(outbox, NAME, CONTENT)
    handover.hand_over(outbox, NAME, DIGEST)
    assert handover.hand_over(outbox, NAME, DIGEST) is Handed.BEFORE
    bank.look()
    assert bank.taken == [(NAME, CONTENT)]


def test_nobody_else_may_read_the_file_before_or_after(outbox: Path) -> None:
    old = os.umask(0)
    try:
        handover.stage(outbox, NAME, CONTENT)
    finally:
        os.umask(old)
    assert stat.S_IMODE((outbox / handover.STAGING).stat().st_mode) == 0o700
    assert stat.S_IMODE((outbox / handover.STAGING / NAME).stat().st_mode) == 0o600
    handover.hand_over(outbox, NAME, DIGEST)
    assert stat.S_IMODE((outbox / NAME).stat().st_mode) == 0o600


def test_what_stays_behind_tells_nothing_of_the_content(outbox: Path) -> None:
    handover.stage(outbox, NAME, CONTENT)
    handover.hand_over(outbox, NAME, DIGEST)
    left = [file.read_bytes() for file in (outbox / handover.STAGING).iterdir()]
    assert left == [DIGEST.encode()]


def test_until_its_row_is_written_a_file_may_be_staged_anew(outbox: Path, bank: Bank) -> None:
    handover.stage(outbox, NAME, b"as it was before the crash, " * 10_000)
    assert handover.stage(outbox, NAME, CONTENT) == DIGEST
    handover.hand_over(outbox, NAME, DIGEST)
    bank.look()
    assert bank.taken == [(NAME, CONTENT)]


def test_a_name_is_used_once(outbox: Path, bank: Bank) -> None:
    handover.stage(outbox, NAME, CONTENT)
    handover.hand_over(outbox, NAME, DIGEST)
    with pytest.raises(handover.NameTaken):
        handover.stage(outbox, NAME, b"another")
    bank.look()
    with pytest.raises(handover.NameTaken):
        handover.stage(outbox, NAME, b"another")


def test_a_strangers_file_of_that_name_is_not_replaced(outbox: Path) -> None:
    (outbox / NAME).write_bytes(b"a stranger's")
    with pytest.raises(handover.NameTaken):
        handover.stage(outbox, NAME, CONTENT)
    (outbox / NAME).unlink()
    handover.stage(outbox, NAME, CONTENT)
    (outbox / NAME).write_bytes(b"a stranger's")
    with pytest.raises(handover.NameTaken):
        handover.hand_over(outbox, NAME, DIGEST)
    assert (outbox / NAME).read_bytes() == b"a stranger's"


def test_what_lies_staged_is_listed_with_its_age_and_can_be_discarded(outbox: Path) -> None:
    handover.stage(outbox, NAME, CONTENT)
    (found,) = handover.staged(outbox)
    assert found.name == NAME
    assert 0 <= found.age.total_seconds() < 60
    handover.discard(outbox, NAME)
    assert handover.staged(outbox) == []
    with pytest.raises(handover.NotStaged):
        handover.hand_over(outbox, NAME, DIGEST)
    assert handover.stage(outbox, NAME, CONTENT) == DIGEST


def test_what_another_worker_hands_over_while_we_look_is_no_longer_staged(
    outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handover.stage(outbox, NAME, CONTENT)
    listed = os.listdir

    def then_handed_over(where: int) -> list[str]:
        names = listed(where)
        assert handover.hand_over(outbox, NAME, DIGEST) is Handed.NOW
        return names

    monkeypatch.setattr(os, "listdir", then_handed_over)
    assert handover.staged(outbox) == []


class _Renameat2:
    """A file system that does not know how to move without replacing, and one where something else is wrong."""

    def __init__(self, number: int) -> None:
        self.number = number

    def renameat2(self, *arguments: object) -> int:
        ctypes.set_errno(self.number)
        return -1


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_where_moving_without_replacing_is_unknown_we_look_first(
    outbox: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(handover, "_libc", _Renameat2(number))
    handover.stage(outbox, NAME, CONTENT)
    (outbox / NAME).write_bytes(b"a stranger's")
    with pytest.raises(handover.NameTaken):
        handover.hand_over(outbox, NAME, DIGEST)
    (outbox / NAME).unlink()
    assert handover.hand_over(outbox, NAME, DIGEST) is Handed.NOW


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_is_told_and_leaves_the_file_staged(
    outbox: Path, bank: Bank, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    handover.stage(outbox, NAME, CONTENT)
    with monkeypatch.context() as broken:
        broken.setattr(handover, "_libc", _Renameat2(number))
        with pytest.raises(handover.OutboxUnusable, match=os.strerror(number)):
            handover.hand_over(outbox, NAME, DIGEST)
    assert handover.hand_over(outbox, NAME, DIGEST) is Handed.NOW


@contextmanager
def _no_file_longer_than(size: int) -> Iterator[None]:
    """As on a disk that gets full amid a file: the kernel itself refuses to write more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 10, len(CONTENT)])
def test_a_disk_that_gets_full_amid_a_file_is_told_and_nothing_stays_half(outbox: Path, bank: Bank, size: int) -> None:
    with _no_file_longer_than(size), pytest.raises(handover.OutboxUnusable, match=os.strerror(errno.EFBIG)):
        handover.stage(outbox, NAME, CONTENT)  # the receipt is longer than the content
    assert list((outbox / handover.STAGING).iterdir()) == []
    with pytest.raises(handover.NotStaged):
        handover.hand_over(outbox, NAME, DIGEST)
    assert handover.stage(outbox, NAME, CONTENT) == DIGEST
    handover.hand_over(outbox, NAME, DIGEST)
    bank.look()
    assert bank.taken == [(NAME, CONTENT)]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("call", ["open", "fchmod", "fsync", "rename"])
def test_whatever_a_disk_refuses_while_staging_is_told_as_an_unusable_outbox(
    outbox: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """At the first use of each call, the second, and so on, until staging gets through."""
    real, told = getattr(os, call), list[str]()
    for allowed in range(20):
        left = allowed

        def refusing(*arguments: object, **named: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(number, os.strerror(number))
            return real(*arguments, **named)

        with monkeypatch.context() as broken:
            broken.setattr(os, call, refusing)
            try:
                handover.stage(outbox, NAME, CONTENT)
                break
            except handover.OutboxUnusable as error:
                told.append(str(error))
        assert not (outbox / NAME).exists()
        staging = outbox / handover.STAGING
        assert not staging.exists() or list(staging.iterdir()) == []
    assert len(told) == allowed > 0
    assert all(os.strerror(number) in words for words in told)
    assert handover.hand_over(outbox, NAME, DIGEST) is Handed.NOW


def test_a_disk_that_refuses_after_the_move_does_not_hand_it_over_twice(
    outbox: Path, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    handover.stage(outbox, NAME, CONTENT)

    def refusing(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refusing)
        with pytest.raises(handover.OutboxUnusable):
            handover.hand_over(outbox, NAME, DIGEST)
    bank.look()
    assert handover.hand_over(outbox, NAME, DIGEST) is Handed.BEFORE
    bank.look()
    assert bank.taken == [(NAME, CONTENT)]


def test_a_quicker_process_is_no_trouble(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handover.stage(outbox, NAME, CONTENT)

    class Quicker:
        def renameat2(self, *arguments: object) -> int:
            (outbox / handover.STAGING / NAME).unlink()
            ctypes.set_errno(errno.ENOENT)
            return -1

    monkeypatch.setattr(handover, "_libc", Quicker())
    assert handover.hand_over(outbox, NAME, DIGEST) is Handed.BEFORE


def test_an_outbox_that_vanishes_meanwhile_is_not_a_hand_over(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handover.stage(outbox, NAME, CONTENT)
    monkeypatch.setattr(handover, "_libc", _Renameat2(errno.ENOENT))
    with pytest.raises(handover.OutboxUnusable):
        handover.hand_over(outbox, NAME, DIGEST)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "../up.xml",
        "a/b",
        "/etc/passwd",
        "a b",
        "a\x00b",
        "a\n",
        "é.xml",
        "x" * 121,
        "a.receipt",
    ],
)
def test_a_name_is_plain_or_refused(outbox: Path, name: str) -> None:
    with pytest.raises(handover.NameRefused):
        handover.stage(outbox, name, CONTENT)
    with pytest.raises(handover.NameRefused):
        handover.hand_over(outbox, name, DIGEST)


def test_what_was_changed_while_it_lay_staged_is_not_handed_over(outbox: Path, bank: Bank) -> None:
    handover.stage(outbox, NAME, CONTENT)
    (outbox / handover.STAGING / NAME).write_bytes(b"<Document>90.00</Document>")
    with pytest.raises(handover.ContentChanged):
        handover.hand_over(outbox, NAME, DIGEST)
    bank.look()
    assert bank.taken == []


def test_what_was_staged_anew_after_its_row_was_written_is_not_handed_over(outbox: Path) -> None:
    handover.stage(outbox, NAME, CONTENT)
    handover.stage(outbox, NAME, b"another")
    with pytest.raises(handover.ContentChanged):
        handover.hand_over(outbox, NAME, DIGEST)


def test_an_outbox_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(handover.OutboxUnusable):
        handover.stage(tmp_path / "lost mount", NAME, CONTENT)
    assert list(tmp_path.iterdir()) == []


def test_another_disk_in_the_outboxs_place_does_not_mean_handed_over(outbox: Path) -> None:
    handover.stage(outbox, NAME, CONTENT)
    shutil.move(outbox, outbox.with_name("the real one"))
    outbox.mkdir()
    with pytest.raises(handover.NotStaged):
        handover.hand_over(outbox, NAME, DIGEST)


def test_a_staging_directory_that_others_may_enter_is_refused(outbox: Path) -> None:
    (outbox / handover.STAGING).mkdir(mode=0o700)
    (outbox / handover.STAGING).chmod(0o755)
    with pytest.raises(handover.OutboxUnusable, match="0700"):
        handover.stage(outbox, NAME, CONTENT)


def test_a_staging_directory_that_leads_elsewhere_is_refused(outbox: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (outbox / handover.STAGING).symlink_to(elsewhere)
    with pytest.raises(handover.OutboxUnusable):
        handover.stage(outbox, NAME, CONTENT)
    assert list(elsewhere.iterdir()) == []


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
