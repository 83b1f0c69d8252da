"""What Stripe and the banks tell otherwise than we do is found, told in words, and gone when it is right."""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from rails import destinations, reconciling
from rails.ach import handling
from rails.ach.configuration import AchConfiguration
from rails.base import SettlementProvider
from rails.models import AchFile, AchOutcome, Recipient, WireEntry, WireEvidence, WireMessage
from rails.stripe.rail import StripeRail
from rails.wire.configuration import WireConfiguration
from settlements import submitting, wires
from settlements.models import MilestoneSettlement
from settlements.reconciliation import comparing, listing, resolving
from settlements.reconciliation.listing import Asked, Difference, View
from settlements.statuses import MismatchKind as K
from tests.factories import POD, a_recipient, a_user, an_intent, now, officer, settlement_of
from tests.flows import test_ach as by_ach
from tests.flows import test_wires as by_wire
from tests.rails.ach.bank import MONDAY, days_later, sends
from tests.rails.ach.bank import configured as ach_configured
from tests.rails.ach.samples import RDFI, bank_file, returned
from tests.rails.stripe_world import account_of, fake, recipient
from tests.rails.wire.bank import CREDITOR, IBAN
from tests.rails.wire.bank import configured as wires_configured
from tests.stripe_fake import Fault, StripeFake, transfers

__all__ = ["fake", "recipient"]

pytestmark = pytest.mark.django_db
Sql = Callable[..., None]
# Long after every word, so that both sides had time.
LATER = timedelta(days=2)


def found(at: datetime | None = None) -> list[Difference]:
    comparing.compare(actor="test", now=at or now() + LATER)
    return listing.differences(View.OPEN, Asked(), after=None, limit=100)


def told(at: datetime | None = None) -> list[tuple[K, str]]:
    return sorted((each.said.kind, each.said.sentence) for each in found(at))


def resolve(difference: Difference) -> None:
    resolving.resolve(difference.id, officer=officer(a_user()), reason="Another system of ours", now=now())


