"""Does the database still refuse what it must? Every guard is there, awake and as the migrations made it, nobody is let
past, and every reference leads to a row."""

from typing import Final

from django.db import connection

from settlements.archives import beside
from settlements.verification import catalog
from settlements.verification.catalog import Schema
from settlements.verification.differences import Difference, Rule, keep

# Those of foreign keys too: whoever disables all triggers of a table puts them to sleep as well.
_ASLEEP = """
    SELECT c.relname, CASE WHEN t.tgisinternal THEN 'a foreign key' ELSE t.tgname END
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN (current_schema(), 'archived') AND t.tgenabled NOT IN ('O', 'A') ORDER BY 1, 2 LIMIT 1
"""
# As a replica a session runs without guards and without references.
_LET_PAST: Final = [
    Rule(
        "role {0}: its sessions begin with session_replication_role = replica, where no guard is awake",
        """
        SELECT coalesce(r.rolname, 'of everybody') FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
        CROSS JOIN unnest(s.setconfig) AS each (setting)
        WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
          AND lower(each.setting) = 'session_replication_role=replica' ORDER BY 1
        """,
    ),
    Rule(
        "the server: sessions begin with session_replication_role = {0}, where no guard is awake",
        """
        SELECT reset_val FROM pg_settings WHERE name = 'session_replication_role' AND reset_val = 'replica' ORDER BY 1
        """,
    ),
    Rule(
        "parameter {0}: a role that is no superuser may set it, and so put every guard to sleep",
        "SELECT parname FROM pg_parameter_acl WHERE parname = 'session_replication_role' ORDER BY 1",
    ),
]
# What nobody but the migrations may have made; a function or an index more changes no row.
_NONE_MORE: Final = ("guard", "rule", "policy", "constraint")
# While archives are verified this schema comes first, and what stands in it is taken for the table of its name.
_COMES_FIRST: Final = "archived."
_ONE_VERSION: Final = (
    "The definitions of guards and constraints are known for PostgreSQL {known}; this is {found}, which may write them "
    "differently. Their names and the bodies of functions were compared, the definitions were not."
)
_REFERENCES = """
    SELECT c.conrelid::regclass::text, c.confrelid::regclass::text,
           array_agg(quote_ident(own.attname) ORDER BY k.n), array_agg(quote_ident(other.attname) ORDER BY k.n),
           EXISTS (SELECT 1 FROM pg_attribute i WHERE i.attrelid = c.conrelid AND i.attname = 'id')
    FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (own, other, n)
    JOIN pg_attribute own ON own.attrelid = c.conrelid AND own.attnum = k.own
    JOIN pg_attribute other ON other.attrelid = c.confrelid AND other.attnum = k.other
    JOIN pg_namespace n ON n.oid = c.connamespace
    WHERE c.contype = 'f' AND n.nspname = current_schema() GROUP BY c.oid, c.conrelid, c.confrelid ORDER BY 1, c.conname
"""


def check() -> int:
    """The number of objects and references; raises Difference for one that is gone, asleep, forged or leads nowhere."""
    with beside.hidden():
        with connection.cursor() as cursor:
            cursor.execute(_ASLEEP)
            asleep = cursor.fetchone()
        if asleep:
            raise Difference(f"table {asleep[0]}: {asleep[1]} is asleep and guards nothing")
        keep(_LET_PAST)
        known = catalog.by_migrations()
        _compare(known, catalog.live())
        return len(known.objects) + _check_references()


def notes() -> list[str]:
    """What could not be compared, in a sentence each; empty with the version of PostgreSQL that the file is of."""
    known, found = catalog.by_migrations().version, catalog.live().version
    return [] if known == found else [_ONE_VERSION.format(known=known, found=found)]


def _compare(known: Schema, found: Schema) -> None:
    for (kind, name), digest in known.objects.items():
        there = found.objects.get((kind, name))
        if there is None:
            raise Difference(f"{_whose(kind, name)} is gone")
        if there != digest and (kind == catalog.FUNCTION or known.version == found.version):
            raise Difference(f"{_whose(kind, name)} is not as the migrations made it")
    for kind, name in sorted(found.objects.keys() - known.objects.keys()):
        if kind in _NONE_MORE or name.startswith(_COMES_FIRST):
            raise Difference(f"{_whose(kind, name)} was made by no migration")


def _whose(kind: str, name: str) -> str:
    if kind in (catalog.FUNCTION, "view"):
        return f"{kind} {name}: it"
    table, _, own = name.rpartition(".")
    return f"table {table}: one of its columns" if kind == "columns" else f"table {table}: its {kind} {own}"


def _check_references() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_REFERENCES)
        references = cursor.fetchall()
        for child, parent, columns, targets, has_id in references:
            cursor.execute(_leading_nowhere(child, parent, columns, targets, has_id))
            row = cursor.fetchone()
            if row is not None:
                words = " and ".join(f"{column} {value}" for column, value in zip(columns, row[1:], strict=True))
                raise Difference(f"table {child}, row {row[0]}: there is no row of {parent} with {words}")
    return len(references)


def _leading_nowhere(child: str, parent: str, columns: list[str], targets: list[str], has_id: bool) -> str:
    known = " AND ".join(f"c.{column} IS NOT NULL" for column in columns)
    same = " AND ".join(f"p.{target} = c.{column}" for column, target in zip(columns, targets, strict=True))
    values = ", ".join(f"c.{column}" for column in columns)
    return (
        f"SELECT {'c.id::text' if has_id else 'c.ctid::text'}, {values} FROM {child} c "
        f"WHERE {known} AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE {same}) ORDER BY 1 LIMIT 1"
    )
