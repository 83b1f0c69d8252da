"""How an authorised release leaves: booked at once on a local rail, or as an attempt that is handed over afterwards."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rails import attempts, registry
from rails.attempts import Order
from rails.base import Instruction, LocalRail, SettlementProvider
from rails.money import Money
from settlements.statuses import SettlementStatus

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A settlement whose release is authorised, and that nothing stands against; `again`: it went out before."""

    settlement_id: int
    amount: Money
    rail: str
    recipient_id: int | None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of it: APPROVED under a reference, RELEASING with its attempt, or refused with the reason."""

    status: SettlementStatus | None
    reference: str = ""
    refused: str = ""


def send(payments: Sequence[Payment], *, now: datetime) -> dict[int, Sent]:
    """Sends payments down their rails, one batch each, in the caller's transaction; what became of each settlement."""
    sent: dict[int, Sent] = {}
    for method in sorted({payment.rail for payment in payments}):
        batch = [payment for payment in payments if payment.rail == method]
        rail = registry.rail_for(method=method)
        sent |= _pay(rail, batch, now) if isinstance(rail, LocalRail) else _prepare(rail.get_provider(), batch, now)
    return sent


def supposed(rail: str) -> Sent:
    """What would become of a payment if nothing unforeseen happens; nothing is sent."""
    local = registry.rail_for(method=rail).is_local
    return Sent(status=SettlementStatus.APPROVED if local else SettlementStatus.RELEASING)


def log_success(milestone_id: int, reference: str | None) -> None:
    """The line operators search for."""
    logger.info("Payment rail processing succeeded: milestone=%s, reference=%s", milestone_id, reference)


def log_failure(milestone_id: int, error: object) -> None:
    """The line operators search for."""
    logger.error("Payment rail processing failed: milestone=%s, error=%s", milestone_id, error)


def _pay(rail: LocalRail, batch: Sequence[Payment], now: datetime) -> dict[int, Sent]:
    """Books on a local rail: the money is out when the caller's transaction is committed."""
    numbers = attempts.next_numbers([each.settlement_id for each in batch if each.again])
    instructions = [
        Instruction(
            milestone_id=each.settlement_id,
            amount=each.amount,
            recipient_id=each.recipient_id,
            attempt_number=numbers.get(each.settlement_id, 1),
        )
        for each in batch
    ]
    sent = {}
    for payment, result in zip(batch, rail.process_settlements(instructions, now=now), strict=True):
        if result.success:
            log_success(payment.settlement_id, result.reference_id)
            sent[payment.settlement_id] = Sent(status=SettlementStatus.APPROVED, reference=result.reference_id or "")
        else:
            log_failure(payment.settlement_id, result.error)
            sent[payment.settlement_id] = Sent(status=None, refused=str(result.error))
    return sent


def _prepare(provider: SettlementProvider, batch: Sequence[Payment], now: datetime) -> dict[int, Sent]:
    """Writes the attempts of a remote rail: they are committed with the claim, before anybody calls the provider."""
    orders = [
        Order(milestone_id=each.settlement_id, provider=provider, amount=each.amount, recipient_id=each.recipient_id)
        for each in batch
        if each.recipient_id is not None
    ]
    obstacles = attempts.prepare(orders, now=now)
    sent = {}
    for payment in batch:
        obstacle = obstacles.get(payment.settlement_id, "nobody is named to be paid")
        sent[payment.settlement_id] = (
            Sent(status=None, refused=obstacle) if obstacle else Sent(status=SettlementStatus.RELEASING)
        )
    return sent
