"""The four sides of some payments as they are now, each in one line: settlement, attempt, journal, provider or bank."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from rails.base import SettlementProvider
from rails.models import AttemptState
from rails.money import EXPONENTS, Money
from rails.reconciling import SETTLES_WITHIN
from settlements.reconciliation import sides
from settlements.statuses import SettlementStatus

_ONLY_ENTRIES: Final = """AND e.milestone_id = asked.milestone_id
    AND (asked.number IS NULL OR e.attempt_number = asked.number)"""
_ONLY_BANK: Final = "AND e.milestone_id = asked.milestone_id AND e.attempt_number = asked.number"

_LINES: Final = f"""
    WITH lists AS ({sides.LISTS})
    SELECT asked.place, s.id, s.intent_id, s.status, s.amount_minor, s.currency, s.rail, s.reference,
           coalesce(r.name, ''), a.number, a.provider, a.state, a.reference, a.amount_minor, a.currency,
           a.returned_minor, a.owed_minor, b.currency, b.released, b.paid_out, b.on_its_way, b.entries,
           bank.file, bank.reference, bank.word, bank.amount_minor, bank.returned_minor, bank.currency,
           coalesce(bank.bank_reference, ''), lists.since, lists.started_at, a.submitted_at
    FROM unnest(%(places)s::int[], %(milestones)s::bigint[], %(numbers)s::int[]) AS asked (place, milestone_id, number)
    LEFT JOIN settlements_milestonesettlement s ON s.id = asked.milestone_id
    LEFT JOIN settlements_paymentintent i ON i.id = s.intent_id
    LEFT JOIN rails_recipient r ON r.id = i.recipient_id
    LEFT JOIN rails_railattempt a ON a.milestone_id = asked.milestone_id AND a.number = asked.number
    LEFT JOIN lists ON lists.provider = a.provider
    LEFT JOIN LATERAL (
        SELECT min(booked.currency) AS currency, sum(booked.released) AS released, sum(booked.paid_out) AS paid_out,
               sum(booked.on_its_way) AS on_its_way, count(*) AS entries
        FROM ({sides.BOOKED.format(only=_ONLY_ENTRIES)}) booked
    ) b ON true
    LEFT JOIN LATERAL ({sides.BANKS.format(only=_ONLY_BANK)}) bank ON bank.provider = a.provider
    ORDER BY asked.place
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementSide:
    """What should be paid, and how far that is."""

    id: int
    intent_id: int
    status: SettlementStatus
    amount: Money
    rail: str
    reference: str
    recipient: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSide:
    """The order to pay."""

    number: int
    provider: SettlementProvider
    state: AttemptState
    reference: str
    amount: Money
    returned: Money
    owed: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSide:
    """What is posted: released less returned, paid out of the clearing account, and still in it."""

    released: Money
    paid_out: Money
    on_its_way: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class BankSide:
    """What the bank has of us, and said of it."""

    file: str
    reference: str
    word: str
    amount: Money
    returned: Money
    bank_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One payment on all four sides; None where a side has nothing of it. `listed_at`: the list it should be in."""

    settlement: SettlementSide | None
    attempt: AttemptSide | None
    journal: JournalSide | None
    bank: BankSide | None
    listed_at: datetime | None

    @property
    def by_ledger(self) -> bool:
        """Whether our own ledger is the rail, so that there is nobody else to ask."""
        return self.attempt is None and self.settlement is not None and self.settlement.rail == "internal_ledger"

    @property
    def amount(self) -> Money | None:
        """What it is about."""
        known = self.settlement or self.attempt
        return known.amount if known else None


def read(payments: Sequence[tuple[int | None, int | None]]) -> list[Line]:
    """The lines of these (milestone, attempt number) in their order; without a number all that the ledger has of it."""
    if not payments:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _LINES,
            {
                "places": list(range(len(payments))),
                "milestones": [milestone for milestone, _ in payments],
                "numbers": [number for _, number in payments],
            },
        )
        return [_line(row[1:]) for row in cursor.fetchall()]


def _line(row: Sequence[Any]) -> Line:
    (
        milestone, intent, status, minor, currency, rail, reference, recipient,
        number, provider, state, attempt_reference, attempt_minor, attempt_currency, returned, owed,
        booked_currency, released, paid_out, on_its_way, entries,
        file, bank_reference, word, bank_minor, bank_returned, bank_currency, banks_own,
        since, started_at, submitted_at,
    ) = row  # fmt: skip
    return Line(
        settlement=SettlementSide(
            id=milestone,
            intent_id=intent,
            status=SettlementStatus(status),
            amount=Money(minor, currency),
            rail=rail,
            reference=reference,
            recipient=recipient,
        )
        if milestone
        else None,
        attempt=AttemptSide(
            number=number,
            provider=SettlementProvider(provider),
            state=AttemptState(state),
            reference=attempt_reference,
            amount=Money(attempt_minor, attempt_currency),
            returned=Money(returned, attempt_currency),
            owed=Money(owed, attempt_currency),
        )
        if number
        else None,
        journal=JournalSide(
            released=Money(int(released), booked_currency),
            paid_out=Money(int(paid_out), booked_currency),
            on_its_way=Money(int(on_its_way), booked_currency),
        )
        if entries and booked_currency in EXPONENTS
        else None,
        bank=BankSide(
            file=file,
            reference=bank_reference,
            word=word,
            amount=Money(bank_minor, bank_currency),
            returned=Money(int(bank_returned), bank_currency),
            bank_reference=banks_own,
        )
        if file
        else None,
        listed_at=_listed(since, started_at, submitted_at),
    )


def _listed(since: datetime | None, started_at: datetime | None, submitted_at: datetime | None) -> datetime | None:
    """When a list was read that a payment handed over then must be in."""
    if since is None or started_at is None or submitted_at is None:
        return None
    settled: timedelta = SETTLES_WITHIN
    return started_at if since <= submitted_at <= started_at - settled else None
