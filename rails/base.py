"""What every payment rail promises: the plug-in contract. It knows nothing of shipments, intents or risk."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Self

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
    """What a provider says about an instruction, at once or days later; WITHDRAWN is our own word before that.

    RECLAIMED: a taking back of ours went through, as far as anybody knows; RECLAIM_FAILED: and then it did not, so that
    the recipient has what counted as returned. The last three are how people even out what is owed then: the recipient
    gave it back, it stays with the recipient, or what came back twice goes to the recipient by another payment.
    """

    WITHDRAWN = "WITHDRAWN"
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    CONFIRMED = "CONFIRMED"
    RETURNED = "RETURNED"
    PAYOUT_FAILED = "PAYOUT_FAILED"
    RECLAIMED = "RECLAIMED"
    RECLAIM_FAILED = "RECLAIM_FAILED"
    RECOVERED = "RECOVERED"
    FORGONE = "FORGONE"
    REPAID = "REPAID"


# What says that the provider took the money, whatever became of it afterwards.
SAYS_PAID: Final = frozenset(
    {RailOutcome.ACCEPTED, RailOutcome.CONFIRMED, RailOutcome.PAYOUT_FAILED, RailOutcome.RETURNED}
)


class Applied(StrEnum):
    """What became of a notice: it changed something, it was known, nobody knows its payment yet, it can not be true,
    or it could not be taken down now; NOT_FOUND and FAILED ones may be told again.
    """

    APPLIED = "APPLIED"
    ALREADY_PROCESSED = "ALREADY_PROCESSED"
    NOT_FOUND = "NOT_FOUND"
    CONTRADICTED = "CONTRADICTED"
    FAILED = "FAILED"


class OutcomeUnknown(Exception):
    """The provider's answer was lost: the money may or may not have moved, so look it up before anything else.

    With `needs_person` looking it up does not help any more: nothing is submitted again before somebody has judged.
    """

    def __init__(
        self, provider: SettlementProvider, milestone_id: int, detail: str, *, needs_person: bool = False
    ) -> None:
        super().__init__(f"{provider} does not say what became of milestone {milestone_id}: {detail}")
        self.provider = provider
        self.milestone_id = milestone_id
        self.detail = detail
        self.needs_person = needs_person


class NotYet(Exception):
    """Provably nothing was handed to the provider, and later it may be: the window is closed, it asks us to wait."""

    def __init__(self, provider: SettlementProvider, milestone_id: int, detail: str) -> None:
        super().__init__(f"{provider} was not asked to pay milestone {milestone_id} yet: {detail}")
        self.provider = provider
        self.milestone_id = milestone_id
        self.detail = detail


class Overtaken(Exception):
    """Another process has listened since: what was heard before may be true no more; if it is, it is told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One order to pay: this much, for this milestone, to this recipient (its row id; None: nobody named yet).

    `destination_id` is the one that the attempt has frozen (None: the recipient's usable one of now). `submitted_at`
    says when the instruction was first handed to the provider: a rail that reads it looks the payment up before
    anything else. `waiting` is how long ago that was by the clock that wrote it (None: not told). `look_up_only`: its
    destination may not be paid any more, or not now, or an earlier attempt is said to be paid: what became of it is
    looked up, and nothing is handed over.
    `kept`: the recipient has what counted as returned of an earlier attempt; what was not handed over is refused.
    """

    milestone_id: int
    amount: Money
    recipient_id: int | None = None
    attempt_number: int = 1
    destination_id: int | None = None
    submitted_at: datetime | None = None
    waiting: timedelta | None = None
    look_up_only: bool = False
    kept: bool = False

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


# One of these for each instruction of a batch: a definite answer, a lost one, or nothing was handed over yet.
Answer = SettlementResult | OutcomeUnknown | NotYet


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a provider tells of an instruction later, by webhook, bank file or poll, or a person in its name.

    The payment is named by milestone and attempt, by the provider's reference, or by both. `amount` of a RETURNED one
    is what came back in all by then (None: everything). `source` names the fact: "stripe event evt_1". `try_number`
    says which handing in a REFUSED one answers: it says nothing of a later one, which may be on its way. `turn` is that
    of listening in which it was heard, of a rail that one process at a time listens to (None: of any other rail).
    """

    provider: SettlementProvider
    outcome: RailOutcome
    source: str
    occurred_at: datetime
    milestone_id: int | None = None
    attempt_number: int | None = None
    reference_id: str = ""
    amount: Money | None = None
    reason: str = ""
    try_number: int | None = None
    turn: int | None = None

    def __post_init__(self) -> None:
        if not self.reference_id and (self.milestone_id is None or self.attempt_number is None):
            raise ValueError(f"{self.source}: a notice names its payment by milestone and attempt, or by reference")


class PaymentRail(ABC):
    """A way to move money. A definite no is a result; "don't know" is OutcomeUnknown.

    `is_local` says that the rail's books live in our database, so that it joins the caller's transaction;
    the others are called with no transaction open.
    """

    is_local: bool

    def is_configured(self) -> bool:
        """Whether this installation has what the rail needs to work."""
        return True

    def cannot_pay(self, amount: Money) -> str:
        """Why the rail can never pay such an amount, as the end of a sentence; empty when it can."""
        return ""

    def cannot_pay_in(self, currency: str) -> str:
        """Why the rail pays nothing at all in a currency, as the end of a sentence; empty when it pays some amounts."""
        return ""

    def step(self, currency: str) -> int:
        """Of how many minor units of a currency all amounts that the rail pays are multiples."""
        return 1

    @abstractmethod
    def get_provider(self) -> SettlementProvider:
        """Who moves the money."""

    @abstractmethod
    def process_settlements(
        self, instructions: Sequence[Instruction], *, now: datetime | None = None
    ) -> Sequence[Answer]:
        """One answer per instruction, in their order; the same instruction twice moves money once.

        `now` is the time of the release, by default the clock's.
        """

    def process_settlement(
        self, milestone_id: int, amount: Decimal | int | Money, currency: str, recipient_id: int | None = None
    ) -> SettlementResult:
        """A batch of one first attempt; `amount` in major units.

        Raises TypeError for a float, MoneyError for an amount that is no positive amount of the currency,
        OutcomeUnknown when the answer was lost, NotYet when nothing is handed over now.
        """
        instruction = Instruction(milestone_id=milestone_id, amount=_money(amount, currency), recipient_id=recipient_id)
        (answer,) = self.process_settlements([instruction])
        if isinstance(answer, SettlementResult):
            return answer
        raise answer


class LocalRail(PaymentRail):
    """A rail whose books are ours: it answers at once, in the caller's transaction."""

    is_local = True

    @abstractmethod
    def process_settlements(
        self, instructions: Sequence[Instruction], *, now: datetime | None = None
    ) -> list[SettlementResult]:
        """One result per instruction, in their order; the same instruction twice moves money once."""


class RemoteRail(PaymentRail):
    """A rail whose money is at a provider: it is called with no transaction open, and tells later what became of it.

    One call takes at most `most` instructions and is over within `lease_seconds`: whoever has not recorded its answers
    by then is taken for dead, and the instructions are handed in again, with `submitted_at` set. Of a rail that works
    `one_at_a_time` only one process at a time takes instructions.
    """

    is_local = False
    most: int
    lease_seconds: int
    one_at_a_time: bool = False

    @abstractmethod
    def is_open(self, *, now: datetime) -> bool:
        """Whether instructions that were never handed over are taken now."""

    def open_currencies(self, *, now: datetime) -> Collection[str] | None:
        """Of which currencies an open rail takes new instructions now; None: of all that it pays."""
        return None

    @abstractmethod
    def hear(self, *, now: datetime) -> Sequence[Notice]:
        """What the provider has told since; the same notice may come again, no transaction is open."""

    def hold(self, told: Sequence[Notice]) -> None:
        """Lets nobody else listen before the caller's transaction ends. Raises Overtaken if somebody has since."""

    @abstractmethod
    def heard(self, told: Sequence[tuple[Notice, Applied]], *, now: datetime) -> None:
        """Takes down what became of the notices; one whose payment nobody knows yet may be told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """A payment as the provider has it; `returned` is what came back of it by now.

    It is named by milestone and attempt where the provider keeps them (None: it does not know of ours), and always by
    its own reference. `destination` is where it went in the provider's words, empty where that is not told.
    """

    reference: str
    amount: Money
    returned: Money
    made_at: datetime
    milestone_id: int | None = None
    attempt_number: int | None = None
    destination: str = ""


class StatementFailed(Exception):
    """The provider's side could not be read; the text says why."""


class Reconcilable(ABC):
    """A rail whose provider, or whose handed-over files, can be asked for all payments of a time."""

    @abstractmethod
    def statement(self, *, since: datetime, now: datetime) -> Iterator[Theirs]:
        """Every payment made since then, in any order. Raises StatementFailed."""

    @abstractmethod
    def destination_in_their_words(self, details: Mapping[str, Any]) -> str:
        """What the `details` of a destination of ours are called in `Theirs`; empty where that is not told."""


def _money(amount: Decimal | int | Money, currency: str) -> Money:
    if not isinstance(amount, Money):
        return Money.from_major(amount, currency)
    if amount.currency != currency:
        raise CurrencyMismatch(f"an amount in {amount.currency} was to be paid in {currency}")
    return amount
