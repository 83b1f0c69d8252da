"""Fees and corrections, which no settlement owns: told of in the office's chain as they are booked, and held to it."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from rails import books, ledger
from rails.accounts import AccountCode, AccountKey
from rails.base import SettlementProvider
from rails.entries import Entry, EntryConflict
from rails.models import EntryKind, JournalEntry
from rails.money import Money
from settlements import house_entries
from settlements.models import OfficeEvent
from settlements.verification import house, office
from settlements.verification.differences import Difference
from tests.factories import ACTOR, now
from tests.settlements.prompt import failure, one

pytestmark = pytest.mark.django_db
BANK = SettlementProvider.WIRE
TOLD: dict[str, Any] = {"actor": ACTOR, "reason": "as the statement says"}


def a_fee(reference: str = "stmt-1", minor: int = 1_250, currency: str = "USD") -> int:
    amount = Money(minor, currency)
    return house_entries.book_fee(BANK, amount, reference=reference, now=now(), **TOLD).entry_id


def a_correction(reference: str, minor: int = 500) -> int:
    entry = Entry(
        kind=EntryKind.CORRECTION,
        reference=reference,
        amount=Money(minor, "USD"),
        debit=AccountKey(AccountCode.STRIPE_BALANCE, "USD"),
        credit=AccountKey(AccountCode.FREIGHT_COST, "USD"),
    )
    return house_entries.book([entry], now=now(), **TOLD)[0].entry_id


def test_a_fee_is_told_with_amount_accounts_day_and_who() -> None:
    entry = JournalEntry.objects.get(pk=a_fee(minor=1_234, currency="KWD"))
    event = OfficeEvent.objects.get()
    assert (event.action, event.subject, event.actor) == ("entry_booked", "WIRE:stmt-1:FEE", ACTOR)
    assert event.reason == "as the statement says"
    accounts = [(event.data[side]["code"], event.data[side]["recipient"]) for side in ("debit", "credit")]
    assert accounts == [("rail_fees", None), ("bank_account", None)]
    told = (event.data["entry"], event.data["amount"], event.data["currency"], event.data["booked_on"])
    assert told == (entry.pk, "1.234", "KWD", entry.booked_on.isoformat())


def test_what_was_booked_before_is_told_of_once() -> None:
    assert a_fee() == a_fee()
    with pytest.raises(EntryConflict):
        a_fee(minor=1_251)
    assert OfficeEvent.objects.count() == 1
    assert house.check() == 1


def test_a_correction_and_what_takes_it_back_are_both_told() -> None:
    back = house_entries.reverse(a_correction("CORRECTION:1"), now=now(), **TOLD)
    assert house_entries.reverse(back.entry_id - 1, now=now(), **TOLD).created is False
    assert OfficeEvent.objects.get(subject=back.reference).data["reverses"] == back.entry_id - 1
    assert (house.check(), office.check()) == (2, 2)


def test_the_database_refuses_a_house_entry_that_nobody_told_of() -> None:
    books.book_fee(BANK, Money(100, "USD"), reference="silent", now=now())
    assert "is told of in the office's log" in str(failure("SET CONSTRAINTS ALL IMMEDIATE"))
    transaction.set_rollback(True)


def test_the_database_refuses_a_second_event_of_an_entry() -> None:
    entry_id = a_fee()
    event = OfficeEvent.objects.get()
    with pytest.raises(DatabaseError, match="one_office_event_per_entry"), transaction.atomic():
        OfficeEvent.objects.create(
            sequence=2, action="entry_booked", subject="x", actor="x", data={"entry": entry_id}, created_at=now(),
            prev_hash=event.hash, hash=b"x",
        )  # fmt: skip


def test_entries_of_before_are_told_of_as_they_are_found() -> None:
    """What the migration does to an installation that had booked fees."""
    migration = import_module("settlements.migrations.0100_house_entries_are_told")
    house_entries.book_fee(BANK, Money(1, "USD"), reference="first", now=now(), **TOLD)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for currency, minor in (("USD", 1_250), ("JPY", 10_000), ("KWD", 5)):
            books.book_fee(BANK, Money(minor, currency), reference=f'Zürich "\\ \n {currency}', now=now())
        cursor.execute("DELETE FROM settlements_officeevent")
        cursor.execute("SET LOCAL session_replication_role = origin")
    with connection.schema_editor() as editor:
        migration.tell(apps, editor)
    assert (house.check(), office.check()) == (4, 4)
    with connection.schema_editor() as editor:
        migration.tell(apps, editor)
    assert (house.check(), office.check()) == (4, 4)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE rails_journalentry SET amount_minor = 1251 WHERE id = {id}", "its amount in minor units is 1251"),
        ("UPDATE rails_posting SET amount_minor = 1251 WHERE entry_id = {id}", "its posting in minor units is 1251"),
        ("UPDATE rails_journalentry SET reference = 'x' WHERE id = {id}", "its reference is x"),
        ("UPDATE rails_journalentry SET kind = 'correction' WHERE id = {id}", "its kind is correction"),
        ("UPDATE rails_journalentry SET currency = 'EUR' WHERE id = {id}", "its amount|its currency"),
        ("UPDATE rails_journalentry SET description = 'x' WHERE id = {id}", "its description is x"),
        ("UPDATE rails_journalentry SET posted_at = posted_at - interval '1 s' WHERE id = {id}", "its time is"),
        (
            "UPDATE rails_journalentry SET created_at = created_at - interval '1 s' WHERE id = {id}",
            "time of writing is",
        ),
        ("UPDATE rails_journalentry SET booked_on = booked_on - 1 WHERE id = {id}", "its day is"),
        ("UPDATE rails_journalentry SET kind = 'release', milestone_id = 7 WHERE id = {id}", "its settlement is 7"),
        ("UPDATE rails_journalentry SET reverses_id = {id} WHERE kind = 'correction'", "its reversed entry is"),
        ("UPDATE rails_posting SET credit_account_id = {other} WHERE entry_id = {id}", "its credited account is"),
        ("UPDATE rails_posting SET debit_account_id = {other} WHERE entry_id = {id}", "its debited account is"),
        ("UPDATE rails_account SET code = 'ach_clearing' WHERE code = 'rail_fees'", "its debited account's code is"),
        ("DELETE FROM rails_posting WHERE entry_id = {id}", "its posting in minor units is nothing"),
        ("DELETE FROM rails_journalentry WHERE id = {id}", "office event 2: journal entry {id} .* is gone"),
        ("DELETE FROM settlements_officeevent WHERE sequence = 2", "no settlement owns it, and no office event tells"),
        (
            "UPDATE rails_journalentry SET id = 999999 WHERE id = {id}",
            "office event 2: journal entry {id} .* is gone",
        ),
    ],
)
def test_an_edit_behind_the_guards_is_named(statement: str, words: str, behind_the_guards: Any) -> None:
    a_correction("CORRECTION:1")
    entry_id = a_fee()
    other = one("SELECT id FROM rails_account WHERE code = 'stripe_balance'")
    assert house.check() == 2
    behind_the_guards(statement.format(id=entry_id, other=other))
    with pytest.raises(Difference, match=words.format(id=entry_id)):
        house.check()


def test_what_the_ledger_books_of_a_settlement_is_not_told_a_second_time() -> None:
    entry = Entry(
        kind=EntryKind.RELEASE,
        reference="INTERNAL_LEDGER:1",
        amount=Money(5, "USD"),
        debit=AccountKey(AccountCode.FREIGHT_COST, "USD"),
        credit=AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD"),
        milestone_id=1,
    )
    ledger.post([entry], now=now())
    assert not OfficeEvent.objects.exists()
    assert house.check() == 0
