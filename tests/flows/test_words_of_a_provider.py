"""What a provider tells later, in any order, twice or too early, ends in the same settlements and books."""

from itertools import permutations

import pytest

from rails.accounts import AccountCode
from rails.base import Applied, RailOutcome
from rails.models import RailNotice, Recipient
from rails.money import Money
from settlements import submitting
from settlements.models import AuditEvent, MilestoneSettlement
from settlements.statuses import SettlementStatus as S
from tests.factories import (
    now,
)
from tests.flows.pretend_provider import PretendProvider, notice
from tests.flows.remote_releases import at_rest, balance, proven, provider, recipient, releasing, submit, told

__all__ = ["provider", "recipient"]

pytestmark = pytest.mark.django_db


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
