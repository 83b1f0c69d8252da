"""Second factors under the newest key: secrets of apps and seeds of recovery codes; security keys have none."""

import json
from collections.abc import Sequence
from typing import Any, Final

from allauth.mfa.models import Authenticator
from django.db import connection

from chainpay.access.adapters import owner_label
from rails import sealing
from rails.resealing import Place, Row

# Where django-allauth keeps what its adapter has sealed.
_SEALED: Final = ("secret", "seed")
_WAITING = """
    SELECT id, data::text FROM mfa_authenticator
    WHERE id > %s AND type IN ('totp', 'recovery_codes')
      AND split_part(coalesce(data->>'secret', data->>'seed'), ':', 1) <> %s ORDER BY id LIMIT %s
"""
# A recovery code that is used meanwhile changes the row, which then is left for the next run.
_WRITE = """
    UPDATE mfa_authenticator AS kept SET data = new.data::jsonb
    FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS new (id, before, data)
    WHERE kept.id = new.id AND kept.data = new.before::jsonb
"""


class SecondFactors(Place[Row]):
    """What `SecondFactorAdapter` sealed, inside of the JSON that django-allauth stores."""

    name = "second factors"

    def waiting(self, *, after: int, most: int) -> Sequence[Row]:
        with connection.cursor() as cursor:
            cursor.execute(_WAITING, [after, sealing.key_id(), most])
            return [Row(*found) for found in cursor.fetchall()]

    def renewed(self, row: Row) -> Row:
        data: dict[str, Any] = json.loads(row.sealed)
        label = owner_label(Authenticator.objects.values_list("user_id", flat=True).get(pk=row.pk))
        for name in _SEALED:
            if name in data:
                data[name] = sealing.reseal(data[name], belongs_to=label)
        return Row(row.pk, json.dumps(data))

    def write(self, pairs: Sequence[tuple[Row, Row]]) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                _WRITE,
                [[old.pk for old, _ in pairs], [old.sealed for old, _ in pairs], [new.sealed for _, new in pairs]],
            )
            return int(cursor.rowcount)
