"""The only writer of checkpoints: all chain heads of one moment in one Merkle tree, its root signed.

Each checkpoint stores the heads that are new since the one before; the leaf of a chain keeps its position for good, so
the leaves of any checkpoint are, position by position, the last heads stored up to it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from django.db import connection, transaction

from settlements.audit import NOTHING_BEFORE
from settlements.models import Checkpoint
from settlements.proof import keys
from settlements.proof.tree import OFFICE, Growing, leaf_hash, leaf_text

KIND: Final = "chainpay checkpoint 1"
_AT_A_TIME: Final = 5_000
# One at a time: held until the transaction ends, so that the next one sees this one's rows.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('settlements_checkpoint'))"

# One statement, so one moment: chains that have grown since their last leaf, and chains that have none yet.
_GROWN: Final = f"""
    INSERT INTO settlements_checkpointhead (checkpoint_id, position, chain, length, hash)
    SELECT %(number)s::bigint,
        coalesce(seen.position, %(size)s::bigint - 1
                 + row_number() OVER (PARTITION BY seen.position IS NULL ORDER BY head.chain)),
        head.chain, head.length, head.hash
    FROM (
        SELECT {OFFICE}::bigint AS chain, coalesce(o.sequence, 0) AS length, coalesce(o.hash, %(nothing)s) AS hash
        FROM (SELECT 1) one
        LEFT JOIN (SELECT sequence, hash FROM settlements_officeevent ORDER BY sequence DESC LIMIT 1) o ON true
        UNION ALL
        SELECT i.id, a.sequence, a.hash FROM settlements_paymentintent i CROSS JOIN LATERAL (
            SELECT own.sequence, own.hash FROM settlements_auditevent own
            WHERE own.intent_id = i.id ORDER BY own.sequence DESC LIMIT 1
        ) a
    ) head
    LEFT JOIN LATERAL (
        SELECT h.position, h.length, h.hash FROM settlements_checkpointhead h
        WHERE h.chain = head.chain ORDER BY h.checkpoint_id DESC LIMIT 1
    ) seen ON true
    WHERE (seen.length, seen.hash) IS DISTINCT FROM (head.length, head.hash)
"""
_LEAVES: Final = """
    SELECT DISTINCT ON (position) position, chain, length, hash FROM settlements_checkpointhead
    WHERE checkpoint_id <= {number:d} ORDER BY position, checkpoint_id DESC
"""


def make(*, now: datetime) -> Checkpoint | None:
    """Signs where every chain stands; None if none has grown since the last time, which was by this key.

    Raises keys.NoKey, and IntegrityError, which names the chain, where one is shorter or another than was signed.
    """
    public_key = keys.public_key()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LOCK)
        last = newest()
        number, size, before = (last.pk, last.size, bytes(last.hash)) if last else (0, 0, NOTHING_BEFORE)
        with connection.cursor() as cursor:
            cursor.execute(_GROWN, {"number": number + 1, "size": size, "nothing": NOTHING_BEFORE})
            if not cursor.rowcount and (last is None or bytes(last.public_key) == public_key):
                return None
        tree = Growing()
        with leaves(number + 1) as rows:
            for _, chain, length, head in rows:
                tree.add(leaf_hash(leaf_text(chain, length, head)))
        checkpoint = Checkpoint(
            number=number + 1,
            created_at=now,
            size=tree.size,
            root=tree.root(),
            prev_hash=before,
            public_key=public_key,
        )
        words = body(checkpoint)
        checkpoint.hash, checkpoint.signature = hashlib.sha256(words).digest(), keys.sign(words)
        checkpoint.save(force_insert=True)
    return checkpoint


def newest() -> Checkpoint | None:
    """The last one that was made."""
    return Checkpoint.objects.order_by("-number").first()


@contextmanager
def leaves(number: int) -> Iterator[Iterator[tuple[int, int, int, bytes]]]:
    """Position, chain, length and hash of every leaf of a checkpoint, in order; inside a transaction."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(_LEAVES.format(number=number))
        batches = iter(lambda: cursor.fetchmany(_AT_A_TIME), [])
        yield ((at, chain, length, bytes(head)) for rows in batches for at, chain, length, head in rows)


def body(checkpoint: Checkpoint) -> bytes:
    """What is signed, and whose SHA-256 is the checkpoint's hash: UTF-8 JSON without spaces, keys sorted."""
    told: dict[str, Any] = {
        "created_at": checkpoint.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "key": keys.fingerprint(bytes(checkpoint.public_key)),
        "kind": KIND,
        "number": checkpoint.number,
        "prev_hash": bytes(checkpoint.prev_hash).hex(),
        "root": bytes(checkpoint.root).hex(),
        "size": checkpoint.size,
    }
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
