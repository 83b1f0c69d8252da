"""Where evidence lies on a disk: private files outside of the web root, whole or not there at all."""

import os
import tempfile
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700


class PrivateFiles(FileSystemStorage):
    """Files of mode 0600 without an address of their own; the name is the content's hash, so writing twice is once."""

    def __init__(self, location: str | Path) -> None:
        super().__init__(
            location=location,
            file_permissions_mode=_FILE_MODE,
            directory_permissions_mode=_FOLDER_MODE,
            allow_overwrite=True,
        )

    def url(self, name: str | None) -> str:
        """Nothing here is served by itself; downloads go through a page that asks who is asking."""
        raise ValueError("evidence has no address of its own")

    def _save(self, name: str, content: "File[Any]") -> str:
        """Beside its place first, then there by renaming: after a crash no half of it has the name of the whole."""
        place = Path(self.path(name))
        for folder in (Path(self.location), place.parent):
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=place.parent, prefix=".unfinished-")
        try:
            with os.fdopen(handle, "wb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            os.rename(unfinished, place)
        except BaseException:
            os.unlink(unfinished)
            raise
        for folder in (place.parent, Path(self.location)):
            _sync(folder)
        return name


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
