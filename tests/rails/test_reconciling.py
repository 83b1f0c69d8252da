"""Both sides of a rail are compared: each kind of difference is found, with its age, and nothing else is."""

from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from rails import reconciling
from rails.ach.rail import AchRail
from rails.base import SettlementProvider, Theirs
from rails.models import AttemptState, DifferenceKind, RailDifference, RailReconciliation, Recipient
from rails.money import Money
from rails.reconciling import NotReconcilable, Ours, differences
from rails.stripe import installation
from rails.stripe.rail import StripeRail
from rails.wire.rail import WireRail
from settlements import submitting
from tests.factories import POD, an_intent, settlement_of
from tests.factories import now as clock
from tests.rails.stripe_world import account_of, fake, recipient
from tests.stripe_fake import Fault, StripeFake, transfers

__all__ = ["fake", "recipient"]

NOW = datetime.fromisoformat("2025-11-07T15:30:00+00:00")
DAY = timedelta(days=1)
SINCE = NOW - 90 * DAY
OURS = Ours(
    milestone_id=17,
    attempt_number=1,
    state=AttemptState.ACCEPTED,
    reference="tr_1",
    amount=Money(7000, "USD"),
    returned=Money(0, "USD"),
    destination="acct_1",
    at=NOW - 3 * DAY,
)
THEIRS = Theirs(
    reference="tr_1",
    milestone_id=17,
    attempt_number=1,
    amount=Money(7000, "USD"),
    returned=Money(0, "USD"),
    destination="acct_1",
    made_at=NOW - 3 * DAY,
)
K = DifferenceKind


def kinds(ours: list[Ours], theirs: list[Theirs]) -> list[DifferenceKind]:
    return [each.kind for each in differences(ours, theirs, since=SINCE, now=NOW)]


@pytest.mark.parametrize("state", [AttemptState.ACCEPTED, AttemptState.CONFIRMED])
def test_the_same_on_both_sides_is_no_difference(state: AttemptState) -> None:
    assert kinds([replace(OURS, state=state)], [THEIRS]) == []
    assert kinds([], []) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ({"amount": Money(6999, "USD")}, {}, [K.AMOUNT]),
        ({"amount": Money(7000, "EUR"), "returned": Money(0, "EUR")}, {}, [K.AMOUNT, K.RETURNED]),
        ({"returned": Money(1, "USD")}, {}, [K.RETURNED]),
        ({}, {"returned": Money(7000, "USD")}, [K.RETURNED]),
        ({"destination": "acct_2"}, {}, [K.DESTINATION]),
        ({"destination": "acct_2"}, {"destination": ""}, []),
        ({"reference": "tr_2"}, {}, [K.REFERENCE]),
        ({}, {"milestone_id": None, "attempt_number": None}, []),
        ({"state": AttemptState.REFUSED, "reference": ""}, {}, [K.NOT_TAKEN_DOWN]),
        ({"state": AttemptState.REFUSED, "reference": ""}, {"returned": Money(7000, "USD")}, []),
        ({"state": AttemptState.SUBMITTED, "reference": ""}, {}, [K.NOT_TAKEN_DOWN]),
        ({"state": AttemptState.SUBMITTED, "reference": "", "at": NOW - timedelta(minutes=5)}, {}, []),
        ({"at": NOW - timedelta(minutes=5), "amount": Money(1, "USD")}, {}, []),
    ],
)
def test_what_differs_of_one_payment(ours: dict[str, Any], theirs: dict[str, Any], found: list[DifferenceKind]) -> None:
    assert kinds([replace(OURS, **ours)], [replace(THEIRS, **theirs)]) == found


