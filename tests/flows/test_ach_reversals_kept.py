"""A reversal came back: the recipient keeps the money until people even it out, once."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, transaction

from rails.models import RailAttempt, Recipient
from settlements import approvals, owed, work
from settlements.models import AuditEvent, MilestoneSettlement
from settlements.objections import KeptByRecipient
from settlements.owed import NothingOwed
from settlements.statuses import SettlementStatus as S
from settlements.statuses import WorkKind
from settlements.work import Asked
from tests.factories import a_user, approval_row, now, officer
from tests.flows.ach_reversals import (
    LATE,
    PAID,
    Case,
    balances,
    bank,
    case,
    hear,
    kinds,
    owes,
    proven,
    recipient,
    status,
)
from tests.flows.resolving import retry, turn, write_off

__all__ = ["bank", "case", "recipient"]

pytestmark = pytest.mark.django_db


class TestKept:
    """The reversal came back after it had counted, and nothing was paid again yet."""

    @pytest.fixture
    def kept(self, case: Case) -> MilestoneSettlement:
        hear(LATE)
        case.reversal_returned()
        hear(LATE + 14)
        assert status(case.settlement) == S.RETURNED
        return case.settlement

    def test_is_told_with_the_next_step_and_in_the_history(self, kept: MilestoneSettlement) -> None:
        total, (item,) = work.listed(Asked(kind=WorkKind.KEPT))
        assert total == 1
        assert "came back: R31" in item.words
        assert "nothing is paid again" in item.next_step
        event = AuditEvent.objects.filter(settlement_id=kept.pk).latest("sequence")
        assert (event.action, event.from_status, event.to_status) == ("reclaim_failed", "RETURNED", "RETURNED")
        proven()

    def test_is_paid_neither_again_nor_another_way(self, kept: MilestoneSettlement) -> None:
        with pytest.raises(KeptByRecipient):
            retry(kept, a_user())
        with pytest.raises(KeptByRecipient):
            turn(kept, "internal_ledger", a_user())

    def test_by_the_database_neither(self, kept: MilestoneSettlement) -> None:
        approval_row(kept, a_user())
        with pytest.raises(DatabaseError, match="has what counted as returned"), transaction.atomic():
            MilestoneSettlement.objects.filter(pk=kept.pk).update(status=S.RELEASING)
        first = RailAttempt.objects.get(milestone_id=kept.pk)
        again = {
            field.attname: getattr(first, field.attname)
            for field in RailAttempt._meta.concrete_fields
            if field.attname
            in {"milestone_id", "provider", "amount_minor", "currency", "recipient_id", "destination_id"}
        }
        with pytest.raises(DatabaseError, match="has what counted as returned"), transaction.atomic():
            RailAttempt.objects.create(number=2, **again)

    def test_given_back_it_may_be_paid_again_by_others(
        self, case: Case, kept: MilestoneSettlement, recipient: Recipient
    ) -> None:
        clerk = a_user()
        owed.recovered(kept.pk, number=1, reference="ADV 9", officer=officer(clerk), reason="They wired it", now=now())
        assert owes(kept) == 0
        assert balances(recipient) == {}
        assert kinds(kept) == [WorkKind.RETURNED]
        with pytest.raises(approvals.NotIndependent):
            retry(kept, clerk)
        with pytest.raises(DatabaseError, match="given back does not approve"), transaction.atomic():
            approval_row(kept, clerk)
        proven()
        case.paid_again(91)
        assert status(kept) == S.APPROVED
        assert balances(recipient) == {"cost": PAID, "bank": -PAID, "on its way": PAID, "payable": PAID}
        proven()

    def test_left_with_the_recipient_it_counts_as_paid_for_good(
        self, kept: MilestoneSettlement, recipient: Recipient
    ) -> None:
        owed.leave(kept.pk, number=1, officer=officer(a_user()), reason="It was owed anyway", now=now())
        assert status(kept) == S.CANCELLED
        assert balances(recipient) == {"cost": PAID, "bank": -PAID}
        assert kinds(kept) == []
        proven()

    @pytest.mark.parametrize("first", [owed.recovered, owed.leave])
    def test_is_evened_out_once(self, kept: MilestoneSettlement, first: Callable[..., str]) -> None:
        given = {"reference": "ADV 9"} if first is owed.recovered else {}
        first(kept.pk, number=1, officer=officer(a_user()), reason="as agreed", now=now(), **given)
        for act, more in ((owed.recovered, {"reference": "ADV 9"}), (owed.leave, {}), (owed.repaid, {})):
            with pytest.raises(NothingOwed):
                act(kept.pk, number=1, officer=officer(a_user()), reason="again", now=now(), **more)
        proven()

    def test_comes_back_after_all_when_the_bank_returns_the_payment(
        self, case: Case, kept: MilestoneSettlement, recipient: Recipient
    ) -> None:
        case.payment_returned()
        hear(LATE + 20)
        assert (owes(kept), balances(recipient), kinds(kept)) == (0, {}, [WorkKind.RETURNED])
        proven()
        case.paid_again(100)
        proven()

    def test_and_given_back_as_well_it_is_back_twice(
        self, case: Case, kept: MilestoneSettlement, recipient: Recipient
    ) -> None:
        by = officer(a_user())
        owed.recovered(kept.pk, number=1, reference="ADV 9", officer=by, reason="They wired it", now=now())
        case.payment_returned()
        hear(LATE + 20)
        assert kinds(kept) == [WorkKind.BACK_TWICE, WorkKind.RETURNED]
        assert balances(recipient) == {"bank": PAID, "payable": PAID}
        owed.repaid(kept.pk, number=1, officer=by, reason="intent 77 pays it", now=now())
        assert kinds(kept) == [WorkKind.RETURNED]
        assert balances(recipient) == {"bank": PAID, "cost": -PAID}
        proven()

    def test_may_be_written_off_and_stays_owed(self, kept: MilestoneSettlement, recipient: Recipient) -> None:
        write_off(kept, a_user())
        assert status(kept) == S.CANCELLED
        assert kinds(kept) == [WorkKind.KEPT]
        owed.recovered(
            kept.pk, number=1, reference="ADV 9", officer=officer(a_user()), reason="They wired it", now=now()
        )
        assert (kinds(kept), balances(recipient)) == ([], {})
        proven()

    @pytest.mark.parametrize("reference", ["", "x" * 71, "a\x00b"])
    def test_is_given_back_under_a_reference_only(self, kept: MilestoneSettlement, reference: str) -> None:
        with pytest.raises(owed.BankReferenceRefused):
            owed.recovered(
                kept.pk, number=1, reference=reference, officer=officer(a_user()), reason="They wired it", now=now()
            )
