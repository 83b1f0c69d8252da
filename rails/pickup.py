"""How a bank's files are picked up out of a directory, each whole and once, whatever crashes and whoever writes there.

A file that nobody has written to for a while is moved into a directory of ours first, by one atomic rename: what the
bank puts under the same name meanwhile is another file. Only then it is read, taken in by the caller, and put away
under the name of its bytes. One that is left there by a process that died is read by the next run; one that changes
while it is read is read again. The trouble of one file keeps no other from its turn.

A program that writes in place has the waiting time alone to be done in. Better it writes under a name that is passed
over (one that begins with a dot, or ends in one of UNFINISHED) and renames the file when it is whole.
"""

import hashlib
import logging
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

logger = logging.getLogger(__name__)

TAKEN: Final = ".taken"
UNFINISHED: Final = (".part", ".partial", ".filepart", ".tmp")
# A file that was written to more recently may not be whole.
WHOLE_AFTER_SECONDS: Final = 30.0
_MOST_FILES: Final = 100  # that are taken in one look
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_NAME: Final = 200  # bytes, of which the file systems take 255 with what is put before


class Kept(StrEnum):
    """Where a file lies that has been read: applied, or kept out whole."""

    DONE = ".done"
    QUARANTINE = ".quarantine"


class Later(Exception):
    """Raised by whoever takes a file in that can not be taken in yet; it is read again with the next look.

    `about`: what it speaks of, all of it, by the caller's ids.
    """

    def __init__(self, detail: str, *, about: frozenset[int]) -> None:
        super().__init__(detail)
        self.about = about


