"""What every payment rail promises: the plug-in contract. It knows nothing of shipments, intents or risk."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self

from rails.money import CurrencyMismatch, Money


class SettlementProvider(StrEnum):
    """Who moves the money; the value is the word shown in answers, `method` the word a client chooses by."""

    INTERNAL_LEDGER = "INTERNAL_LEDGER"
    STRIPE = "STRIPE"
    ACH = "ACH"
    WIRE = "WIRE"

    @property
    def method(self) -> str:
        """The payment method's word in requests: "internal_ledger"."""
        return self.value.lower()


class RailOutcome(StrEnum):
    """What a provider says about an instruction, at once or days later."""

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    CONFIRMED = "CONFIRMED"
    RETURNED = "RETURNED"
    PAYOUT_FAILED = "PAYOUT_FAILED"


class OutcomeUnknown(Exception):
    """The provider's answer was lost: the money may or may not have moved, so look it up before anything else."""

    def __init__(self, provider: SettlementProvider, milestone_id: int, detail: str) -> None:
        super().__init__(f"{provider} does not say what became of milestone {milestone_id}: {detail}")
        self.provider = provider
        self.milestone_id = milestone_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One order to pay: this much, for this milestone, to this recipient (its row id; None: nobody named yet)."""

    milestone_id: int
    amount: Money
    recipient_id: int | None = None
    attempt_number: int = 1

    def __post_init__(self) -> None:
        if self.amount.minor <= 0:
            raise ValueError(f"milestone {self.milestone_id}: an instruction moves more than {self.amount}")
        if self.attempt_number < 1:
            raise ValueError(f"milestone {self.milestone_id}: attempts are counted from 1")


@dataclass(frozen=True, slots=True)
class SettlementResult:
    """A definite answer: success with a reference and a time of release, or a no with its error."""

    success: bool
    provider: SettlementProvider
    reference_id: str | None = None
    message: str | None = None
    error: str | None = None
    released_at: datetime | None = None

    @classmethod
    def accepted(
        cls, provider: SettlementProvider, *, reference_id: str, message: str, released_at: datetime | None
    ) -> Self:
        """The provider took the instruction under this reference."""
        return cls(True, provider, reference_id=reference_id, message=message, released_at=released_at)

    @classmethod
    def refused(cls, provider: SettlementProvider, *, error: str) -> Self:
        """The provider said no; nothing moved and nothing will."""
        return cls(False, provider, message="Refused", error=error)

    @property
    def outcome(self) -> RailOutcome:
        """The same answer as a word."""
        return RailOutcome.ACCEPTED if self.success else RailOutcome.REFUSED


class PaymentRail(ABC):
    """A way to move money. A definite no is a result; "don't know" raises OutcomeUnknown.

    `is_local` says that the rail's books live in our database, so that it joins the caller's transaction;
    the others are called with no transaction open.
    """

    is_local: bool

    @abstractmethod
    def get_provider(self) -> SettlementProvider:
        """Who moves the money."""

    @abstractmethod
    def process_settlements(
        self, instructions: Sequence[Instruction], *, now: datetime | None = None
    ) -> list[SettlementResult]:
        """One result per instruction, in their order; the same instruction twice moves money once.

        `now` is the time of the release, by default the clock's.
        """

    def process_settlement(
        self, milestone_id: int, amount: Decimal | int | Money, currency: str, recipient_id: int | None = None
    ) -> SettlementResult:
        """A batch of one first attempt; `amount` in major units.

        Raises TypeError for a float, MoneyError for an amount that is no positive amount of the currency.
        """
        instruction = Instruction(milestone_id=milestone_id, amount=_money(amount, currency), recipient_id=recipient_id)
        return self.process_settlements([instruction])[0]


def _money(amount: Decimal | int | Money, currency: str) -> Money:
    if not isinstance(amount, Money):
        return Money.from_major(amount, currency)
    if amount.currency != currency:
        raise CurrencyMismatch(f"an amount in {amount.currency} was to be paid in {currency}")
    return amount
