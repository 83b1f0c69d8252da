"""The role that the service logs in as does all of the service's work, and can not get around what guards it."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from psycopg import sql

from chainpay.database import roles
from settlements import tasks
from settlements.closing import closing
from tests.factories import now
from tests.settlements.lived_in import lived_in, verified
from tests.settlements.test_closing import book, days_ago, on

ROLE = "chainpay_of_a_test"


@pytest.fixture
def role(db: None) -> str:
    """The service's role with its rights, until the test's transaction is rolled back."""
    with connection.cursor() as cursor:
        roles.make(cursor, ROLE, None)
        roles.grant(cursor, ROLE)
    return ROLE


@pytest.fixture
def as_the_service(role: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


@pytest.mark.usefixtures("as_the_service")
def test_events_are_paid_reviewed_returned_swept_and_the_books_are_proven() -> None:
    lived_in()
    tasks.sweep()
    assert tasks.checkpoint()["made"] == 1
    assert tasks.compare()["differences"] == 0
    assert "all" in verified().lower()


@pytest.mark.usefixtures("as_the_service")
def test_a_day_is_closed_and_proven() -> None:
    with on(days_ago(1)):
        book("a fee")
    assert closing.close(days_ago(1), actor="user:finance1", now=now()).created
    verified()


@pytest.mark.usefixtures("as_the_service")
@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE settlements_auditevent CASCADE",
        "TRUNCATE django_session",
        "ALTER TABLE settlements_auditevent DISABLE TRIGGER ALL",
        "ALTER TABLE rails_journalentry DISABLE TRIGGER USER",
        "ALTER TABLE rails_posting DROP COLUMN amount_minor",
        "DROP TABLE rails_posting",
        "CREATE OR REPLACE FUNCTION public.harmless() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TRIGGER mine BEFORE INSERT ON rails_posting EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE RULE mine AS ON INSERT TO rails_posting DO INSTEAD NOTHING",
        "CREATE TABLE public.mine (id int)",
        "CREATE TEMPORARY TABLE settlements_auditevent (id int)",
        "CREATE SCHEMA mine",
        "SET session_replication_role = replica",
        "SET LOCAL session_replication_role = replica",
        "UPDATE settlements_auditevent SET triggered_by = 'nobody'",
        "DELETE FROM settlements_auditevent",
        "UPDATE settlements_officeevent SET actor = 'nobody'",
        "UPDATE rails_journalentry SET amount_minor = 1",
        "UPDATE rails_posting SET amount_minor = 1",
        "DELETE FROM rails_journalentry",
        "DELETE FROM settlements_milestonesettlement",
        "DELETE FROM django_migrations",
        "CREATE ROLE mine SUPERUSER",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
    ],
)
def test_it_can_not_get_around_what_guards_the_books(statement: str) -> None:
    with pytest.raises(ProgrammingError) as refusal, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert isinstance(refusal.value.__cause__, psycopg.errors.InsufficientPrivilege), refusal.value


def test_where_rows_are_locked_one_by_one_the_guard_still_refuses_to_change_them(
    role: str, as_the_service: None
) -> None:
    book("a fee")
    with pytest.raises(Exception, match="Cannot update rows"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE rails_journalentry SET id = id + 1")


def test_its_rights_are_proven_and_what_was_granted_besides_is_told_and_taken_away(role: str) -> None:
    with connection.cursor() as cursor:
        assert roles.beyond(cursor, role) is None
        for right, told in (
            ("GRANT TRUNCATE ON rails_posting TO {}", "TRUNCATE of rails_posting"),
            ("GRANT UPDATE ON rails_posting TO {}", "UPDATE of rails_posting"),
            ("GRANT CREATE ON SCHEMA public TO {}", "CREATE in schema public"),
            ("GRANT TEMPORARY ON DATABASE {database} TO {}", "TEMPORARY in this database"),
        ):
            database = connection.settings_dict["NAME"]
            cursor.execute(right.format(role, database=database))
            assert told in str(roles.beyond(cursor, role))
            roles.grant(cursor, role)
            assert roles.beyond(cursor, role) is None


@pytest.mark.parametrize(
    ("gift", "told"),
    [
        ("ALTER ROLE {} CREATEROLE", "the attribute CREATEROLE"),
        ("GRANT pg_write_all_data TO {}", "membership in pg_write_all_data"),
        ("GRANT SET ON PARAMETER session_replication_role TO {}", "SET of the parameter session_replication_role"),
        ("ALTER TABLE rails_posting OWNER TO {}", "ownership of rails_posting"),
        (
            "CREATE FUNCTION public.mighty() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
            "EXECUTE of mighty()",
        ),
    ],
)
def test_what_no_grant_takes_away_is_told(role: str, gift: str, told: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(gift.format(role))
        assert str(roles.beyond(cursor, role)).startswith(told)


class Fresh:
    """A database of its own on the tests' server: as its owner, and as a role that is made with a password."""

    def __init__(self) -> None:
        self.host = connection.settings_dict["OPTIONS"].get("host", "")
        self.name = f"roles_{secrets.token_hex(4)}"
        self.role = f"{self.name}_app"
        self.owner_url = f"postgresql://postgres@/{self.name}?host={self.host}"
        self.url = f"postgresql://{self.role}:first-password@/{self.name}?host={self.host}"

    def admin(self, statement: str) -> None:
        with psycopg.connect(host=self.host, user="postgres", dbname="postgres", autocommit=True) as owner:
            owner.execute(sql.SQL(statement).format(name=sql.Identifier(self.name), role=sql.Identifier(self.role)))

    def manage(self, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "DATABASE_URL": self.url, "CHAINPAY_DEMO": "1", **settings}
        return subprocess.run(
            [sys.executable, "manage.py", *words], env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def fresh(django_db_blocker: Any) -> Iterator[Fresh]:
    place = Fresh()
    place.admin("CREATE DATABASE {name}")
    yield place
    place.admin("DROP DATABASE {name} WITH (FORCE)")
    place.admin("DROP ROLE IF EXISTS {role}")


def test_migrate_makes_the_role_and_everything_else_runs_as_it(fresh: Fresh, tmp_path: Path) -> None:
    migrated = fresh.manage("migrate", "--noinput", DATABASE_OWNER_URL=fresh.owner_url)
    assert migrated.returncode == 0, migrated.stderr
    assert f"Role {fresh.role} writes rows, and can not touch their guards." in migrated.stdout
    again = fresh.manage("database_roles", DATABASE_OWNER_URL=fresh.owner_url)
    assert again.returncode == 0, again.stderr
    with psycopg.connect(host=fresh.host, user="postgres", dbname="postgres") as owner:
        kept = owner.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [fresh.role]).fetchone()
    assert kept is not None
    assert kept[0].startswith("SCRAM-SHA-256$")
    work = "from settlements import tasks as t; print(t.sweep(), t.export(), t.checkpoint(), t.compare())"
    for words in (
        ("database_roles", "--check"),
        ("load_demo",),
        ("shell", "-c", work),
        ("verify_books",),
        ("reconcile",),
    ):
        done = fresh.manage(*words, CHAINPAY_VAR=str(tmp_path))
        assert done.returncode == 0, (words, done.stderr)
    with psycopg.connect(fresh.url, autocommit=True) as service:
        for statement in (
            "SET SESSION AUTHORIZATION postgres",
            "SET ROLE postgres",
            "SET session_replication_role = replica",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute(statement.encode())
    refused = fresh.manage("migrate", "settlements", "zero", "--noinput")
    assert refused.returncode != 0
    assert "must be owner of" in refused.stderr or "permission denied" in refused.stderr


def test_without_an_owner_there_is_nobody_to_make_the_role(fresh: Fresh) -> None:
    done = fresh.manage("database_roles", DATABASE_URL=fresh.owner_url)
    assert done.returncode == 1
    assert "DATABASE_OWNER_URL is not set" in done.stderr
    assert (
        "can get around the guards: it has the attribute SUPERUSER"
        in fresh.manage("database_roles", "--check", DATABASE_URL=fresh.owner_url).stderr
    )


@pytest.mark.parametrize(
    "owner", ["postgresql://app@/chainpay", "postgresql://owner@/another", "mysql://owner@/chainpay"]
)
def test_an_owner_of_another_database_or_the_service_itself_is_refused(owner: str) -> None:
    environment = {**os.environ, "DATABASE_URL": "postgresql://app@/chainpay", "DATABASE_OWNER_URL": owner}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], env=environment, capture_output=True, text=True, check=False
    )
    assert "DATABASE_OWNER_URL must" in done.stderr
