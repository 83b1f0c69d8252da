"""The connection over which batches go: one of a process, whichever thread leads, and never a broken one."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction
from django.db.utils import OperationalError

from settlements import lead_connection


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def lead() -> int:
    with lead_connection.lent():
        return backend()


def from_another_thread() -> int:
    try:
        return lead()
    finally:
        connections.close_all()


def torn_out() -> None:
    with lead_connection.lent(), transaction.atomic():
        backend()
        raise SystemExit


@pytest.mark.django_db(transaction=True)
class TestLent:
    def test_every_thread_leads_over_the_same_connection_and_has_its_own_again_afterwards(self) -> None:
        own = backend()
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(from_another_thread).result()
        assert lead() == other != own
        assert backend() == own

    def test_who_leaves_by_an_exception_has_its_own_again_and_nothing_stays_open(self) -> None:
        own = backend()
        with pytest.raises(SystemExit):
            torn_out()
        assert backend() == own
        with lead_connection.lent():
            assert not connection.in_atomic_block
            assert connection.connection.info.transaction_status == 0

    def test_a_connection_that_was_lost_is_followed_by_another(self) -> None:
        lost = lead()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [lost])
        with pytest.raises(OperationalError):
            lead()
        assert lead() != lost

    def test_what_takes_ten_seconds_is_given_up_and_no_table_is_read_whole_for_being_empty(self) -> None:
        with lead_connection.lent(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('enable_seqscan')")
            assert cursor.fetchone() == ("10s", "off")
            cursor.execute("SELECT current_setting('plan_cache_mode')")
            assert cursor.fetchone() == ("force_generic_plan",)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('enable_seqscan')")
            assert cursor.fetchone() == ("0", "on")

    def test_a_child_process_does_not_speak_over_its_parents_connection(self) -> None:
        parents = lead()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, b"kept" if lead_connection._open else b"none")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reader, 4) == b"none"
        os.close(reader)
        os.close(writer)
        assert lead() == parents


@pytest.mark.django_db
def test_who_is_inside_a_transaction_stays_there() -> None:
    own = backend()
    with lead_connection.lent():
        assert backend() == own
        assert connection.in_atomic_block