@pytest.mark.parametrize(
    ("ours", "found"),
    [
        ({}, [K.MISSING_THERE]),
        ({"state": AttemptState.CONFIRMED}, [K.MISSING_THERE]),
        ({"state": AttemptState.RETURNED}, [K.MISSING_THERE]),
        ({"state": AttemptState.REFUSED}, []),
        ({"state": AttemptState.SUBMITTED}, [K.IN_DOUBT]),
        ({"state": AttemptState.SUBMITTED, "at": NOW - timedelta(minutes=59)}, []),
        ({"at": NOW - timedelta(minutes=14)}, []),
        ({"at": SINCE - DAY}, []),
    ],
)
def test_ours_without_theirs(ours: dict[str, Any], found: list[DifferenceKind]) -> None:
    assert kinds([replace(OURS, **ours)], []) == found


@pytest.mark.parametrize(
    ("theirs", "found"),
    [
        ({}, [K.MISSING_HERE]),
        ({"milestone_id": None, "attempt_number": None}, [K.MISSING_HERE]),
        ({"returned": Money(6999, "USD")}, [K.MISSING_HERE]),
        ({"returned": Money(7000, "USD")}, []),
        ({"made_at": NOW - timedelta(minutes=14)}, []),
        ({"made_at": SINCE - DAY}, []),
    ],
)
def test_theirs_without_ours(theirs: dict[str, Any], found: list[DifferenceKind]) -> None:
    assert kinds([], [replace(THEIRS, **theirs)]) == found


def test_a_second_payment_of_the_same_attempt_is_told() -> None:
    twice = replace(THEIRS, reference="tr_2")
    assert kinds([OURS], [THEIRS, twice]) == [K.REFERENCE]


def test_a_difference_says_what_each_side_has() -> None:
    (found,) = differences([replace(OURS, returned=Money(1000, "USD"))], [THEIRS], since=SINCE, now=NOW)
    assert found.ours == "tr_1: 70.00 USD to acct_1, 10.00 USD came back, accepted"
    assert found.theirs == "tr_1: 70.00 USD to acct_1"
    assert (found.milestone_id, found.attempt_number, found.at) == (17, 1, NOW - 3 * DAY)


