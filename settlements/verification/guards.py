"""Does the database still refuse what it must? Every guard is there and awake, every reference leads to a row."""

import pgtrigger
from django.apps import apps
from django.db import connection

from settlements.verification.differences import Difference

_OURS = ("rails", "settlements", "compliance")
# Those of foreign keys too: whoever disables all triggers of a table puts them to sleep as well.
_ASLEEP = """
    SELECT c.relname, CASE WHEN t.tgisinternal THEN 'a foreign key' ELSE t.tgname END
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND t.tgenabled NOT IN ('O', 'A') ORDER BY 1, 2 LIMIT 1
"""
_THERE = """
    SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND NOT t.tgisinternal
"""
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
    """The number of guards and references; raises Difference for one that is gone or asleep, or leads nowhere."""
    wanted = {
        (model._meta.db_table, trigger.get_pgid(model))
        for model, trigger in pgtrigger.registered()
        if model._meta.app_label in _OURS and apps.is_installed(model._meta.app_config.name)
    }
    with connection.cursor() as cursor:
        cursor.execute(_ASLEEP)
        asleep = cursor.fetchone()
        if asleep:
            raise Difference(f"table {asleep[0]}: {asleep[1]} is asleep and guards nothing")
        cursor.execute(_THERE)
        there = set(cursor.fetchall())
        for table, name in sorted(wanted - there):
            raise Difference(f"table {table}: its guard {name} is gone")
        cursor.execute(_REFERENCES)
        references = cursor.fetchall()
        for child, parent, columns, targets, has_id in references:
            cursor.execute(_leading_nowhere(child, parent, columns, targets, has_id))
            row = cursor.fetchone()
            if row is not None:
                words = " and ".join(f"{column} {value}" for column, value in zip(columns, row[1:], strict=True))
                raise Difference(f"table {child}, row {row[0]}: there is no row of {parent} with {words}")
    return len(wanted) + len(references)


def _leading_nowhere(child: str, parent: str, columns: list[str], targets: list[str], has_id: bool) -> str:
    known = " AND ".join(f"c.{column} IS NOT NULL" for column in columns)
    same = " AND ".join(f"p.{target} = c.{column}" for column, target in zip(columns, targets, strict=True))
    values = ", ".join(f"c.{column}" for column in columns)
    return (
        f"SELECT {'c.id::text' if has_id else 'c.ctid::text'}, {values} FROM {child} c "
        f"WHERE {known} AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE {same}) ORDER BY 1 LIMIT 1"
    )
