"""What the books say of a day: a trial balance by account, what each rail moved, what was on its way in the evening.

Days are those of UTC; `booked_on` says which day an entry counts in. Amounts are minor units, and a balance is what the
account was debited less what it was credited.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import connection

from rails.models import ClosedDay, EntryKind

# Nobody who wrote to the journal is still under way then, and nobody writes until this transaction ends. Who waits for
# it makes those that come after wait too, so it gives up soon.
_PATIENCE: Final = "SET LOCAL lock_timeout = '2s'"
_LOCK: Final = "LOCK TABLE rails_journalentry IN SHARE ROW EXCLUSIVE MODE"

_SUMS = """
    SELECT leg.account_id, account.code, account.currency, recipient.id, coalesce(recipient.recipient_id, ''),
           coalesce(recipient.name, ''),
           coalesce(sum(leg.minor) FILTER (WHERE leg.booked_on < %(day)s), 0),
           coalesce(sum(leg.minor) FILTER (WHERE leg.booked_on = %(day)s AND leg.minor > 0), 0),
           coalesce(-sum(leg.minor) FILTER (WHERE leg.booked_on = %(day)s AND leg.minor < 0), 0)
    FROM rails_journalentry entry JOIN rails_posting posting ON posting.entry_id = entry.id
    CROSS JOIN LATERAL (VALUES (posting.debit_account_id, posting.amount_minor, entry.booked_on),
                               (posting.credit_account_id, -posting.amount_minor, entry.booked_on))
        AS leg (account_id, minor, booked_on)
    JOIN rails_account account ON account.id = leg.account_id
    LEFT JOIN rails_recipient recipient ON recipient.id = account.recipient_id
    WHERE entry.booked_on <= %(day)s AND (%(after)s::date IS NULL OR entry.booked_on > %(after)s::date)
    GROUP BY leg.account_id, account.code, account.currency, recipient.id
"""
_ACCOUNTS = """
    SELECT account.id, account.code, account.currency, recipient.id, coalesce(recipient.recipient_id, ''),
           coalesce(recipient.name, '')
    FROM rails_account account LEFT JOIN rails_recipient recipient ON recipient.id = account.recipient_id
    WHERE account.id = ANY(%s)
"""
_MOVED = """
    SELECT booked_on, currency, count(*), sum(amount_minor) FROM rails_journalentry
    WHERE booked_on BETWEEN %s AND %s GROUP BY 1, 2 ORDER BY 1, 2
"""
_BY_RAIL = """
    SELECT coalesce(lower(attempt.provider), 'internal_ledger') AS rail, entry.currency, entry.kind, count(*),
           sum(entry.amount_minor)
    FROM rails_journalentry entry
    LEFT JOIN rails_railattempt attempt
        ON attempt.milestone_id = entry.milestone_id AND attempt.number = entry.attempt_number
    WHERE entry.booked_on = %s AND entry.kind IN ('release', 'payout', 'payout_return', 'return')
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
# What is out now, and what has moved since: of these alone something can have been on its way in the evening.
_ON_ITS_WAY = """
    WITH candidates AS (
        SELECT milestone_id, number FROM rails_railattempt WHERE state = 'ACCEPTED'
        UNION SELECT milestone_id, attempt_number FROM rails_journalentry
            WHERE booked_on > %(day)s AND milestone_id IS NOT NULL
    )
    SELECT lower(attempt.provider), entry.currency, entry.milestone_id, entry.attempt_number,
           sum(CASE WHEN entry.kind IN ('transfer', 'payout_return') THEN entry.amount_minor
               ELSE -entry.amount_minor END),
           max(entry.posted_at) FILTER (WHERE entry.kind IN ('transfer', 'payout_return'))
    FROM candidates JOIN rails_railattempt attempt USING (milestone_id, number)
    JOIN rails_journalentry entry
        ON entry.milestone_id = attempt.milestone_id AND entry.attempt_number = attempt.number
    WHERE entry.booked_on <= %(day)s
      AND entry.kind IN ('transfer', 'payout_return', 'payout', 'transfer_return')
    GROUP BY attempt.provider, entry.currency, entry.milestone_id, entry.attempt_number
    HAVING sum(CASE WHEN entry.kind IN ('transfer', 'payout_return') THEN entry.amount_minor
        ELSE -entry.amount_minor END) <> 0
    ORDER BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDay:
    """One account on one day: `opening` plus `debits` less `credits` is `closing`."""

    account_id: int
    code: str
    currency: str
    recipient_pk: int | None
    recipient_id: str
    recipient_name: str
    opening: int
    debits: int
    credits: int

    @property
    def closing(self) -> int:
        """The balance in the evening."""
        return self.opening + self.debits - self.credits


@dataclass(frozen=True, slots=True, kw_only=True)
class RailDay:
    """How many entries of a kind a rail had on a day, and their sum."""

    rail: str
    currency: str
    kind: EntryKind
    count: int
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnItsWay:
    """What an attempt has in its rail's clearing account in the evening, and since when."""

    rail: str
    currency: str
    milestone_id: int
    attempt_number: int
    minor: int
    since: datetime


