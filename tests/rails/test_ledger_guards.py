"""What the database refuses, whoever asks: every statement here goes around the code."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from rails import ledger, recipients
from rails.accounts import AccountCode, AccountKey, open_accounts
from rails.models import Account, JournalEntry, Posting
from rails.money import Money
from tests.rails.rail_contract import NOW
from tests.rails.test_ledger import release

ENTRY = """
    INSERT INTO rails_journalentry (reference, kind, milestone_id, attempt_number, currency, amount_minor, reverses_id,
        follows_id, description, posted_at)
    VALUES (%(reference)s, %(kind)s, %(milestone_id)s, %(attempt_number)s, %(currency)s, %(amount_minor)s,
        %(reverses_id)s, %(follows_id)s, '', %(posted_at)s) RETURNING id
"""
POSTING = """
    INSERT INTO rails_posting (entry_id, debit_account_id, credit_account_id, currency, amount_minor, posted_at)
    VALUES (%(entry_id)s, %(debit)s, %(credit)s, %(currency)s, %(amount_minor)s, %(posted_at)s)
"""


def run(sql: str, **values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return int(cursor.fetchone()[0]) if cursor.description else cursor.rowcount


def write_entry(**others: object) -> int:
    values: dict[str, object] = {
        "reference": "SQL",
        "kind": "release",
        "milestone_id": 1,
        "attempt_number": 1,
        "currency": "USD",
        "amount_minor": 700,
        "reverses_id": None,
        "follows_id": None,
        "posted_at": NOW,
    }
    return run(ENTRY, **{**values, **others})


def write_posting(entry_id: int, **others: object) -> None:
    accounts = dict(Account.objects.filter(currency="USD").values_list("code", "id"))
    values: dict[str, object] = {
        "debit": accounts["freight_cost"],
        "credit": accounts["recipient_payable"],
        "currency": "USD",
        "amount_minor": 700,
        "posted_at": NOW,
    }
    run(POSTING, entry_id=entry_id, **{**values, **others})


@pytest.fixture
def accounts(transactional_db: None) -> None:
    open_accounts(AccountKey(code, currency) for code in AccountCode for currency in ("USD", "EUR"))


@pytest.fixture
def released(accounts: None) -> JournalEntry:
    return JournalEntry.objects.get(pk=ledger.post([release(1)], now=NOW)[0].entry_id)


@pytest.fixture
def returned(released: JournalEntry) -> JournalEntry:
    return JournalEntry.objects.get(pk=ledger.reverse(released.pk, now=NOW, amount=Money(500, "USD")).entry_id)


def test_the_statements_of_this_file_write_a_sound_entry(accounts: None) -> None:
    with transaction.atomic():
        write_posting(write_entry())
    assert Posting.objects.get().entry.reference == "SQL"


@pytest.mark.usefixtures("accounts")
class TestAnEntryIsBalanced:
    def test_an_entry_without_a_posting_is_refused(self) -> None:
        with pytest.raises(DatabaseError, match="has postings of 0"):
            write_entry()

    @pytest.mark.parametrize("minor", [1, 699])
    def test_postings_below_the_entry_are_refused(self, minor: int) -> None:
        with pytest.raises(DatabaseError, match=f"has postings of {minor}"), transaction.atomic():
            write_posting(write_entry(), amount_minor=minor)

    def test_postings_above_the_entry_are_refused(self) -> None:
        with pytest.raises(DatabaseError, match="exceed"), transaction.atomic():
            write_posting(write_entry(), amount_minor=701)

    def test_several_postings_may_make_up_an_entry(self) -> None:
        with transaction.atomic():
            entry_id = write_entry()
            write_posting(entry_id, amount_minor=300)
            write_posting(entry_id, amount_minor=400)
        assert Posting.objects.count() == 2

    def test_a_posting_of_another_time_is_refused(self) -> None:
        with pytest.raises(DatabaseError, match="another time"), transaction.atomic():
            write_posting(write_entry(), posted_at=NOW.replace(year=2024))

    def test_a_posting_from_an_account_to_itself_is_refused(self) -> None:
        account_id = Account.objects.filter(currency="USD").values_list("id", flat=True)[0]
        with pytest.raises(DatabaseError, match="posting_has_two_accounts"), transaction.atomic():
            write_posting(write_entry(), debit=account_id, credit=account_id)

    @pytest.mark.parametrize("side", ["debit", "credit"])
    def test_an_account_of_another_currency_is_refused(self, side: str) -> None:
        euros = Account.objects.get(currency="EUR", code="freight_cost").pk
        with pytest.raises(DatabaseError, match=f"posting_is_in_the_{side}ed_accounts_currency"), transaction.atomic():
            write_posting(write_entry(), **{side: euros})

    def test_a_posting_in_another_currency_than_its_entry_is_refused(self) -> None:
        euros = dict(Account.objects.filter(currency="EUR").values_list("code", "id"))
        with pytest.raises(DatabaseError, match="posting_is_in_its_entrys_currency"), transaction.atomic():
            write_posting(write_entry(), currency="EUR", debit=euros["freight_cost"], credit=euros["recipient_payable"])

    @pytest.mark.parametrize("minor", [0, -700])
    def test_an_entry_and_a_posting_move_something(self, minor: int) -> None:
        with pytest.raises(DatabaseError, match="entry_moves_something"):
            write_entry(amount_minor=minor)
        with pytest.raises(DatabaseError, match="posting_moves_something"), transaction.atomic():
            write_posting(write_entry(), amount_minor=minor)


@pytest.mark.parametrize("table", ["rails_account", "rails_journalentry", "rails_posting", "rails_recipientedit"])
class TestTheBooksAreAppendOnly:
    @pytest.fixture(autouse=True)
    def _rows(self, released: JournalEntry) -> None:
        recipients.put("CARRIER-1", "Bozza Haulage", actor="officer1", now=NOW)

    @pytest.mark.parametrize("verb", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
    def test_nothing_is_changed_or_removed(self, table: str, verb: str) -> None:
        with pytest.raises(DatabaseError, match=r"Cannot (update|delete|truncate)"):
            run(verb.format(table))
        assert run(f"SELECT count(*) FROM {table}") > 0


def test_a_finished_entry_takes_no_more_postings(released: JournalEntry) -> None:
    with pytest.raises(DatabaseError, match="exceed"):
        write_posting(released.pk, amount_minor=1)


class TestMoneyLeavesOnce:
    def test_a_second_release_is_refused_while_the_first_is_out(self, released: JournalEntry) -> None:
        with pytest.raises(DatabaseError, match="milestone_has_one_first_release"):
            write_entry(attempt_number=2)

    def test_the_same_fact_twice_is_refused(self, released: JournalEntry) -> None:
        with pytest.raises(DatabaseError, match=r"business_fact_is_booked_once|milestone_has_one_first_release"):
            write_entry()

    def test_a_release_that_follows_a_release_is_refused(self, released: JournalEntry) -> None:
        with pytest.raises(DatabaseError, match="can not refer to"):
            write_entry(attempt_number=2, follows_id=released.pk)

    def test_a_new_release_is_at_most_what_came_back(self, returned: JournalEntry) -> None:
        with pytest.raises(DatabaseError, match="not more"):
            write_entry(attempt_number=2, follows_id=returned.pk, amount_minor=501)
        with transaction.atomic():
            entry_id = write_entry(attempt_number=2, follows_id=returned.pk, amount_minor=500)
            write_posting(entry_id, amount_minor=500)

    def test_a_return_is_followed_by_one_release(self, returned: JournalEntry) -> None:
        with transaction.atomic():
            write_posting(write_entry(attempt_number=2, follows_id=returned.pk, amount_minor=100), amount_minor=100)
        with pytest.raises(DatabaseError, match="return_is_followed_once"):
            write_entry(reference="SQL2", attempt_number=3, follows_id=returned.pk, amount_minor=100)

    @pytest.mark.parametrize(
        "others",
        [{"amount_minor": 701}, {"milestone_id": 2}, {"currency": "EUR"}, {"attempt_number": 2}],
        ids=["more", "another milestone", "another currency", "another attempt"],
    )
    def test_a_return_fits_its_release(self, released: JournalEntry, others: dict[str, object]) -> None:
        with pytest.raises(DatabaseError, match=r"not more|can not refer"):
            write_entry(kind="return", reverses_id=released.pk, **others)

    def test_a_release_comes_back_once(self, returned: JournalEntry, released: JournalEntry) -> None:
        with pytest.raises(DatabaseError, match=r"booked_once|not more"):
            write_entry(kind="return", reverses_id=released.pk, amount_minor=100)

    def test_a_return_of_nothing_is_refused(self, accounts: None) -> None:
        with pytest.raises(DatabaseError, match="entry_kind_has_its_links"):
            write_entry(kind="return")
        with pytest.raises(DatabaseError, match="does not exist"):
            write_entry(kind="return", reverses_id=404)

    def test_a_correction_never_undoes_a_release_or_a_return(
        self, released: JournalEntry, returned: JournalEntry
    ) -> None:
        for entry in (released, returned):
            with pytest.raises(DatabaseError, match=r"no other milestone|can not refer"):
                write_entry(kind="correction", milestone_id=None, reverses_id=entry.pk, amount_minor=100)

    @pytest.mark.parametrize(
        ("others", "guard"),
        [
            ({"kind": "gift"}, "entry_kind"),
            ({"milestone_id": None}, "entry_kind_has_its_links"),
            ({"kind": "correction"}, "entry_kind_has_its_links"),
            ({"attempt_number": 0}, "entry_attempts_count_from_one"),
            ({"reference": ""}, "entry_has_a_reference"),
        ],
    )
    def test_an_entry_is_well_formed(self, accounts: None, others: dict[str, object], guard: str) -> None:
        with pytest.raises(DatabaseError, match=guard):
            write_entry(**others)


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize(
    ("code", "kind", "currency", "guard"),
    [
        ("freight_cost", "expense", "USD", "account_is_opened_once"),
        ("freight_cost", "toy", "GBP", "account_kind_is_known"),
        ("freight_cost", "expense", "usd", "account_currency_is_a_code"),
    ],
)
def test_an_account_is_opened_once_and_well_formed(code: str, kind: str, currency: str, guard: str) -> None:
    with pytest.raises(DatabaseError, match=guard):
        Account.objects.create(code=code, kind=kind, currency=currency)
