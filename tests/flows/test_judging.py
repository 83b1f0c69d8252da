"""What a person says of an attempt that its provider leaves open, and what the work list shows until then."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from rails import switches
from rails.base import RailOutcome, SettlementProvider
from rails.models import AttemptState, RailNotice, Recipient
from rails.money import Money
from settlements import approvals, judging, verify, work
from settlements.models import AuditEvent, MilestoneSettlement
from settlements.reasons import ReasonRefused
from settlements.statuses import SettlementStatus as S
from settlements.statuses import WorkKind
from settlements.work import Asked
from tests.factories import a_user, approval_row, now, officer
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, notice, pretend_provider
from tests.flows.resolving import (
    attempt_of,
    back_twice,
    failed,
    handed_over,
    in_question,
    kept,
    overpaid,
    paid,
    releasing,
    retry,
    returned,
    submit,
    tell,
)

pytestmark = pytest.mark.django_db
SMALL = {"amount": Decimal("1000")}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def recipient(provider: PretendProvider) -> Recipient:
    return a_payable_recipient()


def proven() -> None:
    for _ in verify.everything():
        pass


def kinds() -> list[WorkKind]:
    return [item.kind for item in work.listed(Asked())[1]]


def counted() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {work.COUNT}")
        row: tuple[int] = cursor.fetchone()
    return row[0]


def aged(settlement: MilestoneSettlement, **columns: timedelta) -> None:
    """Puts moments of the last attempt back."""
    for column, ago in columns.items():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(
                f"UPDATE rails_railattempt SET {column} = now() - make_interval(secs => %s) WHERE milestone_id = %s",
                [ago.total_seconds(), settlement.pk],
            )
            cursor.execute("SET LOCAL session_replication_role = origin")


def withdraw(settlement: MilestoneSettlement, number: int = 1, reason: str = "wrong shipment") -> str:
    return judging.withdraw(settlement.pk, number=number, officer=officer(a_user()), reason=reason, now=now())


def look_again(settlement: MilestoneSettlement, number: int = 1) -> str:
    return judging.look_again(
        settlement.pk, number=number, officer=officer(a_user()), reason="the key was mended", now=now()
    )


def accepted(settlement: MilestoneSettlement, reference: str = "tr_found", number: int = 1) -> str:
    return judging.record_accepted(
        settlement.pk, number=number, reference=reference, officer=officer(a_user()), reason="seen there", now=now()
    )


class TestWithdrawing:
    def test_what_was_never_handed_over_fails_and_is_not_paid(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = releasing(recipient)
        assert withdraw(settlement) == "Withdrawn before anything was handed over"
        settlement.refresh_from_db()
        assert (settlement.status, attempt_of(settlement).error) == (S.FAILED, "wrong shipment")
        assert AuditEvent.objects.filter(settlement=settlement, action="withdrawn").exists()
        submit(provider)
        assert not provider.calls
        proven()

    def test_and_then_by_the_same_person_sending_it_again_is_fine(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement, user = releasing(recipient, **SMALL), a_user()
        judging.withdraw(settlement.pk, number=1, officer=officer(user), reason="too early", now=now())
        retry(settlement, user)
        assert submit(provider).accepted == 1

    def test_of_what_may_have_been_handed_over_is_refused(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        for settlement in (
            handed_over(provider, recipient, provider.lose_the_answer),
            in_question(provider, recipient),
            paid(provider, recipient),
            failed(provider, recipient),
        ):
            with pytest.raises(judging.NothingToJudge):
                withdraw(settlement)

    def test_of_a_former_attempt_is_refused(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = failed(provider, recipient, **SMALL)
        retry(settlement, a_user())
        with pytest.raises(judging.AttemptMoved):
            withdraw(settlement, number=1)
        assert withdraw(settlement, number=2)

    def test_needs_a_reason_and_an_active_officer(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = releasing(recipient)
        with pytest.raises(ReasonRefused):
            withdraw(settlement, reason=" ")
        with pytest.raises(approvals.NotStaff):
            judging.withdraw(
                settlement.pk, number=1, officer=officer(a_user(is_staff=False)), reason="why not", now=now()
            )


class TestAQuestion:
    @pytest.fixture
    def asked(self, provider: PretendProvider, recipient: Recipient) -> MilestoneSettlement:
        return in_question(provider, recipient)

    def test_looked_up_again_is_found_and_not_paid_twice(
        self, provider: PretendProvider, asked: MilestoneSettlement
    ) -> None:
        provider.take(provider.calls[-1])
        assert look_again(asked) == "Looked up again at the provider within seconds"
        assert submit(provider).accepted == 1
        assert provider.calls[-1].submitted_at is not None
        assert len(provider.taken) == 1
        event = AuditEvent.objects.get(settlement=asked, action="looked_up_again")
        assert event.data == {"attempt": 1, "question": "another payment has this key"}
        proven()

    def test_is_asked_once(self, provider: PretendProvider, asked: MilestoneSettlement) -> None:
        look_again(asked)
        with pytest.raises(judging.NothingToJudge):
            look_again(asked)
        with pytest.raises(judging.NothingToJudge):
            accepted(asked)

    def test_recorded_as_accepted_is_approved_and_booked_under_its_reference(
        self, provider: PretendProvider, asked: MilestoneSettlement
    ) -> None:
        assert accepted(asked, " tr_found ") == "Recorded as accepted under tr_found"
        asked.refresh_from_db()
        assert (asked.status, asked.reference) == (S.APPROVED, "tr_found")
        assert submit(provider).accepted == 0
        proven()

    @pytest.mark.parametrize("reference", ["", "  ", "tr\n1", "x" * 201])
    def test_without_a_readable_reference_is_refused(self, asked: MilestoneSettlement, reference: str) -> None:
        with pytest.raises(judging.ReferenceRefused):
            accepted(asked, reference)

    def test_under_the_reference_of_another_payment_is_refused(
        self, provider: PretendProvider, recipient: Recipient, asked: MilestoneSettlement
    ) -> None:
        other = paid(provider, recipient)
        with pytest.raises(judging.ReferenceRefused):
            accepted(asked, other.reference)

    def test_recorded_as_refused_is_paid_again_only_by_somebody_else(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = handed_over(provider, recipient, provider.ask_a_person, **SMALL)
        first = a_user()
        judging.record_refused(settlement.pk, number=1, officer=officer(first), reason="not in their list", now=now())
        settlement.refresh_from_db()
        assert settlement.status == S.FAILED
        with pytest.raises(approvals.NotIndependent, match="refused or given back"):
            retry(settlement, first)
        with pytest.raises(DatabaseError, match="recorded by hand"), transaction.atomic():
            approval_row(settlement, first)
        retry(settlement, a_user())
        assert submit(provider).accepted == 1
        proven()

    def test_a_word_of_the_provider_that_comes_afterwards_contradicts(
        self, provider: PretendProvider, asked: MilestoneSettlement
    ) -> None:
        judging.record_refused(asked.pk, number=1, officer=officer(a_user()), reason="not there", now=now())
        tell(notice(RailOutcome.ACCEPTED, "tr_late", milestone_id=asked.pk, attempt_number=1))
        assert kinds() == [WorkKind.CONTRADICTED, WorkKind.FAILED]

    def test_nothing_is_recorded_where_nobody_asks(self, provider: PretendProvider, recipient: Recipient) -> None:
        for settlement in (releasing(recipient), paid(provider, recipient), failed(provider, recipient)):
            with pytest.raises(judging.NothingToJudge):
                accepted(settlement)
            with pytest.raises(judging.NothingToJudge):
                look_again(settlement)


class TestTheWorkList:
    def test_is_empty_while_everything_goes_well(self, provider: PretendProvider, recipient: Recipient) -> None:
        releasing(recipient)
        paid(provider, recipient)
        assert (work.listed(Asked()), counted()) == ((0, []), 0)

    def test_holds_every_kind_the_gravest_first(self, provider: PretendProvider, recipient: Recipient) -> None:
        overpaid(provider, recipient)
        kept(provider, recipient)
        back_twice(provider, recipient)  # and it is returned as well
        failed(provider, recipient)
        returned(provider, recipient)
        in_question(provider, recipient)
        aged(handed_over(provider, recipient, provider.lose_the_answer), submitted_at=timedelta(minutes=16))
        rests = paid(provider, recipient)
        tell(notice(RailOutcome.CONFIRMED, rests.reference), notice(RailOutcome.PAYOUT_FAILED, rests.reference))
        partly = paid(provider, recipient)
        tell(notice(RailOutcome.RETURNED, partly.reference, amount=Money(1, "USD")))
        odd = paid(provider, recipient)
        tell(notice(RailOutcome.CONFIRMED, "tr_odd", milestone_id=odd.pk, attempt_number=1))
        aged(releasing(recipient), prepared_at=timedelta(minutes=3))
        assert list(dict.fromkeys(kinds())) == list(WorkKind)
        assert counted() == len(kinds()) - len(work.INFORMATION) == 10
        assert all(item.next_step for item in work.listed(Asked())[1])

    def test_is_narrowed_and_paged(self, provider: PretendProvider, recipient: Recipient) -> None:
        mine = failed(provider, recipient)
        other = returned(provider, a_payable_recipient())

        def found(**asked: object) -> list[int]:
            return [item.settlement_id for item in work.listed(Asked(**asked))[1]]  # type: ignore[arg-type]

        assert found(kind=WorkKind.FAILED) == [mine.pk]
        assert found(recipient=recipient.recipient_id.lower()) == [mine.pk]
        assert found(recipient="bozza") == [other.pk, mine.pk]
        assert found(rail="stripe", currency="USD") == [other.pk, mine.pk]
        assert found(rail="ach") == found(currency="EUR") == found(older_than_hours=1) == []
        total, page = work.listed(Asked(), skip=1, limit=1)
        assert (total, [item.settlement_id for item in page]) == (2, [mine.pk])

    def test_says_how_far_a_retry_has_come(self, provider: PretendProvider, recipient: Recipient) -> None:
        large = failed(provider, recipient, amount=Decimal("50000"))
        (item,) = work.of_settlement(large.pk)
        assert item.so_far == ""
        retry(large, a_user())
        (item,) = work.of_settlement(large.pk)
        assert item.so_far == "1 of 2 officers approved that it is paid again; another one must."
        switches.turn_off(provider=SettlementProvider.STRIPE, reason="audit", actor="test", now=now())
        retry(large, a_user())
        (item,) = work.of_settlement(large.pk)
        assert item.so_far == "It is approved to be paid again and waits: rail stripe is switched off."

    def test_says_why_an_attempt_waits(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = releasing(recipient)
        aged(settlement, prepared_at=timedelta(minutes=3))
        assert work.of_settlement(settlement.pk)[0].words == "the rail takes it in its next window"
        switches.turn_off(provider=SettlementProvider.STRIPE, reason="audit", actor="test", now=now())
        (item,) = work.of_settlement(settlement.pk)
        assert (item.words, item.for_information) == ("rail stripe is switched off", True)

    def test_a_payout_that_succeeds_at_last_leaves_it(self, provider: PretendProvider, recipient: Recipient) -> None:
        rests = paid(provider, recipient)
        tell(notice(RailOutcome.CONFIRMED, rests.reference), notice(RailOutcome.PAYOUT_FAILED, rests.reference))
        assert kinds() == [WorkKind.PAYOUT_FAILED]
        tell(notice(RailOutcome.CONFIRMED, rests.reference, source="po_2"))
        assert kinds() == []


class TestClosing:
    def test_a_partial_return_leaves_the_list_until_more_comes_back(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = paid(provider, recipient)

        def back(minor: int) -> None:
            amount = Money(minor, "USD")
            tell(notice(RailOutcome.RETURNED, settlement.reference, source=f"{minor}", amount=amount))

        def close(about: int) -> str:
            return judging.close(
                settlement.pk, kind=WorkKind.PARTLY_RETURNED, about=about, officer=officer(a_user()),
                reason="a new intent is made", now=now(),
            )  # fmt: skip

        back(100)
        with pytest.raises(judging.NothingToJudge):
            close(99)
        assert close(100) == "Marked as dealt with"
        assert (kinds(), attempt_of(settlement).state) == ([], AttemptState.ACCEPTED)
        back(200)
        assert kinds() == [WorkKind.PARTLY_RETURNED]
        proven()

    def test_contradictions_leave_the_list_until_another_one(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = paid(provider, recipient)

        def odd(source: str) -> None:
            tell(notice(RailOutcome.REFUSED, settlement.reference, source=source))

        odd("evt_1")
        (item,) = work.of_settlement(settlement.pk)
        assert item.words == "evt_1 says refused"
        assert item.about == RailNotice.objects.get(source="evt_1").pk
        judging.close(
            settlement.pk, kind=item.kind, about=item.about, officer=officer(a_user()), reason="their error", now=now()
        )
        assert kinds() == []
        odd("evt_2")
        assert kinds() == [WorkKind.CONTRADICTED]

    @pytest.mark.parametrize("kind", [WorkKind.CONTRADICTED, WorkKind.PARTLY_RETURNED])
    def test_nothing_to_close_is_said(self, provider: PretendProvider, recipient: Recipient, kind: WorkKind) -> None:
        settlement = paid(provider, recipient)
        with pytest.raises(judging.NothingToJudge):
            judging.close(settlement.pk, kind=kind, about=1, officer=officer(a_user()), reason="done", now=now())