def hold_the_journal() -> None:
    """Waits until the journal's writers are done and keeps others off, until the caller's transaction ends.

    Raises OperationalError when they are not done within two seconds.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PATIENCE)
        cursor.execute(_LOCK)


def last_closed() -> ClosedDay | None:
    """The latest closed day."""
    return ClosedDay.objects.order_by("-day").first()


def first_booked() -> date | None:
    """The day of the journal's first entry; None as long as there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(booked_on) FROM rails_journalentry")
        row: tuple[date | None] = cursor.fetchone()
    return row[0]


def entries_on(day: date) -> int:
    """How many entries count in a day."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM rails_journalentry WHERE booked_on = %s", [day])
        row: tuple[int] = cursor.fetchone()
    return row[0]


def moved_by_day(first: date, last: date) -> dict[date, dict[str, tuple[int, int]]]:
    """Day -> currency -> entries and what they moved (minor units), of the days between these that have any."""
    found: dict[date, dict[str, tuple[int, int]]] = {}
    for day, currency, count, minor in _rows(_MOVED, [first, last]):
        found.setdefault(day, {})[currency] = (count, int(minor))
    return found


def balances(day: date, *, carried: dict[int, int], after: date | None) -> list[AccountDay]:
    """Every account that had a balance or moved, by currency, code and recipient.

    `carried` are the balances (account id -> minor units) in the evening of day `after`, the last closed one.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, {"day": day, "after": after})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        moved = {row[0] for row in rows}
        still = [account_id for account_id, minor in carried.items() if minor and account_id not in moved]
        if still:
            cursor.execute(_ACCOUNTS, [still])
            rows += [(*row, 0, 0, 0) for row in cursor.fetchall()]
    found = [_account(row, carried.get(row[0], 0)) for row in rows]
    there = [each for each in found if each.opening or each.debits or each.credits]
    return sorted(there, key=lambda each: (each.currency, each.code, each.recipient_id))


def by_rail(day: date) -> list[RailDay]:
    """What was released, paid out and taken back on a day, by rail and currency."""
    return [
        RailDay(rail=rail, currency=currency, kind=EntryKind(kind), count=count, minor=int(minor))
        for rail, currency, kind, count, minor in _rows(_BY_RAIL, [day])
    ]


def on_its_way(day: date) -> list[OnItsWay]:
    """What was in the clearing accounts in the evening of a day, attempt by attempt."""
    return [
        OnItsWay(
            rail=rail, currency=currency, milestone_id=milestone, attempt_number=number, minor=int(minor), since=at
        )
        for rail, currency, milestone, number, minor, at in _rows(_ON_ITS_WAY, {"day": day})
    ]


def _account(row: tuple[Any, ...], carried: int) -> AccountDay:
    account_id, code, currency, recipient_pk, recipient_id, name, before, debits, credits = row
    return AccountDay(
        account_id=account_id,
        code=code,
        currency=currency,
        recipient_pk=recipient_pk,
        recipient_id=recipient_id,
        recipient_name=name,
        opening=carried + int(before),
        debits=int(debits),
        credits=int(credits),
    )


def _rows(statement: str, parameters: Any) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return iter(rows)
