"""The role that web, workers and beat log in as: it writes rows and can not touch what keeps rows right.

It owns nothing, so it can not drop, alter or empty a table, nor make a trigger sleep. It makes nothing, not even
temporary tables: the guards' functions would find those by the names they ask for. What it may write is read off the
guards: where rows are never updated, or never deleted, the role may not either.
"""

from typing import Any, Final, Protocol

from psycopg import sql

# Locked as a whole while a day is closed (rails/days.py); MAINTAIN allows the lock without allowing to write.
_LOCKED: Final = ("rails_journalentry",)
# Guards lock single rows of these, whose rows are never updated: PostgreSQL asks for the right to update some column.
_LOCKED_BY_ROW: Final = ("rails_achentry", "rails_journalentry", "rails_wireentry")
# What only the owner writes: by migrations, and by archiving audit events.
_READ_ONLY: Final = ("django_migrations", "settlements_archivedchain", "settlements_auditarchive")

_TABLES: Final = """
    SELECT c.relname, bool_or(t.tgname LIKE '%rows\\_are\\_never\\_updated%'),
        bool_or(t.tgname ~ 'rows_(are_never_deleted|leave_by_an_archive)')
    FROM pg_class c LEFT JOIN pg_trigger t ON t.tgrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') GROUP BY c.relname ORDER BY c.relname
"""

# Everything by which a role gets at more than rows; `%(role)s` is the role, the first line that is found is told.
_BEYOND: Final = """
    SELECT format('the attribute %%s', told.name) FROM pg_roles r
    CROSS JOIN LATERAL (VALUES ('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole),
        ('CREATEDB', r.rolcreatedb), ('BYPASSRLS', r.rolbypassrls), ('REPLICATION', r.rolreplication)) told (name, has)
    WHERE r.rolname = %(role)s AND told.has
    UNION ALL
    SELECT format('membership in %%I', o.rolname) FROM pg_roles o
    WHERE o.rolname <> %(role)s AND pg_has_role(%(role)s, o.oid, 'MEMBER')
    UNION ALL
    SELECT format('ownership of %%s', c.oid::regclass) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
    WHERE r.rolname = %(role)s AND c.relkind NOT IN ('t', 'i', 'I')
    UNION ALL
    SELECT format('ownership of the function %%s', p.oid::regprocedure)
    FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
    WHERE r.rolname = %(role)s
    UNION ALL
    SELECT 'ownership of the database' FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
    WHERE d.datname = current_database() AND r.rolname = %(role)s
    UNION ALL
    SELECT format('%%s in this database', told.privilege) FROM (VALUES ('CREATE'), ('TEMPORARY')) told (privilege)
    WHERE has_database_privilege(%(role)s, current_database(), told.privilege)
    UNION ALL
    SELECT format('CREATE in schema %%I', n.nspname) FROM pg_namespace n
    WHERE has_schema_privilege(%(role)s, n.oid, 'CREATE')
    UNION ALL
    SELECT format('%%s of %%s', told.privilege, c.oid::regclass) FROM pg_class c
    CROSS JOIN (VALUES ('TRUNCATE'), ('TRIGGER'), ('REFERENCES')) told (privilege)
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
      AND has_table_privilege(%(role)s, c.oid, told.privilege)
    UNION ALL
    SELECT format('%%s of %%s, whose rows are never changed so', told.privilege, c.oid::regclass)
    FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid
    JOIN (VALUES ('UPDATE', '%%rows\\_are\\_never\\_updated%%'), ('DELETE', '%%rows\\_are\\_never\\_deleted%%'),
        ('DELETE', '%%rows\\_leave\\_by\\_an\\_archive%%'))
        told (privilege, guard) ON t.tgname LIKE told.guard
    WHERE has_table_privilege(%(role)s, c.oid, told.privilege)
    UNION ALL
    SELECT 'SET of the parameter session_replication_role'
    WHERE has_parameter_privilege(%(role)s, 'session_replication_role', 'SET')
    UNION ALL
    SELECT format('EXECUTE of %%s, with the rights of its owner and no search_path of its own', p.oid::regprocedure)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND NOT coalesce(array_to_string(p.proconfig, ',') LIKE '%%search_path=%%', false)
      AND has_function_privilege(%(role)s, p.oid, 'EXECUTE')
    LIMIT 1
"""


class Cursor(Protocol):
    """What is needed of a cursor of Django's."""

    def execute(self, sql: Any, params: Any = None) -> Any: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> Any: ...


def exists(cursor: Cursor, role: str) -> bool:
    """Whether the cluster has the role."""
    cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [role])
    return bool(cursor.fetchone()[0])


def may_make(cursor: Cursor) -> bool:
    """Whether who asks may make roles."""
    cursor.execute("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    return bool(cursor.fetchone()[0])


def make(cursor: Cursor, role: str, verifier: bytes | None) -> None:
    """Makes the login if it is missing; `verifier` is its password as the server keeps it, None for none.

    A role that is there gets the password, so that running it again is how a password is changed.
    """
    if not exists(cursor, role):
        cursor.execute(sql.SQL("CREATE ROLE {} LOGIN NOINHERIT").format(sql.Identifier(role)))
    if verifier is not None:
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        cursor.execute(statement.format(sql.Identifier(role), sql.Literal(verifier.decode())))


def grant(cursor: Cursor, role: str) -> None:
    """Gives the role what the service needs in this database, and takes away whatever else it had.

    Nobody but the owner makes temporary tables from then on. Runs inside a transaction, so that no moment is without
    rights.
    """
    name = sql.Identifier(role)
    cursor.execute("SELECT current_database()")
    database = sql.Identifier(cursor.fetchone()[0])
    for statement in (
        "REVOKE TEMPORARY, CREATE ON DATABASE {database} FROM PUBLIC, {role}",
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC, {role}",
        "GRANT USAGE ON SCHEMA public TO {role}",
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
        "REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
        # Verifying shows archived audit events beside those in the table, and commits nothing of it.
        "REVOKE ALL ON ALL TABLES IN SCHEMA archived FROM {role}",
        "GRANT USAGE ON SCHEMA archived TO {role}",
        "GRANT SELECT, INSERT, DELETE ON archived.readout TO {role}",
        "GRANT SELECT ON archived.settlements_auditevent TO {role}",
        # The books are verified against the views, too.
        "GRANT USAGE ON SCHEMA reporting TO {role}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO {role}",
    ):
        cursor.execute(sql.SQL(statement).format(database=database, role=name))
    cursor.execute(_TABLES)
    for table, never_updated, never_deleted in cursor.fetchall():
        words = ["INSERT", *([] if never_updated else ["UPDATE"]), *([] if never_deleted else ["DELETE"])]
        if table in _READ_ONLY:
            continue
        if table in _LOCKED:
            words.append("MAINTAIN")
        if table in _LOCKED_BY_ROW:
            words.append("UPDATE (id)")
        rights = sql.SQL(", ").join(sql.SQL(word) for word in words)
        cursor.execute(sql.SQL("GRANT {} ON {} TO {}").format(rights, sql.Identifier("public", table), name))


def beyond(cursor: Cursor, role: str) -> str | None:
    """The first thing by which the role could get around the guards; None as it should be."""
    cursor.execute(_BEYOND, {"role": role})
    row = cursor.fetchone()
    return row and str(row[0])
