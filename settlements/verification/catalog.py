"""What the database refuses, as its catalog has it: guards, functions, constraints and columns, hashed one by one.

`schema.json` beside this file has the same of a database that nothing but the migrations made; `manage.py schema_file`
writes it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from django.apps import apps
from django.db import connection

FILE: Final = Path(__file__).with_name("schema.json")
_PACKAGES: Final = ("chainpay", "compliance", "settlements", "rails")

# What stands in one major version of PostgreSQL only, for another may write the same thing differently. A function is
# told by its parts and not by pg_get_functiondef, so that its body is compared in every version.
FUNCTION: Final = "function"
_OBJECTS: Final = r"""
    WITH ours AS (
        SELECT c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relpersistence FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
          AND c.relname ~ %s
        UNION ALL
        SELECT c.oid, n.nspname || '.' || c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity,
               c.relpersistence
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'archived' AND c.relkind IN ('r', 'p', 'f', 'm')
    ), objects (kind, name, words) AS (
        SELECT 'function', CASE n.nspname WHEN 'archived' THEN 'archived.' ELSE '' END || p.proname || '('
                           || pg_get_function_identity_arguments(p.oid) || ')',
               concat_ws(E'\n', l.lanname, p.prorettype::regtype, p.provolatile, p.prosecdef, p.proisstrict,
                         p.proconfig::text, p.prosrc)
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN (current_schema(), 'archived') AND p.prokind = 'f' AND NOT EXISTS (
            SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        UNION ALL
        SELECT 'guard', ours.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
        FROM ours JOIN pg_trigger t ON t.tgrelid = ours.oid WHERE NOT t.tgisinternal
        UNION ALL
        SELECT 'constraint', ours.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
            || CASE WHEN k.convalidated THEN '' ELSE ' never validated' END
        FROM ours JOIN pg_constraint k ON k.conrelid = ours.oid WHERE k.contype NOT IN ('n', 't')
        UNION ALL
        SELECT 'unique index', ours.relname || '.' || i.relname, pg_get_indexdef(x.indexrelid)
            || CASE WHEN x.indisvalid AND x.indisready AND x.indimmediate THEN '' ELSE ' not in force' END
        FROM ours JOIN pg_index x ON x.indrelid = ours.oid JOIN pg_class i ON i.oid = x.indexrelid
        WHERE x.indisunique AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = x.indexrelid)
        UNION ALL
        SELECT 'rule', ours.relname || '.' || r.rulename, pg_get_ruledef(r.oid)
        FROM ours JOIN pg_rewrite r ON r.ev_class = ours.oid
        UNION ALL
        SELECT 'policy', ours.relname || '.' || y.polname,
               concat_ws(' ', y.polcmd, y.polpermissive, pg_get_expr(y.polqual, y.polrelid))
        FROM ours JOIN pg_policy y ON y.polrelid = ours.oid
        UNION ALL
        SELECT 'columns', ours.relname || '.columns', concat_ws(E'\n', ours.relkind, ours.relpersistence,
               ours.relrowsecurity, ours.relforcerowsecurity, string_agg(concat_ws(' ', a.attname,
               format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
               pg_get_expr(f.adbin, f.adrelid)), E'\n' ORDER BY a.attname))
        FROM ours JOIN pg_attribute a ON a.attrelid = ours.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
        GROUP BY ours.relname, ours.relkind, ours.relpersistence, ours.relrowsecurity, ours.relforcerowsecurity
        UNION ALL
        SELECT 'view', n.nspname || '.' || v.relname, pg_get_viewdef(v.oid)
        FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace
        WHERE n.nspname IN ('archived', 'reporting') AND v.relkind = 'v'
    )
    SELECT kind, name, encode(sha256(convert_to(
        replace(words, quote_ident(current_schema()) || '.', ''), 'UTF8')), 'hex')
    FROM objects ORDER BY 1, 2
"""

Objects = dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Schema:
    """The SHA-256 of every object by (kind, name), and the major version of PostgreSQL that told them."""

    version: int
    objects: Objects


def live() -> Schema:
    """What this database has."""
    with connection.cursor() as cursor:
        cursor.execute(_OBJECTS, [f"^({'|'.join(_ours())})_"])
        objects = {(kind, name): digest for kind, name, digest in cursor.fetchall()}
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        version: tuple[int] = cursor.fetchone()
    return Schema(version[0], objects)


def by_migrations() -> Schema:
    """What the migrations make, as `schema.json` has it."""
    stored = _stored()
    return Schema(
        stored["postgresql"],
        {(kind, name): digest for kind, names in stored["objects"].items() for name, digest in names.items()},
    )


def is_of_these_migrations() -> bool:
    """Whether `schema.json` was written from the migrations that are there now."""
    return FILE.exists() and _stored()["migrations"] == _migrations()


def written(schema: Schema) -> str:
    """The text of `schema.json`: one object a line, in their order."""
    objects: dict[str, dict[str, str]] = {}
    for (kind, name), digest in schema.objects.items():
        objects.setdefault(kind, {})[name] = digest
    document = {"migrations": _migrations(), "objects": objects, "postgresql": schema.version}
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2).decode() + "\n"


def _stored() -> Mapping[str, Any]:
    document: Mapping[str, Any] = orjson.loads(FILE.read_bytes())
    return document


def _migrations() -> str:
    """SHA-256 over the names and contents of our migrations."""
    digest = hashlib.sha256()
    for label, folder in _ours().items():
        for file in sorted(folder.glob("[0-9]*.py")):
            digest.update(f"{label}/{file.name}".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _ours() -> dict[str, Path]:
    """The migrations of each app of ours, by its label, with which the names of its tables begin."""
    configs = [config for config in apps.get_app_configs() if config.name.partition(".")[0] in _PACKAGES]
    folders = {config.label: Path(config.path, "migrations") for config in configs}
    return {label: folders[label] for label in sorted(folders) if folders[label].is_dir()}
