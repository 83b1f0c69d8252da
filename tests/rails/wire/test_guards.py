"""What the database refuses of wires, whoever writes them."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.db.models import Model, QuerySet

from rails.models import WireAnswer, WireEntry, WireFile
from rails.wire.configuration import WireConfiguration
from tests.rails.wire.bank import MONDAY, next_day, order, paid, payee

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann", is_staff=True)


@pytest.fixture
def wire(wires: WireConfiguration) -> WireEntry:
    paid(order(1, payee()))
    return WireEntry.objects.get()


def refused(act: Any, *arguments: Any, **others: Any) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        act(*arguments, **others)


def say(wire: WireEntry, user: User, word: str, reference: str = "IMAD-1", **others: Any) -> WireAnswer:
    others = {"reason": "seen on the statement", "actor": "user:ann", **others}
    return WireAnswer.objects.create(entry=wire, word=word, bank_reference=reference, said_by=user, **others)


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "0" * 64},
        {"amount_minor": 1},
        {"entry_count": 2},
        {"name": "another.xml"},
        {"state": "STAGED", "handed_over_at": None},
        {"handed_over_at": next_day()},
    ],
)
def test_a_file_stays_as_it_was_handed_over(wire: WireEntry, change: dict[str, Any]) -> None:
    refused(WireFile.objects.update, **change)


@pytest.mark.parametrize("change", [{"amount_minor": 1}, {"milestone_id": 2}, {"end_to_end_id": "CP-9-9"}])
def test_a_wire_stays_as_it_was_written(wire: WireEntry, change: dict[str, Any]) -> None:
    refused(WireEntry.objects.update, **change)


@pytest.mark.parametrize("rows", [WireFile.objects.all(), WireEntry.objects.all()])
def test_nothing_is_removed(wire: WireEntry, rows: QuerySet[Model]) -> None:
    refused(rows.delete)


def _copy(wire: WireEntry, **changes: Any) -> WireEntry:
    values = {
        "file": wire.file,
        "milestone_id": 77,
        "attempt_number": 1,
        "end_to_end_id": "CP-77-1",
        "uetr": uuid.uuid4(),
        "destination": wire.destination,
        "currency": "USD",
        "amount_minor": 7000,
        **changes,
    }
    return WireEntry.objects.create(**values)


def test_no_payment_slips_into_a_file_that_is_made(wire: WireEntry) -> None:
    refused(_copy, wire)


def _file(**changes: Any) -> WireFile:
    values = {
        "name": "CPWIRE-USD-1.xml",
        "message_id": "CPWIRE-USD-1",
        "currency": "USD",
        "window_opens": next_day(),
        "execution_date": next_day().date(),
        "sha256": "a" * 64,
        "entry_count": 1,
        "amount_minor": 7000,
        "created_at": MONDAY,
        **changes,
    }
    return WireFile.objects.create(**values)


@pytest.mark.parametrize(
    "change", [{"entry_count": 2}, {"amount_minor": 7001}, {"window_opens": MONDAY.replace(second=0)}]
)
def test_a_file_is_the_sum_of_its_payments_and_alone_in_its_window(wire: WireEntry, change: dict[str, Any]) -> None:
    def write() -> None:
        _copy(wire, file=_file(**change))
        with transaction.get_connection().cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    refused(write)


@pytest.mark.parametrize(
    "change",
    [
        {"milestone_id": 1, "attempt_number": 1},
        {"milestone_id": 1, "attempt_number": 2},
        {"end_to_end_id": "CP-1-1"},
        {"currency": "EUR"},
        {"amount_minor": 0},
        {"attempt_number": 0},
    ],
)
def test_a_payment_is_in_one_file_and_a_second_attempt_waits(wire: WireEntry, change: dict[str, Any]) -> None:
    refused(lambda: _copy(wire, file=_file(), **change))


def test_a_second_attempt_follows_a_refusal(wire: WireEntry, ann: User) -> None:
    say(wire, ann, "REFUSED")
    _copy(wire, file=_file(), milestone_id=1, attempt_number=2)


def test_a_second_attempt_follows_when_all_of_it_came_back(wire: WireEntry, ann: User) -> None:
    say(wire, ann, "CONFIRMED")
    say(wire, ann, "RETURNED", "R-1", amount_minor=6999)
    file = _file()
    refused(_copy, wire, file=file, milestone_id=1, attempt_number=2)
    say(wire, ann, "RETURNED", "R-2", amount_minor=1)
    _copy(wire, file=file, milestone_id=1, attempt_number=2)


class TestTheBanksWord:
    @pytest.mark.parametrize("first", ["CONFIRMED", "REFUSED"])
    @pytest.mark.parametrize("second", ["CONFIRMED", "REFUSED"])
    def test_it_is_said_once(self, wire: WireEntry, ann: User, first: str, second: str) -> None:
        say(wire, ann, first)
        refused(say, wire, ann, second, "IMAD-2")

    def test_it_is_irrevocable(self, wire: WireEntry, ann: User) -> None:
        say(wire, ann, "CONFIRMED")
        for change in ({"word": "REFUSED"}, {"bank_reference": "X"}, {"reason": "x"}, {"actor": "user:ben"}):
            refused(WireAnswer.objects.update, **change)
        refused(WireAnswer.objects.all().delete)
        WireAnswer.objects.update(heard_at=MONDAY)
        refused(WireAnswer.objects.update, heard_at=next_day())

    def test_only_what_arrived_comes_back_and_not_more_of_it(self, wire: WireEntry, ann: User) -> None:
        refused(say, wire, ann, "RETURNED", amount_minor=7000)
        say(wire, ann, "CONFIRMED")
        refused(say, wire, ann, "RETURNED", "R-1", amount_minor=7001)
        say(wire, ann, "RETURNED", "R-1", amount_minor=4000)
        refused(say, wire, ann, "RETURNED", "R-2", amount_minor=3001)
        refused(say, wire, ann, "RETURNED", "R-1", amount_minor=1)

    def test_a_refused_wire_does_not_come_back(self, wire: WireEntry, ann: User) -> None:
        say(wire, ann, "REFUSED")
        refused(say, wire, ann, "RETURNED", "R-1", amount_minor=7000)

    @pytest.mark.parametrize("reference", ["", " ", " IMAD", "IMAD\n", "I\x07", "x" * 71])
    def test_it_has_a_reference_of_visible_characters(self, wire: WireEntry, ann: User, reference: str) -> None:
        refused(say, wire, ann, "CONFIRMED", reference)

    def test_one_reference_confirms_one_wire(self, wire: WireEntry, ann: User) -> None:
        paid(order(2, wire.destination.recipient_id), now=next_day())
        other = WireEntry.objects.exclude(pk=wire.pk).get()
        say(wire, ann, "CONFIRMED")
        refused(say, other, ann, "CONFIRMED")
        say(other, ann, "REFUSED")

    def test_it_has_a_reason_and_an_amount_only_when_something_came_back(self, wire: WireEntry, ann: User) -> None:
        refused(say, wire, ann, "CONFIRMED", reason="")
        refused(say, wire, ann, "CONFIRMED", actor="")
        refused(say, wire, ann, "CONFIRMED", amount_minor=7000)
        refused(say, wire, ann, "MAYBE")

    def test_the_bank_says_nothing_of_what_it_does_not_have(self, wire: WireEntry, ann: User) -> None:
        staged = _copy(wire, file=_file())
        refused(say, staged, ann, "CONFIRMED")
