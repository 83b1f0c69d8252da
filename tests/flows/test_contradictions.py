"""The provider says that it paid what we took for refused: whatever comes when, nobody hands the next attempt over."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from rails import attempts, recipients, switches
from rails.base import RailOutcome, SettlementProvider
from rails.models import AttemptState, RailAttempt, Recipient
from rails.money import Money
from settlements import objections, release, verify, work
from settlements.models import AuditEvent, MilestoneSettlement
from settlements.statuses import SettlementStatus as S
from settlements.statuses import WorkKind
from tests.factories import a_user, now
from tests.flows.contradicting import SMALL, again, kinds, notice_row, says, stands
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, pretend_provider
from tests.flows.resolving import (
    as_if_committed,
    attempt_of,
    failed,
    handed_over,
    paid,
    reclaimed,
    releasing,
    retry,
    returned,
    submit,
    tell,
    turn,
)
from tests.settlements.by_hand import change

pytestmark = pytest.mark.django_db
STRIPE = SettlementProvider.STRIPE


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def recipient(provider: PretendProvider) -> Recipient:
    return a_payable_recipient()


def proven() -> None:
    as_if_committed()
    for _ in verify.everything():
        pass


PAID = [RailOutcome.ACCEPTED, RailOutcome.CONFIRMED, RailOutcome.PAYOUT_FAILED]


class TestBeforeTheNextAttemptIsHandedOver:
    @pytest.mark.parametrize("outcome", PAID)
    def test_the_word_withdraws_it_and_people_see_both(
        self, provider: PretendProvider, recipient: Recipient, outcome: RailOutcome
    ) -> None:
        settlement = again(provider, recipient)
        tell(says(settlement, outcome))
        assert stands(settlement) == (S.FAILED, AttemptState.REFUSED, 2)
        assert kinds(settlement) == [WorkKind.CONTRADICTED, WorkKind.FAILED]
        assert "paid an earlier attempt" in attempt_of(settlement).error
        calls = len(provider.calls)
        submit(provider)
        assert len(provider.calls) == calls
        events = AuditEvent.objects.filter(settlement=settlement).order_by("-sequence")[:2]
        assert [event.action for event in events] == ["withdrawn", "provider_contradicts"]
        with pytest.raises(objections.PaidThoughRefused):
            retry(settlement, a_user())
        proven()

    def test_a_word_that_says_nothing_of_money_withdraws_nothing(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = again(provider, recipient)
        tell(says(settlement, RailOutcome.REFUSED))
        assert stands(settlement) == (S.RELEASING, AttemptState.PREPARED, 2)
        assert submit(provider).accepted == 1

    def test_twice_is_once(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = again(provider, recipient)
        tell(says(settlement, RailOutcome.ACCEPTED), says(settlement, RailOutcome.ACCEPTED))
        tell(says(settlement, RailOutcome.ACCEPTED))
        tell(says(settlement, RailOutcome.CONFIRMED))
        assert AuditEvent.objects.filter(settlement=settlement, action="withdrawn").count() == 1
        assert RailAttempt.objects.filter(milestone_id=settlement.pk).count() == 2
        proven()

    def test_others_of_the_same_batch_go_on(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement, other = again(provider, recipient), again(provider, recipient)
        tell(says(settlement, RailOutcome.ACCEPTED))
        assert submit(provider).accepted == 1
        assert (stands(settlement)[0], stands(other)[0]) == (S.FAILED, S.APPROVED)

    def test_the_database_lets_nobody_hand_it_over(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = again(provider, recipient)
        first = RailAttempt.objects.get(milestone_id=settlement.pk, number=1)
        notice_row(first)
        with pytest.raises(DatabaseError, match="it paid an earlier one"), transaction.atomic():
            change(attempt_of(settlement), state="SUBMITTED", submitted_at=now())
        with pytest.raises(DatabaseError, match="is withdrawn first"):
            as_if_committed()

    def test_what_the_recipient_kept_after_all_bars_the_hand_over_as_well(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = reclaimed(provider, recipient, **SMALL)
        as_if_committed()
        retry(settlement, a_user())
        as_if_committed()
        # As a claim would that took its snapshot before the word was committed.
        RailAttempt.objects.filter(milestone_id=settlement.pk, number=1).update(owed_minor=1)
        with pytest.raises(DatabaseError, match="has what counted as returned of an earlier one"), transaction.atomic():
            change(attempt_of(settlement), state="SUBMITTED", submitted_at=now())

    def test_the_database_lets_nobody_begin_it(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = failed(provider, recipient, **SMALL)
        tell(says(settlement, RailOutcome.ACCEPTED))
        order = attempts.Order(
            milestone_id=settlement.pk, provider=STRIPE, amount=Money.from_major(700, "USD"), recipient_id=recipient.pk
        )
        with pytest.raises(DatabaseError, match="it paid an earlier one"), transaction.atomic():
            attempts.prepare([order], now=now())

    def test_what_came_back_and_was_paid_under_another_reference_too_bars_as_well(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = returned(provider, recipient, **SMALL)
        tell(says(settlement, RailOutcome.CONFIRMED, "tr_other"))
        with pytest.raises(objections.PaidThoughRefused):
            retry(settlement, a_user())
        proven()


class TestWhileTheNextAttemptIsUnderWay:
    def test_one_that_was_not_taken_yet_is_withdrawn_afterwards(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = again(provider, recipient)
        provider.behave = provider.not_yet
        provider.during = lambda: tell(says(settlement, RailOutcome.ACCEPTED))
        submit(provider)
        assert stands(settlement) == (S.RELEASING, AttemptState.PREPARED, 2)
        provider.during, provider.behave, calls = lambda: None, provider.accept, len(provider.calls)
        assert submit(provider).refused == 1
        assert stands(settlement) == (S.FAILED, AttemptState.REFUSED, 2)
        assert len(provider.calls) == calls
        proven()

    def test_one_whose_answer_was_lost_is_only_looked_up(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = again(provider, recipient)
        provider.behave = provider.lose_the_request
        submit(provider)
        tell(says(settlement, RailOutcome.ACCEPTED))
        assert stands(settlement) == (S.RELEASING, AttemptState.SUBMITTED, 2)
        provider.behave = provider.accept
        for _ in range(3):
            RailAttempt.objects.update(leased_until=None)
            assert submit(provider).accepted == 0
        assert provider.calls[-1].look_up_only
        assert (settlement.pk, 2) not in provider.taken

    def test_one_whose_answer_was_lost_is_found_if_it_was_paid(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = again(provider, recipient)
        provider.behave = provider.lose_the_answer
        submit(provider)
        tell(says(settlement, RailOutcome.ACCEPTED))
        RailAttempt.objects.update(leased_until=None)
        assert submit(provider).accepted == 1
        assert stands(settlement) == (S.APPROVED, AttemptState.ACCEPTED, 2)
        proven()


class TestWhatWasApprovedBeforeTheWord:
    @pytest.fixture
    def waiting(self, provider: PretendProvider, recipient: Recipient) -> MilestoneSettlement:
        """Approved to go again while its rail is off."""
        settlement = failed(provider, recipient, **SMALL)
        as_if_committed()
        switches.turn_off(provider=STRIPE, reason="audit", actor="test", now=now())
        retry(settlement, a_user())
        as_if_committed()
        return settlement

    def test_is_void_and_no_sweep_tries_it(
        self, provider: PretendProvider, waiting: MilestoneSettlement, caplog: pytest.LogCaptureFixture
    ) -> None:
        tell(says(waiting, RailOutcome.ACCEPTED))
        as_if_committed()
        switches.turn_on(provider=STRIPE, reason="done", actor="test", now=now())
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            assert release.sweep(now=now()) == release.sweep(now=now()) == release.SweepReport()
        assert not caplog.records
        waiting.refresh_from_db()
        assert (waiting.status, waiting.blocked_reason, waiting.retry_at, waiting.error) == (S.FAILED, "", None, "")
        (item,) = [item for item in work.of_settlement(waiting.pk) if item.kind is WorkKind.FAILED]
        assert item.so_far == ""
        proven()

    def test_is_left_alone_by_a_sweep_that_finds_it_so(
        self, provider: PretendProvider, waiting: MilestoneSettlement, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As an older release left it: still marked for the sweep."""
        tell(says(waiting, RailOutcome.ACCEPTED))
        as_if_committed()
        switches.turn_on(provider=STRIPE, reason="done", actor="test", now=now())
        due = now() - timedelta(hours=1)
        change(waiting, blocked_reason="the release failed", error="the provider says that it paid", retry_at=due)
        caplog.clear()
        with caplog.at_level(logging.ERROR, logger="settlements"):
            assert release.sweep(now=now()) == release.SweepReport()
        assert not caplog.records
        waiting.refresh_from_db()
        assert (waiting.status, waiting.blocked_reason) == (S.FAILED, "")


