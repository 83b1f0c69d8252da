"""What did a child say last? Its output goes to a file, and the end of that file to whoever must know."""

import os
import re
from pathlib import Path
from typing import BinaryIO

KEEP_BYTES = 10 * 1024 * 1024
_TAIL_BYTES = 16 * 1024
_SERIOUS = re.compile(r"FATAL|PANIC|ERROR|Error|error|refused|denied|can't|Can't|in use|No such|Unknown")


def appending(file: Path) -> BinaryIO:
    """Opens a log to write to; one older file is kept once it has grown beyond 10 MiB."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and file.stat().st_size > KEEP_BYTES:
        file.replace(file.with_suffix(".old"))
    return open(file, "ab", buffering=0)


def tail(*, file: Path, since: int = 0, lines: int = 12) -> str:
    """The last lines written behind byte `since`."""
    try:
        with open(file, "rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(since, size - _TAIL_BYTES))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def complaint(*, file: Path, since: int = 0) -> str:
    """The last line that sounds like a reason, else the last line."""
    lines = tail(file=file, since=since, lines=40).splitlines()
    serious = [line for line in lines if _SERIOUS.search(line)]
    return (serious or lines or ["it said nothing"])[-1].strip()


def size(file: Path) -> int:
    """How much is written so far, in bytes."""
    return file.stat().st_size if file.exists() else 0
