"""What a movement of money at a provider books: on its way, arrived, back again, and what it cost.

Of an accepted attempt the release (cost against what we owe the recipient) and the transfer (our money goes into the
rail's clearing account) are booked together; when it arrives the payout takes it from there to what we owed. So a
clearing account holds exactly what is on its way, and is empty when everything has settled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from django.db import connection

from rails import ledger
from rails.accounts import AccountCode, AccountKey
from rails.base import RailOutcome, SettlementProvider
from rails.entries import Entry, LedgerError, Posted
from rails.models import EntryKind
from rails.money import Money

# Where our money lies at a provider, and where it is on its way.
CASH: Final[Mapping[SettlementProvider, AccountCode]] = MappingProxyType(
    {
        SettlementProvider.STRIPE: AccountCode.STRIPE_BALANCE,
        SettlementProvider.ACH: AccountCode.BANK_ACCOUNT,
        SettlementProvider.WIRE: AccountCode.BANK_ACCOUNT,
    }
)
CLEARING: Final[Mapping[SettlementProvider, AccountCode]] = MappingProxyType(
    {
        SettlementProvider.STRIPE: AccountCode.STRIPE_CLEARING,
        SettlementProvider.ACH: AccountCode.ACH_CLEARING,
        SettlementProvider.WIRE: AccountCode.WIRE_CLEARING,
    }
)

_BOOKED = """
    SELECT entry.milestone_id, entry.attempt_number, entry.id, entry.kind, entry.amount_minor, entry.reverses_id
    FROM unnest(%s::bigint[], %s::int[]) AS wanted (milestone_id, attempt_number)
    JOIN rails_journalentry entry USING (milestone_id, attempt_number)
    ORDER BY entry.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One thing that happened to an attempt; `amount` is the attempt's, of a RETURNED one what came back this time.

    RECLAIMED is of one that counts as returned already: it came back once more.
    """

    outcome: RailOutcome
    provider: SettlementProvider
    milestone_id: int
    attempt_number: int
    recipient_id: int
    amount: Money
    reference: str
    description: str = ""

    @property
    def attempt(self) -> tuple[int, int]:
        """What names the attempt."""
        return (self.milestone_id, self.attempt_number)


@dataclass(frozen=True, slots=True)
class _Booked:
    id: int
    kind: EntryKind
    minor: int
    reverses_id: int | None


class _Attempt:
    """What is booked of one attempt, and what is to be booked next, in order."""

    def __init__(self, movement: Movement, booked: Sequence[_Booked]) -> None:
        self.movement = movement
        self.booked = booked
        self.new: list[Entry] = []

    def on_its_way(self) -> int:
        sign = {
            EntryKind.TRANSFER: 1, EntryKind.PAYOUT_RETURN: 1, EntryKind.PAYOUT: -1, EntryKind.TRANSFER_RETURN: -1,
        }  # fmt: skip
        return sum(sign.get(entry.kind, 0) * entry.minor for entry in self.booked)

    def standing(self, kind: EntryKind) -> list[tuple[int, int]]:
        """(entry id, minor units) of each entry of the kind, less what was taken back of it; the latest first."""
        back: dict[int, int] = {}
        for entry in self.booked:
            if entry.reverses_id is not None:
                back[entry.reverses_id] = back.get(entry.reverses_id, 0) + entry.minor
        found = [(entry.id, entry.minor - back.get(entry.id, 0)) for entry in self.booked if entry.kind is kind]
        return [(entry_id, minor) for entry_id, minor in reversed(found) if minor]

    def add(self, kind: EntryKind, debit: AccountKey, credit: AccountKey, minor: int, back: int | None = None) -> None:
        movement = self.movement
        earlier = sum(entry.kind is kind for entry in self.booked) + sum(entry.kind is kind for entry in self.new)
        name = f"{movement.provider}:{movement.reference}:{kind.name}"
        self.new.append(
            Entry(
                kind=kind,
                reference=f"{name}:{earlier + 1}" if earlier else name,
                amount=Money(minor, movement.amount.currency),
                debit=debit,
                credit=credit,
                milestone_id=movement.milestone_id,
                attempt_number=movement.attempt_number,
                occurrence=earlier + 1,
                reverses_id=back,
                description=movement.description,
            )
        )


def book(movements: Sequence[Movement], *, now: datetime) -> list[Posted]:
    """Books movements of different attempts, in the caller's transaction, whose locks keep others off these attempts.

    Two statements for any number. Raises LedgerError, and nothing is booked then.
    """
    booked = _booked(movements)
    entries: list[Entry] = []
    for movement in movements:
        attempt = _Attempt(movement, booked.get(movement.attempt, ()))
        _ENTRIES[movement.outcome](attempt, _Accounts(movement))
        entries += attempt.new
    return ledger.post(entries, now=now) if entries else []


def book_fee(
    provider: SettlementProvider, amount: Money, *, reference: str, description: str = "", now: datetime
) -> Posted:
    """Books what a provider took for its work, once per reference. Raises LedgerError for another amount under it."""
    fee = Entry(
        kind=EntryKind.FEE,
        reference=f"{provider}:{reference}:{EntryKind.FEE.name}",
        amount=amount,
        debit=AccountKey(AccountCode.RAIL_FEES, amount.currency),
        credit=AccountKey(CASH[provider], amount.currency),
        description=description,
    )
    return ledger.post([fee], now=now)[0]


class _Accounts:
    """The accounts that a movement touches."""

    def __init__(self, movement: Movement) -> None:
        currency = movement.amount.currency
        self.cost = AccountKey(AccountCode.FREIGHT_COST, currency)
        self.payable = AccountKey(AccountCode.RECIPIENT_PAYABLE, currency, movement.recipient_id)
        self.receivable = AccountKey(AccountCode.RECIPIENT_RECEIVABLE, currency, movement.recipient_id)
        self.clearing = AccountKey(CLEARING[movement.provider], currency)
        self.cash = AccountKey(CASH[movement.provider], currency)


def _accepted(attempt: _Attempt, accounts: _Accounts) -> None:
    minor = attempt.movement.amount.minor
    attempt.add(EntryKind.RELEASE, accounts.cost, accounts.payable, minor)
    attempt.add(EntryKind.TRANSFER, accounts.clearing, accounts.cash, minor)


def _confirmed(attempt: _Attempt, accounts: _Accounts) -> None:
    minor = attempt.on_its_way()
    if minor:
        attempt.add(EntryKind.PAYOUT, accounts.payable, accounts.clearing, minor)


def _payout_failed(attempt: _Attempt, accounts: _Accounts) -> None:
    for payout_id, minor in attempt.standing(EntryKind.PAYOUT):
        attempt.add(EntryKind.PAYOUT_RETURN, accounts.clearing, accounts.payable, minor, payout_id)


def _returned(attempt: _Attempt, accounts: _Accounts) -> None:
    back = attempt.movement.amount.minor
    missing = back - attempt.on_its_way()
    for payout_id, minor in attempt.standing(EntryKind.PAYOUT):
        if missing > 0:
            attempt.add(EntryKind.PAYOUT_RETURN, accounts.clearing, accounts.payable, min(minor, missing), payout_id)
            missing -= min(minor, missing)
    transfer, release = attempt.standing(EntryKind.TRANSFER), attempt.standing(EntryKind.RELEASE)
    if missing > 0 or not transfer or not release:
        raise LedgerError(f"{attempt.movement.reference}: more came back than had been sent")
    attempt.add(EntryKind.TRANSFER_RETURN, accounts.cash, accounts.clearing, back, transfer[0][0])
    attempt.add(EntryKind.RETURN, accounts.payable, accounts.cost, back, release[0][0])


def _reclaimed(attempt: _Attempt, accounts: _Accounts) -> None:
    if attempt.standing(EntryKind.RECEIVABLE):
        _recovered(attempt, accounts)
    else:
        attempt.add(EntryKind.SURPLUS, accounts.cash, accounts.payable, attempt.movement.amount.minor)


def _reclaim_failed(attempt: _Attempt, accounts: _Accounts) -> None:
    if attempt.standing(EntryKind.SURPLUS):
        _end(attempt, EntryKind.SURPLUS, accounts.payable, accounts.cash)
    else:
        attempt.add(EntryKind.RECEIVABLE, accounts.receivable, accounts.cash, attempt.movement.amount.minor)


def _recovered(attempt: _Attempt, accounts: _Accounts) -> None:
    _end(attempt, EntryKind.RECEIVABLE, accounts.cash, accounts.receivable)


def _forgone(attempt: _Attempt, accounts: _Accounts) -> None:
    _end(attempt, EntryKind.RECEIVABLE, accounts.cost, accounts.receivable)


def _repaid(attempt: _Attempt, accounts: _Accounts) -> None:
    _end(attempt, EntryKind.SURPLUS, accounts.payable, accounts.cost)


_WAYS_BACK: Final = {
    EntryKind.RECEIVABLE: EntryKind.RECEIVABLE_RETURN,
    EntryKind.SURPLUS: EntryKind.SURPLUS_RETURN,
}


def _end(attempt: _Attempt, kind: EntryKind, debit: AccountKey, credit: AccountKey) -> None:
    """Takes back what is owed, all of it."""
    owed = attempt.standing(kind)
    if [minor for _, minor in owed] != [attempt.movement.amount.minor]:
        raise LedgerError(f"{attempt.movement.reference}: this is not what is owed of it")
    attempt.add(_WAYS_BACK[kind], debit, credit, attempt.movement.amount.minor, owed[0][0])


_ENTRIES: Final = {
    RailOutcome.RECLAIMED: _reclaimed,
    RailOutcome.RECLAIM_FAILED: _reclaim_failed,
    RailOutcome.RECOVERED: _recovered,
    RailOutcome.FORGONE: _forgone,
    RailOutcome.REPAID: _repaid,
    RailOutcome.ACCEPTED: _accepted,
    RailOutcome.CONFIRMED: _confirmed,
    RailOutcome.PAYOUT_FAILED: _payout_failed,
    RailOutcome.RETURNED: _returned,
}


def _booked(movements: Sequence[Movement]) -> dict[tuple[int, int], list[_Booked]]:
    found: dict[tuple[int, int], list[_Booked]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _BOOKED, [[each.milestone_id for each in movements], [each.attempt_number for each in movements]]
        )
        for milestone_id, number, entry_id, kind, minor, reverses_id in cursor.fetchall():
            found.setdefault((milestone_id, number), []).append(_Booked(entry_id, EntryKind(kind), minor, reverses_id))
    return found
