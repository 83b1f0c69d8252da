"""What is sent of an export, piece by piece, counted and hashed on the way."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from settlements.exports.records import Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Whole lines, ready to be sent; `last_key` is the key of the last one, 0 for the names of the columns."""

    lines: int
    content: bytes
    last_key: int


class Pieces:
    """Iterates over the bytes of pieces; knows at every moment what it has handed out."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = pieces
        self._digest = hashlib.sha256()
        self.lines = 0
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._digest.update(piece.content)
            self.lines += piece.lines
            self.bytes += len(piece.content)
            yield piece.content

    @property
    def rows(self) -> int:
        """Lines but for the first, which names the columns."""
        return max(self.lines - 1, 0)

    @property
    def sent(self) -> Sent:
        """What was handed out by now."""
        return Sent(rows=self.rows, bytes=self.bytes, sha256=self._digest.hexdigest())
