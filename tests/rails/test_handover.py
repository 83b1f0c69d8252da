"""A file is handed over once and whole, under one plain name, and nobody else reads it."""

import ctypes
import errno
import os
import stat
from pathlib import Path

import pytest

from rails import handover
from rails.handover import Handed
from tests.rails.handing_over import CONTENT, DIGEST, NAME, Bank, bank, outbox

__all__ = ["bank", "outbox"]


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


def test_a_quicker_process_is_no_trouble(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handover.stage(outbox, NAME, CONTENT)

    class Quicker:
        def renameat2(self, *arguments: object) -> int:
            (outbox / handover.STAGING / NAME).unlink()
            ctypes.set_errno(errno.ENOENT)
            return -1

    monkeypatch.setattr(handover, "_libc", Quicker())
    assert handover.hand_over(outbox, NAME, DIGEST) is Handed.BEFORE


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
