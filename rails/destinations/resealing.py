"""The numbers of destinations under the newest key, and the fingerprints they are found by."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from rails import sealing
from rails.destinations.reading import account_number, label
from rails.models import Destination
from rails.resealing import Place, Row

_WAITING = """
    SELECT id, sealed, fingerprint FROM rails_destination
    WHERE id > %s AND split_part(fingerprint, ':', 1) <> %s ORDER BY id LIMIT %s
"""
# Both at once: a number and its fingerprint are always under the same key.
_WRITE = """
    UPDATE rails_destination AS kept SET sealed = new.sealed, fingerprint = new.fingerprint
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS new (id, before, sealed, fingerprint)
    WHERE kept.id = new.id AND kept.fingerprint = new.before
"""


@dataclass(frozen=True, slots=True)
class Numbered(Row):
    """A destination's sealed number, nothing for Stripe, and its fingerprint."""

    fingerprint: str


class Destinations(Place[Numbered]):
    """All versions, those out of force too: they are searched by their numbers."""

    name = "destinations"

    def waiting(self, *, after: int, most: int) -> Sequence[Numbered]:
        with connection.cursor() as cursor:
            cursor.execute(_WAITING, [after, sealing.key_id(), most])
            return [Numbered(*found) for found in cursor.fetchall()]

    def renewed(self, row: Numbered) -> Numbered:
        if not row.sealed:
            number = account_number(Destination.objects.get(pk=row.pk))
            return Numbered(row.pk, "", sealing.fingerprint(number))
        number = sealing.unseal(row.sealed, belongs_to=label(row.pk))
        return Numbered(row.pk, sealing.seal(number, belongs_to=label(row.pk)), sealing.fingerprint(number))

    def write(self, pairs: Sequence[tuple[Numbered, Numbered]]) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                _WRITE,
                [
                    [old.pk for old, _ in pairs],
                    [old.fingerprint for old, _ in pairs],
                    [new.sealed for _, new in pairs],
                    [new.fingerprint for _, new in pairs],
                ],
            )
            return int(cursor.rowcount)
