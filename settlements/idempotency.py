"""`Idempotency-Key`: the same key and request get the first answer again, another request under it is refused."""

from collections.abc import Callable
from datetime import datetime

from django.db import connection, transaction

from settlements.refusals import Kind, Refusal

_CLAIM = """
    INSERT INTO settlements_idempotencykey (actor, key, body_hash, answer, created_at) VALUES (%s, %s, %s, '', %s)
    ON CONFLICT DO NOTHING RETURNING id
"""
_EARLIER = "SELECT body_hash, answer FROM settlements_idempotencykey WHERE actor = %s AND key = %s"
_KEEP = "UPDATE settlements_idempotencykey SET intent_id = %s, answer = %s WHERE id = %s"


class KeyReused(Refusal):
    """The Idempotency-Key was used before for another request; take a new one."""

    code = "idempotency_key_reused"
    kind = Kind.CONFLICT


def once(*, actor: str, key: str, body_hash: bytes, produce: Callable[[], tuple[int, bytes]], now: datetime) -> bytes:
    """The answer of `produce` (intent id, answer), run at most once per actor and key; refusals are not kept.

    A second request with the same key waits for the first. Raises KeyReused.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, [actor, key, body_hash, now])
            claimed = cursor.fetchone()
            if claimed is None:
                cursor.execute(_EARLIER, [actor, key])
                first_hash, first_answer = cursor.fetchone()
                if bytes(first_hash) != body_hash:
                    raise KeyReused("This Idempotency-Key was used before for another request.")
                return str(first_answer).encode()
        intent_id, answer = produce()
        with connection.cursor() as cursor:
            cursor.execute(_KEEP, [intent_id, answer.decode(), claimed[0]])
        return answer
