"""What each movement at a provider books, and what the database refuses of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import pytest
from django.db import DatabaseError, connection, transaction

from rails import books, ledger, recipients
from rails.accounts import AccountCode, AccountKey
from rails.base import RailOutcome, SettlementProvider
from rails.books import CASH, CLEARING, Movement
from rails.entries import EntryConflict, LedgerError
from rails.models import EntryKind, JournalEntry, Recipient
from rails.money import Money
from settlements import house_entries
from tests.flows.conftest import at_once

NOW = datetime(2025, 11, 7, 15, 30, tzinfo=UTC)
REMOTE = [provider for provider in SettlementProvider if provider is not SettlementProvider.INTERNAL_LEDGER]
STRIPE = SettlementProvider.STRIPE


@pytest.fixture
def recipient(db: None) -> Recipient:
    return recipients.put("CARRIER-1", "Bozza Haulage", actor="test", now=NOW)[0]


class Payment:
    """One attempt of a milestone, as its movements are told of it."""

    def __init__(self, recipient: Recipient, provider: SettlementProvider = STRIPE, minor: int = 700_000) -> None:
        self.recipient, self.provider, self.minor, self.attempt = recipient, provider, minor, 1

    def movement(self, outcome: RailOutcome, minor: int | None = None) -> Movement:
        return Movement(
            outcome=outcome,
            provider=self.provider,
            milestone_id=1,
            attempt_number=self.attempt,
            recipient_id=self.recipient.pk,
            amount=Money(self.minor if minor is None else minor, "USD"),
            reference=f"ref_{self.attempt}",
        )

    def happens(self, outcome: RailOutcome, minor: int | None = None) -> None:
        books.book([self.movement(outcome, minor)], now=NOW)

    @property
    def balances(self) -> tuple[int, int, int, int]:
        """Cost, owed to the recipient, on its way, and our money at the provider, in minor units."""

        def of(code: AccountCode, owner: int | None = None) -> int:
            return ledger.balance(AccountKey(code, "USD", owner)).minor

        return (
            of(AccountCode.FREIGHT_COST),
            of(AccountCode.RECIPIENT_PAYABLE, self.recipient.pk),
            of(CLEARING[self.provider]),
            of(CASH[self.provider]),
        )


@contextmanager
def refused(words: str) -> Iterator[None]:
    with pytest.raises((DatabaseError, LedgerError), match=words), transaction.atomic():
        yield


def zero_trial_balance() -> bool:
    rows = ledger.trial_balance("USD")
    return sum(row.debit.minor for row in rows) == sum(row.credit.minor for row in rows)


@pytest.mark.parametrize("provider", REMOTE)
def test_a_payment_that_arrives_empties_the_clearing_account(
    recipient: Recipient, provider: SettlementProvider
) -> None:
    payment = Payment(recipient, provider)
    payment.happens(RailOutcome.ACCEPTED)
    assert payment.balances == (700_000, 700_000, 700_000, -700_000)
    payment.happens(RailOutcome.CONFIRMED)
    assert payment.balances == (700_000, 0, 0, -700_000)
    assert zero_trial_balance()


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize("parts", [[700_000], [1, 699_999], [100_000, 200_000, 400_000]])
def test_what_comes_back_in_parts_leaves_nothing_behind(
    recipient: Recipient, parts: list[int], confirmed: bool
) -> None:
    payment = Payment(recipient)
    payment.happens(RailOutcome.ACCEPTED)
    if confirmed:
        payment.happens(RailOutcome.CONFIRMED)
    for part in parts:
        payment.happens(RailOutcome.RETURNED, part)
    assert payment.balances == (0, 0, 0, 0)
    assert zero_trial_balance()


def test_a_payout_takes_what_is_left_after_a_part_came_back(recipient: Recipient) -> None:
    payment = Payment(recipient)
    payment.happens(RailOutcome.ACCEPTED)
    payment.happens(RailOutcome.RETURNED, 300_000)
    payment.happens(RailOutcome.CONFIRMED)
    assert payment.balances == (400_000, 0, 0, -400_000)
    assert JournalEntry.objects.get(kind=EntryKind.PAYOUT).amount_minor == 400_000


def test_a_failed_payout_is_owed_again_and_paid_out_once_more(recipient: Recipient) -> None:
    payment = Payment(recipient)
    for outcome in (RailOutcome.ACCEPTED, RailOutcome.CONFIRMED, RailOutcome.PAYOUT_FAILED):
        payment.happens(outcome)
    assert payment.balances == (700_000, 700_000, 700_000, -700_000)
    payment.happens(RailOutcome.CONFIRMED)
    assert payment.balances == (700_000, 0, 0, -700_000)
    assert list(JournalEntry.objects.filter(kind=EntryKind.PAYOUT).values_list("occurrence", flat=True)) == [2, 1]


def test_a_second_attempt_is_paid_once_all_of_the_first_is_back(recipient: Recipient) -> None:
    payment = Payment(recipient)
    payment.happens(RailOutcome.ACCEPTED)
    payment.happens(RailOutcome.RETURNED, 699_999)
    payment.attempt = 2
    with refused("not more, no other currency"):
        payment.happens(RailOutcome.ACCEPTED)
    payment.attempt = 1
    payment.happens(RailOutcome.RETURNED, 1)
    payment.attempt = 2
    payment.happens(RailOutcome.ACCEPTED)
    payment.happens(RailOutcome.CONFIRMED)
    assert payment.balances == (700_000, 0, 0, -700_000)


def test_accepted_twice_is_a_conflict_and_books_nothing_more(recipient: Recipient) -> None:
    payment = Payment(recipient)
    payment.happens(RailOutcome.ACCEPTED)
    with refused("contradicts|another content|stands in its way|one_first_release|released_and_sent_once|entry_kind"):
        payment.happens(RailOutcome.ACCEPTED)
    assert payment.balances == (700_000, 700_000, 700_000, -700_000)


def test_more_than_was_sent_never_comes_back(recipient: Recipient) -> None:
    payment = Payment(recipient)
    payment.happens(RailOutcome.ACCEPTED)
    with refused("more came back than had been sent"):
        payment.happens(RailOutcome.RETURNED, 700_001)
    payment.happens(RailOutcome.RETURNED, 400_000)
    with refused("more came back than had been sent"):
        payment.happens(RailOutcome.RETURNED, 300_001)


def test_a_fee_is_booked_once_per_reference(recipient: Recipient) -> None:
    told = {"actor": "user:finance1", "reason": "a fee"}
    for _ in range(2):
        house_entries.book_fee(STRIPE, Money(25, "USD"), reference="txn_1", now=NOW, **told)
    assert ledger.balance(AccountKey(AccountCode.RAIL_FEES, "USD")) == Money(25, "USD")
    with pytest.raises(EntryConflict):
        books.book_fee(STRIPE, Money(26, "USD"), reference="txn_1", now=NOW)


def test_any_number_of_movements_is_two_statements_and_a_savepoint(
    recipient: Recipient, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    payment = Payment(recipient)
    payment.happens(RailOutcome.ACCEPTED)  # opens the accounts
    many = [
        Movement(
            outcome=RailOutcome.ACCEPTED,
            provider=STRIPE,
            milestone_id=number,
            attempt_number=1,
            recipient_id=recipient.pk,
            amount=Money(number, "USD"),
            reference=f"ref_{number}_1",
        )
        for number in range(2, 202)
    ]
    with django_assert_num_queries(4):  # type: ignore[operator]
        assert len(books.book(many, now=NOW)) == 400


class TestTheDatabaseRefuses:
    """Entries written past `rails.books`."""

    @staticmethod
    def write(kind: str, minor: int, *, occurrence: int = 1, reverses: str = "") -> None:
        """An entry of milestone 1 with its posting, between any two accounts."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                """
                WITH entry AS (
                    INSERT INTO rails_journalentry (reference, kind, milestone_id, attempt_number, occurrence, currency,
                        amount_minor, reverses_id, description, posted_at)
                    VALUES (%s, %s, 1, 1, %s, 'USD', %s,
                        (SELECT id FROM rails_journalentry WHERE kind = %s ORDER BY id LIMIT 1), '', now())
                    RETURNING id, posted_at
                )
                INSERT INTO rails_posting (entry_id, debit_account_id, credit_account_id, currency, amount_minor,
                    posted_at)
                SELECT entry.id, a.low, a.high, 'USD', %s, entry.posted_at
                FROM entry, (SELECT min(id) AS low, max(id) AS high FROM rails_account) a
                """,
                [f"by hand {kind} {occurrence}", kind, occurrence, minor, reverses, minor],
            )
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    @pytest.fixture
    def accepted(self, recipient: Recipient) -> Payment:
        payment = Payment(recipient)
        payment.happens(RailOutcome.ACCEPTED)
        return payment

    def test_a_transfer_of_what_was_never_released(self, recipient: Recipient) -> None:
        with refused("moves no more than what is on its way"):
            self.write("transfer", 1)

    def test_a_second_transfer_or_release_of_an_attempt(self, accepted: Payment) -> None:
        for kind in ("transfer", "release"):
            with refused("released_and_sent_once_an_attempt|entry_kind|moves no more|first_release"):
                self.write(kind, 1, occurrence=2)

    def test_a_payout_above_what_is_on_its_way(self, accepted: Payment) -> None:
        with refused("moves no more than what is on its way"):
            self.write("payout", 700_001)
        self.write("payout", 400_000)
        with refused("moves no more than what is on its way"):
            self.write("payout", 300_001, occurrence=2)
        self.write("payout", 300_000, occurrence=2)

    def test_a_transfer_back_of_what_was_paid_out(self, accepted: Payment) -> None:
        self.write("payout", 700_000)
        with refused("moves no more than what is on its way"):
            self.write("transfer_return", 1, reverses="transfer")

    @pytest.mark.parametrize(("kind", "of"), [("return", "transfer"), ("transfer_return", "release"), ("return", "")])
    def test_taking_back_something_else(self, accepted: Payment, kind: str, of: str) -> None:
        with refused("can not refer to|entry_kind_has_its_links"):
            self.write(kind, 1, reverses=of)

    def test_taking_back_more_than_there_is_in_parts(self, accepted: Payment) -> None:
        self.write("return", 400_000, reverses="release")
        with refused("not more"):
            self.write("return", 300_001, occurrence=2, reverses="release")
        self.write("return", 300_000, occurrence=2, reverses="release")

    @pytest.mark.django_db(transaction=True)
    def test_many_who_take_back_at_once_take_back_no_more_than_there_is(self, transactional_db: None) -> None:
        Payment(recipients.put("CARRIER-1", "Bozza", actor="test", now=NOW)[0]).happens(RailOutcome.ACCEPTED)

        def take_back(occurrence: int) -> bool:
            try:
                self.write("return", 100_000, occurrence=occurrence, reverses="release")
            except DatabaseError:
                return False
            return True

        took = at_once([partial(take_back, number) for number in range(1, 21)], threads=8)
        assert sum(took) == 7