class TestWhenAllOfItCameBack:
    def test_it_may_be_paid_again_by_approvals_that_know_of_it(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = again(provider, recipient)
        tell(says(settlement, RailOutcome.ACCEPTED))
        tell(says(settlement, RailOutcome.RETURNED, reason="Reversed"))
        as_if_committed()
        assert release.sweep(now=now()) == release.SweepReport()
        retry(settlement, a_user())
        assert submit(provider).accepted == 1
        assert stands(settlement) == (S.APPROVED, AttemptState.ACCEPTED, 3)
        proven()

    def test_in_whatever_order_that_is_told(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = failed(provider, recipient, **SMALL)
        tell(says(settlement, RailOutcome.RETURNED, amount=Money.from_major(700, "USD")))
        tell(says(settlement, RailOutcome.ACCEPTED))
        retry(settlement, a_user())
        assert submit(provider).accepted == 1

    @pytest.mark.parametrize(
        ("reference", "amount"),
        [
            ("tr_first", Money.from_major(699, "USD")),
            ("tr_first", Money.from_major(700, "EUR")),
            ("tr_other", None),
        ],
        ids=["a part", "another currency", "another reference"],
    )
    def test_and_not_when_something_else_did(
        self, provider: PretendProvider, recipient: Recipient, reference: str, amount: Money | None
    ) -> None:
        settlement = failed(provider, recipient, **SMALL)
        tell(says(settlement, RailOutcome.ACCEPTED), says(settlement, RailOutcome.RETURNED, reference, amount=amount))
        for act in (lambda: retry(settlement, a_user()), lambda: turn(settlement, "internal_ledger", a_user())):
            with pytest.raises(objections.PaidThoughRefused):
                act()


class TestWhyAReleaseWaits:
    def test_is_told_as_it_is_now_and_no_longer_as_it_was(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        switches.turn_off(provider=STRIPE, reason="audit", actor="test", now=now())
        settlement = releasing(recipient)
        assert (settlement.status, settlement.blocked_reason) == (S.DELAYED, "rail stripe is switched off")
        recipients.set_payouts(
            recipient_id=recipient.recipient_id, enabled=False, reason="dispute", actor="test", now=now()
        )
        switches.turn_on(provider=STRIPE, reason="done", actor="test", now=now())
        assert release.sweep(now=now()) == release.sweep(now=now()) == release.SweepReport()
        settlement.refresh_from_db()
        assert settlement.blocked_reason == "payouts to the recipient are switched off"
        events = AuditEvent.objects.filter(settlement=settlement, action="release_blocked")
        assert [event.reason for event in events] == ["payouts to the recipient are switched off"]
        recipients.set_payouts(
            recipient_id=recipient.recipient_id, enabled=True, reason="settled", actor="test", now=now()
        )
        assert release.sweep(now=now()).released == 1

    def test_is_told_no_more_once_nobodys_approval_stands(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = failed(provider, recipient, **SMALL)
        switches.turn_off(provider=STRIPE, reason="audit", actor="test", now=now())
        retry(settlement, a_user())
        recipients.put(recipient.recipient_id, "Bozza & Sons", actor="test", now=now())
        release.sweep(now=now())
        settlement.refresh_from_db()
        assert (settlement.blocked_reason, settlement.retry_at) == ("", None)


def test_a_word_that_comes_before_anybody_retried_is_as_before(provider: PretendProvider, recipient: Recipient) -> None:
    settlement = failed(provider, recipient, **SMALL)
    tell(says(settlement, RailOutcome.ACCEPTED))
    assert kinds(settlement) == [WorkKind.CONTRADICTED, WorkKind.FAILED]
    assert release.sweep(now=now()) == release.SweepReport()
    proven()


def test_what_is_paid_and_contradicted_by_another_reference_stays_paid(
    provider: PretendProvider, recipient: Recipient
) -> None:
    settlement = paid(provider, recipient)
    tell(says(settlement, RailOutcome.ACCEPTED, "tr_other"))
    assert stands(settlement)[0] == S.APPROVED
    assert not handed_over(provider, recipient, provider.not_yet).blocked_reason
