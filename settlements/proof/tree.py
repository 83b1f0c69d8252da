"""The Merkle tree of RFC 6962, section 2.1, built from its leaves in order with one hash per level in memory.

A leaf is hashed with the byte 00 before it, a node with 01 before its two children; a tree whose size is no power of
two is split at the largest one below its size.
"""

import hashlib
from dataclasses import dataclass, field

OFFICE = 0  # what stands for the chain of the back office where chains are numbered as their intents are


def leaf_text(chain: int, length: int, head: bytes) -> bytes:
    """The canonical leaf: `intent 7 12 <hash in hex>`, or `office 3 <hash in hex>` for the chain of the back office.

    `length` is the number of events of the chain, `head` the hash of the last of them; zeros if there is none.
    """
    name = f"intent {chain}" if chain != OFFICE else "office"
    return f"{name} {length} {head.hex()}".encode()


def leaf_hash(text: bytes) -> bytes:
    """Of a leaf."""
    return hashlib.sha256(b"\x00" + text).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Of a node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class _Part:
    """A complete subtree over `count` leaves, a power of two, that begins at leaf `first`."""

    first: int
    count: int
    hash: bytes


@dataclass(slots=True)
class Growing:
    """A tree that takes one leaf after the other. `proving` is the leaf whose way to the root is written down."""

    proving: int | None = None
    size: int = 0
    path: list[bytes] = field(default_factory=list)
    _parts: list[_Part] = field(default_factory=list)

    def add(self, leaf: bytes) -> None:
        """Appends a leaf that is hashed already."""
        part = _Part(self.size, 1, leaf)
        while self._parts and self._parts[-1].count == part.count:
            part = self._joined(self._parts.pop(), part)
        self._parts.append(part)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves, and the end of `path`; nothing is added afterwards. Raises ValueError if empty."""
        if not self._parts:
            raise ValueError("a tree has a leaf")
        part = self._parts.pop()
        while self._parts:
            part = self._joined(self._parts.pop(), part)
        self._parts.append(part)
        return part.hash

    def _joined(self, left: _Part, right: _Part) -> _Part:
        if self.proving is not None:
            if left.first <= self.proving < right.first:
                self.path.append(right.hash)
            elif right.first <= self.proving < right.first + right.count:
                self.path.append(left.hash)
        return _Part(left.first, left.count + right.count, node_hash(left.hash, right.hash))
