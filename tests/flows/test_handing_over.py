"""Handing over to a provider: accepted, refused, lost or not yet, it is paid once and booked once."""

from datetime import datetime

import pytest

from rails import attempts, destinations, recipients, registry, switches
from rails.accounts import AccountCode
from rails.base import Notice, SettlementProvider, SettlementResult
from rails.models import AttemptState, JournalEntry, RailAttempt, RailNotice, Recipient
from rails.money import Money
from settlements import intents, requests, submitting, tasks
from settlements.intents import ScheduleRequest
from settlements.statuses import ScheduleType
from settlements.statuses import SettlementStatus as S
from tests.factories import (
    CLAIM,
    POD,
    an_intent,
    now,
    settlement_of,
)
from tests.flows.pretend_provider import PretendProvider
from tests.flows.remote_releases import (
    STRIPE,
    at_rest,
    attempt_of,
    balance,
    proven,
    provider,
    recipient,
    releasing,
    submit,
)

__all__ = ["provider", "recipient"]

pytestmark = pytest.mark.django_db


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
