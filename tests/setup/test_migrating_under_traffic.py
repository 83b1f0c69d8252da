"""A migration never stops the service: what would hold a big table is named, and no lock is waited for long."""

import time
from importlib import import_module
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate as djangos
from django.db import connection, transaction

from chainpay.database import under_traffic
from chainpay.database.management.commands import migrate, safe_migrations
from tests.bench.test_bench import url_of_the_server

BIG = "settlements_shipmentevent"


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (f'CREATE INDEX "i" ON "{BIG}" ("state")', "CONCURRENTLY"),
        (f'CREATE UNIQUE INDEX "i" ON "{BIG}" ("state") WHERE state <> 1', "CONCURRENTLY"),
        (f'ALTER TABLE "{BIG}" ALTER COLUMN "body" TYPE text USING "body"::text', "type of a column"),
        (f'ALTER TABLE "{BIG}" ADD COLUMN "at" timestamptz DEFAULT (clock_timestamp()) NOT NULL', "row by row"),
        (f'ALTER TABLE "{BIG}" ADD COLUMN "n" integer GENERATED ALWAYS AS (1 + 1) STORED', "anew"),
        (f'ALTER TABLE "{BIG}" ALTER COLUMN "error" SET NOT NULL', "NOT NULL"),
        (f'ALTER TABLE "{BIG}" ADD CONSTRAINT "c" CHECK ("sweeps" >= 0)', "NOT VALID"),
        (f'ALTER TABLE "{BIG}" ADD CONSTRAINT "f" FOREIGN KEY ("a") REFERENCES "b" ("id") DEFERRABLE', "NOT VALID"),
        (f'ALTER TABLE "{BIG}" ADD CONSTRAINT "u" UNIQUE ("message_id")', "USING INDEX"),
        (f"-- a comment\nUPDATE {BIG} SET error = ''", "until it ends"),
        (f"LOCK TABLE {BIG} IN EXCLUSIVE MODE", "until it ends"),
    ],
)
def test_what_holds_a_big_table_is_named(statement: str, why: str) -> None:
    (danger,) = under_traffic.dangers([statement], atomic=True)
    assert danger.table == BIG
    assert why in danger.why


@pytest.mark.parametrize(
    "statement",
    [
        f'CREATE INDEX CONCURRENTLY "i" ON "{BIG}" ("state")',
        'CREATE INDEX "i" ON "rails_closedday" ("day")',
        f'ALTER TABLE "{BIG}" ADD COLUMN "note" text DEFAULT \'\' NOT NULL',
        f'ALTER TABLE "{BIG}" ALTER COLUMN "note" DROP DEFAULT',
        f'ALTER TABLE "{BIG}" ADD CONSTRAINT "c" CHECK ("sweeps" >= 0) NOT VALID',
        f'ALTER TABLE "{BIG}" VALIDATE CONSTRAINT "c"',
        f'ALTER TABLE "{BIG}" ADD CONSTRAINT "u" UNIQUE USING INDEX "i"',
        f'ALTER TABLE "{BIG}" DROP COLUMN "note"',
        f"CREATE TRIGGER g BEFORE UPDATE ON {BIG} FOR EACH ROW EXECUTE FUNCTION g()",
    ],
)
def test_what_takes_a_moment_is_let_by(statement: str) -> None:
    assert under_traffic.dangers([statement], atomic=True) == []


def test_a_table_that_the_migration_makes_is_not_big_yet() -> None:
    made = [f'CREATE TABLE "{BIG}" ("id" bigint)', f'CREATE INDEX "i" ON "{BIG}" ("id")']
    assert under_traffic.dangers(made, atomic=True) == []


def test_validating_in_the_transaction_that_adds_is_named_and_in_another_is_not() -> None:
    both = [f"ALTER TABLE {BIG} ADD CONSTRAINT c CHECK (true) NOT VALID", f"ALTER TABLE {BIG} VALIDATE CONSTRAINT c"]
    assert len(under_traffic.dangers(both, atomic=True)) == 1
    assert under_traffic.dangers(both, atomic=False) == []


@pytest.mark.django_db
def test_every_big_table_is_one_and_the_newer_migrations_are_safe(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(connection.introspection.table_names()) >= under_traffic.BIG_TABLES
    call_command("safe_migrations")
    assert "No newer migration" in capsys.readouterr().out


@pytest.mark.django_db
def test_a_migration_that_is_not_in_the_baseline_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = {**safe_migrations.BASELINE, "settlements": "0106_guards_name_the_events_table"}
    monkeypatch.setattr(safe_migrations, "BASELINE", earlier)
    with pytest.raises(CommandError, match=r"0107_sums_from_indexes_alone: settlements_milestonesettlement: .*CONCURR"):
        call_command("safe_migrations")
    migration = import_module("settlements.migrations.0107_sums_from_indexes_alone").Migration
    monkeypatch.setattr(migration, "holds_its_tables", "the service stands still anyway", raising=False)
    call_command("safe_migrations")


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_a_long_transaction_holds_is_tried_for_again_and_then_given_up_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def needs_the_table(*args: Any, **options: Any) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {BIG}")

    monkeypatch.setattr(djangos.Command, "handle", needs_the_table)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with psycopg.connect(url_of_the_server()) as holder:
        holder.execute(f"SELECT count(*) FROM {BIG}".encode())
        with pytest.raises(CommandError, match=r"waited 1 s\. Given up after 2 attempts; nothing .*pg_blocking_pids"):
            call_command("migrate", "--lock-timeout", "1", "--attempts", "2")
    assert "Trying again (2 of 2)" in capsys.readouterr().err
    assert pauses == [migrate.PAUSE_SECONDS]
