"""A payment that is taken back, returned, or both, in any order: the books are right, and nothing is paid twice."""

from collections.abc import Callable
from datetime import datetime
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from rails import destinations, ledger
from rails.accounts import AccountCode, AccountKey
from rails.ach import handling, reversals
from rails.ach.configuration import AchConfiguration
from rails.ach.rail import AchRail
from rails.models import AchEntry, AchFile, RailAttempt, Recipient, ReversalReason
from settlements import approvals, owed, release, submitting, verify, work
from settlements.models import AuditEvent, MilestoneSettlement
from settlements.objections import KeptByRecipient
from settlements.owed import NothingOwed
from settlements.statuses import SettlementStatus as S
from settlements.statuses import WorkKind
from settlements.work import Asked
from tests.factories import POD, a_recipient, a_user, an_intent, approval_row, now, officer, settlement_of
from tests.flows.resolving import as_if_committed, retry, turn, write_off
from tests.rails.ach.bank import MONDAY, at_the_bank, configured, days_later, sends
from tests.rails.ach.samples import RDFI, bank_file, returned

pytestmark = pytest.mark.django_db

PAID = 700_000
# By then a reversal counts by itself.
LATE = 66


@pytest.fixture
def bank(tmp_path: Path, settings: Any) -> AchConfiguration:
    settings.ACH = configured(tmp_path)
    configuration: AchConfiguration = settings.ACH
    return configuration


@pytest.fixture
def recipient(bank: AchConfiguration) -> Recipient:
    return a_payable_recipient()


def a_payable_recipient() -> Recipient:
    recipient = a_recipient()
    account = {
        "routing_number": RDFI,
        "account_number": "5512345678",
        "account_type": "checking",
        "holder_name": "Bozza Haulage",
        "sec_code": "CCD",
    }
    destinations.propose(recipient.pk, [destinations.read("ach", account)], actor="test", now=now())
    return recipient


def submit(at: datetime) -> submitting.Report:
    report = submitting.submit(AchRail(), clock=lambda: at)
    as_if_committed()
    return report


def hear(days: float) -> None:
    submitting.hear(AchRail(), clock=lambda: days_later(days))
    as_if_committed()


def status(settlement: MilestoneSettlement) -> str:
    settlement.refresh_from_db()
    return settlement.status


def owes(settlement: MilestoneSettlement, number: int = 1) -> int:
    """What the recipient owes us of an attempt, in minor units."""
    return RailAttempt.objects.get(milestone_id=settlement.pk, number=number).owed_minor


def kinds(settlement: MilestoneSettlement) -> list[WorkKind]:
    return [item.kind for item in work.of_settlement(settlement.pk)]


def balances(recipient: Recipient) -> dict[str, int]:
    """Cost, bank, what is on its way, what we owe the recipient (as a liability), what it owes us."""
    of = {
        "cost": AccountKey(AccountCode.FREIGHT_COST, "USD"),
        "bank": AccountKey(AccountCode.BANK_ACCOUNT, "USD"),
        "on its way": AccountKey(AccountCode.ACH_CLEARING, "USD"),
        "payable": AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD", recipient.pk),
        "receivable": AccountKey(AccountCode.RECIPIENT_RECEIVABLE, "USD", recipient.pk),
    }
    return {name: ledger.balance(key).minor for name, key in of.items() if ledger.balance(key).minor}


def proven() -> None:
    for _ in verify.everything():
        pass


class Case:
    """One payment that is at the bank, and its reversal as well, with all that may become of both."""

    def __init__(self, bank: AchConfiguration, recipient: Recipient) -> None:
        self.bank, self.recipient = bank, recipient
        self.settlement = settlement_of(an_intent(recipient=recipient, payment_method="ach"), POD)
        assert submit(MONDAY) == submitting.Report(accepted=1)
        self.paid = AchEntry.objects.get(milestone_id=self.settlement.pk, kind="PAYMENT")
        reversals.ask(
            bank,
            self.paid.pk,
            permitted_reason=ReversalReason.WRONG_AMOUNT,
            reason="Typed wrongly",
            user=a_user(),
            actor="user:c",
            now=MONDAY,
        )
        hear(1)
        self.sent = AchEntry.objects.get(milestone_id=self.settlement.pk, kind="REVERSAL")

    def payment_returned(self) -> None:
        self._send(returned("R06", trace=self.paid.trace_number, amount_minor=PAID), "payment.ach")

    def reversal_returned(self) -> None:
        item = returned("R31", trace=self.sent.trace_number, amount_minor=PAID, transaction_code="26")
        self._send(item, "reversal.ach")

    def went_through(self) -> None:
        """By the bank's word; by silence it comes to the same."""
        reversals.went_through(
            self.bank,
            self.sent.pk,
            bank_reference="ADV 4711",
            reason="Debited, says the bank",
            user=a_user(),
            actor="user:d",
            now=days_later(8),
        )

    def file_refused(self) -> None:
        handling.refuse_file(self.sent.file_id, reason="Lost", user=a_user(), actor="user:c", now=days_later(8))

    def paid_again(self, days: float = 70) -> None:
        assert "on its way" in retry(self.settlement, a_user())
        assert submit(days_later(days)) == submitting.Report(accepted=1)

    def _send(self, item: Any, name: str) -> None:
        sends(self.bank, bank_file(("CCD", [item])), name)
        # Read at once, told later: the outcomes stand until somebody listens.
        AchRail().hear(now=days_later(10))