@pytest.mark.django_db
class TestStripe:
    @pytest.fixture
    def paid(self, fake: StripeFake, recipient: Recipient) -> str:
        """The transfer of a settlement that is paid, and the clock is a day further."""
        settlement_of(an_intent(recipient=recipient, payment_method="stripe"), POD)
        assert submitting.submit(StripeRail(), clock=clock).accepted == 1
        (number,) = fake.world.transfers
        return number

    def run(self, **options: Any) -> RailReconciliation:
        return reconciling.reconcile(provider=SettlementProvider.STRIPE, actor="test", now=clock() + DAY / 2, **options)

    def test_agrees_with_us_after_a_payment(self, fake: StripeFake, paid: str) -> None:
        run = self.run()
        assert (run.error, run.ours, run.theirs, run.differences) == ("", 1, 1, 0)

    def test_differs_in_what_came_back_untold(self, fake: StripeFake, paid: str) -> None:
        transfers.reverse(fake.world, "", {"amount": 100}, paid)
        assert [item.kind for item in self.run().items.all()] == [K.RETURNED]

    def test_differs_when_its_own_was_changed(self, fake: StripeFake, paid: str) -> None:
        fake.world.transfers[paid] |= {"amount": 1, "destination": "acct_1Elsewhere"}
        assert {item.kind for item in self.run().items.all()} == {K.AMOUNT, K.DESTINATION}

    def test_lacks_what_we_have(self, fake: StripeFake, paid: str) -> None:
        fake.world.transfers.clear()
        assert [item.kind for item in self.run().items.all()] == [K.MISSING_THERE]

    def test_has_what_somebody_sent_by_hand_to_an_account_of_ours(
        self, fake: StripeFake, recipient: Recipient, paid: str
    ) -> None:
        params = {"amount": 5, "currency": "usd", "destination": account_of(recipient)}
        transfers.create(fake.world, "", params)
        transfers.create(fake.world, "", {**params, "metadata": {"chainpay_installation": "ffffffffffff"}})
        assert [(item.kind, item.ours) for item in self.run().items.all()] == [(K.MISSING_HERE, "")]

    def test_has_what_our_restored_database_has_forgotten(
        self, fake: StripeFake, recipient: Recipient, paid: str
    ) -> None:
        metadata = {
            "chainpay_settlement": "999999",
            "chainpay_attempt": "1",
            "chainpay_installation": installation.mark(),
        }
        params = {"amount": 5, "currency": "usd", "destination": account_of(recipient), "metadata": metadata}
        transfers.create(fake.world, "", params)
        (item,) = self.run().items.all()
        assert (item.kind, item.milestone_id, item.attempt_number) == (K.MISSING_HERE, 999_999, 1)

    def test_is_compared_page_by_page(self, fake: StripeFake, recipient: Recipient, paid: str) -> None:
        for _ in range(230):
            transfers.create(fake.world, "", {"amount": 5, "currency": "usd", "destination": account_of(recipient)})
        assert self.run().differences == 230

    def test_that_can_not_be_read_leaves_a_run_with_its_error(self, fake: StripeFake, paid: str) -> None:
        fake.api_keys = {"sk_test_another_one"}
        run = self.run()
        assert "does not accept our API key" in run.error
        assert not run.items.exists()

    def test_keeps_when_a_difference_was_first_seen(self, fake: StripeFake, paid: str) -> None:
        fake.world.transfers.clear()
        first = self.run().items.get()
        second = self.run().items.get()
        assert second.first_seen_at == first.first_seen_at
        assert RailReconciliation.objects.count() == 2

    def test_is_asked_by_a_command_that_says_what_differs_and_fails(self, fake: StripeFake, paid: str) -> None:
        out = StringIO()
        call_command("reconcile_rail", "stripe", stdout=out)
        assert "1 payment of ours, 1 of theirs" in out.getvalue()
        assert "No differences." in out.getvalue()
        params = {"amount": 5, "currency": "usd", "destination": fake.world.transfers[paid]["destination"]}
        transfers.create(fake.world, "", params)["created"] -= 3 * 86_400
        fake.world.transfers[list(fake.world.transfers)[-1]]["created"] -= 3 * 86_400
        with pytest.raises(CommandError, match="1 difference"):
            call_command("reconcile_rail", "stripe", stdout=out)
        assert "Theirs without ours, 3 days old: theirs tr_" in out.getvalue()

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (["telegram"], "Unknown payment method"),
            (["internal_ledger"], "nothing to compare .* our own books"),
            (["ach"], "nothing to compare ACH with: the bank keeps no list .* the work list"),
            (["wire"], "nothing to compare wires with: the bank keeps no list .* under Wires"),
            (["stripe", "--days", "0"], "--days"),
        ],
    )
    def test_is_not_asked_in_vain(
        self, fake: StripeFake, words: list[str], says: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for rail in (AchRail, WireRail):
            monkeypatch.setattr(rail, "is_configured", lambda rail: True)
        with pytest.raises(CommandError, match=says) as refused:
            call_command("reconcile_rail", *words)
        assert refused.value.returncode == 2

    def test_the_command_fails_when_stripe_can_not_be_read(self, fake: StripeFake, paid: str) -> None:
        fake.faults.script(*[Fault.UNAVAILABLE] * 3, method="GET")
        with pytest.raises(CommandError, match="could not be read") as refused:
            call_command("reconcile_rail", "stripe")
        assert refused.value.returncode == 2

    def test_what_was_found_stays_as_it_was_found(self, fake: StripeFake, paid: str) -> None:
        fake.world.transfers.clear()
        run = self.run()
        for rows in (RailReconciliation.objects.filter(pk=run.pk), RailDifference.objects.all()):
            with pytest.raises(DatabaseError), transaction.atomic():
                rows.delete()
        with pytest.raises(DatabaseError), transaction.atomic():
            RailDifference.objects.update(kind=K.AMOUNT)


@pytest.mark.django_db
def test_a_rail_without_another_side_is_not_reconciled() -> None:
    with pytest.raises(NotReconcilable):
        reconciling.reconcile(provider=SettlementProvider.INTERNAL_LEDGER, actor="test", now=clock())
