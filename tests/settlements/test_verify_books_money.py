"""Books and approvals that somebody changed behind the guards are found and named."""

from rails.models import JournalEntry
from tests.factories import (
    CLAIM,
    PICKUP,
    POD,
    settlement_of,
)
from tests.settlements.conftest import Sql
from tests.settlements.lived_in import World, difference


class TestBooksChangedBehindTheGuards:
    def entry(self, world: World) -> JournalEntry:
        return JournalEntry.objects.get(milestone_id=world.pod.pk)

    def test_a_posting_of_another_amount(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("UPDATE rails_posting SET amount_minor = amount_minor - 1 WHERE entry_id = %s", entry.pk)
        assert difference() == (
            f"journal entry {entry.pk} ({entry.reference}): it is of 69999 USD in minor units, "
            "but its postings sum to 69998"
        )

    def test_a_posting_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards("DELETE FROM rails_posting WHERE entry_id = %s", self.entry(world).pk)
        assert difference().endswith("but its postings sum to 0")

    def test_an_entry_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("DELETE FROM rails_journalentry WHERE id = %s", entry.pk)
        assert difference().endswith(f"its journal entry {entry.pk} does not exist")

    def test_an_entry_that_is_gone_with_its_postings(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("DELETE FROM rails_posting WHERE entry_id = %s", entry.pk)
        behind_the_guards("DELETE FROM rails_journalentry WHERE id = %s", entry.pk)
        assert difference() == f"settlement {world.pod.pk}: it is approved, but the journal has 0 releases of it"

    def test_a_posting_to_an_account_of_another_currency(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE rails_posting SET debit_account_id = (SELECT id FROM rails_account WHERE currency = 'JPY' LIMIT 1) "
            "WHERE entry_id = %s",
            self.entry(world).pk,
        )
        assert "it is in USD, but its entry is in USD and its accounts are in JPY and USD" in difference()

    def test_an_entry_and_its_posting_of_another_amount(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("UPDATE rails_posting SET amount_minor = 1 WHERE entry_id = %s", entry.pk)
        behind_the_guards("UPDATE rails_journalentry SET amount_minor = 1 WHERE id = %s", entry.pk)
        assert difference().endswith(f"but entry {entry.pk} books 1 USD under {entry.reference}")

    def test_more_booked_than_the_settlement_is(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("UPDATE rails_posting SET amount_minor = 70000 WHERE entry_id = %s", entry.pk)
        behind_the_guards("UPDATE rails_journalentry SET amount_minor = 70000 WHERE id = %s", entry.pk)
        assert difference() == (
            f"intent {world.approved.pk}: released less returned is 100000 in minor units, "
            "more than its amount of 99999"
        )

    def test_a_release_of_a_settlement_nobody_knows(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("UPDATE rails_journalentry SET milestone_id = 987654 WHERE id = %s", entry.pk)
        assert difference() == f"journal entry {entry.pk} ({entry.reference}): there is no settlement 987654"

    def test_a_release_of_a_settlement_that_waits(self, world: World, behind_the_guards: Sql) -> None:
        waiting = settlement_of(world.delayed, PICKUP)
        entry = JournalEntry.objects.get(milestone_id=settlement_of(world.cancelled, POD).pk)
        behind_the_guards("UPDATE rails_posting SET amount_minor = 1 WHERE entry_id = %s", entry.pk)
        behind_the_guards(
            "UPDATE rails_journalentry SET amount_minor = 1, milestone_id = %s WHERE id = %s", waiting.pk, entry.pk
        )
        assert difference() == f"settlement {waiting.pk}: it is delayed, but 1 in minor units are booked as released"

    def test_a_return_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        back = JournalEntry.objects.get(kind="return")
        behind_the_guards("DELETE FROM rails_posting WHERE entry_id = %s", back.pk)
        behind_the_guards("DELETE FROM rails_journalentry WHERE id = %s", back.pk)
        assert difference().startswith(f"settlement {world.returned.pk}: it is returned, but 700000 in minor units")

    def test_a_return_of_more_than_was_released(self, world: World, behind_the_guards: Sql) -> None:
        back = JournalEntry.objects.get(kind="return")
        behind_the_guards("UPDATE rails_posting SET amount_minor = 700001 WHERE entry_id = %s", back.pk)
        behind_the_guards("UPDATE rails_journalentry SET amount_minor = 700001 WHERE id = %s", back.pk)
        assert "it takes back more than" in difference()


class TestAuthorityChangedBehindTheGuards:
    def test_an_approval_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "DELETE FROM settlements_approval WHERE id = (SELECT max(id) FROM settlements_approval "
            "WHERE settlement_id = %s)",
            world.reviewed.pk,
        )
        assert difference() == (
            f"settlement {world.reviewed.pk}: 1 decisions of officers are stored, but the audit trail tells of 2"
        )

    def test_two_approvals_of_one_officer(self, world: World, behind_the_guards: Sql) -> None:
        first = world.reviewed.approvals.order_by("id").first()
        assert first is not None
        behind_the_guards(
            "UPDATE settlements_approval SET approver_id = %s, version = version || id WHERE settlement_id = %s",
            first.approver_id,
            world.reviewed.pk,
        )
        expected = f"settlement {world.reviewed.pk}: its release needed 2 approvers of one version and had 1"
        assert difference() == expected

    def test_an_approval_by_the_creator(self, world: World, behind_the_guards: Sql) -> None:
        creator = world.reviewed.intent.created_by_id
        behind_the_guards(
            "UPDATE settlements_approval SET approver_id = %s WHERE id = (SELECT max(id) FROM settlements_approval "
            "WHERE settlement_id = %s)",
            creator,
            world.reviewed.pk,
        )
        expected = f"settlement {world.reviewed.pk}: user {creator} approved its release, but created its intent"
        assert difference() == expected

    def test_an_early_release_without_its_approval(self, world: World, behind_the_guards: Sql) -> None:
        early = settlement_of(world.delayed, CLAIM)
        behind_the_guards("UPDATE settlements_approval SET decision = 'REJECT' WHERE settlement_id = %s", early.pk)
        assert difference() == f"settlement {early.pk}: it was released before its hold was over, with 0 of 1 approvers"

    def test_an_open_hold_on_what_is_out(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE settlements_hold SET settlement_id = %s", world.pod.pk)
        assert difference() == f"settlement {world.pod.pk}: it is approved although a hold on it is open"
