"""Are the checkpoints that were published those that are stored? A rewritten database contradicts its copies."""

from pathlib import Path

from settlements.models import Checkpoint
from settlements.proof import publishing
from settlements.verification.differences import Difference

_AT_A_TIME = 500


def check() -> int:
    """The number of copies; raises Difference for the first that is not stored, or differently.

    The files are listed before anything is read, and no snapshot is older, so what is made meanwhile is no difference.
    """
    found = sorted(publishing.copies())
    for first in range(0, len(found), _AT_A_TIME):
        some = found[first : first + _AT_A_TIME]
        stored = Checkpoint.objects.in_bulk([number for number, _ in some])
        for number, file in some:
            _check_one(number, file, stored.get(number))
    return len(found)


def _check_one(number: int, file: Path, checkpoint: Checkpoint | None) -> None:
    if checkpoint is None:
        raise Difference(f"checkpoint {number}: it was published as {file}, but is not stored")
    if file.read_bytes() != publishing.content(checkpoint):
        raise Difference(f"checkpoint {number}: it was published as {file} with other content than is stored")