class TestStripe:
    @pytest.fixture
    def settlement(self, fake: StripeFake, recipient: Recipient) -> MilestoneSettlement:
        settlement = settlement_of(an_intent(recipient=recipient, payment_method="stripe"), POD)
        assert submitting.submit(StripeRail(), clock=now).accepted == 1
        settlement.refresh_from_db()
        return settlement

    def read_list(self, after: timedelta = timedelta(hours=12), *, days: int = reconciling.DAYS) -> None:
        at = now() + after
        run = reconciling.reconcile(provider=SettlementProvider.STRIPE, days=days, actor="test", now=at)
        assert run.error == ""

    def test_that_agrees_is_shown_as_in_its_list(self, settlement: MilestoneSettlement) -> None:
        self.read_list()
        assert found() == []
        asked = Asked(first_day=now().date(), last_day=now().date())
        comparison = comparing.compare(actor="test", now=now() + LATER)
        ((line,), _) = listing.matched(asked, comparison, after=None, limit=5)
        assert line.listed_at is not None

    def test_before_its_list_was_read_is_no_difference(self, fake: StripeFake, settlement: Any) -> None:
        fake.world.transfers.clear()
        assert found() == []

    def test_without_our_payment(self, fake: StripeFake, settlement: MilestoneSettlement) -> None:
        fake.world.transfers.clear()
        self.read_list()
        assert told() == [(K.THEIRS_MISSING, "We count 7,000.00 USD as paid, but Stripe has no such payment.")]

    def test_with_a_payment_of_nobody(
        self, fake: StripeFake, settlement: MilestoneSettlement, recipient: Recipient
    ) -> None:
        transfers.create(fake.world, "", {"amount": 512, "currency": "usd", "destination": account_of(recipient)})
        self.read_list()
        (difference,) = found()
        assert difference.said.kind is K.OURS_MISSING
        assert difference.said.sentence.startswith(
            "Stripe has 5.12 USD under a reference that none of our payments goes by."
        )
        assert difference.milestone_id is None

    def test_with_another_amount(self, fake: StripeFake, settlement: MilestoneSettlement) -> None:
        fake.world.transfers[settlement.reference] |= {"amount": 690_000}
        self.read_list()
        assert told() == [(K.THEIR_AMOUNT, "We ordered 7,000.00 USD, Stripe has 6,900.00 USD: 100.00 USD too little.")]

    def test_with_another_account(self, fake: StripeFake, settlement: MilestoneSettlement) -> None:
        fake.world.transfers[settlement.reference] |= {"destination": "acct_1Elsewhere"}
        self.read_list()
        ((kind, sentence),) = told()
        assert kind is K.THEIR_DESTINATION
        assert "acct_1Elsewhere" in sentence

    def test_with_what_came_back_until_we_are_told(self, fake: StripeFake, settlement: MilestoneSettlement) -> None:
        transfers.reverse(fake.world, "", {"amount": 100}, settlement.reference)
        self.read_list()
        assert told() == [(K.THEIR_RETURN, "By us 0.00 USD came back, by Stripe 1.00 USD: 1.00 USD too much.")]
        submitting.hear(StripeRail(), clock=now)
        assert found() == []

    def test_with_another_amount_the_next_day_is_open_again(
        self, fake: StripeFake, settlement: MilestoneSettlement
    ) -> None:
        transfers.reverse(fake.world, "", {"amount": 100}, settlement.reference)
        self.read_list()
        (first,) = found()
        self.read_list(timedelta(hours=13))
        (same,) = found()
        assert same.id == first.id
        transfers.reverse(fake.world, "", {"amount": 50}, settlement.reference)
        self.read_list(timedelta(hours=14))
        (other,) = found()
        assert other.id != first.id
        assert other.said.found_minor == 150

    @pytest.mark.parametrize("what", ["missing", "stranger", "amount"])
    @pytest.mark.parametrize(("after", "days"), [(2, 1), (4, 1), (91, reconciling.DAYS), (93, reconciling.DAYS)])
    def test_is_carried_over_by_a_list_that_looks_less_far_back(
        self, fake: StripeFake, settlement: MilestoneSettlement, recipient: Recipient, what: str, after: int, days: int
    ) -> None:
        if what == "missing":
            fake.world.transfers.clear()
        elif what == "stranger":
            transfers.create(fake.world, "", {"amount": 512, "currency": "usd", "destination": account_of(recipient)})
        else:
            fake.world.transfers[settlement.reference] |= {"amount": 690_000}
        self.read_list()
        (first,) = found()
        for later in (0, 1):
            self.read_list(timedelta(days=after + later), days=days)
            (same,) = found()
            assert same.id == first.id
        assert listing.differences(View.GONE, Asked(), after=None, limit=5) == []

    def test_stays_resolved_when_a_list_does_not_look_so_far_back(
        self, fake: StripeFake, settlement: MilestoneSettlement
    ) -> None:
        fake.world.transfers.clear()
        self.read_list()
        (first,) = found()
        resolve(first)
        self.read_list(timedelta(days=2), days=1)
        assert found() == []
        (kept,) = listing.differences(View.RESOLVED, Asked(), after=None, limit=5)
        assert (kept.id, kept.reason, kept.gone_at) == (first.id, "Another system of ours", None)
        self.read_list(timedelta(days=3))
        assert found() == []

    def test_comes_right_only_by_a_list_that_looks_so_far_back(
        self, fake: StripeFake, settlement: MilestoneSettlement
    ) -> None:
        kept = dict(fake.world.transfers)
        fake.world.transfers.clear()
        self.read_list()
        (first,) = found()
        fake.world.transfers.update(kept)
        self.read_list(timedelta(days=4), days=1)
        assert [each.id for each in found()] == [first.id]
        self.read_list(timedelta(days=5), days=6)
        assert found() == []
        (gone,) = listing.differences(View.GONE, Asked(), after=None, limit=5)
        assert gone.id == first.id

    def test_with_another_amount_in_a_shorter_list_is_told_once(
        self, fake: StripeFake, settlement: MilestoneSettlement
    ) -> None:
        fake.world.transfers[settlement.reference] |= {"amount": 690_000}
        self.read_list()
        (first,) = found()
        fake.world.transfers[settlement.reference] |= {"amount": 680_000}
        self.read_list(timedelta(days=2), days=1)
        (other,) = found()
        assert other.id != first.id
        assert other.said.found_minor == 680_000

    def test_of_a_list_that_was_not_read_says_nothing(self, fake: StripeFake, settlement: MilestoneSettlement) -> None:
        fake.world.transfers.clear()
        self.read_list()
        (first,) = found()
        fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
        at = now() + timedelta(hours=13)
        assert reconciling.reconcile(provider=SettlementProvider.STRIPE, actor="test", now=at).error
        assert [each.id for each in found()] == [first.id]

    def test_is_read_by_the_command(self, fake: StripeFake, settlement: MilestoneSettlement) -> None:
        out = StringIO()
        call_command("reconcile", stdout=out)
        assert "No open differences." in out.getvalue()
        fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
        with pytest.raises(CommandError, match="Not read: stripe"):
            call_command("reconcile", stdout=out)


