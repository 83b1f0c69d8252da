"""Smart settlements: the decision at each risk, and the internal ledger rail that pays."""

from decimal import Decimal
from typing import Any

import pytest

from rails.base import SettlementProvider
from rails.internal.rail import InternalLedgerRail
from rails.models import JournalEntry
from settlements.policy import should_release_now
from settlements.statuses import EventType, ReleaseStrategy

ALL = [event.value for event in EventType]


@pytest.mark.parametrize("event_type", ALL)
@pytest.mark.parametrize("score", [0, 0.0, 0.15, 0.3299, Decimal("0.32999999")])
def test_low_risk_is_always_released_immediately(score: Any, event_type: str) -> None:
    assert should_release_now(score, event_type) is ReleaseStrategy.IMMEDIATE


@pytest.mark.parametrize("score", [0.33, 0.5, 0.6699, Decimal("0.33"), "0.33"])
def test_medium_risk_is_immediate_at_pod_and_delayed_otherwise(score: Any) -> None:
    assert should_release_now(score, "POD_CONFIRMED") is ReleaseStrategy.IMMEDIATE
    assert should_release_now(score, "PICKUP_CONFIRMED") is ReleaseStrategy.DELAYED
    assert should_release_now(score, "CLAIM_WINDOW_CLOSED") is ReleaseStrategy.DELAYED


@pytest.mark.parametrize("score", [0.67, 0.81, 1, Decimal(1)])
def test_high_risk_is_reviewed_at_pod_and_claim_and_pending_at_pickup(score: Any) -> None:
    assert should_release_now(score, "POD_CONFIRMED") is ReleaseStrategy.MANUAL_REVIEW
    assert should_release_now(score, "CLAIM_WINDOW_CLOSED") is ReleaseStrategy.MANUAL_REVIEW
    assert should_release_now(score, "PICKUP_CONFIRMED") is ReleaseStrategy.PENDING


@pytest.mark.parametrize("score", [0.1, 0.5, 0.9])
def test_an_event_outside_the_table_is_pending_at_every_risk(score: float) -> None:
    assert should_release_now(score, "IN_TRANSIT") is ReleaseStrategy.PENDING


@pytest.mark.parametrize("score", [None, float("nan"), float("inf"), -0.01, 1.01, "high", True])
def test_a_score_that_is_none_is_never_guessed(score: Any) -> None:
    with pytest.raises(ValueError, match="risk score"):
        should_release_now(score, "POD_CONFIRMED")


@pytest.mark.django_db
def test_the_internal_ledger_rail_pays_and_names_its_reference() -> None:
    rail = InternalLedgerRail()
    result = rail.process_settlement(4711, Decimal("7000.00"), "USD")
    assert result.success
    assert result.error is None
    assert result.provider is rail.get_provider() is SettlementProvider.INTERNAL_LEDGER
    assert result.reference_id
    assert result.reference_id.startswith("INTERNAL_LEDGER:")
    assert result.reference_id.endswith(":4711")
    assert result.released_at is not None
    entry = JournalEntry.objects.get(reference=result.reference_id)
    assert (entry.amount_minor, entry.currency, entry.milestone_id) == (700_000, "USD", 4711)


@pytest.mark.django_db
def test_the_internal_ledger_rail_pays_a_settlement_once() -> None:
    rail = InternalLedgerRail()
    first = rail.process_settlement(4711, Decimal("7000.00"), "USD")
    again = rail.process_settlement(4711, Decimal("7000.00"), "USD")
    assert again.reference_id == first.reference_id
    assert JournalEntry.objects.count() == 1
