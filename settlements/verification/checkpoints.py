"""Did any chain lose its end? Every checkpoint is signed, follows the one before it, and its heads still stand.

The signed body, the leaf and the tree are written here a second time, from their description in docs/proof.md: the
tree level by level, 64 bytes of memory for each chain.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson

from settlements.proof import keys
from settlements.verification.differences import Difference, Rule, keep, rows_of

Row = tuple[Any, ...]

_CHECKPOINTS = """
    SELECT number, created_at, size, root, prev_hash, hash, public_key, signature
    FROM settlements_checkpoint ORDER BY number
"""
# Each with the hash that the event has today at which the chain ended then.
_HEADS = """
    SELECT h.checkpoint_id, h.position, h.chain, h.length, h.hash, coalesce(a.hash, o.hash)
    FROM settlements_checkpointhead h
    LEFT JOIN settlements_auditevent a ON h.chain > 0 AND a.intent_id = h.chain AND a.sequence = h.length
    LEFT JOIN settlements_officeevent o ON h.chain = 0 AND o.sequence = h.length
    ORDER BY h.checkpoint_id, h.position
"""
_LAWFUL = [
    Rule(
        "chain {0} (0 is the office): it has more than one position among the leaves",
        """
        SELECT chain FROM settlements_checkpointhead GROUP BY chain HAVING min(position) <> max(position) ORDER BY chain
        """,
    ),
    Rule(
        "chain {0} (0 is the office): checkpoint {1} saw {2} events of it, and one before it {3}",
        """
        SELECT * FROM (
            SELECT chain, checkpoint_id, length, lag(length) OVER (PARTITION BY chain ORDER BY checkpoint_id) AS before
            FROM settlements_checkpointhead
        ) head WHERE head.length <= head.before ORDER BY 2, 1
        """,
    ),
]
_BYTES = 32


class _Levels:
    """The tree over leaves that change and are appended; a node without a neighbour goes up as it is."""

    def __init__(self) -> None:
        self._levels = [bytearray()]
        self._changed: set[int] = set()

    @property
    def size(self) -> int:
        return len(self._levels[0]) // _BYTES

    def put(self, position: int, leaf: bytes) -> None:
        """`position` is at most the size."""
        _set(self._levels[0], position, hashlib.sha256(b"\x00" + leaf).digest())
        self._changed.add(position)

    def root(self) -> bytes:
        """The root over all leaves; the hash of nothing if there is none."""
        level, changed = 0, self._changed
        while len(self._levels[level]) > _BYTES:
            if level + 1 == len(self._levels):
                self._levels.append(bytearray())
            below, above = self._levels[level], self._levels[level + 1]
            changed = {position // 2 for position in changed}
            for position in sorted(changed):
                pair = bytes(below[2 * position * _BYTES : 2 * (position + 1) * _BYTES])
                _set(above, position, hashlib.sha256(b"\x01" + pair).digest() if len(pair) > _BYTES else pair)
            level += 1
        self._changed = set()
        return bytes(self._levels[level]) or hashlib.sha256().digest()


def _set(level: bytearray, position: int, hash_: bytes) -> None:
    level[position * _BYTES : (position + 1) * _BYTES] = hash_


def check() -> int:
    """The number of checkpoints; raises Difference for one that is missing, forged, or saw more than there is."""
    number, before, tree, chains = 0, bytes(_BYTES), _Levels(), bytearray()
    known = keys.believed()
    with rows_of(_CHECKPOINTS) as checkpoints, rows_of(_HEADS) as all_heads:
        groups = groupby(all_heads, key=itemgetter(0))
        group = next(groups, None)
        for row in checkpoints:
            number += 1
            if row[0] != number:
                raise Difference(f"checkpoint {number}: missing, {row[0]} follows")
            _signed(row, before, known)
            heads: Iterator[Row] = iter(())
            if group is not None and group[0] == number:
                heads = group[1]
            elif group is not None and group[0] < number:
                raise Difference(f"checkpoint {group[0]}: heads are stored of it, but it is not")
            fallen = ""
            for head in _put(tree, chains, heads, number):
                fallen = fallen or _fallen(head)
            if (tree.size, tree.root()) != (row[2], bytes(row[3])):
                raise Difference(f"checkpoint {number}: its root is not that of the heads stored up to it")
            if fallen:
                raise Difference(fallen)
            if group is not None and group[0] == number:
                group = next(groups, None)
            before = bytes(row[5])
        if group is not None:
            raise Difference(f"checkpoint {group[0]}: heads are stored of it, but it is not")
    keep(_LAWFUL)
    return number


def _signed(row: Row, before: bytes, known: dict[str, bytes]) -> None:
    number, _, _, _, prev_hash, hash_, public_key, signature = row
    name, words, key = f"checkpoint {number}", _body(row), bytes(public_key)
    if bytes(prev_hash) != before:
        raise Difference(f"{name}: it does not carry the hash of the one before it")
    if hashlib.sha256(words).digest() != bytes(hash_):
        raise Difference(f"{name}: hash does not match its content")
    fingerprint = hashlib.sha256(key).hexdigest()
    if fingerprint not in known:
        raise Difference(f"{name}: its key {fingerprint} is none of the settings")
    if not keys.is_signed(words, bytes(signature), key):
        raise Difference(f"{name}: its signature does not match its content")


def _put(tree: _Levels, chains: bytearray, heads: Iterator[Row], number: int) -> Iterator[Row]:
    """The heads, each when the tree has it; `chains` remembers which chain a position is of, 8 bytes each."""
    for head in heads:
        _, position, chain, length, hash_, _ = head
        owner = chain.to_bytes(8)
        if position > tree.size or chains[position * 8 : position * 8 + 8] not in (b"", owner):
            raise Difference(f"checkpoint {number}: {_name(chain)} is not at its position {position}")
        chains[position * 8 : position * 8 + 8] = owner
        subject = f"intent {chain}" if chain else "office"
        tree.put(position, f"{subject} {length} {bytes(hash_).hex()}".encode())
        yield head


def _fallen(head: Row) -> str:
    """What became of the event at which a chain ended then; nothing while it stands."""
    number, _, chain, length, signed, today = head
    if today is None and not length:
        return ""
    event = f"intent {chain}, audit event {length}" if chain else f"office event {length}"
    if today is None:
        return f"{event}: missing, although checkpoint {number} saw it"
    return "" if bytes(today) == bytes(signed) else f"{event}: it is not the one that checkpoint {number} saw"


def _name(chain: int) -> str:
    return f"intent {chain}" if chain else "the office's chain"


def _body(row: Row) -> bytes:
    number, created_at, size, root, prev_hash, _, public_key, _ = row
    moment: datetime = created_at.astimezone(UTC)
    return orjson.dumps(
        {
            "created_at": f"{moment:%Y-%m-%dT%H:%M:%S.%f}+00:00",
            "key": hashlib.sha256(bytes(public_key)).hexdigest(),
            "kind": "chainpay checkpoint 1",
            "number": number,
            "prev_hash": bytes(prev_hash).hex(),
            "root": bytes(root).hex(),
            "size": size,
        },
        option=orjson.OPT_SORT_KEYS,
    )
