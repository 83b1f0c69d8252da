"""Checkpoints outside of the database: a line of the log and a file each, so that who rewrites the tables is found."""

import base64
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
from django.conf import settings

from settlements.models import Checkpoint
from settlements.proof.checkpoints import body

logger = logging.getLogger(__name__)

_NAME: Final = re.compile(r"checkpoint-([0-9]{9,})\.json", re.ASCII)


class CopyDiffers(RuntimeError):
    """A file tells of a checkpoint of this number, and of another one than is stored."""


def publish() -> int:
    """Writes out every checkpoint that has no file yet, the oldest first; how many. May run again at any time.

    Raises CopyDiffers where the newest file is of another checkpoint than is stored, or of none, and OSError.
    """
    place = directory()
    place.mkdir(parents=True, exist_ok=True, mode=0o755)
    last, newest = max(copies(), default=(0, place))
    if last and not Checkpoint.objects.filter(number=last).exists():
        raise CopyDiffers(f"{newest} was published, but checkpoint {last} is not stored")
    written = 0
    for checkpoint in Checkpoint.objects.filter(number__gte=last).order_by("number").iterator(chunk_size=500):
        written += _write(checkpoint)
    return written


def copies() -> Iterator[tuple[int, Path]]:
    """Number and file of each copy, in no order."""
    try:
        names = os.listdir(directory())
    except FileNotFoundError:
        return
    for name in names:
        found = _NAME.fullmatch(name)
        if found:
            yield int(found[1]), directory() / name


def file_of(number: int) -> Path:
    """Where the copy of the checkpoint of this number lies, or will."""
    return directory() / f"checkpoint-{number:09}.json"


def content(checkpoint: Checkpoint) -> bytes:
    """The file: the signed body as it was signed, the signature and the public key, both in base64."""
    return orjson.dumps(
        {
            "checkpoint": body(checkpoint).decode(),
            "public_key": base64.b64encode(bytes(checkpoint.public_key)).decode(),
            "signature": base64.b64encode(bytes(checkpoint.signature)).decode(),
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )


def directory() -> Path:
    """Where the files lie (CHAINPAY_CHECKPOINTS_DIR)."""
    return Path(settings.CHAINPAY_CHECKPOINTS_DIR)


def _write(checkpoint: Checkpoint) -> bool:
    """Whether there was none yet. A file appears whole or not at all, and is never written over."""
    file, words = file_of(checkpoint.number), content(checkpoint)
    if file.exists():
        if file.read_bytes() != words:
            raise CopyDiffers(f"{file} is not checkpoint {checkpoint.number} as it is stored")
        return False
    handle, partly = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with open(handle, "wb") as new:
            os.fchmod(handle, 0o644)  # what is published is for everybody
            new.write(words)
            new.flush()
            os.fsync(handle)
        os.link(partly, file)
    except FileExistsError:
        return False
    finally:
        os.unlink(partly)
    logger.info(
        "Checkpoint %s: root %s over %s chains, signed by %s: %s",
        checkpoint.number, bytes(checkpoint.root).hex(), checkpoint.size,
        bytes(checkpoint.public_key).hex(), bytes(checkpoint.signature).hex(),
    )  # fmt: skip
    return True
