"""What goes by a provider is claimed before anybody is called, or waits and says why; many are as good as one."""

from collections.abc import Callable

import pytest
from django.db import connection

from rails import destinations, switches
from rails.base import Applied, RailOutcome
from rails.models import AttemptState, JournalEntry, RailAttempt, Recipient
from settlements import release
from settlements.statuses import SettlementStatus as S
from tests.factories import (
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
from tests.flows.pretend_provider import PretendProvider, notice
from tests.flows.remote_releases import STRIPE, attempt_of, provider, recipient, releasing, submit, told

__all__ = ["provider", "recipient"]

pytestmark = pytest.mark.django_db


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
