"""How the internal ledger pays: the money is booked as owed to the recipient, in the caller's transaction."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from rails import ledger
from rails.accounts import AccountCode, AccountKey
from rails.base import Instruction, LocalRail, SettlementProvider, SettlementResult
from rails.entries import Entry, Outcome, Posted
from rails.models import EntryKind

logger = logging.getLogger(__name__)


class InternalLedgerRail(LocalRail):
    """Books each release once: freight cost against what we owe the recipient (or nobody named yet)."""

    def get_provider(self) -> SettlementProvider:
        return SettlementProvider.INTERNAL_LEDGER

    def process_settlements(
        self, instructions: Sequence[Instruction], *, now: datetime | None = None
    ) -> list[SettlementResult]:
        moment = now or datetime.now(UTC)
        outcomes = ledger.post_each([_release(instruction, moment) for instruction in instructions], now=moment)
        return [_answer(instruction, outcome) for instruction, outcome in zip(instructions, outcomes, strict=True)]


def reference_of(milestone_id: int, moment: datetime) -> str:
    """`INTERNAL_LEDGER:<UTC time to the microsecond>:<milestone id>`."""
    return f"{SettlementProvider.INTERNAL_LEDGER}:{moment.astimezone(UTC):%Y%m%dT%H%M%S%fZ}:{milestone_id}"


def _release(instruction: Instruction, moment: datetime) -> Entry:
    currency = instruction.amount.currency
    return Entry(
        kind=EntryKind.RELEASE,
        reference=reference_of(instruction.milestone_id, moment),
        amount=instruction.amount,
        debit=AccountKey(AccountCode.FREIGHT_COST, currency),
        credit=AccountKey(AccountCode.RECIPIENT_PAYABLE, currency, instruction.recipient_id),
        milestone_id=instruction.milestone_id,
        attempt_number=instruction.attempt_number,
    )


def _answer(instruction: Instruction, outcome: Outcome) -> SettlementResult:
    if not isinstance(outcome, Posted):
        return SettlementResult.refused(SettlementProvider.INTERNAL_LEDGER, error=str(outcome))
    if outcome.created:
        logger.info(
            "Internal ledger settlement approved: milestone_id=%s, amount=%s, reference=%s",
            instruction.milestone_id,
            instruction.amount.text,
            outcome.reference,
        )
    return SettlementResult.accepted(
        SettlementProvider.INTERNAL_LEDGER,
        reference_id=outcome.reference,
        message="Booked in the internal ledger" if outcome.created else "Booked before",
        released_at=outcome.posted_at,
    )
