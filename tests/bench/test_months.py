"""Tables cut by month keep what the plain ones keep: no message twice, no fork of a chain, nothing removed."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection as own
from psycopg import errors

from bench import databases, months
from tests.bench.test_bench import url_of_the_server

BOUNDS = {"settlements_shipmentevent": [10], "settlements_auditevent": [10], "rails_posting": [10]}
_MESSAGE = f"INSERT INTO {months.MESSAGE_KEYS} (source_id, message_id, event_id) VALUES (%s, 'once', %s)"


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The URL of a database of its own, with three tables in two months each."""
    with django_db_blocker.unblock():
        url = url_of_the_server()
    own.close()
    with databases.own(url, "months", kept=False) as by_month:
        with psycopg.connect(by_month, autocommit=True) as connection:
            months.cut(connection, BOUNDS)
        yield by_month


@pytest.fixture
def connection(server: str) -> Iterator[psycopg.Connection[Any]]:
    """In a transaction that is taken back; references are looked at by nobody, so that rows need no others."""
    with psycopg.connect(server) as connected:
        yield connected
        connected.rollback()


def audit_event(connection: psycopg.Connection[Any], *, intent: int, sequence: int, before: bytes) -> None:
    """The hash of each event is its sequence, 32 times."""
    connection.execute(
        b"INSERT INTO settlements_auditevent (intent_id, sequence, action, from_status, to_status, reason,"
        b" triggered_by, approved_by, data, created_at, prev_hash, hash)"
        b" VALUES (%s, %s, 'intent_created', '', '', '', 'test', '', '{}', now(), %s, %s)",
        [intent, sequence, before, bytes([sequence]) * 32],
    )


@pytest.mark.parametrize("intent", [9, 10])
def test_a_chain_has_no_second_event_of_a_sequence(connection: psycopg.Connection[Any], intent: int) -> None:
    audit_event(connection, intent=intent, sequence=1, before=bytes(32))
    with pytest.raises(errors.UniqueViolation):
        audit_event(connection, intent=intent, sequence=1, before=bytes(32))


def test_a_chain_can_not_skip_an_event(connection: psycopg.Connection[Any]) -> None:
    audit_event(connection, intent=10, sequence=1, before=bytes(32))
    with pytest.raises(errors.CheckViolation, match="carries the hash of the one before"):
        audit_event(connection, intent=10, sequence=3, before=bytes([1]) * 32)


def test_the_ends_of_a_month_lie_in_two_partitions(connection: psycopg.Connection[Any]) -> None:
    for intent in (9, 10):
        audit_event(connection, intent=intent, sequence=1, before=bytes(32))
    found = connection.execute("SELECT tableoid::regclass::text FROM settlements_auditevent ORDER BY intent_id")
    assert [row[0] for row in found] == [months.of("settlements_auditevent", month) for month in (1, 2)]


def test_a_message_is_stored_once_whatever_its_month(connection: psycopg.Connection[Any]) -> None:
    (source,) = connection.execute("SELECT min(id) FROM settlements_eventsource").fetchone() or (0,)
    connection.execute(_MESSAGE.encode(), [source, 9])
    with pytest.raises(errors.UniqueViolation):
        connection.execute(_MESSAGE.encode(), [source, 10])


@pytest.mark.parametrize("statement", ["DELETE FROM {table}", "UPDATE {table} SET reason = 'another'"])
@pytest.mark.parametrize("table", ["settlements_auditevent", "settlements_auditevent_m02"])
def test_rows_stay_as_they_are_in_the_table_and_in_its_month(
    connection: psycopg.Connection[Any], statement: str, table: str
) -> None:
    audit_event(connection, intent=10, sequence=1, before=bytes(32))
    with pytest.raises((errors.RaiseException, errors.CheckViolation), match="Cannot"):
        connection.execute(statement.format(table=table).encode())


@pytest.mark.parametrize("table", [name for cut in months.CUTS for name in (cut.table, months.of(cut.table, 1))])
def test_no_month_is_emptied(connection: psycopg.Connection[Any], table: str) -> None:
    with pytest.raises((errors.CheckViolation, errors.FeatureNotSupported)):
        connection.execute(f"TRUNCATE {table}".encode())


def test_a_month_that_settlements_refer_to_can_not_be_taken_off(connection: psycopg.Connection[Any]) -> None:
    kept = connection.execute(
        b"SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
        b" AND conrelid = 'settlements_milestonesettlement'::regclass"
        b" AND confrelid = 'settlements_shipmentevent'::regclass"
    ).fetchone()
    assert kept == (1,)
