"""The files themselves: one compressed file for each archive, written whole or not at all, and read line by line.

The first line says what it is and of which month; each other line is an audit event, ordered by intent and sequence.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from django.conf import settings

from settlements.archives.lines import Line, NotALine, read

KIND: Final = "chainpay audit archive 1"
SUFFIX: Final = ".jsonl.gz"
# A line may hold a note of many pages; what is longer was never written by us.
_LONGEST_LINE: Final = 64 * 1024 * 1024

_lying_in: ContextVar[Path | None] = ContextVar("lying_in", default=None)


class Damaged(Exception):
    """A file is missing, or is not what its record says; the words name it and the first line that is wrong."""


class InTheWay(Exception):
    """A file of this name is there, holds something else, and no record names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file that is safe on its disk: SHA-256 in hexadecimal and size of the compressed bytes."""

    path: Path
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The events of one intent in a file: from `first` to `last`, whose hash is `hash`."""

    intent_id: int
    first: int
    last: int
    hash: bytes


def directory() -> Path:
    """Where archives lie: as `lying_in` says, else CHAINPAY_ARCHIVES_DIR."""
    return _lying_in.get() or Path(settings.CHAINPAY_ARCHIVES_DIR)


@contextmanager
def lying_in(place: Path | None) -> Iterator[None]:
    """Within the block archives are looked for there; None leaves it at the setting."""
    token = _lying_in.set(place)
    try:
        yield
    finally:
        _lying_in.reset(token)


def name_of(month: date, number: int) -> str:
    """`audit-2024-03-1.jsonl.gz`."""
    return f"audit-{month:%Y-%m}-{number}{SUFFIX}"


def write(path: Path, month: date, number: int, events: Iterable[bytes]) -> Written:
    """Writes lines of events under another name beside it, to the disk. `put` gives it its own name."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _handed_over(path.parent)
    partly = _partly(path)
    # What broke off may have its own name already, and is not to be written into.
    partly.unlink(missing_ok=True)
    with open(partly, "xb", opener=_private) as raw:
        _handed_over(partly)
        # Without name and time, so that the same events are the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as compressed:
            compressed.write(_first_line(month, number))
            for line in events:
                compressed.write(line)
        raw.flush()
        os.fsync(raw.fileno())
    with open(partly, "rb") as again:
        digest = hashlib.file_digest(again, "sha256").hexdigest()
        return Written(path=path, sha256=digest, size=os.fstat(again.fileno()).st_size)


def put(written: Written) -> None:
    """Gives a written file its name, for good. Raises InTheWay where another is there; the same is no matter."""
    partly = _partly(written.path)
    try:
        os.link(partly, written.path)
    except FileExistsError as there:
        with open(written.path, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != written.sha256:
                raise InTheWay(
                    f"{written.path} is there, holds something else, and no archive on record is it. "
                    "Move it away, keep it, and try again."
                ) from there
    os.unlink(partly)
    handle = os.open(written.path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def opened(path: Path, month: date, number: int, *, sha256: str, size: int) -> Iterator[Iterator[Line]]:
    """The events of a file, one at a time, once all of its bytes are what was recorded. Raises Damaged."""
    try:
        raw = open(path, "rb")  # noqa: SIM115
    except OSError as missing:
        raise Damaged(f"{path} can not be read: {missing.strerror}") from missing
    with raw:
        if os.fstat(raw.fileno()).st_size != size:
            raise Damaged(f"{path} has {os.fstat(raw.fileno()).st_size} bytes, but was written with {size}")
        if hashlib.file_digest(raw, "sha256").hexdigest() != sha256:
            raise Damaged(f"{path} is not as it was written: its SHA-256 is another")
        raw.seek(0)
        with gzip.GzipFile(fileobj=raw, mode="rb") as compressed:
            yield _lines(compressed, path, _first_line(month, number))


def parts(lines: Iterable[Line], path: Path) -> Iterator[Part]:
    """What a file holds of each intent, by intent. Raises Damaged for events that do not follow each other."""
    part: Part | None = None
    for line in lines:
        if part is not None and line.intent_id == part.intent_id:
            if line.sequence != part.last + 1 or line.prev_hash != part.hash:
                raise Damaged(f"{path}: audit event {part.last + 1} of payment intent {part.intent_id} is missing")
            part = replace(part, last=line.sequence, hash=line.hash)
            continue
        if part is not None:
            if line.intent_id < part.intent_id:
                raise Damaged(f"{path}: payment intent {line.intent_id} is out of its order")
            yield part
        part = Part(intent_id=line.intent_id, first=line.sequence, last=line.sequence, hash=line.hash)
    if part is not None:
        yield part


def _lines(compressed: gzip.GzipFile, path: Path, first: bytes) -> Iterator[Line]:
    number = 1
    try:
        if compressed.readline(len(first) + 1) != first:
            raise Damaged(f"{path} does not begin as an archive of its month and number")
        while text := compressed.readline(_LONGEST_LINE):
            number += 1
            yield read(text)
    except NotALine as wrong:
        raise Damaged(f"{path}, line {number}: {wrong}") from wrong
    except (OSError, EOFError, zlib.error) as wrong:
        raise Damaged(f"{path}, after line {number}: {wrong}") from wrong


def _first_line(month: date, number: int) -> bytes:
    return f'{{"kind":"{KIND}","month":"{month:%Y-%m}","number":{number}}}\n'.encode()


def _partly(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _handed_over(path: Path) -> None:
    """What root makes belongs to whom its directory belongs: the worker reads it every night, and is not root."""
    if os.geteuid() == 0:
        keeper = path.parent.stat()
        os.chown(path, keeper.st_uid, keeper.st_gid)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
