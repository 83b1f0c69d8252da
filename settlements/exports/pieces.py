"""Lines put together into pieces worth sending, counted and hashed on the way."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from settlements.exports.records import Sent

PIECE_BYTES: Final = 64 * 1024


class Pieces:
    """Iterates over pieces of about 64 KiB; knows at every moment what it has handed out."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self._digest = hashlib.sha256()
        self.lines = 0
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        held: list[bytes] = []
        size = count = 0
        for line in self._lines:
            held.append(line)
            size += len(line)
            count += 1
            if size >= PIECE_BYTES:
                yield self._counted(held, count)
                held, size, count = [], 0, 0
        if held:
            yield self._counted(held, count)

    @property
    def rows(self) -> int:
        """Lines but for the first, which names the columns."""
        return max(self.lines - 1, 0)

    @property
    def sent(self) -> Sent:
        """What was handed out by now."""
        return Sent(rows=self.rows, bytes=self.bytes, sha256=self._digest.hexdigest())

    def _counted(self, held: list[bytes], count: int) -> bytes:
        piece = b"".join(held)
        self._digest.update(piece)
        self.lines += count
        self.bytes += len(piece)
        return piece
