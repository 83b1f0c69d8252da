"""A release on a remote rail: claimed with its attempt, handed over afterwards, recorded, and told of later."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import permutations

import pytest
from django.db import connection

from rails import attempts, destinations, ledger, recipients, registry, switches
from rails.accounts import AccountCode, AccountKey
from rails.base import Applied, Notice, RailOutcome, SettlementProvider, SettlementResult
from rails.models import AttemptState, JournalEntry, RailAttempt, RailNotice, Recipient
from rails.money import Money
from settlements import intents, outcomes, release, requests, submitting, tasks, verify
from settlements.intents import ScheduleRequest
from settlements.models import AuditEvent, MilestoneSettlement
from settlements.statuses import ScheduleType
from settlements.statuses import SettlementStatus as S
from tests.factories import (
    CLAIM,
    HIGH,
    MEDIUM,
    PICKUP,
    POD,
    a_user,
    an_intent,
    approve,
    now,
    post_event,
    settlement_of,
)
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, notice, pretend_provider

pytestmark = pytest.mark.django_db
STRIPE = SettlementProvider.STRIPE


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def recipient(provider: PretendProvider) -> Recipient:
    return a_payable_recipient()


def releasing(recipient: Recipient, event_type: str = POD) -> MilestoneSettlement:
    return settlement_of(an_intent(recipient=recipient, payment_method="stripe"), event_type)


def attempt_of(settlement: MilestoneSettlement) -> RailAttempt:
    return RailAttempt.objects.filter(milestone_id=settlement.pk).latest("number")


def submit(provider: PretendProvider) -> submitting.Report:
    return submitting.submit(provider, clock=now)


def at_rest() -> None:
    """What was handed in without an answer may be handed in again."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rails_railattempt SET leased_until = now() - interval '1 second'")


def told(*words: object) -> list[Applied]:
    return outcomes.apply(list(words), actor="rail:stripe", now=now())  # type: ignore[arg-type]


def balance(code: AccountCode, recipient: Recipient | None = None) -> Money:
    return ledger.balance(AccountKey(code, "USD", recipient.pk if recipient else None))


def proven() -> None:
    for _ in verify.everything():
        pass


