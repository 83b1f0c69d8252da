"""Four sides of every payment are compared: each difference is found, told in words, and nothing else is."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from rails import ledger
from rails.accounts import AccountCode, AccountKey
from rails.base import RailOutcome, SettlementProvider
from rails.entries import Entry
from rails.models import EntryKind, Recipient
from rails.money import Money
from settlements import house_entries
from settlements.models import BooksDifference, Comparison, MilestoneSettlement
from settlements.reconciliation import comparing, listing
from settlements.reconciliation.listing import Asked, Difference, View
from settlements.statuses import MismatchKind as K
from tests.factories import ACTOR, LOW, POD, an_intent, now, settlement_of
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, notice, pretend_provider
from tests.flows.resolving import failed, in_question, kept, overpaid, paid, releasing, returned, tell
from tests.settlements.conftest import Sql
from tests.settlements.lived_in import World

pytestmark = pytest.mark.django_db
SMALL = {"amount": Decimal("1000")}
HOUR = timedelta(hours=1)


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
def by_ledger(db: None) -> MilestoneSettlement:
    return settlement_of(an_intent(risk=LOW, **SMALL), POD)


def found(*, later: timedelta = timedelta()) -> list[Difference]:
    """What a comparison leaves open."""
    comparing.compare(actor="test", now=now() + later)
    return listing.differences(View.OPEN, Asked(), after=None, limit=100)


def told(*, later: timedelta = timedelta()) -> list[tuple[K, str]]:
    return sorted((each.said.kind, each.said.sentence) for each in found(later=later))


class TestNothingIsFoundOf:
    def test_a_world_with_an_intent_in_every_state(self, world: World) -> None:
        assert found(later=24 * HOUR) == []

    def test_payments_in_every_state(self, provider: PretendProvider, recipient: Recipient) -> None:
        failed(provider, recipient)
        paid(provider, recipient)
        returned(provider, recipient)
        partly = paid(provider, recipient)
        tell(notice(RailOutcome.RETURNED, partly.reference, amount=Money(5, "USD")))
        rests = paid(provider, recipient)
        tell(notice(RailOutcome.CONFIRMED, rests.reference))
        tell(notice(RailOutcome.PAYOUT_FAILED, rests.reference))
        settled = paid(provider, recipient)
        tell(notice(RailOutcome.CONFIRMED, settled.reference))
        kept(provider, recipient)
        overpaid(provider, recipient, **SMALL)
        releasing(recipient)
        assert found(later=24 * HOUR) == []

    def test_an_empty_database(self) -> None:
        assert found() == []
        assert Comparison.objects.get().payments == 0


class TestSettlementAgainstPaymentOrder:
    def test_an_amount_somebody_raised(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE settlements_milestonesettlement SET amount_minor = amount_minor + 500 WHERE id = %s", approved.pk
        )
        amount = approved.amount_minor
        assert told() == [
            (
                K.AMOUNT,
                f"The settlement is over {(amount + 500) / 100:,.2f} USD, the order to pay over "
                f"{amount / 100:,.2f} USD: 5.00 USD too little.",
            )
        ]

    def test_another_currency(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE settlements_milestonesettlement SET currency = 'EUR' WHERE id = %s", approved.pk)
        ((kind, sentence),) = told()
        assert kind is K.AMOUNT
        assert "EUR, the order to pay over" in sentence
        assert "too" not in sentence

    def test_a_status_somebody_wrote(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE settlements_milestonesettlement SET status = 'SETTLED', settled_at = now() WHERE id = %s",
            approved.pk,
        )
        assert told() == [(K.STATUS, "The settlement is settled, but its last attempt is accepted.")]

    def test_a_payment_that_was_rejected_and_is_out(
        self, approved: MilestoneSettlement, behind_the_guards: Sql
    ) -> None:
        behind_the_guards("UPDATE settlements_milestonesettlement SET status = 'REJECTED' WHERE id = %s", approved.pk)
        assert told() == [(K.STATUS, "The settlement is rejected, but its last attempt is accepted.")]

    def test_an_order_that_is_gone(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("DELETE FROM rails_railnotice")
        behind_the_guards("DELETE FROM rails_railattempt")
        assert [kind for kind, _ in told()] == [K.BOOKED, K.CLEARING, K.NO_ATTEMPT]

    def test_a_settlement_that_is_gone(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("DELETE FROM settlements_auditevent")
        behind_the_guards("DELETE FROM settlements_milestonesettlement")
        assert [kind for kind, _ in told()] == [K.NO_SETTLEMENT]

    def test_a_reference_somebody_changed(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE settlements_milestonesettlement SET reference = 'tr_x' WHERE id = %s", approved.pk)
        assert told() == [(K.REFERENCE, f"The settlement names tr_x, the payment goes by {approved.reference}.")]


class TestOrderAgainstJournal:
    def test_an_entry_that_is_gone(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("DELETE FROM rails_posting")
        behind_the_guards("DELETE FROM rails_journalentry")
        amount = f"{approved.amount_minor / 100:,.2f} USD"
        assert told() == [
            (K.BOOKED, f"{amount} should be booked as released, the journal has 0.00 USD: {amount} too little."),
            (
                K.CLEARING,
                f"{amount} should be on its way in the clearing account, it holds 0.00 USD: {amount} too little.",
            ),
        ]

    def test_a_posting_somebody_made_smaller(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE rails_posting SET amount_minor = amount_minor - 100 WHERE entry_id IN "
            "(SELECT id FROM rails_journalentry WHERE kind = 'transfer')"
        )
        ((kind, sentence),) = told()
        assert kind is K.CLEARING
        assert sentence.endswith("1.00 USD too little.")

    def test_what_is_owed_and_not_booked(
        self, provider: PretendProvider, recipient: Recipient, behind_the_guards: Sql
    ) -> None:
        kept(provider, recipient, **SMALL)
        behind_the_guards("UPDATE rails_railattempt SET owed_minor = 1")
        assert [kind for kind, _ in told()] == [K.OWED]

    def test_a_correction_on_a_clearing_account_belongs_to_no_payment(self, approved: MilestoneSettlement) -> None:
        a_correction(700)
        (difference,) = found()
        assert difference.said.kind is K.CLEARING
        assert (difference.milestone_id, difference.said.found_minor) == (None, 700)
        assert difference.line.settlement is None


class TestByTheLedger:
    def test_what_is_not_booked(self, by_ledger: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("DELETE FROM rails_posting")
        behind_the_guards("DELETE FROM rails_journalentry")
        assert [kind for kind, _ in told()] == [K.BOOKED]

    def test_an_amount_somebody_raised(self, by_ledger: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE rails_posting SET amount_minor = amount_minor + 1")
        (difference,) = found()
        assert (difference.said.kind, difference.said.provider) == (K.BOOKED, SettlementProvider.INTERNAL_LEDGER)
        assert difference.said.sentence.endswith("0.01 USD too much.")

    def test_a_rejected_one_that_is_booked(self, by_ledger: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE settlements_milestonesettlement SET status = 'CANCELLED' WHERE id = %s", by_ledger.pk)
        assert [kind for kind, _ in told()] == [K.BOOKED]

    def test_a_reference_somebody_changed(self, by_ledger: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE settlements_milestonesettlement SET reference = 'x' WHERE id = %s", by_ledger.pk)
        assert [kind for kind, _ in told()] == [K.REFERENCE]

    def test_a_settlement_that_is_gone(self, by_ledger: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("DELETE FROM settlements_auditevent")
        behind_the_guards("DELETE FROM settlements_milestonesettlement")
        assert [kind for kind, _ in told()] == [K.NO_SETTLEMENT]


class TestInDoubt:
    @pytest.mark.parametrize(("minutes", "kinds"), [(59, []), (61, [K.IN_DOUBT])])
    def test_what_nobody_knows_after_an_hour(
        self, provider: PretendProvider, recipient: Recipient, minutes: int, kinds: list[K]
    ) -> None:
        in_question(provider, recipient)
        assert [kind for kind, _ in told(later=timedelta(minutes=minutes))] == kinds


class TestTotals:
    def test_are_the_clearing_balances_of_the_journal(
        self, provider: PretendProvider, recipient: Recipient, by_ledger: MilestoneSettlement
    ) -> None:
        paid(provider, recipient)
        paid(provider, recipient, **SMALL)
        tell(notice(RailOutcome.CONFIRMED, paid(provider, recipient).reference))
        found()
        comparison = Comparison.objects.get()
        totals = {total.rail: total for total in listing.totals(comparison)}
        balance = ledger.balance(AccountKey(AccountCode.STRIPE_CLEARING, "USD"))
        assert balance.minor > 0
        assert totals["stripe"].clearing == totals["stripe"].on_their_way == balance
        assert (totals["stripe"].payments, totals["internal_ledger"].payments, comparison.payments) == (3, 1, 4)
        assert totals["internal_ledger"].clearing is None

    def test_differ_by_the_sum_of_the_differences(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        a_correction(700)
        behind_the_guards(
            "UPDATE rails_posting SET amount_minor = amount_minor - 100 WHERE entry_id IN "
            "(SELECT id FROM rails_journalentry WHERE kind = 'transfer')"
        )
        differences = [each.said for each in found()]
        (total,) = listing.totals(Comparison.objects.get())
        assert total.clearing == ledger.balance(AccountKey(AccountCode.STRIPE_CLEARING, "USD"))
        off = sum((said.found_minor or 0) - (said.expected_minor or 0) for said in differences)
        assert total.off.minor == off == 600


class TestAgain:
    def test_the_same_difference_is_kept_once(self, approved: MilestoneSettlement) -> None:
        a_correction(700)
        (first,) = found()
        (second,) = found(later=HOUR)
        assert (first.id, first.found_at) == (second.id, second.found_at)
        assert BooksDifference.objects.count() == 1

    def test_what_came_right_is_gone_and_stays_to_be_read(self, approved: MilestoneSettlement) -> None:
        a_correction(700)
        found()
        a_correction(-700)
        assert found() == []
        (gone,) = listing.differences(View.GONE, Asked(), after=None, limit=10)
        assert gone.gone_at is not None
        a_correction(700, name="again")
        (back,) = found()
        assert back.id != gone.id

    def test_pages_follow_each_other_without_a_gap(
        self, provider: PretendProvider, recipient: Recipient, behind_the_guards: Sql
    ) -> None:
        for _ in range(5):
            paid(provider, recipient, **SMALL)
        behind_the_guards(
            "UPDATE rails_railattempt SET submitted_at = (SELECT min(submitted_at) FROM rails_railattempt)"
        )
        behind_the_guards("DELETE FROM rails_posting")
        everything = [each.id for each in found()]
        paged: list[int] = []
        after = None
        while page := listing.differences(View.OPEN, Asked(), after=after, limit=3):
            paged, after = paged + [each.id for each in page], page[-1].id
        assert paged == everything
        assert len(set(paged)) == 10


class TestLines:
    def test_show_all_four_sides(self, approved: MilestoneSettlement, by_ledger: MilestoneSettlement) -> None:
        found()
        comparison = Comparison.objects.get()
        today = now().date()
        asked = Asked(first_day=today, last_day=today)
        lines, following = listing.matched(asked, comparison, after=None, limit=10)
        assert following is None
        ledger_line, stripe_line = lines
        assert stripe_line.settlement is not None
        assert stripe_line.attempt is not None
        assert stripe_line.journal is not None
        money = Money(approved.amount_minor, "USD")
        assert stripe_line.settlement.amount == stripe_line.attempt.amount == stripe_line.journal.on_its_way == money
        assert stripe_line.attempt.reference == approved.reference
        assert ledger_line.by_ledger
        figures = listing.figures(asked, comparison)
        assert (figures.matched, figures.differing, figures.not_compared) == (2, 0, 0)

    @pytest.mark.parametrize(("first", "last", "matched"), [(0, 0, 1), (-1, -1, 0), (1, 1, 0), (-1, 1, 1)])
    def test_a_period_includes_both_its_days(
        self, approved: MilestoneSettlement, behind_the_guards: Sql, first: int, last: int, matched: int
    ) -> None:
        midnight = now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
        comparing.compare(actor="test", now=now())
        comparison = Comparison.objects.get()
        day = midnight.date()
        asked = Asked(first_day=day + timedelta(days=first), last_day=day + timedelta(days=last))
        for moment in (midnight, midnight + timedelta(days=1) - timedelta(microseconds=1)):
            behind_the_guards("UPDATE settlements_milestonesettlement SET released_at = %s", moment)
            assert listing.figures(asked, comparison).matched == matched

    def test_what_is_younger_than_the_comparison_is_told_apart(self, approved: MilestoneSettlement) -> None:
        comparing.compare(actor="test", now=now() - HOUR)
        figures = listing.figures(Asked(first_day=now().date(), last_day=now().date()), Comparison.objects.get())
        assert (figures.matched, figures.not_compared) == (0, 1)

    def test_a_payment_is_found_by_its_number_and_by_its_reference(
        self, provider: PretendProvider, recipient: Recipient, approved: MilestoneSettlement, behind_the_guards: Sql
    ) -> None:
        paid(provider, recipient, **SMALL)
        behind_the_guards("DELETE FROM rails_posting")
        found()
        for wanted in (str(approved.pk), approved.reference):
            differences = listing.differences(View.OPEN, Asked(wanted=wanted), after=None, limit=10)
            assert {each.milestone_id for each in differences} == {approved.pk}
            assert len(differences) == 2
        assert listing.differences(View.OPEN, Asked(wanted="nothing"), after=None, limit=10) == []


class TestCommand:
    def test_ends_well_when_everything_fits(self, approved: MilestoneSettlement) -> None:
        out = StringIO()
        call_command("reconcile", stored=True, stdout=out)
        assert "No open differences." in out.getvalue()
        assert "stripe: 1 payments" in out.getvalue()

    def test_ends_badly_and_names_what_is_open(self, approved: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE settlements_milestonesettlement SET reference = 'tr_x' WHERE id = %s", approved.pk)
        out = StringIO()
        with pytest.raises(CommandError, match=r"1 open differences"):
            call_command("reconcile", stored=True, stdout=out)
        assert f"Reference, stripe, 0 days old, milestone {approved.pk} attempt 1, tr_x" in out.getvalue()


def test_a_comparison_is_one_statement_whatever_there_is(
    approved: MilestoneSettlement, by_ledger: MilestoneSettlement, django_assert_num_queries: object
) -> None:
    with django_assert_num_queries(6):  # type: ignore[operator]  # savepoint, lock, memory, comparison, release, reading
        comparing.compare(actor="test", now=now())


def a_correction(minor: int, name: str = "by-hand") -> None:
    """Books an amount into Stripe's clearing account that is of no payment; negative: out of it."""
    sides = [AccountKey(AccountCode.STRIPE_CLEARING, "USD"), AccountKey(AccountCode.STRIPE_BALANCE, "USD")]
    debit, credit = sides if minor > 0 else reversed(sides)
    house_entries.book(
        [
            Entry(
                kind=EntryKind.CORRECTION,
                reference=f"{name}:{minor}",
                amount=Money(abs(minor), "USD"),
                debit=debit,
                credit=credit,
            )
        ],
        actor=ACTOR,
        reason="by hand",
        now=now(),
    )
