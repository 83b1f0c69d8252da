"""How Stripe pays: a transfer to the recipient's connected account, whose payouts Stripe makes."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Final

from rails import destinations
from rails.base import (
    Answer,
    Applied,
    Instruction,
    Notice,
    NotYet,
    OutcomeUnknown,
    RemoteRail,
    SettlementProvider,
    SettlementResult,
)
from rails.models import Destination
from rails.money import Money
from rails.stripe import configuration, currencies, installation
from rails.stripe.client import THREADS, Deadline, client_of
from rails.stripe.paying import PROVIDER, Payer
from rails.stripe.transfers import Order

logger = logging.getLogger(__name__)

_FOR_RECORDING: Final = 3  # seconds of the lease that are left to whoever records the answers


class StripeRail(RemoteRail):
    """Transfers to connected accounts, several at a time, each under its own idempotency key."""

    most = 100

    @property
    def lease_seconds(self) -> int:  # type: ignore[override]
        """Longer than a batch can take with the timeouts of this installation."""
        return configuration.current().lease_seconds

    def is_configured(self) -> bool:
        return bool(configuration.current().api_key)

    def get_provider(self) -> SettlementProvider:
        return PROVIDER

    def cannot_pay(self, amount: Money) -> str:
        return currencies.cannot_pay(amount)

    def is_open(self, *, now: datetime) -> bool:
        return True

    def process_settlements(
        self, instructions: Sequence[Instruction], *, now: datetime | None = None
    ) -> list[Answer]:
        moment = now or datetime.now(UTC)
        configured = configuration.current()
        deadline = Deadline(configured.lease_seconds - _FOR_RECORDING)
        payer = Payer(
            client=client_of(configured), deadline=deadline, lookup_lag=configured.lookup_lag_seconds, now=moment
        )
        orders = _orders(instructions)
        ready = {
            each: order for each in instructions if isinstance(order := orders[each], Order)
        }
        answers = {each: answer for each, answer in orders.items() if not isinstance(answer, Order)}
        answers |= _paid(payer, ready)
        return [answers[each] for each in instructions]

    def hear(self, *, now: datetime) -> Sequence[Notice]:
        return []

    def heard(self, told: Sequence[tuple[Notice, Applied]], *, now: datetime) -> None:
        return None


def _orders(instructions: Sequence[Instruction]) -> dict[Instruction, Order | SettlementResult]:
    """What to ask Stripe for each instruction, or why it is refused without asking."""
    mark = installation.mark() if instructions else ""
    found: dict[Instruction, Order | SettlementResult] = {}
    accounts: dict[tuple[int | None, int | None], str] = {}
    for each in instructions:
        where = (each.destination_id, each.recipient_id)
        if where not in accounts:
            accounts[where] = _account(each)
        obstacle = currencies.cannot_pay(each.amount) or (
            "" if accounts[where] else "the recipient has no usable destination for stripe"
        )
        found[each] = (
            SettlementResult.refused(PROVIDER, error=obstacle)
            if obstacle
            else Order(
                mark=mark,
                milestone_id=each.milestone_id,
                attempt_number=each.attempt_number,
                amount=each.amount,
                account=accounts[where],
            )
        )
    return found
