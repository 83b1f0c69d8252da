"""Bookings that no settlement owns, as fees and corrections are: each is told of in the office's chain as it is booked.

So amount, accounts, day and words of such an entry stand in a chain of hashes that checkpoints sign; the database
refuses one that is committed without (ADR 0110).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection, transaction

from rails import books, ledger
from rails.base import SettlementProvider
from rails.entries import Entry, Posted
from rails.money import Money
from settlements import office_log
from settlements.office_log import OfficeAction, OfficeDraft

_BOOKED: Final = """
    SELECT e.reference, e.kind, e.currency, e.amount_minor, debit.code, debit.recipient_id, p.debit_account_id,
           credit.code, credit.recipient_id, p.credit_account_id, e.reverses_id, e.description, e.posted_at,
           e.created_at, e.booked_on::text
    FROM rails_journalentry e JOIN rails_posting p ON p.entry_id = e.id
    JOIN rails_account debit ON debit.id = p.debit_account_id
    JOIN rails_account credit ON credit.id = p.credit_account_id
    WHERE e.id = %s
"""


def book_fee(
    provider: SettlementProvider, amount: Money, *, reference: str, actor: str, reason: str, now: datetime
) -> Posted:
    """Books what a provider took for its work, once per reference. Raises LedgerError for another amount under it."""
    with transaction.atomic():
        posted = books.book_fee(provider, amount, reference=reference, description=_words(reason, actor), now=now)
        _tell([posted], actor=actor, reason=reason, now=now)
    return posted


def book(entries: Sequence[Entry], *, actor: str, reason: str, now: datetime) -> list[Posted]:
    """Books fees and corrections, all or none; one that was booked before is answered, and told of no second time.

    Raises LedgerError as `ledger.post`.
    """
    with transaction.atomic():
        posted = ledger.post(entries, now=now)
        _tell(posted, actor=actor, reason=reason, now=now)
    return posted


def reverse(entry_id: int, *, actor: str, reason: str, now: datetime) -> Posted:
    """Books a correction backwards, once. Raises LedgerError as `ledger.reverse`."""
    with transaction.atomic():
        posted = ledger.reverse(entry_id, description=_words(reason, actor), now=now)
        _tell([posted], actor=actor, reason=reason, now=now)
    return posted


def _words(reason: str, actor: str) -> str:
    return f"{reason} ({actor})"


def _tell(posted: Sequence[Posted], *, actor: str, reason: str, now: datetime) -> None:
    for each in posted:
        if each.created:
            draft = OfficeDraft(
                action=OfficeAction.ENTRY_BOOKED,
                subject=each.reference,
                actor=actor,
                reason=reason,
                data=_facts(each.entry_id),
            )
            office_log.record(draft, now=now)


def _facts(entry_id: int) -> Mapping[str, Any]:
    """What stands in the journal, as the event tells it: the amount in major units, times in UTC."""
    with connection.cursor() as cursor:
        cursor.execute(_BOOKED, [entry_id])
        row: tuple[Any, ...] = cursor.fetchone()
    (
        reference, kind, currency, minor, debit, debit_recipient, debit_account, credit, credit_recipient,
        credit_account, reverses, description, posted_at, created_at, booked_on,
    ) = row  # fmt: skip
    return {
        "entry": entry_id,
        "reference": reference,
        "kind": kind,
        "amount": Money(minor, currency).text,
        "currency": currency,
        "debit": {"account": debit_account, "code": debit, "recipient": debit_recipient},
        "credit": {"account": credit_account, "code": credit, "recipient": credit_recipient},
        "reverses": reverses,
        "description": description,
        "posted_at": _time(posted_at),
        "created_at": _time(created_at),
        "booked_on": booked_on,
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