class TestAch:
    @pytest.fixture
    def bank(self, tmp_path: Path, settings: Any) -> AchConfiguration:
        settings.ACH = ach_configured(tmp_path)
        configuration: AchConfiguration = settings.ACH
        return configuration

    @pytest.fixture
    def settlement(self, bank: AchConfiguration) -> MilestoneSettlement:
        payee = a_recipient()
        account = {"routing_number": RDFI, "account_number": "5512345678", "account_type": "checking",
                   "holder_name": "Bozza Haulage", "sec_code": "CCD"}  # fmt: skip
        destinations.propose(payee.pk, [destinations.read("ach", account)], actor="test", now=now())
        return by_ach.sent(payee)

    def test_fits_through_its_whole_life(self, bank: AchConfiguration, settlement: MilestoneSettlement) -> None:
        assert found() == []
        by_ach.hear(days_later(4))
        assert found() == []
        sends(bank, bank_file(("CCD", [returned("R10", trace=settlement.reference, amount_minor=700_000)])))
        by_ach.hear(days_later(50))
        assert found() == []

    def test_fits_when_the_file_was_refused(self, settlement: MilestoneSettlement) -> None:
        handling.refuse_file(AchFile.objects.get().pk, reason="Wrong origin", user=a_user(), actor="user:c", now=MONDAY)
        assert [kind for kind, _ in told()] == [K.THEIR_WORD]
        by_ach.hear(MONDAY)
        assert found() == []

    def test_shows_the_entry_and_its_file(self, settlement: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE rails_achentry SET amount_minor = amount_minor + 1 WHERE kind = 'PAYMENT'")
        (difference,) = found()
        assert (
            difference.said.sentence == "We ordered 7,000.00 USD, the bank (ACH) has 7,000.01 USD: 0.01 USD too much."
        )
        assert difference.line.bank is not None
        assert difference.line.bank.file == AchFile.objects.get().name
        assert difference.line.bank.reference == settlement.reference

    def test_an_entry_that_is_in_no_file(self, settlement: MilestoneSettlement, behind_the_guards: Sql) -> None:
        behind_the_guards("DELETE FROM rails_achentry")
        assert [kind for kind, _ in told()] == [K.THEIRS_MISSING]

    def test_a_return_that_was_not_taken_down(self, settlement: MilestoneSettlement, behind_the_guards: Sql) -> None:
        AchOutcome.objects.create(
            entry_id=AchFile.objects.get().entries.get(kind="PAYMENT").pk,
            fate="RETURNED",
            source="test",
            reason="R03",
            occurred_at=now(),
        )
        assert found(now() + timedelta(minutes=59)) == []
        assert told() == [
            (
                K.THEIR_WORD,
                "We count it as on its way, but the bank (ACH) says that the money came back.",
            )
        ]

    def test_a_return_of_no_entry_of_ours(self, bank: AchConfiguration, settlement: MilestoneSettlement) -> None:
        sends(bank, bank_file(("CCD", [returned("R03", trace="091000019999999", amount_minor=4_200)])))
        by_ach.hear(days_later(1))
        (difference,) = found()
        assert difference.said.kind is K.OURS_MISSING
        assert "42.00 USD" in difference.said.sentence
        assert difference.reference == "091000019999999"

    def test_a_second_return_of_no_entry_is_open_though_the_first_is_resolved(
        self, bank: AchConfiguration, settlement: MilestoneSettlement
    ) -> None:
        stranger = returned("R03", trace="091000019999999", amount_minor=4_200)
        sends(bank, bank_file(("CCD", [stranger])))
        by_ach.hear(days_later(1))
        (first,) = found()
        resolve(first)
        assert found() == []
        other = returned("R03", trace="091000018888888", number=2, amount_minor=100)
        sends(bank, bank_file(("CCD", [stranger, other])), name="second.ach")
        by_ach.hear(days_later(2))
        again = [each for each in found() if each.reference == first.reference]
        assert [each.said.found_minor for each in again] == [4_200]
        assert again[0].id != first.id
        assert "second.ach" in again[0].said.sentence


class TestWires:
    @pytest.fixture
    def sent(self, tmp_path: Path, settings: Any) -> tuple[MilestoneSettlement, WireEntry]:
        settings.WIRE = wires_configured(tmp_path)
        payee = a_recipient()
        destinations.propose(payee.pk, [destinations.read("wire", {**CREDITOR, **IBAN})], actor="test", now=now())
        return by_wire.sent(payee)

    def test_fit_through_their_whole_life(self, sent: tuple[MilestoneSettlement, WireEntry]) -> None:
        entry = sent[1]
        assert found() == []
        wires.confirm(entry.pk, bank_reference="A-1", reason="seen", user=a_user(), now=now())
        assert found() == []
        wires.take_back(entry.pk, bank_reference="R-1", reason="AC04", user=a_user(), now=now())
        assert found() == []

    def test_fit_when_refused(self, sent: tuple[MilestoneSettlement, WireEntry]) -> None:
        wires.refuse(sent[1].pk, bank_reference="RJCT-1", reason="AC04", user=a_user(), now=now())
        assert found() == []

    def test_a_word_of_the_banks_file_that_nobody_took_down(
        self, sent: tuple[MilestoneSettlement, WireEntry], settings: WireConfiguration
    ) -> None:
        evidence(sent[1], proposes="CONFIRMED", amount_minor=sent[1].amount_minor, currency=sent[1].currency)
        assert told() == [
            (
                K.THEIR_WORD,
                "Nobody has taken it down, but the bank (wire) says that the money arrived.",
            )
        ]
        wires.confirm(sent[1].pk, bank_reference="A-1", reason="seen", user=a_user(), now=now())
        assert found() == []

    def test_another_amount_in_the_banks_file(self, sent: tuple[MilestoneSettlement, WireEntry]) -> None:
        wires.confirm(sent[1].pk, bank_reference="A-1", reason="seen", user=a_user(), now=now())
        less = sent[1].amount_minor - 1_500
        evidence(sent[1], proposes="CONFIRMED", amount_minor=less, currency=sent[1].currency)
        ((kind, sentence),) = told()
        assert kind is K.THEIR_AMOUNT
        assert sentence.endswith("15.00 USD too little.")

    def test_a_wire_of_nobody(self, sent: tuple[MilestoneSettlement, WireEntry]) -> None:
        evidence(None, proposes="CONFIRMED", amount_minor=9_900, currency="USD", end_to_end_id="STRANGER-1")
        (difference,) = found()
        assert (difference.said.kind, difference.reference) == (K.OURS_MISSING, "STRANGER-1")
        assert difference.said.sentence.startswith("The bank (wire) has 99.00 USD")

    def test_a_second_wire_of_nobody_is_open_though_the_first_is_resolved(self, sent: object) -> None:
        stranger = {"proposes": "CONFIRMED", "amount_minor": 9_900, "currency": "USD", "end_to_end_id": "NOTPROVIDED"}
        evidence(None, **stranger, bank_reference="B-1")
        (first,) = found()
        resolve(first)
        evidence(None, **stranger, bank_reference="B-1")
        assert found() == []
        evidence(None, **stranger, bank_reference="B-2")
        (second,) = found()
        assert second.said.sentence.endswith("In its words: BOOK (its reference B-2)")


def evidence(entry: WireEntry | None, **others: Any) -> None:
    """A bank's file that speaks of a wire."""
    message = WireMessage.objects.create(sha256=f"{WireMessage.objects.count():064}", name="camt.xml", size=1, kind="x")
    told: dict[str, Any] = {"status": "BOOK", "place": 1, **others}
    WireEvidence.objects.create(message=message, entry=entry, **told)
