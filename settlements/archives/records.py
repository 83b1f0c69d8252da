"""What is on record of archives, and whether a file is what its record says."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from django.db import connection

from settlements.archives import files
from settlements.archives.files import Damaged
from settlements.archives.lines import Line
from settlements.models import AuditArchive

# The advisory lock of whoever archives; the number means nothing and is nobody else's.
ALONE: Final = 5_033_164_811
# The check that looks for files on no record, the last of all.
STRANGERS: Final = "files of audit archives are those on record"
_AT_A_TIME: Final = 2_000
_PARTS: Final = """
    SELECT intent_id, first_sequence, last_sequence, hash FROM settlements_archivedchain
    WHERE archive_id = %s ORDER BY intent_id
"""


def stranger(path: Path) -> str:
    """The difference of a file that no record names; it ends `STRANGERS`."""
    return f"{path}: no audit archive on record is this file"


def path_of(archive: AuditArchive) -> Path:
    """Where the file of an archive lies."""
    return files.directory() / archive.file_name


def opened(archive: AuditArchive) -> AbstractContextManager[Iterator[Line]]:
    """The events of the file, one at a time, once all of its bytes are what is recorded. Raises Damaged."""
    return files.opened(path_of(archive), archive.month, archive.number, sha256=archive.sha256, size=archive.size)


def compare(archive: AuditArchive, lines: Iterable[Line]) -> int:
    """Reads the lines to their end: how many events there are. Raises Damaged where the record says otherwise.

    Inside a transaction.
    """
    path, events = path_of(archive), 0
    with connection.chunked_cursor() as cursor:
        cursor.execute(_PARTS, [archive.pk])
        recorded = (row for rows in iter(lambda: cursor.fetchmany(_AT_A_TIME), []) for row in rows)
        for part, row in zip_longest(files.parts(lines, path), recorded):
            if part is None:
                raise Damaged(f"{path}: payment intent {row[0]} is missing, although it was archived there")
            found = (part.intent_id, part.first, part.last, part.hash)
            if row is None or found != _plain(row):
                raise Damaged(f"{path}: payment intent {part.intent_id} is not on record as it stands there")
            events += part.last - part.first + 1
    if events != archive.events:
        raise Damaged(f"{path} has {events} audit events, but {archive.events} were archived")
    return events


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*row[:3], bytes(row[3]))
