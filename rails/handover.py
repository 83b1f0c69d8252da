"""How a file reaches a bank through a directory exactly once, whatever crashes and however soon the bank takes it away.

    sha256 = stage(outbox, name, content)     # whole and on the disk, where the bank does not look
    ... the caller commits a row that says STAGED, with the name and the digest ...
    hand_over(outbox, name, sha256)           # one atomic move to where the bank looks
    ... the caller commits that it was handed over ...

Staging may be done again until the row is committed, handing over any number of times after it. A staged file leaves
only by being handed over, so one that is gone was handed over: its receipt, which stays, says that it was here at all.
One process at a time stages a name; the callers' rows and locks see to that.

Of a machine that loses power between the move and its way to the disk a bank may have the file and we may not know: it
gets the same bytes under the same name again, which it knows by the numbers in them.
"""

import ctypes
import errno
import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

STAGING: Final = ".staging"
RECEIPT: Final = ".receipt"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}", re.ASCII)
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_RENAME_NOREPLACE: Final = 1  # renameat2(2)
# File systems and systems that can not move without replacing say one of these.
_CANNOT: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


class HandOverError(Exception):
    """A file that is not handed over, as far as we know: handing it over again tells."""


class SwitchedOff(HandOverError):
    """The rail is switched off: what is staged goes on when it is switched on."""

    def __init__(self, rail: str) -> None:
        super().__init__(f"rail {rail} is switched off")


class NameRefused(HandOverError):
    """A file name other than a few plain letters, digits, points, dashes and underscores."""


class NameTaken(HandOverError):
    """The name lies in the outbox already, or was handed over from here before."""


class OutboxUnusable(HandOverError):
    """The outbox is not there, its staging directory is open to others, or the disk refuses: it is full, read-only."""


class NotStaged(HandOverError):
    """The outbox knows nothing of the file: another directory or disk is mounted there, or somebody cleared it."""


class ContentChanged(HandOverError):
    """What lies staged is not what the row says was staged."""


class Handed(StrEnum):
    """What handing over came to: the file was moved now, or it had been before."""

    NOW = "NOW"
    BEFORE = "BEFORE"


def check_name(name: str) -> str:
    """The name of a file for the outbox; raises NameRefused."""
    if not _NAME.fullmatch(name) or name.endswith(RECEIPT):
        raise NameRefused(f"{name!r} is no name for a bank file")
    return name


def stage(outbox: Path, name: str, content: bytes) -> str:
    """Writes the file whole beside the outbox and returns its SHA-256; again with other content: the last one counts.

    What can not be written whole, as on a full disk, leaves nothing. Raises NameRefused, NameTaken, OutboxUnusable.
    """
    check_name(name)
    digest = hashlib.sha256(content).hexdigest()
    with _opened(outbox) as (out, staging):
        if _exists(name, out):
            raise NameTaken(f"{name} lies in the outbox already")
        if _exists(name + RECEIPT, staging) and not _exists(name, staging):
            raise NameTaken(f"{name} was handed over before")
        try:
            _write(name, content, staging)
            _write(name + RECEIPT, digest.encode(), staging)
        except OSError:
            _remove(name, staging)  # half staged is not staged, and it holds account numbers
            raise
    return digest


def hand_over(outbox: Path, name: str, sha256: str) -> Handed:
    """Moves the staged file to where the bank takes it from, or says that this was done before.

    Raises NameRefused, NameTaken, OutboxUnusable, NotStaged, ContentChanged.
    """
    check_name(name)
    with _opened(outbox) as (out, staging):
        receipt = _read(name + RECEIPT, staging)
        if receipt is None:
            raise NotStaged(f"{name} was never staged in this outbox")
        if receipt.decode(errors="replace") != sha256:
            raise ContentChanged(f"{name} was staged with another content")
        content = _read(name, staging)
        if content is None:
            return Handed.BEFORE
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ContentChanged(f"{name} was changed after it was staged")
        moved = _move(name, staging, out)
        os.fsync(out)
        os.fsync(staging)
    return Handed.NOW if moved else Handed.BEFORE


