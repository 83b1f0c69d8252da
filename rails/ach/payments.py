"""What one ACH payment says: to whom, where and how much. Made out of an instruction and its destination."""

from dataclasses import dataclass, field
from typing import Final

from rails import destinations
from rails.ach import writer
from rails.ach.codes import AccountType, Direction, transaction_code
from rails.ach.writer import MAX_ENTRY_MINOR, DoesNotFit, NewEntry, plain
from rails.base import Instruction
from rails.models import Destination
from rails.money import Money

CURRENCY: Final = "USD"


class Unpayable(ValueError):
    """An instruction that no bank would take, in a sentence; provably nothing was handed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One entry before it has its trace number."""

    milestone_id: int
    attempt_number: int
    destination_id: int
    amount: Money
    sec: str
    routing_number: str
    account_type: AccountType
    account_number: str = field(repr=False)
    name: str = field(repr=False)

    @property
    def attempt(self) -> tuple[int, int]:
        """What names it."""
        return (self.milestone_id, self.attempt_number)

    def entry(self, direction: Direction, trace_number: str) -> NewEntry:
        """The entry to write. The receiver sees `identification` on its statement: milestone and attempt."""
        return NewEntry(
            transaction_code=transaction_code(self.account_type, direction),
            routing_number=self.routing_number,
            account_number=self.account_number,
            amount_minor=self.amount.minor,
            identification=f"{self.milestone_id}-{self.attempt_number}"[:15],
            name=self.name,
            trace_number=trace_number,
        )


def cannot_pay(amount: Money) -> str:
    """Why no entry can carry such an amount; empty when one can."""
    if never := cannot_pay_in(amount.currency):
        return never
    if amount.minor > MAX_ENTRY_MINOR:
        return f"an ACH entry carries at most {Money(MAX_ENTRY_MINOR, CURRENCY).major:,} {CURRENCY}"
    return ""


def cannot_pay_in(currency: str) -> str:
    """Why no entry can carry the currency; empty when one can. Nacha's amounts are US dollars."""
    return "" if currency == CURRENCY else f"ACH pays in {CURRENCY} only"


def payment_of(
    *, milestone_id: int, attempt_number: int, amount: Money, recipient_id: int | None, destination: Destination | None
) -> Payment:
    """The payment to a destination. Raises Unpayable, and CannotUnseal when a key is not configured."""
    if never := cannot_pay(amount):
        raise Unpayable(never)
    if destination is None:
        raise Unpayable("the recipient has no usable destination for ach")
    if destination.rail != "ach" or destination.recipient_id != recipient_id:
        raise Unpayable("the destination is not one of the recipient for ach")
    details = destination.details
    payment = Payment(
        milestone_id=milestone_id,
        attempt_number=attempt_number,
        destination_id=destination.pk,
        amount=amount,
        sec=details["sec_code"],
        routing_number=details["routing_number"],
        account_type=AccountType(details["account_type"]),
        account_number=destinations.account_number(destination),
        name=plain(details["holder_name"]),
    )
    try:
        # Alone, so that one that can not be written spoils no other's file.
        writer.entry_record(payment.entry(Direction.CREDIT, "0" * 15))
    except DoesNotFit as error:
        raise Unpayable(f"the destination of the recipient: {error}") from error
    return payment


def of_instruction(instruction: Instruction, destination: Destination | None) -> Payment:
    """The payment for an instruction. Raises Unpayable, CannotUnseal."""
    return payment_of(
        milestone_id=instruction.milestone_id,
        attempt_number=instruction.attempt_number,
        amount=instruction.amount,
        recipient_id=instruction.recipient_id,
        destination=destination,
    )
