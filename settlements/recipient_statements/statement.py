"""The statement of a recipient: every booking on its accounts in a period, with the balances before and after.

A balance is what we owe the recipient: what its payable was credited less debited, less what it owes us. Days are those
that bookings count in (`booked_on`, UTC); amounts are positive in the recipient's favour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import connection

from rails.models import EntryKind, Recipient
from rails.money import Money
from settlements.recipient_statements import held
from settlements.recipient_statements.held import HeldItem
from settlements.refusals import Kind, Refusal

MOST_LINES: Final = 20_000

_MINE: Final = """
    WITH mine AS (
        SELECT id FROM rails_account
        WHERE recipient_id = %(recipient)s AND code IN ('recipient_payable', 'recipient_receivable')
    ), legs AS (
        SELECT p.entry_id, p.currency, -p.amount_minor AS minor FROM rails_posting p
        WHERE p.debit_account_id IN (SELECT id FROM mine)
        UNION ALL
        SELECT p.entry_id, p.currency, p.amount_minor FROM rails_posting p
        WHERE p.credit_account_id IN (SELECT id FROM mine)
    )
"""
_OPENINGS: Final = f"""
    {_MINE}
    SELECT legs.currency, coalesce(sum(legs.minor) FILTER (WHERE e.booked_on < %(first)s), 0)::bigint,
           coalesce(sum(legs.minor) FILTER (
               WHERE a.id IS NULL AND e.kind IN ('release', 'return')), 0)::bigint
    FROM legs JOIN rails_journalentry e ON e.id = legs.entry_id
    LEFT JOIN rails_railattempt a ON a.milestone_id = e.milestone_id AND a.number = e.attempt_number
    WHERE e.booked_on <= %(last)s GROUP BY legs.currency ORDER BY legs.currency
"""
_LINES: Final = f"""
    {_MINE}
    SELECT e.id, e.booked_on, e.posted_at, e.kind, legs.currency, legs.minor, e.milestone_id, s.event_type,
           h.shipment_id,
           coalesce(lower(a.provider), CASE WHEN e.milestone_id IS NOT NULL THEN 'internal_ledger' END, ''),
           coalesce(nullif(a.reference, ''), e.reference), e.description
    FROM legs JOIN rails_journalentry e ON e.id = legs.entry_id
    LEFT JOIN rails_railattempt a ON a.milestone_id = e.milestone_id AND a.number = e.attempt_number
    LEFT JOIN settlements_milestonesettlement s ON s.id = e.milestone_id
    LEFT JOIN settlements_paymentintent i ON i.id = s.intent_id
    LEFT JOIN settlements_shipment h ON h.id = i.shipment_id
    WHERE e.booked_on BETWEEN %(first)s AND %(last)s
    ORDER BY legs.currency, e.booked_on, e.id LIMIT %(limit)s
"""
WORDS: Final = {
    EntryKind.RELEASE: "Earned",
    EntryKind.RETURN: "Returned",
    EntryKind.PAYOUT: "Paid",
    EntryKind.PAYOUT_RETURN: "Payment undone",
    EntryKind.RECEIVABLE: "Kept after a return",
    EntryKind.RECEIVABLE_RETURN: "Kept after a return, evened out",
    EntryKind.SURPLUS: "Came back once more",
    EntryKind.SURPLUS_RETURN: "Came back once more, evened out",
    EntryKind.CORRECTION: "Correction",
}


class StatementTooLong(Refusal):
    """The period has more bookings than a statement lists."""

    code = "statement_too_long"
    kind = Kind.INVALID


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One booking, and the balance after it."""

    entry_id: int
    booked_on: date
    posted_at: datetime
    kind: EntryKind
    amount: Money
    balance: Money
    settlement_id: int | None
    event_type: str
    shipment_id: str
    rail: str
    reference: str
    description: str

    @property
    def words(self) -> str:
        """What happened."""
        return WORDS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyStatement:
    """One currency: `opening` and all lines are `closing`; `on_ledger` of that was released by the internal ledger."""

    currency: str
    opening: Money
    lines: Sequence[StatementLine]
    closing: Money
    on_ledger: Money

    def total(self, *kinds: EntryKind) -> Money:
        """What the lines of these kinds come to."""
        return Money(sum(line.amount.minor for line in self.lines if line.kind in kinds), self.currency)

    @property
    def earned(self) -> Money:
        """What was released."""
        return self.total(EntryKind.RELEASE)

    @property
    def returned(self) -> Money:
        """What came back, as a negative amount."""
        return self.total(EntryKind.RETURN)

    @property
    def paid(self) -> Money:
        """What arrived less what turned out not to have, as a negative amount."""
        return self.total(EntryKind.PAYOUT, EntryKind.PAYOUT_RETURN)

    @property
    def other(self) -> Money:
        """Whatever else was booked."""
        return self.closing - self.opening - self.earned - self.returned - self.paid


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A recipient's statement; what is held is as of `as_of`, whatever the period."""

    recipient: Recipient
    first: date
    last: date
    as_of: datetime
    currencies: Sequence[CurrencyStatement]
    held: Sequence[HeldItem]


def statement(recipient: Recipient, *, first: date, last: date, now: datetime) -> Statement:
    """The statement from the first day to the last, both included. Raises StatementTooLong."""
    keys: dict[str, int | date] = {"recipient": recipient.pk, "first": first, "last": last, "limit": MOST_LINES + 1}
    with connection.cursor() as cursor:
        cursor.execute(_OPENINGS, keys)
        openings = cursor.fetchall()
        cursor.execute(_LINES, keys)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    if len(rows) > MOST_LINES:
        raise StatementTooLong(f"There are more than {MOST_LINES:,} bookings; choose a shorter period.", field="to")
    by_currency: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        by_currency.setdefault(row[4], []).append(row)
    return Statement(
        recipient=recipient,
        first=first,
        last=last,
        as_of=now,
        currencies=[
            _currency(currency, opening, on_ledger, by_currency.get(currency, []))
            for currency, opening, on_ledger in openings
        ],
        held=held.listed(recipient.pk),
    )


def _currency(currency: str, opening: int, on_ledger: int, rows: Sequence[tuple[Any, ...]]) -> CurrencyStatement:
    balance, lines = Money(opening, currency), []
    for entry_id, booked_on, posted_at, kind, _, minor, settlement, event, shipment, rail, reference, note in rows:
        amount = Money(minor, currency)
        balance += amount
        lines.append(
            StatementLine(
                entry_id=entry_id,
                booked_on=booked_on,
                posted_at=posted_at,
                kind=EntryKind(kind),
                amount=amount,
                balance=balance,
                settlement_id=settlement,
                event_type=event or "",
                shipment_id=shipment or "",
                rail=rail,
                reference=reference,
                description=note,
            )
        )
    return CurrencyStatement(
        currency=currency,
        opening=Money(opening, currency),
        lines=lines,
        closing=balance,
        on_ledger=Money(on_ledger, currency),
    )
