"""Where finished exports lie: private files under CHAINPAY_EXPORTS_DIR, whole or not there at all."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings

_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
_NAME: Final = re.compile(r"([0-9]{1,18})\.(?:csv|unfinished)", re.ASCII)


class FileMissing(Exception):
    """The file of an export that is ready is not there, or not as long as it was."""


@contextmanager
def writing(export_id: int) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name when all of it is on the disk; on an error nothing of it stays."""
    folder = _folder()
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    unfinished = folder / f"{export_id}.unfinished"
    try:
        with open(unfinished, "wb", opener=_private) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.rename(unfinished, _place(export_id))
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync(folder)


def reading(export_id: int, *, size: int) -> BinaryIO:
    """The finished file, open. Raises FileMissing."""
    try:
        file = _place(export_id).open("rb")
    except OSError as error:
        raise FileMissing(f"export {export_id}: {error}") from error
    if os.fstat(file.fileno()).st_size != size:
        file.close()
        raise FileMissing(f"export {export_id} is not {size} bytes long")
    return file


def kept() -> set[int]:
    """The numbers of the exports of which anything lies here."""
    with suppress(FileNotFoundError):
        return {int(found[1]) for entry in os.listdir(_folder()) if (found := _NAME.fullmatch(entry))}
    return set()


def remove(export_id: int) -> None:
    """Nothing of the export is left; also if there was nothing."""
    for place in (_place(export_id), _folder() / f"{export_id}.unfinished"):
        place.unlink(missing_ok=True)


def _folder() -> Path:
    return Path(settings.CHAINPAY_EXPORTS_DIR)


def _place(export_id: int) -> Path:
    return _folder() / f"{export_id}.csv"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, _FILE_MODE)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
