"""Instructions that Stripe gets, and what its answers are told to be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe

from rails.base import Answer, Instruction, OutcomeUnknown, SettlementResult
from rails.money import Money
from rails.stripe import installation
from rails.stripe.rail import StripeRail
from rails.stripe.transfers import Order
from tests.rails.rail_contract import unheard_of
from tests.stripe_fake import API_KEY, StripeFake

HOUR = timedelta(hours=1)


def order(recipient_id: int, *, minor: int = 7000, **changes: Any) -> Instruction:
    given = {"milestone_id": next(unheard_of), "amount": Money(minor, "USD"), "recipient_id": recipient_id, **changes}
    return Instruction(**given)


def again(instruction: Instruction, *, ago: timedelta = timedelta(minutes=1)) -> Instruction:
    """The instruction as it is handed in after a crash, or after an answer that was lost."""
    return replace(instruction, submitted_at=datetime.now(UTC) - ago)


def paid(rail: StripeRail, instruction: Instruction) -> SettlementResult:
    answer = one(rail, instruction)
    assert isinstance(answer, SettlementResult), answer
    assert answer.success, answer
    return answer


def one(rail: StripeRail, instruction: Instruction, **options: Any) -> Answer:
    (answer,) = rail.process_settlements([instruction], **options)
    return answer


def is_refused(answer: Answer, says: str) -> None:
    assert isinstance(answer, SettlementResult), answer
    assert not answer.success
    assert says in str(answer.error)


def is_unknown(answer: Answer, says: str = "", *, needs_person: bool = False) -> None:
    assert isinstance(answer, OutcomeUnknown), answer
    assert answer.needs_person is needs_person, answer
    assert says in answer.detail


def submit_by_hand(fake: StripeFake, instruction: Instruction, account: str) -> str:
    """What whoever died had Stripe do."""
    done = Order(
        mark=installation.mark(),
        milestone_id=instruction.milestone_id,
        attempt_number=instruction.attempt_number,
        amount=instruction.amount,
        account=account,
    )
    made = library(fake).v1.transfers.create(done.params, {"idempotency_key": done.key})  # type: ignore[arg-type]
    return str(made.id)


def library(fake: StripeFake) -> stripe.StripeClient:
    return stripe.StripeClient(API_KEY, base_addresses={"api": fake.url}, max_network_retries=0)
