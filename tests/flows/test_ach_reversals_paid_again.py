"""A reversal came back after the settlement was paid again: it is stopped, or paid twice and says so."""

import pytest

from rails import destinations
from rails.models import AchEntry, RailAttempt, Recipient
from settlements import owed, release, submitting, work
from settlements.models import MilestoneSettlement
from settlements.objections import KeptByRecipient
from settlements.statuses import SettlementStatus as S
from settlements.statuses import WorkKind
from tests.factories import a_user, now, officer
from tests.flows.ach_reversals import (
    LATE,
    PAID,
    Case,
    balances,
    bank,
    case,
    hear,
    kinds,
    proven,
    recipient,
    status,
    submit,
)
from tests.flows.resolving import retry, turn
from tests.rails.ach.bank import at_the_bank, days_later
from tests.rails.ach.samples import returned

__all__ = ["bank", "case", "recipient"]

pytestmark = pytest.mark.django_db


class TestPaidAgain:
    """The reversal comes back when another attempt is there already."""

    def test_what_only_waits_for_its_window_is_withdrawn(self, case: Case, recipient: Recipient) -> None:
        hear(LATE)
        retry(case.settlement, a_user())
        assert status(case.settlement) == S.RELEASING
        case.reversal_returned()
        hear(LATE + 14)
        assert kinds(case.settlement) == [WorkKind.OVERPAID]
        assert submit(days_later(LATE + 25)) == submitting.Report(refused=1)
        assert len(at_the_bank(case.bank)) == 2
        assert status(case.settlement) == S.FAILED
        assert kinds(case.settlement) == [WorkKind.KEPT]
        assert "the recipient has the money" in RailAttempt.objects.get(number=2).error
        assert balances(recipient) == {"bank": -PAID, "receivable": PAID}
        proven()

    def test_what_may_have_been_handed_over_and_was_not_is_refused(self, case: Case) -> None:
        hear(LATE)
        retry(case.settlement, a_user())
        RailAttempt.objects.filter(number=2).update(state="SUBMITTED", submitted_at=now(), tries=1, leased_until=now())
        case.reversal_returned()
        hear(LATE + 14)
        assert submit(days_later(LATE + 25)) == submitting.Report(refused=1)
        assert len(at_the_bank(case.bank)) == 2
        assert status(case.settlement) == S.FAILED
        proven()

    def test_what_was_approved_and_waits_stays_blocked(self, case: Case) -> None:
        hear(LATE)
        destinations.block(case.paid.destination_id or 0, notice="C04", actor="test", now=now())
        retry(case.settlement, a_user())
        case.settlement.refresh_from_db()
        assert case.settlement.blocked_reason
        case.reversal_returned()
        hear(LATE + 14)
        destinations.unblock(case.paid.destination_id or 0, reason="?", actor="test", user=a_user(), now=now())
        MilestoneSettlement.objects.filter(pk=case.settlement.pk).update(retry_at=None)
        assert release.sweep(now=now()) == release.SweepReport()
        assert status(case.settlement) == S.RETURNED

    def test_what_is_with_the_bank_is_paid_twice_and_says_so(self, case: Case, recipient: Recipient) -> None:
        hear(LATE)
        case.paid_again()
        case.reversal_returned()
        hear(LATE + 14)
        assert status(case.settlement) in {S.APPROVED, S.SETTLED}
        assert kinds(case.settlement) == [WorkKind.OVERPAID]
        (item,) = work.of_settlement(case.settlement.pk)
        assert item.attempt_number == 1
        assert "paid twice" in item.next_step
        assert balances(recipient)["bank"] == -2 * PAID
        assert balances(recipient)["receivable"] == PAID
        assert balances(recipient)["cost"] == PAID
        proven()

    def test_and_the_second_comes_back_it_was_paid_once(self, case: Case, recipient: Recipient) -> None:
        hear(LATE)
        case.paid_again()
        case.reversal_returned()
        hear(LATE + 14)
        second = AchEntry.objects.get(milestone_id=case.settlement.pk, attempt_number=2, kind="PAYMENT")
        case._send(returned("R06", trace=second.trace_number, amount_minor=PAID), "second.ach")
        hear(LATE + 15)
        assert status(case.settlement) == S.RETURNED
        assert kinds(case.settlement) == [WorkKind.KEPT]
        assert balances(recipient) == {"bank": -PAID, "receivable": PAID}
        with pytest.raises(KeptByRecipient):
            retry(case.settlement, a_user())
        proven()

    @pytest.mark.parametrize("given_back", [True, False])
    def test_it_is_evened_out_without_touching_the_second(
        self, case: Case, recipient: Recipient, given_back: bool
    ) -> None:
        hear(LATE)
        case.paid_again()
        case.reversal_returned()
        hear(LATE + 14)
        before = status(case.settlement)
        by, at = officer(a_user()), now()
        if given_back:
            owed.recovered(case.settlement.pk, number=1, reference="ADV 9", officer=by, reason="wired", now=at)
        else:
            owed.leave(case.settlement.pk, number=1, officer=by, reason="too small to ask for", now=at)
        assert status(case.settlement) == before
        assert kinds(case.settlement) == []
        left = balances(recipient)
        assert (left["cost"], left["bank"]) == ((PAID, -PAID) if given_back else (2 * PAID, -2 * PAID))
        assert "receivable" not in left
        proven()

    def test_by_the_ledger_it_is_overpaid_as_well(self, case: Case) -> None:
        hear(LATE)
        turn(case.settlement, "internal_ledger", a_user())
        retry(case.settlement, a_user())
        assert status(case.settlement) == S.APPROVED
        case.reversal_returned()
        hear(LATE + 14)
        assert kinds(case.settlement) == [WorkKind.OVERPAID]
        proven()
