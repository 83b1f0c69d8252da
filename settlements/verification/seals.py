"""Are the rows that were sealed still those? Range by range, each against the digest in the office's chain.

The digest is computed with the columns that its seal names, so a column that came later changes none of before.
"""

import re
from typing import Any, Final

import orjson
from django.db import connection

from settlements.proof.seals import SEALED, digest_of
from settlements.verification.differences import Difference, Rule, keep, rows_of

_SEALS: Final = """
    SELECT o.sequence, o.data->'seals' FROM settlements_officeevent o WHERE o.action = 'rows_sealed' ORDER BY o.sequence
"""
_OUTSIDE: Final = {
    table: Rule(
        f"table {table}, id {{0}}: it lies outside of everything that is sealed",
        f"SELECT id FROM {table} WHERE id <= 0 ORDER BY id",
    )
    for table in SEALED
}
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


def check() -> int:
    """The number of rows sealed; raises Difference for the first range that is not what was sealed."""
    up_to: dict[str, int] = {}
    rows = 0
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TimeZone = 'UTC'")
        cursor.execute("SET LOCAL bytea_output = 'hex'")
    with rows_of(_SEALS) as events:
        for sequence, seals in events:
            for seal in orjson.loads(seals):
                rows += _checked(sequence, seal, up_to)
    keep([_OUTSIDE[table] for table in up_to])
    return rows


def _checked(sequence: int, seal: dict[str, Any], up_to: dict[str, int]) -> int:
    table, columns, after, last = seal["table"], seal["columns"], seal["after"], seal["last"]
    name = f"office event {sequence}"
    if table not in SEALED or not all(_NAME.fullmatch(column) for column in columns):
        raise Difference(f"{name}: it seals {table}, which is nothing that is sealed")
    before = up_to.get(table, 0)
    if after != before:
        raise Difference(f"{name}: it seals {table} after id {after}, but the one before it ends at {before}")
    up_to[table] = last
    with connection.cursor() as cursor:
        cursor.execute(digest_of(table, columns), [after, last])
        rows, sha256 = cursor.fetchone()
    if (rows, sha256) != (seal["rows"], seal["sha256"]):
        raise Difference(
            f"table {table}, ids {after + 1} to {last}: they are not the {seal['rows']} rows that {name} sealed"
            + ("" if rows == seal["rows"] else f", but {rows}")
        )
    return int(rows)
