"""The reporting role: it reads the views and nothing else, whoever makes it, also when two databases do at once."""

import importlib
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from io import StringIO
from threading import Thread
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg import sql as composed

from settlements.reporting import role
from settlements.reporting.views import VIEWS
from tests.factories import POD, an_intent, platform_source, settlement_of
from tests.settlements.lived_in import World
from tests.settlements.prompt import dsn, failure, one, refused, rows

migration = importlib.import_module("settlements.migrations.0070_reporting_views")

_EVERY_RELATION = """
    SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    ORDER BY 1
"""
_CALLABLE = """
    SELECT format('%%I.%%I', n.nspname, p.proname), p.pronargs, p.prosecdef
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.prorettype NOT IN ('trigger'::regtype,
        'event_trigger'::regtype) AND p.prokind = 'f' AND has_function_privilege('chainpay_reporting', p.oid, 'EXECUTE')
"""


@pytest.fixture(scope="module")
def a_login(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """A login of a tool, as docs/reporting.md says how to make one. Roles outlive transactions and databases."""
    name = f"test_tool_{uuid.uuid4().hex[:12]}"
    with django_db_blocker.unblock(), psycopg.connect(**dsn(), autocommit=True) as cluster:
        login = composed.Identifier(name)
        cluster.execute(composed.SQL("CREATE ROLE {} LOGIN IN ROLE chainpay_reporting").format(login))
        yield name
        cluster.execute(composed.SQL("DROP ROLE {}").format(login))


@pytest.fixture
def as_tool(a_login: str, db: None) -> Callable[[], Any]:
    """The block runs with the login's rights, and cannot take the owner's back by SET ROLE."""

    @contextmanager
    def become() -> Iterator[None]:
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION AUTHORIZATION {a_login}")
            try:
                yield
            finally:
                cursor.execute("RESET SESSION AUTHORIZATION")

    return become


class TestTheRole:
    def test_reads_every_view(self, world: World, as_tool: Callable[[], Any]) -> None:
        counts = {view.name: one(f"SELECT count(*) FROM {view.full_name}") for view in VIEWS}
        with as_tool():
            assert one("SELECT current_user <> session_user") is False
            for view in VIEWS:
                assert one(f"SELECT count(*) FROM (SELECT * FROM {view.full_name}) v") == counts[view.name] > 0
            reasons = rows("SELECT reason FROM reporting.decisions WHERE made_by = 'officer'")
            assert ("papers are in order",) in reasons

    def test_reads_writes_and_locks_nothing_else(self, world: World, as_tool: Callable[[], Any]) -> None:
        tables = [name for (name,) in rows(_EVERY_RELATION)]
        assert {"public.auth_user", "public.rails_destination", "public.settlements_auditevent"} <= set(tables)
        with as_tool():
            allowed = [
                statement.format(table=table)
                for table in tables
                for statement in (
                    "SELECT FROM {table} LIMIT 1", "DELETE FROM {table}", "TRUNCATE {table}",
                    "INSERT INTO {table} DEFAULT VALUES", "LOCK TABLE {table} IN ROW EXCLUSIVE MODE",
                    "COPY {table} TO STDOUT",
                )
                if not refused(statement.format(table=table))
            ]  # fmt: skip
        assert allowed == []

    def test_changes_no_view_and_nothing_through_one(self, world: World, as_tool: Callable[[], Any]) -> None:
        with as_tool():
            for view in VIEWS:
                name = view.full_name
                for statement in (
                    f"DROP VIEW {name}", f"ALTER VIEW {name} RENAME TO other", f"COMMENT ON VIEW {name} IS 'x'",
                    f"CREATE OR REPLACE VIEW {name} AS SELECT 1 AS milestone_id",
                ):  # fmt: skip
                    assert failure(statement), statement
                for statement in (f"DELETE FROM {name}", f"INSERT INTO {name} DEFAULT VALUES"):
                    assert failure(statement), statement
                # PostgreSQL only warns of what it does not grant.
                assert failure(f"GRANT SELECT ON {name} TO PUBLIC") is None
                assert not one("SELECT has_table_privilege('public', %s, 'SELECT')", name)
            for statement in (
                "CREATE TABLE reporting.mine (id int)", "CREATE TABLE public.mine (id int)", "CREATE SCHEMA mine",
                "CREATE FUNCTION reporting.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE ROLE mine",
                "SET ROLE postgres", "SET session_replication_role = replica",
                "ALTER ROLE chainpay_reporting SUPERUSER", "CREATE EXTENSION dblink",
                "SELECT lo_import('/etc/passwd')", "SELECT pg_read_file('/etc/passwd')", "SELECT pg_ls_dir('/')",
                "COPY (SELECT 1) TO '/tmp/mine'", "COPY (SELECT 1) TO PROGRAM 'true'", "SELECT * FROM pg_authid",
                "SELECT * FROM pg_statistic",
            ):  # fmt: skip
                assert refused(statement), statement

    def test_learns_nothing_by_functions_sequences_statistics_or_others_statements(
        self, world: World, as_tool: Callable[[], Any]
    ) -> None:
        functions = rows(_CALLABLE)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        with as_tool():
            for name, arguments, definer in functions:
                assert not definer, f"{name} runs with the rights of its owner"
                nulls = ", ".join("NULL" for _ in range(arguments))
                seen = failure(f"SELECT {name}({nulls})") or one(f"SELECT {name}({nulls})::text IS NULL")
                assert seen, f"{name} answers"
            for (name,) in rows("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S'"):
                assert refused(f"SELECT nextval('{name}')")
                assert refused(f"SELECT last_value FROM {name}")
            assert rows("SELECT * FROM pg_stats WHERE schemaname NOT IN ('pg_catalog', 'information_schema')") == []
            assert rows("SELECT tablename FROM pg_stats_ext") == []
            others = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename <> session_user"
            assert one(f"{others} AND query <> '<insufficient privilege>' AND query <> ''") == 0

    def test_a_table_and_a_view_that_come_later_stay_closed(self, db: None, as_tool: Callable[[], Any]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE later AS SELECT 1 AS amount")
            cursor.execute("CREATE VIEW later_view AS SELECT * FROM later")
        with as_tool():
            assert refused("SELECT * FROM later")
            assert refused("SELECT * FROM later_view")

    def test_a_tool_that_logs_in_itself(self, a_login: str, transactional_db: None) -> None:
        platform_source()
        settlement = settlement_of(an_intent(), POD)
        with psycopg.connect(**dsn(a_login), autocommit=True) as tool:
            found = tool.execute("SELECT milestone_id, amount, decided_at FROM reporting.settlements").fetchone()
            assert found is not None
            assert found[:2] == (settlement.pk, Decimal(settlement.amount_minor) / 100)
            assert found[2].tzinfo is not None
            for statement in (
                "SELECT * FROM settlements_milestonesettlement",
                "RESET SESSION AUTHORIZATION; TABLE auth_user",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    tool.execute(statement)


def test_the_examples_of_the_document_work_for_a_tool(world: World, as_tool: Callable[[], Any]) -> None:
    page = (settings.BASE_DIR / "docs" / "reporting.md").read_text(encoding="utf-8")
    (examples,) = re.findall(r"## Examples\n\n```sql\n(.+?)```", page, re.DOTALL)
    statements = [statement for statement in examples.split(";") if statement.strip()]
    assert len(statements) == 3
    with as_tool():
        for statement in statements:
            assert rows(statement.replace("%", "%%"))


class TestMakingTheRole:
    @pytest.fixture
    def another(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """A role of which this cluster has none yet; made in the test's transaction, and gone with it."""
        name = f"test_reporting_{uuid.uuid4().hex[:12]}"
        monkeypatch.setattr(role, "_CREATE", role._CREATE.replace(role.ROLE, name))
        monkeypatch.setattr(role, "_GRANTS", tuple(grant.replace(role.ROLE, name) for grant in role._GRANTS))
        monkeypatch.setattr(role, "ROLE", name)
        return name

    def test_may_be_done_twice(self, db: None, another: str) -> None:
        with connection.cursor() as cursor:
            assert not role.exists(cursor)
            assert role.install(cursor)
            assert role.install(cursor)
            assert role.beyond(cursor, another) is None

    def test_by_two_databases_at_once(self, transactional_db: None, another: str) -> None:
        """Each migrates in a transaction of its own; the second waits for the first and is content with its role."""
        ended: list[str] = []
        with psycopg.connect(**dsn()) as first:
            first.execute(role._CREATE)

            def second() -> None:
                with psycopg.connect(**dsn()) as other:
                    other.execute(role._CREATE)
                    ended.append("well")

            thread = Thread(target=second)
            thread.start()
            with psycopg.connect(**dsn(), autocommit=True) as watching:
                while not watching.execute(
                    "SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                    "WHERE NOT l.granted AND a.query LIKE %s",
                    [f"%{another}%"],
                ).fetchone():
                    assert thread.is_alive()
        thread.join()
        with psycopg.connect(**dsn(), autocommit=True) as cluster:
            cluster.execute(composed.SQL("DROP ROLE {}").format(composed.Identifier(another)))
        assert ended == ["well"]

    def test_who_may_not_migrates_all_the_same_and_is_told(
        self, db: None, another: str, a_login: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION AUTHORIZATION {a_login}")
            try:
                with connection.schema_editor() as editor:
                    migration.let_in(None, editor)
                with pytest.raises(CommandError, match="may not make roles"):
                    call_command("reporting_role", skip_checks=True)
            finally:
                cursor.execute("RESET SESSION AUTHORIZATION")
        assert "manage.py reporting_role" in capsys.readouterr().err

    def test_the_command_says_what_the_role_reads(self, db: None) -> None:
        out = StringIO()
        call_command("reporting_role", stdout=out)
        call_command("reporting_role", check=True, stdout=out)
        assert out.getvalue().count("reporting.journal") == 2

    @pytest.mark.parametrize(
        ("too_much", "named"),
        [
            ("GRANT SELECT ON auth_user TO {}", "SELECT of public.auth_user"),
            ("GRANT SELECT (password) ON auth_user TO {}", "SELECT of column password of public.auth_user"),
            ("GRANT INSERT ON settlements_auditevent TO {}", "INSERT of public.settlements_auditevent"),
            ("GRANT DELETE ON reporting.audit TO {}", "DELETE of reporting.audit"),
            ("GRANT CREATE ON SCHEMA reporting TO {}", "CREATE in schema reporting"),
            ("GRANT pg_read_all_data TO {}", "SELECT of"),
            ("GRANT pg_signal_backend TO {}", "membership in pg_signal_backend"),
            ("ALTER ROLE {} CREATEDB", "the attribute CREATEDB"),
            (
                "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; -- {}",
                "EXECUTE of f(), which runs with the rights of its owner",
            ),
        ],
    )
    def test_a_right_too_many_is_named(self, too_much: str, named: str, db: None, another: str) -> None:
        with connection.cursor() as cursor:
            role.install(cursor)
            cursor.execute(too_much.format(another))
        with pytest.raises(CommandError, match=re.escape(named)):
            call_command("reporting_role", check=True, login=another)

    def test_the_migration_goes_back_and_forth(self, db: None) -> None:
        with connection.cursor() as cursor:
            cursor.execute(migration._BACKWARDS)
            assert one("SELECT to_regnamespace('reporting') IS NULL")
            assert role.exists(cursor)
            cursor.execute(migration._FORWARDS)
            assert role.install(cursor)
        assert one("SELECT count(*) FROM reporting.settlements") == 0
