"""Attempts, books of money at providers and approvals of retries that somebody changed behind the guards are named."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from rails.base import RailOutcome
from rails.models import JournalEntry, RailAttempt, Recipient
from rails.money import Money
from settlements import judging, verify
from settlements.models import MilestoneSettlement
from tests.factories import a_user, now, officer
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, notice, pretend_provider
from tests.flows.resolving import (
    attempt_of,
    failed,
    handed_over,
    kept,
    paid,
    releasing,
    retry,
    returned,
    submit,
    tell,
    turn,
    write_off,
)
from tests.settlements.conftest import Sql
from tests.settlements.lived_in import difference

pytestmark = pytest.mark.django_db
SMALL = {"amount": Decimal("1000")}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def recipient(provider: PretendProvider) -> Recipient:
    return a_payable_recipient()


@pytest.fixture
def approved(provider: PretendProvider, recipient: Recipient) -> MilestoneSettlement:
    return paid(provider, recipient, **SMALL)


@pytest.fixture
def again(provider: PretendProvider, recipient: Recipient) -> MilestoneSettlement:
    """One that came back and was paid by a second attempt."""
    settlement = returned(provider, recipient, **SMALL)
    retry(settlement, a_user())
    submit(provider)
    settlement.refresh_from_db()
    return settlement


def settle(settlement: MilestoneSettlement) -> None:
    tell(notice(RailOutcome.CONFIRMED, settlement.reference))


def test_a_whole_life_is_proven(provider: PretendProvider, recipient: Recipient, again: MilestoneSettlement) -> None:
    releasing(recipient)
    failed(provider, recipient)
    settle(again)
    elsewhere = returned(provider, recipient, **SMALL)
    turn(elsewhere, "internal_ledger", a_user())
    retry(elsewhere, a_user())
    write_off(failed(provider, recipient), a_user())
    partly = paid(provider, recipient)
    tell(notice(RailOutcome.RETURNED, partly.reference, amount=Money(5, "USD")))
    rests = paid(provider, recipient)
    settle(rests)
    tell(notice(RailOutcome.PAYOUT_FAILED, rests.reference))
    asked = handed_over(provider, recipient, provider.ask_a_person, **SMALL)
    judging.record_refused(asked.pk, number=1, officer=officer(a_user()), reason="not there", now=now())
    retry(asked, a_user())
    proven = {each.what: each.count for each in verify.everything()}
    assert proven["attempts at providers are booked and told"] == RailAttempt.objects.count() == 10


class TestSettlementsAndTheirAttempts:
    @pytest.mark.parametrize(
        ("state", "others"),
        [("SUBMITTED", ""), ("CONFIRMED", ""), ("REFUSED", ""), ("RETURNED", ", returned_minor = amount_minor")],
    )
    def test_an_attempt_in_another_state(
        self, approved: MilestoneSettlement, behind_the_guards: Sql, state: str, others: str
    ) -> None:
        behind_the_guards(
            f"UPDATE rails_railattempt SET state = %s, error = 'x'{others} WHERE milestone_id = %s", state, approved.pk
        )
        assert difference() == (
            f"settlement {approved.pk}: it is approved on rail stripe, but its last attempt is {state.lower()}"
        )

    def test_an_attempt_that_is_gone(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("DELETE FROM rails_railnotice")
        behind_the_guards("DELETE FROM rails_railattempt")
        assert difference() == (
            f"settlement {approved.pk}: it is approved on rail stripe, but its last attempt is not there"
        )

    def test_a_failed_one_whose_attempt_is_out(
        self, provider: PretendProvider, recipient: Recipient, behind_the_guards: Sql
    ) -> None:
        settlement = failed(provider, recipient)
        behind_the_guards("UPDATE rails_railattempt SET state = 'ACCEPTED', reference = 'tr_1'")
        assert (
            difference() == f"settlement {settlement.pk}: it is failed on rail stripe, but its last attempt is accepted"
        )

    @pytest.mark.parametrize(
        "change", ["amount_minor = amount_minor + 1", "currency = 'EUR'", "provider = 'WIRE'", "reference = 'tr_x'"]
    )
    def test_an_attempt_of_something_else(
        self, approved: MilestoneSettlement, behind_the_guards: Sql, change: str
    ) -> None:
        behind_the_guards(f"UPDATE rails_railattempt SET {change}")
        told = difference()
        assert told.startswith(f"settlement {approved.pk}: it is ")
        assert "but its last attempt is" in told


class TestNumbers:
    def test_a_gap(self, again: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE rails_railattempt SET number = 3 WHERE number = 2")
        behind_the_guards("UPDATE rails_journalentry SET attempt_number = 3 WHERE attempt_number = 2")
        assert difference() == f"settlement {again.pk}: its attempts are counted up to 3, but there are 2"

    def test_one_that_followed_another_that_is_not_over(
        self, again: MilestoneSettlement, behind_the_guards: Sql
    ) -> None:
        behind_the_guards("DROP INDEX one_attempt_at_a_time")
        behind_the_guards("UPDATE rails_railattempt SET state = 'ACCEPTED', returned_minor = 0 WHERE number = 1")
        assert difference() == f"attempt 1 of milestone {again.pk}: it is accepted, but attempt 2 followed it"


class TestBooksOfAttempts:
    def entry(self, settlement: MilestoneSettlement, kind: str, number: int = 1) -> JournalEntry:
        return JournalEntry.objects.get(milestone_id=settlement.pk, kind=kind, attempt_number=number)

    def drop(self, behind_the_guards: Sql, entry: JournalEntry) -> None:
        behind_the_guards("DELETE FROM rails_posting WHERE entry_id = %s", entry.pk)
        behind_the_guards("DELETE FROM rails_journalentry WHERE id = %s", entry.pk)

    def test_a_transfer_that_is_gone(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        self.drop(behind_the_guards, self.entry(approved, "transfer"))
        assert difference() == (
            f"attempt 1 of milestone {approved.pk}: it is accepted, but 1 releases and 0 transfers of it are booked"
        )

    def test_a_release_that_is_gone(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        self.drop(behind_the_guards, self.entry(approved, "release"))
        assert difference() == (
            f"attempt 1 of milestone {approved.pk}: it is accepted, but 0 releases and 1 transfers of it are booked"
        )

    def test_something_booked_of_what_was_refused(
        self, provider: PretendProvider, recipient: Recipient, approved: MilestoneSettlement, behind_the_guards: Sql
    ) -> None:
        refused = failed(provider, recipient)
        entry = self.entry(approved, "transfer")
        behind_the_guards("UPDATE rails_journalentry SET milestone_id = %s WHERE id = %s", refused.pk, entry.pk)
        assert (
            difference()
            == f"attempt 1 of milestone {refused.pk}: it is refused, but 1 journal entries are booked of it"
        )

    def test_something_booked_of_what_is_open(
        self, recipient: Recipient, approved: MilestoneSettlement, behind_the_guards: Sql
    ) -> None:
        is_open = releasing(recipient)
        entry = self.entry(approved, "transfer")
        behind_the_guards("UPDATE rails_journalentry SET milestone_id = %s WHERE id = %s", is_open.pk, entry.pk)
        assert f"attempt 1 of milestone {is_open.pk}: it is prepared, but 1 journal entries" in difference()

    def test_a_transfer_of_another_amount(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        entry = self.entry(approved, "transfer")
        behind_the_guards("UPDATE rails_posting SET amount_minor = 1 WHERE entry_id = %s", entry.pk)
        behind_the_guards("UPDATE rails_journalentry SET amount_minor = 1 WHERE id = %s", entry.pk)
        assert difference() == (
            f"attempt 1 of milestone {approved.pk}: it is of 70000 USD in minor units, "
            "but 70000 are booked as released, 1 as sent"
        )

    def test_a_return_that_is_not_booked_whole(self, again: MilestoneSettlement, behind_the_guards: Sql) -> None:
        self.drop(behind_the_guards, self.entry(again, "transfer_return"))
        assert difference() == (
            f"attempt 1 of milestone {again.pk}: 70000 in minor units came back of it, "
            "but 70000 are booked as returned, 0 as sent back"
        )

    def test_less_noted_as_returned_than_is_booked(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        tell(notice(RailOutcome.RETURNED, approved.reference, amount=Money(500, "USD")))
        behind_the_guards("UPDATE rails_railattempt SET returned_minor = 499")
        assert difference() == (
            f"attempt 1 of milestone {approved.pk}: 499 in minor units came back of it, "
            "but 500 are booked as returned, 500 as sent back"
        )

    def test_a_payout_that_is_gone(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        settle(approved)
        self.drop(behind_the_guards, self.entry(approved, "payout"))
        assert difference() == (
            f"attempt 1 of milestone {approved.pk}: it is confirmed, but 0 in minor units of it are booked as paid out"
        )

    def test_a_receivable_that_nobody_owes(
        self, provider: PretendProvider, recipient: Recipient, behind_the_guards: Sql
    ) -> None:
        settlement = kept(provider, recipient)
        behind_the_guards("UPDATE rails_railattempt SET owed_minor = 0 WHERE milestone_id = %s", settlement.pk)
        assert difference() == (
            f"attempt 1 of milestone {settlement.pk}: 0 in minor units of it are owed by the recipient "
            "(negative: to it), but 700000 are booked as receivable, 0 as surplus"
        )

    def test_what_is_owed_to_the_recipient_and_not_booked(
        self, provider: PretendProvider, recipient: Recipient, behind_the_guards: Sql
    ) -> None:
        settlement = returned(provider, recipient)
        behind_the_guards("UPDATE rails_railattempt SET owed_minor = -700000 WHERE milestone_id = %s", settlement.pk)
        assert difference() == (
            f"attempt 1 of milestone {settlement.pk}: -700000 in minor units of it are owed by the recipient "
            "(negative: to it), but 0 are booked as receivable, 0 as surplus"
        )

    def test_a_clearing_account_that_holds_something_else(
        self, approved: MilestoneSettlement, behind_the_guards: Sql
    ) -> None:
        entry = self.entry(approved, "transfer")
        behind_the_guards(
            "UPDATE rails_posting SET debit_account_id = (SELECT id FROM rails_account WHERE code = 'freight_cost') "
            "WHERE entry_id = %s",
            entry.pk,
        )
        assert difference() == "account stripe_clearing in USD: it holds 0 in minor units, but 70000 are on their way"


class TestPeople:
    def test_an_attempt_without_a_claim(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        """A first attempt that was refused, put before the one that was told of."""
        behind_the_guards("UPDATE rails_railattempt SET number = 2")
        behind_the_guards("UPDATE rails_journalentry SET attempt_number = 2")
        behind_the_guards(
            "INSERT INTO rails_railattempt (milestone_id, number, provider, amount_minor, currency, recipient_id,"
            " destination_id, state, reference, returned_minor, tries, error, question, prepared_at)"
            " SELECT milestone_id, 1, provider, amount_minor, currency, recipient_id, destination_id, 'REFUSED', '', 0,"
            " 1, 'no', '', now() FROM rails_railattempt"
        )
        assert difference() == (
            f"settlement {approved.pk}: it has 2 attempts at providers, but its audit events tell of 1"
        )

    def test_a_retry_whose_approval_is_of_another_version(
        self, again: MilestoneSettlement, behind_the_guards: Sql
    ) -> None:
        behind_the_guards("UPDATE settlements_approval SET version = 'another'")
        told = difference()
        assert told.startswith(f"settlement {again.pk}, audit event ")
        assert told.endswith("it went out again, but no version had all its approvals since it was returned")

    def test_a_retry_by_whoever_recorded_the_refusal(
        self, provider: PretendProvider, recipient: Recipient, behind_the_guards: Sql
    ) -> None:
        asked, recorder = handed_over(provider, recipient, provider.ask_a_person, **SMALL), a_user()
        judging.record_refused(asked.pk, number=1, officer=officer(recorder), reason="not there", now=now())
        retry(asked, a_user())
        behind_the_guards("UPDATE settlements_approval SET approver_id = %s", recorder.pk)
        assert difference() == (
            f"settlement {asked.pk}: user {recorder.pk} recorded that attempt 1 was refused or given back, "
            "and approved what followed"
        )


def test_what_was_turned_to_another_rail_is_proven_before_anybody_approved(
    provider: PretendProvider, recipient: Recipient
) -> None:
    settlement = failed(provider, recipient, **SMALL)
    turn(settlement, "internal_ledger", a_user())
    assert attempt_of(settlement).state == "REFUSED"
    assert list(verify.everything())
