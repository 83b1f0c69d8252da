import logging
import re
from decimal import Decimal

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from rails import ledger, recipients
from rails.accounts import AccountCode, AccountKey
from rails.base import Instruction, LocalRail, SettlementProvider
from rails.internal.rail import InternalLedgerRail
from rails.models import JournalEntry, Posting
from rails.money import Money
from tests.rails.rail_contract import NOW, RailContract


class TestInternalLedgerRail(RailContract):
    @pytest.fixture
    def rail(self) -> LocalRail:
        return InternalLedgerRail()

    def test_the_reference_tells_time_and_milestone(self, rail: LocalRail) -> None:
        result = rail.process_settlements([Instruction(milestone_id=17, amount=Money(700000, "USD"))], now=NOW)[0]
        assert result.reference_id == "INTERNAL_LEDGER:20251107T153015123456Z:17"
        assert result.released_at == NOW
        assert result.provider is SettlementProvider.INTERNAL_LEDGER

    def test_the_log_line_is_the_one_operators_search_for(
        self, rail: LocalRail, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, logger="rails.internal.rail"):
            reference = rail.process_settlement(17, Decimal("7000"), "USD").reference_id
            rail.process_settlement(17, Decimal("7000"), "USD")
        assert caplog.messages == [
            f"Internal ledger settlement approved: milestone_id=17, amount=7000.00, reference={reference}"
        ]

    def test_freight_becomes_a_debt_to_the_recipient(self, rail: LocalRail) -> None:
        carrier, _ = recipients.put("CARRIER-1", "Bozza Haulage", actor="officer1", now=NOW)
        rail.process_settlement(1, Decimal("7000.00"), "USD", carrier.pk)
        rail.process_settlement(2, Decimal("1000.00"), "USD")
        assert ledger.balance(AccountKey(AccountCode.FREIGHT_COST, "USD")) == Money(800_000, "USD")
        assert ledger.balance(AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD", carrier.pk)) == Money(700_000, "USD")
        assert ledger.balance(AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD")) == Money(100_000, "USD")

    def test_a_recipient_nobody_knows_is_not_paid(self, rail: LocalRail) -> None:
        result = rail.process_settlement(1, Decimal("70.00"), "USD", 404)
        assert not result.success
        assert "no such recipient" in (result.error or "")
        assert not JournalEntry.objects.exists()

    def test_it_joins_the_transaction_of_its_caller(self, rail: LocalRail) -> None:
        sink = transaction.atomic()
        sink.__enter__()
        assert rail.process_settlement(1, Decimal("70.00"), "USD").success
        transaction.set_rollback(True)
        sink.__exit__(None, None, None)
        assert not JournalEntry.objects.exists()
        assert not Posting.objects.exists()

    @pytest.mark.parametrize("number", [1, 100, 1000])
    def test_any_number_of_releases_is_one_statement(
        self, rail: LocalRail, number: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        rail.process_settlement(1, Decimal("70.00"), "USD")  # opens the accounts
        batch = [Instruction(milestone_id=place, amount=Money(place, "USD")) for place in range(2, number + 2)]
        with django_assert_num_queries(1):
            assert all(result.success for result in rail.process_settlements(batch))
        assert Posting.objects.count() == number + 1

    def test_a_new_attempt_pays_again_once_the_money_is_back(self, rail: LocalRail) -> None:
        first, second, third = (
            Instruction(milestone_id=1, amount=Money(500, "USD"), attempt_number=number) for number in (1, 2, 3)
        )
        rail.process_settlements([first])
        ledger.reverse(JournalEntry.objects.get().pk, now=NOW, description="Returned by the bank")
        assert rail.process_settlements([second])[0].success
        assert not rail.process_settlements([third])[0].success
        assert ledger.balance(AccountKey(AccountCode.FREIGHT_COST, "USD")) == Money(500, "USD")

    def test_it_needs_no_transaction_around_it(self, rail: LocalRail, transactional_db: None) -> None:
        result = rail.process_settlement(1, Decimal("70.00"), "USD")
        assert re.fullmatch(r"INTERNAL_LEDGER:\d{8}T\d{12}Z:1", result.reference_id or "")
        assert not connection.in_atomic_block
        assert JournalEntry.objects.get().reference == result.reference_id
