"""Are the checkpoints that were published those that are stored? A rewritten database contradicts its copies."""

from datetime import timedelta
from pathlib import Path
from typing import Final

from django.utils import timezone

from settlements.models import Checkpoint
from settlements.proof import publishing
from settlements.verification.differences import Difference

_AT_A_TIME = 500
# A checkpoint is published right after it is made, or by the next run; a younger one may be under way.
_PUBLISHED_WITHIN: Final = timedelta(hours=1)


def check() -> int:
    """The number of copies; raises Difference for the first that is not stored, or differently, or is not there.

    The files are listed before anything is read, and no snapshot is older, so what is made meanwhile is no difference.
    """
    found = sorted(publishing.copies())
    for first in range(0, len(found), _AT_A_TIME):
        some = found[first : first + _AT_A_TIME]
        stored = Checkpoint.objects.in_bulk([number for number, _ in some])
        for number, file in some:
            _check_one(number, file, stored.get(number))
    _check_all_are_there({number for number, _ in found})
    return len(found)


def _check_all_are_there(found: set[int]) -> None:
    """None may be taken away: without its copies a database that was rewritten passes."""
    old = Checkpoint.objects.filter(created_at__lt=timezone.now() - _PUBLISHED_WITHIN).order_by("number")
    for number in old.values_list("number", flat=True).iterator(chunk_size=2_000):
        # One that was published after the files were listed is there by now.
        if number not in found and not publishing.file_of(number).exists():
            raise Difference(f"checkpoint {number}: it has no copy; {publishing.file_of(number)} is missing")


def _check_one(number: int, file: Path, checkpoint: Checkpoint | None) -> None:
    if checkpoint is None:
        raise Difference(f"checkpoint {number}: it was published as {file}, but is not stored")
    if file.read_bytes() != publishing.content(checkpoint):
        raise Difference(f"checkpoint {number}: it was published as {file} with other content than is stored")
