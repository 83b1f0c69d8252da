"""A disk that refuses, fills up, vanishes or is another one: nothing lies half, nothing goes out twice."""

import ctypes
import errno
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rails import handover
from rails.handover import Handed
from tests.rails.handing_over import CONTENT, DIGEST, NAME, Bank, bank, outbox

__all__ = ["bank", "outbox"]


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


def test_an_outbox_that_vanishes_meanwhile_is_not_a_hand_over(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handover.stage(outbox, NAME, CONTENT)
    monkeypatch.setattr(handover, "_libc", _Renameat2(errno.ENOENT))
    with pytest.raises(handover.OutboxUnusable):
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