@pytest.fixture
def case(bank: AchConfiguration, recipient: Recipient) -> Case:
    return Case(bank, recipient)


def _orders() -> list[tuple[str, ...]]:
    facts = ("payment_returned", "went_through", "reversal_returned")
    found = {order for count in (1, 2, 3) for order in permutations(facts, count)}
    # What came back can not be said to have gone through: that is refused.
    return sorted(
        order
        for order in found
        if not {"went_through", "reversal_returned"} <= set(order)
        or order.index("went_through") < order.index("reversal_returned")
    )


@pytest.mark.parametrize("settled", [False, True], ids=["in transit", "settled"])
@pytest.mark.parametrize("told", list(product([False, True], repeat=2)), ids=str)
@pytest.mark.parametrize("order", _orders(), ids=lambda order: ", ".join(order))
def test_in_whatever_order_it_comes_back_and_not_the_books_say_what_the_bank_would(
    case: Case, recipient: Recipient, order: tuple[str, ...], told: tuple[bool, bool], settled: bool
) -> None:
    """`told`: whether anybody listened after the first word, and after the second."""
    if settled:
        hear(4)
        assert status(case.settlement) == S.SETTLED
    back = 0
    through = False
    for fact, listened in zip(order, (*told, True), strict=False):
        getattr(case, fact)()
        back += {"payment_returned": 1, "went_through": 1, "reversal_returned": -1 if through else 0}[fact]
        through = through or fact == "went_through"
        if listened:
            hear(10)
    hear(10)
    # What the account at the bank holds, by counting what moved: paid once, back so many times.
    assert balances(recipient).get("bank", 0) == (back - 1) * PAID
    counted = "payment_returned" in order or "went_through" in order
    if not counted:
        assert status(case.settlement) in {S.APPROVED, S.SETTLED}
        assert owes(case.settlement) == 0
    else:
        assert status(case.settlement) == S.RETURNED
        assert owes(case.settlement) == (1 - back) * PAID
        expected = {
            0: [WorkKind.KEPT],
            1: [WorkKind.RETURNED],
            2: [WorkKind.BACK_TWICE, WorkKind.RETURNED],
        }[back]
        assert kinds(case.settlement) == expected
        assert (
            balances(recipient)
            == {
                0: {"bank": -PAID, "receivable": PAID},
                1: {},
                2: {"bank": PAID, "payable": PAID},
            }[back]
        )
    proven()
    # Then silence speaks for a reversal of which nobody has said anything.
    hear(200)
    hear(200)
    back += not {"went_through", "reversal_returned"} & set(order)
    assert balances(recipient).get("bank", 0) == (back - 1) * PAID
    assert owes(case.settlement) == ((1 - back) * PAID if status(case.settlement) == S.RETURNED else 0)
    proven()


def test_by_silence_it_comes_back_only_after_the_last_day(case: Case, recipient: Recipient) -> None:
    for days in (2, 9, 30, 62, LATE - 1):
        hear(days)
        assert status(case.settlement) in {S.APPROVED, S.SETTLED}
    hear(LATE)
    assert status(case.settlement) == S.RETURNED
    assert balances(recipient) == {}
    hear(LATE + 1)
    proven()


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


def test_a_refused_file_of_reversals_undoes_what_was_said_of_them(case: Case, recipient: Recipient) -> None:
    case.went_through()
    hear(8)
    assert status(case.settlement) == S.RETURNED
    case.file_refused()
    hear(9)
    assert kinds(case.settlement) == [WorkKind.KEPT]
    assert balances(recipient) == {"bank": -PAID, "receivable": PAID}
    assert AchFile.objects.get(purpose="REVERSALS").state == "REFUSED"
    proven()


def test_what_is_owed_is_never_more_than_what_came_back_by_the_database(case: Case) -> None:
    with pytest.raises(DatabaseError, match="owed_is_what_counted_as_returned"), transaction.atomic():
        RailAttempt.objects.update(owed_minor=1)
    hear(LATE)
    with pytest.raises(DatabaseError, match="owed_is_what_counted_as_returned"), transaction.atomic():
        RailAttempt.objects.update(owed_minor=PAID + 1)
    with transaction.atomic():
        RailAttempt.objects.update(owed_minor=PAID)
    with pytest.raises(Exception, match="owed by the recipient"):
        proven()
