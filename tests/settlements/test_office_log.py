"""Acts that no intent owns: one chain, appended in the transaction of the act, that nobody shortens or rewrites."""

import threading
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from settlements import audit, office_log
from settlements.models import OfficeEvent
from settlements.office_log import OfficeAction, OfficeDraft
from settlements.verification import office
from settlements.verification.differences import Difference
from tests.factories import now
from tests.settlements.conftest import Refused, Sql

pytestmark = pytest.mark.django_db


def act(subject: str = "2026-11-28", **data: Any) -> int:
    draft = OfficeDraft(action=OfficeAction.DAY_CLOSED, subject=subject, actor="user:finance1", data=data)
    return office_log.record(draft, now=now())


def test_each_act_carries_the_hash_of_the_one_before_it() -> None:
    for number in range(3):
        act(f"day {number}", rows=number, totals={"USD": "12.50"}, nothing=None, text='Zürich \u007f \u2028 \\ "')
    events = list(OfficeEvent.objects.order_by("sequence"))
    assert [event.sequence for event in events] == [1, 2, 3]
    assert [bytes(event.prev_hash) for event in events] == [bytes(32), bytes(events[0].hash), bytes(events[1].hash)]
    assert office.check() == 3


@pytest.mark.django_db(transaction=True)
def test_an_act_is_never_written_outside_its_transaction() -> None:
    with pytest.raises(audit.NotInTransaction):
        act()


@pytest.mark.django_db(transaction=True)
def test_many_writers_at_once_make_one_chain() -> None:
    def write() -> None:
        for number in range(10):
            with transaction.atomic():
                act(f"{number}")
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with transaction.atomic():
        assert office.check() == 40


def test_the_database_refuses_a_gap_a_wrong_link_and_a_second_beginning(refused: Refused) -> None:
    act()
    row: dict[str, Any] = {"action": "exported", "subject": "x", "actor": "system", "created_at": now(), "hash": b"h"}
    with refused("an office event carries the hash of the one before it"):
        OfficeEvent.objects.create(sequence=2, prev_hash=bytes(32), **row)
    with refused("an office event carries the hash of the one before it"):
        OfficeEvent.objects.create(sequence=3, prev_hash=OfficeEvent.objects.get().hash, **row)
    with refused("the first office event follows nothing"):
        OfficeEvent.objects.create(sequence=1, prev_hash=OfficeEvent.objects.get().hash, **row)


@pytest.mark.parametrize(
    "statement", ["UPDATE settlements_officeevent SET actor = 'x'", "DELETE FROM settlements_officeevent",
                  "TRUNCATE settlements_officeevent"],
)  # fmt: skip
def test_what_was_done_is_never_changed_or_removed(statement: str, sql: Sql) -> None:
    act()
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        sql(statement)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE settlements_officeevent SET actor = 'user:x' WHERE sequence = 2", "office event 2: hash does not"),
        ("""UPDATE settlements_officeevent SET data = '{"rows": 1}' WHERE sequence = 1""", "office event 1: hash does"),
        ("DELETE FROM settlements_officeevent WHERE sequence = 2", "office event 2: missing, 3 follows"),
        ("UPDATE settlements_officeevent SET prev_hash = hash WHERE sequence = 3", "office event 3: it does not carry"),
        ("UPDATE settlements_officeevent SET created_at = created_at + interval '1 microsecond' WHERE sequence = 3",
         "office event 3: hash does not match its content"),
    ],
)  # fmt: skip
def test_an_edit_behind_the_guards_is_named(statement: str, words: str, behind_the_guards: Any) -> None:
    for number in range(3):
        act(rows=number)
    behind_the_guards(statement)
    with pytest.raises(Difference, match=words):
        office.check()
