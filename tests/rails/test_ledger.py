from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from django.db import connection, connections

from rails import ledger, recipients
from rails.accounts import AccountCode, AccountKey, open_accounts
from rails.entries import AccountMissing, Entry, EntryConflict, EntryUnknown
from rails.models import Account, EntryKind, JournalEntry, Posting
from rails.money import Money
from settlements import house_entries
from tests.rails.rail_contract import NOW

T = TypeVar("T")


def release(milestone_id: int, minor: int = 700, currency: str = "USD", **others: object) -> Entry:
    values: dict[str, object] = {
        "kind": EntryKind.RELEASE,
        "reference": f"TEST:{milestone_id}:{others.get('attempt_number', 1)}",
        "milestone_id": milestone_id,
        "amount": Money(minor, currency),
        "debit": AccountKey(AccountCode.FREIGHT_COST, currency),
        "credit": AccountKey(AccountCode.RECIPIENT_PAYABLE, currency),
    }
    return Entry(**{**values, **others})  # type: ignore[arg-type]


@pytest.mark.django_db
class TestBooking:
    def test_a_fact_is_booked_once_and_answers_with_its_first_reference(self) -> None:
        first = ledger.post([release(1)], now=NOW)[0]
        second = ledger.post([replace(release(1), reference="LATER")], now=NOW + timedelta(days=1))[0]
        assert (first.created, second.created) == (True, False)
        assert (second.entry_id, second.reference, second.posted_at) == (first.entry_id, "TEST:1:1", NOW)
        assert Posting.objects.count() == 1

    @pytest.mark.parametrize(
        "other",
        [
            release(1, 701),
            release(1, 700, "EUR"),
            replace(
                release(1),
                debit=AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD"),
                credit=AccountKey(AccountCode.FREIGHT_COST, "USD"),
            ),
        ],
    )
    def test_the_same_fact_with_another_content_is_a_conflict(self, other: Entry) -> None:
        ledger.post([release(1)], now=NOW)
        with pytest.raises(EntryConflict):
            ledger.post([other], now=NOW)
        assert JournalEntry.objects.count() == 1

    def test_a_conflict_takes_the_whole_post_with_it(self) -> None:
        ledger.post([release(1)], now=NOW)
        with pytest.raises(EntryConflict):
            ledger.post([release(2), release(1, 999)], now=NOW)
        assert JournalEntry.objects.count() == 1

    def test_two_facts_may_not_share_a_reference(self) -> None:
        ledger.post([release(1, reference="SAME")], now=NOW)
        with pytest.raises(EntryConflict):
            ledger.post([release(2, reference="SAME")], now=NOW)
        with pytest.raises(EntryConflict):
            ledger.post([release(3, reference="OTHER"), release(4, reference="OTHER")], now=NOW)

    def test_a_batch_that_contradicts_itself_is_a_conflict(self) -> None:
        with pytest.raises(EntryConflict):
            ledger.post([release(1), release(1, 701)], now=NOW)

    def test_an_account_of_nobody_is_not_opened(self) -> None:
        with pytest.raises(AccountMissing):
            ledger.post([release(1, credit=AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD", 404))], now=NOW)
        assert not JournalEntry.objects.exists()

    def test_opening_accounts_again_opens_nothing(self) -> None:
        keys = [AccountKey(AccountCode.FREIGHT_COST, "USD"), AccountKey(AccountCode.FREIGHT_COST, "EUR")]
        open_accounts([*keys, *keys])
        open_accounts(keys)
        assert Account.objects.count() == 2

    @pytest.mark.parametrize("minor", [0, -1])
    def test_an_entry_moves_something(self, minor: int) -> None:
        with pytest.raises(ValueError, match="moves more than"):
            release(1, minor)

    def test_an_entry_is_in_one_currency(self) -> None:
        with pytest.raises(ValueError, match="one currency"):
            release(1, credit=AccountKey(AccountCode.RECIPIENT_PAYABLE, "EUR"))


def test_a_missing_account_leaves_the_other_entries_of_its_milestone_for_the_second_look(db: None) -> None:
    """A transfer builds on its release: opened must be the release's account before either is booked."""
    for name, milestone_id in (("FIRST", 1), ("SECOND", 2)):
        recipient, _ = recipients.put(name, name, actor="test", now=NOW)
        payable = AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD", recipient.pk)
        clearing, cash = (AccountKey(code, "USD") for code in (AccountCode.STRIPE_CLEARING, AccountCode.STRIPE_BALANCE))
        booked = ledger.post(
            [
                release(milestone_id, credit=payable),
                release(
                    milestone_id, kind=EntryKind.TRANSFER, reference=f"T{milestone_id}", debit=clearing, credit=cash
                ),
            ],
            now=NOW,
        )
        assert all(posted.created for posted in booked)


@pytest.mark.django_db
class TestReversing:
    def test_a_release_comes_back_as_a_return_once(self) -> None:
        entry_id = ledger.post([release(1)], now=NOW)[0].entry_id
        back = ledger.reverse(entry_id, now=NOW)
        assert back.reference == "TEST:1:1:RETURN"
        assert ledger.reverse(entry_id, now=NOW).entry_id == back.entry_id
        assert ledger.balance(AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD")) == Money.zero("USD")

    def test_a_part_may_come_back_and_no_other_part_after_it(self) -> None:
        entry_id = ledger.post([release(1)], now=NOW)[0].entry_id
        ledger.reverse(entry_id, now=NOW, amount=Money(200, "USD"))
        with pytest.raises(EntryConflict):
            ledger.reverse(entry_id, now=NOW, amount=Money(300, "USD"))
        assert ledger.balance(AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD")) == Money(500, "USD")

    def test_a_return_is_not_reversed(self) -> None:
        back = ledger.reverse(ledger.post([release(1)], now=NOW)[0].entry_id, now=NOW)
        with pytest.raises(EntryConflict):
            ledger.reverse(back.entry_id, now=NOW)

    def test_a_correction_is_reversed_by_a_correction(self) -> None:
        wrong = replace(release(1), kind=EntryKind.CORRECTION, milestone_id=None, reference="CORRECTION:1")
        told = {"actor": "user:finance1", "reason": "a mistake"}
        entry_id = house_entries.book([wrong], now=NOW, **told)[0].entry_id
        house_entries.reverse(entry_id, now=NOW, **told)
        assert ledger.balance(AccountKey(AccountCode.FREIGHT_COST, "USD")) == Money.zero("USD")
        assert JournalEntry.objects.filter(kind=EntryKind.CORRECTION).count() == 2

    def test_what_is_not_there_can_not_be_reversed(self) -> None:
        with pytest.raises(EntryUnknown):
            ledger.reverse(404, now=NOW)


@pytest.mark.django_db
def test_the_trial_balance_is_zero_in_every_currency() -> None:
    ledger.post([release(1, 700), release(2, 5, "JPY"), release(3, 1234, "KWD")], now=NOW)
    ledger.reverse(JournalEntry.objects.get(milestone_id=1).pk, now=NOW + timedelta(days=1))
    rows = ledger.trial_balance()
    assert {row.currency for row in rows} == {"USD", "JPY", "KWD"}
    for currency in ("USD", "JPY", "KWD"):
        of_one = ledger.trial_balance(currency)
        assert sum(row.debit.minor for row in of_one) == sum(row.credit.minor for row in of_one)
    first_day = ledger.trial_balance("USD", before=NOW + timedelta(hours=1))
    assert [(row.code, row.debit.minor, row.credit.minor) for row in first_day] == [
        ("freight_cost", 700, 0),
        ("recipient_payable", 0, 700),
    ]


def at_once(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Run each task in a thread with a connection of its own, all starting together."""
    barrier = Barrier(len(tasks))

    def run(task: Callable[[], T]) -> T:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=10)
            return task()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    def test_the_same_release_from_many_connections_is_one_entry(self) -> None:
        entries = [release(1, reference=f"R{number}") for number in range(6)]
        posted = at_once([partial(ledger.post, [entry], now=NOW) for entry in entries])
        references = [one.reference for (one,) in posted]
        assert len(set(references)) == 1
        assert JournalEntry.objects.get().reference == references[0]
        assert Posting.objects.count() == 1
        assert Account.objects.count() == 2

    def test_two_attempts_at_once_pay_once(self) -> None:
        entries = [release(1, attempt_number=number) for number in (1, 2, 3)]
        outcomes = at_once([partial(ledger.post_each, [entry], now=NOW) for entry in entries])
        assert sum(not isinstance(outcome, EntryConflict) for (outcome,) in outcomes) == 1
        assert JournalEntry.objects.count() == 1

    def test_opposite_orders_do_not_lock_each_other_out(self) -> None:
        ledger.post([release(0)], now=NOW)  # opens the accounts
        forth = [release(number) for number in range(1, 2001)]
        outcomes = at_once([partial(ledger.post, entries, now=NOW) for entries in (forth, forth[::-1])])
        assert sorted(sum(one.created for one in posted) for posted in outcomes) == [0, 2000]
        assert JournalEntry.objects.count() == 2001