def was_handed_over(outbox: Path, name: str, sha256: str) -> bool:
    """Whether the outbox itself says that this file left it; only looked at. Raises NameRefused, OutboxUnusable."""
    check_name(name)
    with _opened(outbox) as (_, staging):
        receipt = _read(name + RECEIPT, staging)
        return receipt is not None and receipt.decode(errors="replace") == sha256 and not _exists(name, staging)


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that lies staged, and for how long."""

    name: str
    age: timedelta


def staged(outbox: Path) -> list[Staged]:
    """What lies staged and was not handed over. Raises OutboxUnusable."""
    found = []
    with _opened(outbox) as (_, staging):
        for name in sorted(os.listdir(staging)):
            if _NAME.fullmatch(name.removeprefix(".")) and not name.endswith(RECEIPT):
                with suppress(FileNotFoundError):  # staged or handed over by another worker in this moment
                    found.append((name, os.stat(name, dir_fd=staging, follow_symlinks=False)))
    now = time.time()  # as the files' own times are, whatever is taken for now elsewhere
    return [Staged(name, timedelta(seconds=now - stats.st_mtime)) for name, stats in found]


def discard(outbox: Path, name: str) -> None:
    """Removes a staged file that no row knows, so that it is never handed over; the caller knows that no row will.

    Raises OutboxUnusable.
    """
    check_name(name.removeprefix("."))
    with _opened(outbox) as (_, staging):
        for each in (f"{name}{RECEIPT}", name):  # without its receipt it can not be handed over
            with suppress(FileNotFoundError):
                os.unlink(each, dir_fd=staging)
        os.fsync(staging)


def _remove(name: str, staging: int) -> None:
    """What there is of a file, as far as the disk lets us: it was given up, and the error that was met is told."""
    for each in (f"{name}{RECEIPT}", name, f".{name}{RECEIPT}", f".{name}"):
        with suppress(OSError):
            os.unlink(each, dir_fd=staging)


@contextmanager
def _opened(outbox: Path) -> Iterator[tuple[int, int]]:
    """The outbox and its staging directory, which nobody else may enter, as directory descriptors.

    The outbox itself is never made here: under a lost mount a new one would swallow payments. Whatever the disk refuses
    meanwhile is OutboxUnusable too: it is full, read-only, over its quota, gone.
    """
    try:
        out = os.open(outbox, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise OutboxUnusable(f"the outbox can not be opened: {error.strerror}") from error
    try:
        staging = _staging(out)
        try:
            yield out, staging
        except OSError as error:
            raise OutboxUnusable(f"the outbox can not be used: {error.strerror or error}") from error
        finally:
            os.close(staging)
    finally:
        os.close(out)


def _staging(out: int) -> int:
    try:
        with suppress(FileExistsError):
            os.mkdir(STAGING, 0o700, dir_fd=out)
            os.fsync(out)
        staging = os.open(STAGING, _DIRECTORY, dir_fd=out)
    except OSError as error:
        raise OutboxUnusable(f"{STAGING} can not be opened: {error.strerror}") from error
    found = os.fstat(staging)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        os.close(staging)
        raise OutboxUnusable(f"{STAGING} must belong to this process's user, with mode 0700")
    return staging


def _exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _write(name: str, content: bytes, staging: int) -> None:
    """A file that is there whole or as it was before, and on the disk when this returns."""
    unfinished = f".{name}"
    with os.fdopen(os.open(unfinished, _NEW_FILE, 0o600, dir_fd=staging), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(unfinished, name, src_dir_fd=staging, dst_dir_fd=staging)
    os.fsync(staging)


def _read(name: str, staging: int) -> bytes | None:
    try:
        descriptor = os.open(name, _READ, dir_fd=staging)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _move(name: str, staging: int, out: int) -> bool:
    """Moves without replacing anything; False when another process was quicker.

    A link in both places would not do: of a staged file that is still there nobody could say whether the bank took the
    other one away.
    """
    try:
        if not _rename_without_replacing(name, staging, out):
            # Nobody but us writes these names, so looking first leaves the gap to strangers only.
            if _exists(name, out):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(name, name, src_dir_fd=staging, dst_dir_fd=out)
    except FileExistsError as error:
        raise NameTaken(f"{name} lies in the outbox already") from error
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not _exists(name, staging):
            return False
        raise OutboxUnusable(f"{name} can not be moved into the outbox: {error.strerror}") from error
    return True


def _rename_without_replacing(name: str, staging: int, out: int) -> bool:
    """By Linux's renameat2; False where the system or the file system does not know it."""
    if not sys.platform.startswith("linux") or not hasattr(_libc, "renameat2"):
        return False
    encoded = os.fsencode(name)
    if _libc.renameat2(staging, encoded, out, encoded, _RENAME_NOREPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number))


_libc: Final = ctypes.CDLL(None, use_errno=True)
