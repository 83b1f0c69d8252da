"""What one wire says: to whom, where, how much and under which references. Made out of an instruction."""

import uuid
from dataclasses import dataclass
from typing import Final

from rails import destinations
from rails.base import Instruction
from rails.models import Destination
from rails.money import Money
from rails.wire.characters import CannotBeWritten, written
from rails.wire.parties import BankAccount, Party

# ISO 20022, PostalAddress24 and PartyIdentification135; the same limits as destinations have.
_LONGEST_NAME: Final = 140
_LONGEST_STREET: Final = 70
_LONGEST_TOWN: Final = 35
_LONGEST_CODE: Final = 16


class Unpayable(ValueError):
    """An instruction that no bank would take, in a sentence; provably nothing was handed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One credit transfer. `end_to_end_id` is our reference of the attempt, `uetr` the one all banks carry along."""

    milestone_id: int
    attempt_number: int
    destination_id: int
    amount: Money
    uetr: uuid.UUID
    creditor: Party
    account: BankAccount

    @property
    def end_to_end_id(self) -> str:
        """The reference that comes back on statements, and by which the payment is looked up."""
        return reference_of(self.milestone_id, self.attempt_number)


def reference_of(milestone_id: int, attempt_number: int) -> str:
    """`CP-<milestone>-<attempt>`: at most 35 characters, like the rest of ISO 20022's references."""
    return f"CP-{milestone_id}-{attempt_number}"


def transfer_of(instruction: Instruction, destination: Destination | None) -> Transfer:
    """The wire for an instruction to a destination. Raises Unpayable, and CannotUnseal when a key is not configured."""
    if destination is None:
        raise Unpayable("the recipient has no usable destination for wire")
    try:
        number = destinations.account_number(destination)
        return Transfer(
            milestone_id=instruction.milestone_id,
            attempt_number=instruction.attempt_number,
            destination_id=destination.pk,
            amount=instruction.amount,
            uetr=uuid.uuid4(),
            creditor=as_banks_write(Party.of(destination.details)),
            account=BankAccount.of(destination.details, number),
        )
    except CannotBeWritten as error:
        raise Unpayable(f"the destination of the recipient: {error}") from error


def as_banks_write(party: Party) -> Party:
    """The party in characters that banks carry. Raises CannotBeWritten."""
    return Party(
        name=written(party.name, what="the name", longest=_LONGEST_NAME),
        town=written(party.town, what="the town", longest=_LONGEST_TOWN),
        country=party.country,
        street=_if_any(party.street, "the street", _LONGEST_STREET),
        building_number=_if_any(party.building_number, "the building number", _LONGEST_CODE),
        postal_code=_if_any(party.postal_code, "the postal code", _LONGEST_CODE),
    )


def _if_any(text: str, what: str, longest: int) -> str:
    return written(text, what=what, longest=longest) if text else ""