class InboxUnusable(Exception):
    """The inbox is not there, or not ours to move files in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """A file as it came: size and digest are those of all of it, `content` is cut off one byte above the limit."""

    name: str
    content: bytes = field(repr=False)
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedUp:
    """What one look came to: how many files were put away, whether some wait, and what went wrong by file name.

    The trouble of the whole inbox has the name "". `unread`: something was not read, so nobody knows what it says;
    `spoken_of`: what the files speak of that were read and have to wait.
    """

    read: int = 0
    waiting: bool = False
    unread: bool = False
    spoken_of: frozenset[int] = frozenset()
    troubles: dict[str, str] = field(default_factory=dict)

    @property
    def nothing_unread(self) -> bool:
        """Whether all that the bank has sent was read, be it that something of it waits to be applied."""
        return not self.waiting and not self.unread


def pick_up(
    inbox: Path, take_in: Callable[[Picked], Kept], *, largest: int, whole_after: float = WHOLE_AFTER_SECONDS
) -> PickedUp:
    """Reads what lies in the inbox and puts it away; `take_in` may be given the same file again, and raises Later.

    `largest`: how many bytes of a file are handed on. Raises nothing: each trouble is logged and in the answer.
    """
    look = _Look(take_in, largest, whole_after)
    try:
        with _opened(inbox) as (box, taken):
            look.take(box, taken)
            look.read_all(box, taken)
    except InboxUnusable as error:
        logger.error("Inbox %s: %s", inbox, error)
        look.unread, look.troubles[""] = True, str(error)
    return PickedUp(
        read=look.read,
        waiting=look.waiting,
        unread=look.unread,
        spoken_of=frozenset(look.spoken_of),
        troubles=look.troubles,
    )


@contextmanager
def keeping(inbox: Path, sha256: str, content: bytes) -> Iterator[Callable[[Kept], None]]:
    """Keeps a file that came another way: it is on the disk before the caller applies it, and put away by the call.

    Raises InboxUnusable.
    """
    unfinished = f".{sha256}-{secrets.token_hex(4)}"
    with _opened(inbox) as (box, taken):
        try:
            with os.fdopen(os.open(unfinished, _NEW_FILE, 0o600, dir_fd=taken), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InboxUnusable(f"nothing can be written into it: {error.strerror}") from error
        try:
            yield lambda kept: _put_away(unfinished, sha256, kept, box, taken)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(unfinished, dir_fd=taken)


class _Look:
    """One look into an inbox."""

    def __init__(self, take_in: Callable[[Picked], Kept], largest: int, whole_after: float) -> None:
        self.take_in, self.largest, self.whole_after = take_in, largest, whole_after
        self.read, self.waiting, self.unread = 0, False, False
        self.spoken_of: set[int] = set()
        self.troubles: dict[str, str] = {}

    def take(self, box: int, taken: int) -> None:
        """Moves what is whole where nobody else writes."""
        names = [name for name in _names(box) if not name.endswith(UNFINISHED)]
        self.waiting = len(names) > _MOST_FILES
        for name in names[:_MOST_FILES]:
            with self._telling(name), suppress(FileNotFoundError):  # another process was quicker
                if self._is_ready(name, box):
                    os.rename(name, _name_taken(name), src_dir_fd=box, dst_dir_fd=taken)

    def read_all(self, box: int, taken: int) -> None:
        """Reads what was taken, now or by a process that died, in the order in which it was."""
        for name in _names(taken):
            with self._telling(_name_given(name)), suppress(FileNotFoundError):
                self._read(name, box, taken)

    def _is_ready(self, name: str, box: int) -> bool:
        """Whether it is a file of ours to read; links, directories and the like are nothing to wait for."""
        if not stat.S_ISREG(os.stat(name, dir_fd=box, follow_symlinks=False).st_mode):
            return False
        with os.fdopen(os.open(name, _OPEN, dir_fd=box), "rb") as file:
            found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            return False
        return not self._is_young(found)

    def _is_young(self, found: os.stat_result) -> bool:
        """Whether it may still be written to, and waits; a time to come is no time of its writing."""
        now = time.time()
        written = found.st_mtime if found.st_mtime <= now else found.st_ctime
        young = now - written < self.whole_after
        self.waiting = self.waiting or young
        return young

    def _read(self, name: str, box: int, taken: int) -> None:
        with os.fdopen(os.open(name, _OPEN, dir_fd=taken), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise OSError(0, "it is no file")
            if self._is_young(found):
                return
            content, sha256 = _content(file, self.largest)
            if self._changed(found, file):
                return
            kept = self.take_in(Picked(name=_name_given(name), content=content, sha256=sha256, size=found.st_size))
            if self._changed(found, file):
                return
        _put_away(name, sha256, kept, box, taken)
        self.read += 1

    def _changed(self, found: os.stat_result, file: BinaryIO) -> bool:
        """Whether somebody writes to it still: then what was read is not what lies there."""
        now = os.fstat(file.fileno())
        changed = (now.st_size, now.st_mtime_ns) != (found.st_size, found.st_mtime_ns)
        self.waiting = self.waiting or changed
        return changed

    @contextmanager
    def _telling(self, name: str) -> Iterator[None]:
        """What goes wrong with one file is told, and the others have their turn."""
        try:
            yield
        except Later as later:
            logger.warning("Bank file %r waits: %s", name, later)
            self.spoken_of |= later.about
            self.troubles[name] = str(later)
        except OSError as error:
            logger.error("Bank file %r can not be read or put away: %s", name, error.strerror)
            self.unread, self.troubles[name] = True, f"it can not be read or put away: {error.strerror}"
        except Exception:  # not swallowed: logged whole, told to people, and met again by the next look
            logger.exception("Bank file %r failed", name)
            self.unread, self.troubles[name] = True, "reading it failed; the log says how"


def _names(directory: int) -> list[str]:
    try:
        return sorted(name for name in os.listdir(directory) if not name.startswith("."))
    except OSError as error:
        raise InboxUnusable(f"it can not be read: {error.strerror}") from error


def _name_taken(name: str) -> str:
    """A name that no other file has, which sorts by the time of taking and ends in the one that the bank gave."""
    end = os.fsdecode(os.fsencode(name)[-_LONGEST_NAME:])
    return f"{time.time_ns():020}-{secrets.token_hex(4)}-{end}"


def _name_given(name: str) -> str:
    return name.split("-", 2)[-1]


def _content(file: BinaryIO, largest: int) -> tuple[bytes, str]:
    """As much as is handed on, and the digest of all of it."""
    content = file.read(largest + 1)
    digest = hashlib.sha256(content)
    while part := file.read(largest):
        digest.update(part)
    return content, digest.hexdigest()


def _put_away(name: str, sha256: str, kept: Kept, box: int, taken: int) -> None:
    """Moves the file where it is read no more, under the name of its bytes; nobody else may read it there."""
    place = _private(kept, box)
    try:
        with suppress(PermissionError):  # of a file that belongs to the bank's user
            os.chmod(name, 0o600, dir_fd=taken)
        os.rename(name, sha256, src_dir_fd=taken, dst_dir_fd=place)
    finally:
        os.close(place)


@contextmanager
def _opened(inbox: Path) -> Iterator[tuple[int, int]]:
    """The inbox and the directory in it that files are taken into. The inbox itself is never made here."""
    try:
        box = os.open(inbox, _DIRECTORY)
    except OSError as error:
        raise InboxUnusable(f"it can not be opened: {error.strerror}") from error
    try:
        try:
            taken = _private(TAKEN, box)
        except OSError as error:
            raise InboxUnusable(f"{TAKEN} in it can not be used: {error.strerror}") from error
        try:
            yield box, taken
        finally:
            os.close(taken)
    finally:
        os.close(box)


def _private(name: str, box: int) -> int:
    """A directory in the inbox that nobody else may enter. Raises OSError."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=box)
    directory = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=box)
    found = os.fstat(directory)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        os.close(directory)
        raise OSError(0, f"{name} must belong to this process's user, with mode 0700")
    return directory
