"""What can be booked: a journal entry before it is written, and what became of it."""

from dataclasses import dataclass
from datetime import datetime

from rails.accounts import AccountKey
from rails.models import EntryKind
from rails.money import Money


class LedgerError(Exception):
    """An entry that can not be booked; nothing of it was written."""


class EntryConflict(LedgerError):
    """The same business fact is booked with another content, or the milestone's money is out already."""


class AccountMissing(LedgerError):
    """The account's recipient does not exist, so the account can not be opened."""


class EntryUnknown(LedgerError):
    """There is no such entry to reverse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One business fact to book: `amount` goes to the debit of one account and the credit of another."""

    kind: EntryKind
    reference: str
    amount: Money
    debit: AccountKey
    credit: AccountKey
    milestone_id: int | None = None
    attempt_number: int = 1
    occurrence: int = 1
    reverses_id: int | None = None
    description: str = ""

    def __post_init__(self) -> None:
        if self.amount.minor <= 0:
            raise ValueError(f"entry {self.reference}: an entry moves more than {self.amount}")
        if not self.amount.currency == self.debit.currency == self.credit.currency:
            raise ValueError(f"entry {self.reference}: amount and accounts are in one currency")

    @property
    def fact(self) -> tuple[object, ...]:
        """The business fact that is booked once; an entry of no milestone is known by its reference."""
        if self.milestone_id is None:
            return (self.kind, self.reference)
        return (self.kind, self.milestone_id, self.attempt_number, self.occurrence)

    @property
    def content(self) -> tuple[object, ...]:
        """What has to be equal for a repetition to be the same."""
        return (self.amount, self.debit, self.credit, self.reverses_id)


@dataclass(frozen=True, slots=True)
class Posted:
    """A booked entry; `created` is False when it had been booked before."""

    entry_id: int
    reference: str
    posted_at: datetime
    created: bool


Outcome = Posted | LedgerError
