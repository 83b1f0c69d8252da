"""The service verifies what is archived and archives nothing itself; what it shows to itself gets past no guard."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, ProgrammingError, connection, transaction

from settlements.models import AuditArchive, AuditEvent
from tests.settlements.archived import an_intent_that_is_over, archived, ready
from tests.settlements.lived_in import verified
from tests.setup.test_database_roles import ROLE, role

__all__ = ["role"]


@pytest.fixture
def archive(role: str, archives_dir: Path) -> AuditArchive:
    an_intent_that_is_over()
    ready()
    (done,) = archived()
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {ROLE}")
    return done.archive


def test_it_verifies_what_is_archived_and_leaves_nothing_behind(archive: AuditArchive) -> None:
    out = verified()
    assert f" {archive.events} archived audit events are in their files\n" in out
    assert "All is proven." in out
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM archived.readout")
        assert cursor.fetchone() == (0,)
        cursor.execute("SHOW search_path")
        assert "archived" not in cursor.fetchone()[0]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM settlements_remove_archived(1, 0, 1)",
        "DELETE FROM settlements_auditevent",
        "TRUNCATE archived.readout",
        "DROP VIEW archived.settlements_auditevent",
        "CREATE TABLE archived.settlements_paymentintent (id bigint)",
        "INSERT INTO settlements_auditarchive DEFAULT VALUES",
        "INSERT INTO settlements_archivedchain DEFAULT VALUES",
    ],
)
def test_it_removes_no_audit_event_and_shows_nothing_else(archive: AuditArchive, statement: str) -> None:
    with pytest.raises(ProgrammingError) as refusal, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert isinstance(refusal.value.__cause__, psycopg.errors.InsufficientPrivilege)


def test_it_is_told_to_archive_as_the_owner_before_anything_is_written(
    role: str, archives_dir: Path, settings: Any
) -> None:
    settings.CHAINPAY_DATABASE_OWNER = None
    an_intent_that_is_over()
    ready()
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {ROLE}")
    with pytest.raises(CommandError, match="DATABASE_OWNER_URL"):
        call_command("archive_audit", "2024-02")
    assert not archives_dir.exists()
    assert not AuditArchive.objects.exists()


def test_no_guard_believes_what_stands_beside_the_table(archive: AuditArchive) -> None:
    last = AuditEvent.objects.order_by("-id")[0]
    columns = "intent_id, action, from_status, to_status, reason, triggered_by, approved_by, data, created_at"
    forged = f"""
        INSERT INTO {{table}} (id, sequence, prev_hash, hash, {columns})
        SELECT id + 1000 + %s, sequence + 1 + %s, sha256(%s), sha256(%s), {columns}
        FROM public.settlements_auditevent WHERE id = %s
    """
    with connection.cursor() as cursor:
        cursor.execute("SET search_path TO archived, public")
        cursor.execute(forged.format(table="archived.readout"), [0, 0, b"a", b"b", last.pk])
        with pytest.raises(DatabaseError, match="chain"), transaction.atomic():
            cursor.execute(forged.format(table="public.settlements_auditevent"), [1, 1, b"b", b"c", last.pk])
