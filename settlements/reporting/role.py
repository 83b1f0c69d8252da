"""The role that may read the views and nothing else of this database.

Roles belong to the whole cluster, privileges to one database: the role is made where it is missing, by whoever may, and
every database grants it its own views. Tools log in as members of it.
"""

from typing import Any, Final, Protocol

from settlements.reporting.views import SCHEMA

ROLE: Final = "chainpay_reporting"

# Two databases of one cluster may be migrated at once: the second finds the role, or waits for it and then does.
_CREATE: Final = f"""
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
            BEGIN
                CREATE ROLE {ROLE} NOLOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
                NULL;
            END;
        END IF;
    END $$
"""
_GRANTS: Final = (
    f"GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE}",
    f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {ROLE}",
)
BY_HAND: Final = f"CREATE ROLE {ROLE} NOLOGIN;"

# Of this database, but for what every role of PostgreSQL may see of its catalogues.
_BEYOND: Final = f"""
    SELECT format('%%s of %%I.%%I', privilege, n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND n.nspname NOT LIKE 'pg\\_temp%%' AND NOT (n.nspname = '{SCHEMA}' AND privilege = 'SELECT')
      AND has_table_privilege(%s, c.oid, privilege)
    UNION ALL
    SELECT format('SELECT of column %%I of %%I.%%I', a.attname, n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', '{SCHEMA}')
      AND n.nspname NOT LIKE 'pg\\_temp%%' AND has_column_privilege(%s, c.oid, a.attnum, 'SELECT')
    UNION ALL
    SELECT format('EXECUTE of %%s, which runs with the rights of its owner', p.oid::regprocedure)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND has_function_privilege(%s, p.oid, 'EXECUTE')
    UNION ALL
    SELECT format('CREATE in schema %%I', n.nspname) FROM pg_namespace n
    WHERE has_schema_privilege(%s, n.oid, 'CREATE')
    UNION ALL
    SELECT format('the attribute %%s', told.name) FROM pg_roles r
    CROSS JOIN LATERAL (VALUES ('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole),
        ('CREATEDB', r.rolcreatedb), ('BYPASSRLS', r.rolbypassrls), ('REPLICATION', r.rolreplication)) told (name, has)
    WHERE r.rolname = %s AND told.has
    UNION ALL
    SELECT format('membership in %%I', o.rolname) FROM pg_roles o
    WHERE o.rolname NOT IN (%s, '{ROLE}') AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = %s)
      AND pg_has_role(%s, o.oid, 'MEMBER')
    LIMIT 1
"""


class Cursor(Protocol):
    """What is needed of a cursor of Django's."""

    def execute(self, sql: str, params: Any = None) -> Any: ...

    def fetchone(self) -> Any: ...


def exists(cursor: Cursor) -> bool:
    """Whether the cluster has the role."""
    cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [ROLE])
    return bool(cursor.fetchone()[0])


def install(cursor: Cursor) -> bool:
    """Makes the role if it is missing and may be made, and grants it the views; whether there is one now."""
    cursor.execute(_CREATE)
    if not exists(cursor):
        return False
    for grant in _GRANTS:
        cursor.execute(grant)
    return True


def beyond(cursor: Cursor, role: str = ROLE) -> str | None:
    """The first right of a role in this database that goes beyond reading the views; None as it should be."""
    cursor.execute(_BEYOND, [role] * 8)
    row = cursor.fetchone()
    return row and str(row[0])
