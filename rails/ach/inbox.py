"""Where the bank's files come from: a directory, or a person's upload. Each is read once and put away."""

import errno
import hashlib
import logging
import os
import stat
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from django.contrib.auth.models import User

from rails.ach import intake
from rails.ach.configuration import AchConfiguration
from rails.ach.corrections import ACTOR
from rails.ach.intake import LARGEST, Arrived
from rails.ach.items import NotHandedOverYet
from rails.models import AchInboundFile

logger = logging.getLogger(__name__)

DONE: Final = ".done"
QUARANTINE: Final = ".quarantine"
_MOST_FILES: Final = 100  # in one look
_SETTLED_AFTER_SECONDS: Final = 5.0  # a file that was written to more recently may not be whole
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read(configuration: AchConfiguration, *, now: datetime, settled_after: float = _SETTLED_AFTER_SECONDS) -> bool:
    """Reads what lies in the inbox and moves it out of it; whether nothing is left there that could be read."""
    try:
        names = sorted(name for name in os.listdir(configuration.inbox) if not name.startswith("."))
    except OSError as error:
        logger.error("The ACH inbox can not be read: %s", error.strerror)
        return False
    read = [_read_one(configuration, name, settled_after, now=now) for name in names[:_MOST_FILES]]
    return all(read) and len(names) <= _MOST_FILES


def upload(
    configuration: AchConfiguration, *, name: str, content: bytes, user: User, actor: str, reason: str, now: datetime
) -> tuple[AchInboundFile, bool]:
    """Takes a file in that a person has uploaded, and keeps it beside the others. Raises NotHandedOverYet."""
    digest = hashlib.sha256(content).hexdigest()
    arrived = Arrived(
        name=name, content=content, sha256=digest, size=len(content), actor=actor, user=user, reason=reason
    )
    row, new = intake.take_in(arrived, now=now, today=configuration.timetable.local(now).date())
    if new:
        place = _place(configuration.inbox, QUARANTINE if row.faults else DONE)
        with os.fdopen(os.open(place / digest, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
    return row, new


def _read_one(configuration: AchConfiguration, name: str, settled_after: float, *, now: datetime) -> bool:
    """Whether the file is done with; one that is gone, a link or a directory is nothing to wait for."""
    try:
        descriptor = os.open(configuration.inbox / name, _OPEN)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP}:
            return True
        logger.error("A file in the ACH inbox can not be opened: %s", error.strerror)
        return False
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        return True
    with os.fdopen(descriptor, "rb") as file:
        if time.time() - found.st_mtime < settled_after:
            return False
        content = file.read(LARGEST + 1)
        digest = hashlib.sha256(content)
        while part := file.read(LARGEST):
            digest.update(part)
    sha256 = digest.hexdigest()
    arrived = Arrived(name=name, content=content, sha256=sha256, size=found.st_size, actor=ACTOR)
    try:
        row, _ = intake.take_in(arrived, now=now, today=configuration.timetable.local(now).date())
    except NotHandedOverYet as error:
        logger.warning("ACH file %s waits: %s", sha256[:16], error)
        return False
    _put_away(configuration.inbox, name, sha256, QUARANTINE if row.faults else DONE)
    return True


def _put_away(inbox: Path, name: str, sha256: str, where: str) -> None:
    """Moves the file where it is read no more, under the name of its bytes; nobody else may read it there."""
    kept = _place(inbox, where) / sha256
    with suppress(FileNotFoundError):  # another process was quicker
        os.rename(inbox / name, kept)
        os.chmod(kept, 0o600)


def _place(inbox: Path, where: str) -> Path:
    place = inbox / where
    place.mkdir(mode=0o700, exist_ok=True)
    return place
