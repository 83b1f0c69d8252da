"""How Stripe pays: a transfer to the recipient's connected account, whose payouts Stripe makes."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any, Final

from rails import destinations
from rails.base import (
    Answer,
    Applied,
    Instruction,
    Notice,
    Reconcilable,
    RemoteRail,
    SettlementProvider,
    SettlementResult,
    Theirs,
)
from rails.money import Money
from rails.stripe import configuration, currencies, hearing, installation, statement
from rails.stripe.client import THREADS, Deadline, client_of
from rails.stripe.paying import PROVIDER, Payer, unknown
from rails.stripe.transfers import Order

logger = logging.getLogger(__name__)

_FOR_RECORDING: Final = 3  # seconds of the lease that are left to whoever records the answers


class StripeRail(RemoteRail, Reconcilable):
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

    def cannot_pay_in(self, currency: str) -> str:
        return currencies.cannot_pay_in(currency)

    def step(self, currency: str) -> int:
        return currencies.step(currency).minor

    def is_open(self, *, now: datetime) -> bool:
        return True

    def process_settlements(self, instructions: Sequence[Instruction], *, now: datetime | None = None) -> list[Answer]:
        moment = now or datetime.now(UTC)
        configured = configuration.current()
        deadline = Deadline(configured.lease_seconds - _FOR_RECORDING)
        payer = Payer(
            client=client_of(configured), deadline=deadline, lookup_lag=configured.lookup_lag_seconds, now=moment
        )
        orders = _orders(instructions)
        ready = {each: order for each in instructions if isinstance(order := orders[each], Order)}
        answers: dict[Instruction, Answer] = {
            each: answer for each, answer in orders.items() if not isinstance(answer, Order)
        }
        answers |= _paid(payer, ready)
        return [answers[each] for each in instructions]

    def hear(self, *, now: datetime) -> Sequence[Notice]:
        return hearing.hear(now=now)

    def hold(self, told: Sequence[Notice]) -> None:
        hearing.hold(told)

    def heard(self, told: Sequence[tuple[Notice, Applied]], *, now: datetime) -> None:
        hearing.heard(told, now=now)

    def statement(self, *, since: datetime, now: datetime) -> Iterator[Theirs]:
        return statement.transfers(since=since)

    def destination_in_their_words(self, details: Mapping[str, Any]) -> str:
        return str(details["account"])


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


def _account(instruction: Instruction) -> str:
    """The connected account that the attempt has frozen, or the recipient's of now; nothing if there is none."""
    if instruction.destination_id is not None:
        return str(destinations.get(instruction.destination_id).details["account"])
    if instruction.recipient_id is None:
        return ""
    usable = destinations.usable(instruction.recipient_id, PROVIDER.method)
    return str(usable.details["account"]) if usable else ""


def _paid(payer: Payer, ready: Mapping[Instruction, Order]) -> dict[Instruction, Answer]:
    """Several settlements at a time, the instructions of one settlement one after the other.

    The deadline ends every call; should one hang all the same, it is left behind, and its outcome is unknown.
    """
    by_settlement: dict[int, list[Instruction]] = {}
    for each in ready:
        by_settlement.setdefault(each.milestone_id, []).append(each)
    answers: dict[Instruction, Answer] = {}
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="stripe")
    try:
        calls = [pool.submit(_one_by_one, payer, batch, ready, answers) for batch in by_settlement.values()]
        done, _ = wait(calls, timeout=payer.deadline.left() + 1, return_when=FIRST_EXCEPTION)
        for call in done:
            call.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return {**{each: unknown(order, "Stripe did not answer in time") for each, order in ready.items()}, **answers}


def _one_by_one(
    payer: Payer,
    batch: Sequence[Instruction],
    ready: Mapping[Instruction, Order],
    answers: dict[Instruction, Answer],
) -> None:
    for each in batch:
        answers[each] = payer.pay(
            ready[each], submitted_at=each.submitted_at, waiting=each.waiting, look_up_only=each.look_up_only
        )