class TestAClaim:
    def test_is_committed_with_its_attempt_before_anybody_is_called(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = releasing(recipient)
        attempt = attempt_of(settlement)
        assert settlement.status == S.RELEASING
        assert (attempt.state, attempt.number, attempt.amount_minor) == (AttemptState.PREPARED, 1, 700_000)
        assert attempt.destination == destinations.usable(recipient.pk, "stripe")
        assert not provider.calls
        assert not JournalEntry.objects.exists()

    def test_of_a_delayed_one_comes_with_the_sweep(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = settlement_of(an_intent(risk=MEDIUM, recipient=recipient, payment_method="stripe"), PICKUP)
        assert (settlement.status, release.sweep(now=now()).released) == (S.DELAYED, 0)
        approve(settlement, a_user())
        settlement.refresh_from_db()
        assert settlement.status == S.RELEASING

    def test_of_a_reviewed_one_comes_with_the_approval(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = settlement_of(an_intent(risk=HIGH, recipient=recipient, payment_method="stripe"), POD)
        assert settlement.status == S.PENDING
        decided = approve(settlement, a_user())
        assert (decided.status, decided.message) == (S.RELEASING, "Settlement approved")

    def test_waits_for_a_recipient_with_a_destination(self, provider: PretendProvider, recipient: Recipient) -> None:
        intent = an_intent(recipient=recipient, payment_method="stripe")
        destinations.close(recipient.pk, "stripe", reason="gone", actor="test", now=now())
        settlement = settlement_of(intent, POD)
        assert (settlement.status, settlement.blocked_reason) == (S.DELAYED, "recipient has no destination for stripe")
        assert not RailAttempt.objects.exists()
        assert release.sweep(now=now()) == release.SweepReport()

    def test_waits_while_a_changed_destination_is_in_quarantine(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        other = destinations.read("stripe", {"account": "acct_1SomewhereElse"})
        destinations.propose(recipient.pk, [other], actor="test", now=now())
        settlement = releasing(recipient)
        assert settlement.status == S.DELAYED
        assert "awaits confirmation" in settlement.blocked_reason or "quarantine" in settlement.blocked_reason

    def test_waits_while_the_rail_is_off_and_goes_when_it_is_on_again(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        switches.turn_off(provider=STRIPE, reason="audit", actor="test", now=now())
        settlement = releasing(recipient)
        assert (settlement.status, settlement.blocked_reason) == (S.DELAYED, "rail stripe is switched off")
        switches.turn_on(provider=STRIPE, reason="done", actor="test", now=now())
        assert release.sweep(now=now()).released == 1
        assert submit(provider).accepted == 1


class TestHandingOver:
    def test_an_accepted_payment_is_approved_under_its_reference_and_booked(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = releasing(recipient)
        assert submit(provider) == submitting.Report(accepted=1)
        settlement.refresh_from_db()
        assert (settlement.status, settlement.reference) == (S.APPROVED, f"tr_{settlement.pk}_1")
        assert balance(AccountCode.STRIPE_CLEARING) == Money(700_000, "USD")
        assert balance(AccountCode.STRIPE_BALANCE) == Money(-700_000, "USD")
        assert balance(AccountCode.RECIPIENT_PAYABLE, recipient) == Money(700_000, "USD")
        proven()

    def test_twice_pays_once(self, provider: PretendProvider, recipient: Recipient) -> None:
        releasing(recipient)
        submit(provider)
        assert submit(provider) == submitting.Report()
        assert len(provider.taken) == 1

    def test_no_transaction_is_open_while_the_provider_is_called(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        releasing(recipient)
        seen: list[tuple[str, int]] = []

        def during() -> None:
            seen.extend(RailAttempt.objects.values_list("state", "tries"))

        provider.during = during
        submit(provider)
        assert seen == [(AttemptState.SUBMITTED, 1)]

    def test_a_refusal_is_failed_and_nothing_is_booked(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = releasing(recipient)
        provider.behave = provider.refuse
        assert submit(provider) == submitting.Report(refused=1)
        settlement.refresh_from_db()
        assert settlement.status == S.FAILED
        assert attempt_of(settlement).error == "The account is closed"
        assert not JournalEntry.objects.exists()
        assert submit(provider) == submitting.Report()
        proven()

    def test_a_lost_answer_is_looked_up_and_not_paid_again(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = releasing(recipient)
        provider.behave = provider.lose_the_answer
        assert submit(provider) == submitting.Report(unknown=1)
        settlement.refresh_from_db()
        assert settlement.status == S.RELEASING
        assert submit(provider) == submitting.Report()  # it rests
        at_rest()
        provider.behave = provider.accept
        assert submit(provider) == submitting.Report(accepted=1)
        assert [call.submitted_at is None for call in provider.calls] == [True, False]
        assert len(provider.taken) == 1

    def test_a_request_that_never_arrived_is_handed_in_again(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        releasing(recipient)
        provider.behave = provider.lose_the_request
        submit(provider)
        at_rest()
        provider.behave = provider.accept
        assert submit(provider).accepted == 1

    def test_a_late_refusal_says_nothing_of_a_newer_try(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = releasing(recipient)
        first = attempts.claim(STRIPE, limit=10, lease_seconds=30, is_open=True)
        at_rest()
        second = attempts.claim(STRIPE, limit=10, lease_seconds=30, is_open=True)
        no = SettlementResult.refused(STRIPE, error="The account is closed")
        submitting.record(provider, first, [no], now=now())
        assert attempt_of(settlement).state == AttemptState.SUBMITTED
        submitting.record(provider, second, [provider.accept(second[0].instruction)], now=now())
        settlement.refresh_from_db()
        assert settlement.status == S.APPROVED
        assert not RailNotice.objects.filter(applied="CONTRADICTED").exists()
        proven()

    def test_the_trouble_of_one_rail_keeps_no_other_from_its_turn(
        self, provider: PretendProvider, recipient: Recipient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Broken(PretendProvider):
            def get_provider(self) -> SettlementProvider:
                return SettlementProvider.WIRE

            def is_open(self, *, now: datetime) -> bool:
                raise OSError("No space left on device")

            def hear(self, *, now: datetime) -> list[Notice]:
                raise OSError("No space left on device")

        releasing(recipient)
        monkeypatch.setattr(registry, "remote_rails", lambda: [Broken(), provider])
        for task in (tasks.submit, tasks.hear):
            with pytest.raises(OSError, match="No space left"):
                task()
        assert len(provider.taken) == 1

    def test_what_a_person_has_to_judge_is_not_handed_in_again(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = releasing(recipient)
        provider.behave = provider.ask_a_person
        submit(provider)
        at_rest()
        assert submit(provider) == submitting.Report()
        assert attempt_of(settlement).question == "another payment has this key"

    def test_not_yet_leaves_the_attempt_as_if_it_had_not_been_tried(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = releasing(recipient)
        provider.behave = provider.not_yet
        assert submit(provider) == submitting.Report(not_yet=1)
        attempt = attempt_of(settlement)
        assert (attempt.state, attempt.submitted_at) == (AttemptState.PREPARED, None)

    def test_not_yet_after_a_lost_answer_is_still_unknown(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = releasing(recipient)
        provider.behave = provider.lose_the_request
        submit(provider)
        at_rest()
        provider.behave = provider.not_yet
        assert submit(provider).unknown == 1
        assert attempt_of(settlement).state == AttemptState.SUBMITTED

    def test_a_closed_window_keeps_what_is_new_and_not_what_is_open(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        first = releasing(recipient)
        provider.behave = provider.lose_the_request
        submit(provider)
        releasing(recipient)
        provider.open, provider.behave = False, provider.accept
        at_rest()
        assert submit(provider).accepted == 1
        assert list(provider.taken) == [(first.pk, 1)]

    @pytest.mark.parametrize("switch", ["rail", "recipient"])
    def test_nothing_is_handed_over_while_a_switch_is_off(
        self, provider: PretendProvider, recipient: Recipient, switch: str
    ) -> None:
        releasing(recipient)
        if switch == "rail":
            switches.turn_off(provider=STRIPE, reason="audit", actor="test", now=now())
        else:
            recipients.set_payouts(recipient_id=recipient.recipient_id, enabled=False, actor="test", now=now())
        assert submit(provider) == submitting.Report()
        assert not provider.calls

    def test_a_destination_that_is_replaced_meanwhile_gets_nothing(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = releasing(recipient)
        destinations.close(recipient.pk, "stripe", reason="stolen", actor="test", now=now())
        assert submit(provider) == submitting.Report(refused=1)
        settlement.refresh_from_db()
        assert (settlement.status, provider.calls) == (S.FAILED, [])
        assert "destination" in attempt_of(settlement).error

    def test_what_may_have_been_handed_over_is_never_withdrawn(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = releasing(recipient)
        provider.behave = provider.lose_the_answer
        submit(provider)
        at_rest()
        destinations.close(recipient.pk, "stripe", reason="stolen", actor="test", now=now())
        provider.behave = provider.accept
        submit(provider)
        settlement.refresh_from_db()
        assert settlement.status == S.APPROVED
        assert [call.look_up_only for call in provider.calls] == [False, True]

    def test_the_method_is_frozen_for_what_was_submitted(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = releasing(recipient)
        intents.set_payment_method(settlement.intent_id, "internal_ledger", actor="test", now=now())
        settlement.refresh_from_db()
        assert (settlement.rail, settlement_of(settlement.intent, CLAIM).rail) == ("stripe", "internal_ledger")
        submit(provider)
        settlement.refresh_from_db()
        assert (settlement.status, settlement.rail) == (S.APPROVED, "stripe")

    @pytest.mark.parametrize("set_up", [True, False])
    def test_nobody_but_the_provider_confirms_it(
        self, provider: PretendProvider, recipient: Recipient, set_up: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full = ScheduleRequest(type=ScheduleType.FULL_ON_POD)
        intent = an_intent(recipient=recipient, payment_method="stripe", schedule=full)
        settlement_of(intent, POD)
        submit(provider)
        monkeypatch.setattr(provider, "is_configured", lambda: set_up)
        with pytest.raises(requests.RemoteRail, match="settles when the provider confirms"):
            requests.complete(intent.pk, actor="test", now=now())

    def test_settling_by_request_counts_what_is_on_its_way(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        intent = an_intent(recipient=recipient, payment_method="stripe")
        settled = requests.settle(intent.pk, actor="test", now=now())
        assert (settled.action_taken, settled.released) == ("approved", 3)
        assert submit(provider).accepted == 3

    def test_what_is_on_its_way_when_its_intent_is_cancelled_arrives(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = releasing(recipient)
        intents.cancel(settlement.intent_id, reason="no longer wanted", actor="test", now=now())
        submit(provider)
        settlement.refresh_from_db()
        assert settlement.status == S.APPROVED
        proven()

    def test_the_release_log_lines_are_the_ones_operators_search_for(
        self, provider: PretendProvider, recipient: Recipient, caplog: pytest.LogCaptureFixture
    ) -> None:
        settlement = releasing(recipient)
        with caplog.at_level("INFO", logger="settlements.sending"):
            caplog.clear()
            submit(provider)
        assert caplog.messages == [
            f"Payment rail processing succeeded: milestone={settlement.pk}, reference=tr_{settlement.pk}_1"
        ]


class TestWhatTheProviderTellsLater:
    @pytest.fixture
    def approved(self, provider: PretendProvider, recipient: Recipient) -> MilestoneSettlement:
        settlement = releasing(recipient)
        submit(provider)
        settlement.refresh_from_db()
        return settlement

    def test_a_payout_settles_it_and_empties_the_clearing_account(
        self, approved: MilestoneSettlement, recipient: Recipient
    ) -> None:
        assert told(notice(RailOutcome.CONFIRMED, approved.reference)) == [Applied.APPLIED]
        approved.refresh_from_db()
        assert approved.status == S.SETTLED
        assert balance(AccountCode.STRIPE_CLEARING) == Money.zero("USD")
        assert balance(AccountCode.RECIPIENT_PAYABLE, recipient) == Money.zero("USD")
        proven()

    def test_the_same_word_again_changes_nothing(self, approved: MilestoneSettlement) -> None:
        word = notice(RailOutcome.CONFIRMED, approved.reference)
        assert told(word, word) == [Applied.APPLIED, Applied.ALREADY_PROCESSED]
        assert told(word) == [Applied.ALREADY_PROCESSED]
        assert RailNotice.objects.filter(outcome="CONFIRMED").count() == 1

    def test_a_failed_payout_is_no_second_transfer(
        self, provider: PretendProvider, approved: MilestoneSettlement, recipient: Recipient
    ) -> None:
        paid = notice(RailOutcome.CONFIRMED, approved.reference, source="po_1 paid")
        failed = notice(RailOutcome.PAYOUT_FAILED, approved.reference, source="po_1 failed", reason="account closed")
        told(paid, failed)
        approved.refresh_from_db()
        assert approved.status == S.APPROVED
        assert balance(AccountCode.STRIPE_CLEARING) == Money(700_000, "USD")
        assert balance(AccountCode.RECIPIENT_PAYABLE, recipient) == Money(700_000, "USD")
        assert submit(provider) == submitting.Report()
        told(notice(RailOutcome.CONFIRMED, approved.reference, source="po_2 paid"))
        assert told(failed) == [Applied.ALREADY_PROCESSED]
        approved.refresh_from_db()
        assert approved.status == S.SETTLED
        proven()

    def test_a_return_takes_everything_back(self, approved: MilestoneSettlement, recipient: Recipient) -> None:
        told(notice(RailOutcome.RETURNED, approved.reference, reason="R03 No account"))
        approved.refresh_from_db()
        assert approved.status == S.RETURNED
        for code in (AccountCode.STRIPE_CLEARING, AccountCode.STRIPE_BALANCE, AccountCode.FREIGHT_COST):
            assert balance(code) == Money.zero("USD")
        assert balance(AccountCode.RECIPIENT_PAYABLE, recipient) == Money.zero("USD")
        event = AuditEvent.objects.get(settlement=approved, action="returned")
        assert (event.reason, event.data["source"]) == ("R03 No account", f"RETURNED of {approved.reference}")
        proven()

    def test_a_return_comes_back_after_it_was_settled_too(
        self, approved: MilestoneSettlement, recipient: Recipient
    ) -> None:
        told(notice(RailOutcome.CONFIRMED, approved.reference))
        told(notice(RailOutcome.RETURNED, approved.reference))
        approved.refresh_from_db()
        assert approved.status == S.RETURNED
        assert balance(AccountCode.STRIPE_CLEARING) == Money.zero("USD")
        proven()

    def test_parts_that_come_back_add_up(self, approved: MilestoneSettlement) -> None:
        def back(minor: int) -> list[Applied]:
            word = notice(RailOutcome.RETURNED, approved.reference, source=f"{minor} back", amount=Money(minor, "USD"))
            return told(word)

        assert back(300_000) == [Applied.APPLIED]
        assert back(100_000) == [Applied.ALREADY_PROCESSED]  # an older word that comes late
        approved.refresh_from_db()
        assert approved.status == S.APPROVED
        assert balance(AccountCode.STRIPE_CLEARING) == Money(400_000, "USD")
        told(notice(RailOutcome.CONFIRMED, approved.reference))
        assert balance(AccountCode.STRIPE_CLEARING) == Money.zero("USD")
        assert back(700_001) == [Applied.CONTRADICTED]
        assert back(500_000) == [Applied.APPLIED]
        assert back(700_000) == [Applied.APPLIED]
        approved.refresh_from_db()
        assert approved.status == S.RETURNED
        assert balance(AccountCode.FREIGHT_COST) == Money.zero("USD")
        proven()

    @pytest.mark.parametrize("order", permutations(["paid", "failed", "paid again", "returned"]))
    def test_what_came_back_is_back_in_whatever_order_it_is_told(
        self, provider: PretendProvider, recipient: Recipient, order: tuple[str, ...]
    ) -> None:
        settlement = releasing(recipient)
        outcome = {
            "paid": RailOutcome.CONFIRMED,
            "failed": RailOutcome.PAYOUT_FAILED,
            "paid again": RailOutcome.CONFIRMED,
            "returned": RailOutcome.RETURNED,
        }
        for word in order:
            told(notice(outcome[word], "tr_early", source=word, milestone_id=settlement.pk, attempt_number=1))
        settlement.refresh_from_db()
        assert (settlement.status, settlement.reference) == (S.RETURNED, "tr_early")
        assert balance(AccountCode.STRIPE_CLEARING) == Money.zero("USD")
        proven()

    def test_before_our_own_record_it_is_accepted_first(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = releasing(recipient)
        provider.behave = provider.lose_the_answer
        submit(provider)
        reference = f"tr_{settlement.pk}_1"
        word = notice(RailOutcome.CONFIRMED, reference, milestone_id=settlement.pk, attempt_number=1)
        assert told(word) == [Applied.APPLIED]
        settlement.refresh_from_db()
        assert (settlement.status, settlement.reference) == (S.SETTLED, reference)
        at_rest()
        assert submit(provider) == submitting.Report()
        proven()

    def test_of_a_payment_that_nobody_knows_it_is_told_again_later(self, provider: PretendProvider) -> None:
        provider.told = [notice(RailOutcome.CONFIRMED, "tr_unheard_of")]
        assert submitting.hear(provider, clock=now) == {Applied.NOT_FOUND: 1}
        assert len(provider.told) == 1

    def test_acceptance_of_what_we_took_for_refused_contradicts_and_is_kept(
        self, provider: PretendProvider, recipient: Recipient, caplog: pytest.LogCaptureFixture
    ) -> None:
        settlement = releasing(recipient)
        provider.behave = provider.refuse
        submit(provider)
        word = notice(RailOutcome.ACCEPTED, "tr_ghost", milestone_id=settlement.pk, attempt_number=1)
        assert told(word) == [Applied.CONTRADICTED]
        assert "contradicts what is known" in caplog.text
        assert RailNotice.objects.get(applied="CONTRADICTED").reference == "tr_ghost"
        settlement.refresh_from_db()
        assert settlement.status == S.FAILED

    def test_another_reference_for_the_same_attempt_contradicts(self, approved: MilestoneSettlement) -> None:
        word = notice(RailOutcome.CONFIRMED, "tr_other", milestone_id=approved.pk, attempt_number=1)
        assert told(word) == [Applied.CONTRADICTED]


class TestMany:
    def test_any_number_is_a_fixed_number_of_statements(
        self, provider: PretendProvider, recipient: Recipient, django_assert_max_num_queries: Callable[..., object]
    ) -> None:
        intent_rows = [an_intent(recipient=recipient, payment_method="stripe") for _ in range(20)]
        for each in intent_rows:
            post_event(each.shipment.shipment_id, POD)
        with django_assert_max_num_queries(30):  # type: ignore[attr-defined]
            assert submit(provider).accepted == 20

    def test_one_bad_word_leaves_the_others(self, provider: PretendProvider, recipient: Recipient) -> None:
        first, second = releasing(recipient), releasing(recipient)
        submit(provider)
        # What only a broken database could hold: an attempt without its entries in the books.
        RailAttempt.objects.filter(milestone_id=first.pk)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("UPDATE settlements_milestonesettlement SET status = 'RELEASING' WHERE id = %s", [first.pk])
            cursor.execute("SET LOCAL session_replication_role = origin")
        words = [notice(RailOutcome.CONFIRMED, f"tr_{each.pk}_1") for each in (first, second)]
        assert told(*words) == [Applied.FAILED, Applied.APPLIED]
