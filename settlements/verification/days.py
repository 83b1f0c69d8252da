"""Are closed days what the journal says? Each is computed again from the entries that count in it.

The document is read here a second time, from its description in `settlements/closing/documents.py`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

import orjson
from django.db import connection

from rails.money import Money
from settlements.verification.differences import Difference, Rule, keep, rows_of

_RULES: Final = [
    Rule(
        "closed day {0}: the day before it, {1}, is not closed",
        """
        SELECT c.day, c.day - 1 FROM rails_closedday c
        WHERE c.day > (SELECT min(booked_on) FROM rails_journalentry)
          AND NOT EXISTS (SELECT 1 FROM rails_closedday b WHERE b.day = c.day - 1)
        ORDER BY c.day
        """,
    ),
    Rule(
        "closed day {0}: no office event tells of it with the digest of its figures",
        """
        SELECT c.day FROM rails_closedday c WHERE NOT EXISTS (
            SELECT 1 FROM settlements_officeevent o WHERE o.action = 'day_closed' AND o.subject = c.day::text
              AND o.data->>'sha256' = c.sha256)
        ORDER BY c.day
        """,
    ),
    Rule(
        "office event {0}: it tells that {1} was closed, but there is no such closed day",
        """
        SELECT o.sequence, o.subject FROM settlements_officeevent o
        WHERE o.action = 'day_closed' AND NOT EXISTS (
            SELECT 1 FROM rails_closedday c WHERE c.day::text = o.subject)
        ORDER BY o.sequence
        """,
    ),
]
_MOVED: Final = """
    SELECT entry.booked_on, leg.account_id, account.code, account.currency,
           coalesce(sum(leg.minor) FILTER (WHERE leg.minor > 0), 0),
           coalesce(-sum(leg.minor) FILTER (WHERE leg.minor < 0), 0)
    FROM rails_journalentry entry JOIN rails_posting posting ON posting.entry_id = entry.id
    CROSS JOIN LATERAL (VALUES (posting.debit_account_id, posting.amount_minor),
                               (posting.credit_account_id, -posting.amount_minor)) AS leg (account_id, minor)
    JOIN rails_account account ON account.id = leg.account_id
    WHERE entry.booked_on <= (SELECT max(day) FROM rails_closedday)
    GROUP BY entry.booked_on, leg.account_id, account.code, account.currency
    ORDER BY entry.booked_on, account.currency, account.code, leg.account_id
"""
_RAILS: Final = """
    SELECT coalesce(lower(a.provider), 'internal_ledger'), e.currency,
           count(*) FILTER (WHERE e.kind = 'release'),
           coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = 'release'), 0),
           count(*) FILTER (WHERE e.kind = 'payout'),
           coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = 'payout'), 0),
           count(*) FILTER (WHERE e.kind = 'payout_return'),
           coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = 'payout_return'), 0),
           count(*) FILTER (WHERE e.kind = 'return'),
           coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = 'return'), 0),
           coalesce(sum(CASE WHEN e.kind IN ('transfer', 'payout_return') THEN e.amount_minor
                             WHEN e.kind IN ('payout', 'transfer_return') THEN -e.amount_minor END), 0)
    FROM rails_journalentry e
    LEFT JOIN rails_railattempt a ON a.milestone_id = e.milestone_id AND a.number = e.attempt_number
    WHERE e.booked_on = %s AND e.milestone_id IS NOT NULL
    GROUP BY 1, 2
"""
_COLUMNS: Final = ("released", "settled", "unsettled", "returned")
_LEDGER: Final = "internal_ledger"
_ONE: Final = timedelta(days=1)


def check() -> int:
    """The number of closed days; raises Difference for the first that is not what the journal says."""
    balances: dict[int, int] = defaultdict(int)
    on_its_way: dict[tuple[str, str], int] = defaultdict(int)
    checked = 0
    with rows_of(_MOVED) as rows:
        moves = _by_day(rows)
        ahead = next(moves, None)
        for day, figures, sha256 in _closed_days():
            if ahead is not None and ahead[0] < day:
                raise Difference(f"closed day {day}: {ahead[0]} has bookings and is not closed")
            moved: dict[int, tuple[Any, ...]] = {}
            if ahead is not None and ahead[0] == day:
                moved, ahead = ahead[1], next(moves, None)
            document = _document(day, figures, sha256)
            _check_accounts(day, document["accounts"], balances, moved)
            _check_rails(day, document, on_its_way)
            checked += 1
    keep(_RULES)
    return checked


def _closed_days() -> Iterator[tuple[date, str, str]]:
    """One at a time: a day's figures may be large."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(day), max(day) FROM rails_closedday")
        day, last = cursor.fetchone()
        while day is not None and day <= last:
            cursor.execute("SELECT day, figures, sha256 FROM rails_closedday WHERE day = %s", [day])
            row = cursor.fetchone()
            if row is None:
                raise Difference(f"closed day {day + _ONE}: the day before it, {day}, is not closed")
            yield row
            day += _ONE


def _by_day(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[date, dict[int, tuple[Any, ...]]]]:
    day: date | None = None
    moved: dict[int, tuple[Any, ...]] = {}
    for booked_on, account_id, *rest in rows:
        if day is not None and booked_on != day:
            yield day, moved
            moved = {}
        day = booked_on
        moved[account_id] = tuple(rest)
    if day is not None:
        yield day, moved


def _document(day: date, figures: str, sha256: str) -> dict[str, Any]:
    if hashlib.sha256(figures.encode()).hexdigest() != sha256:
        raise Difference(f"closed day {day}: its digest is not that of its figures")
    document: dict[str, Any] = orjson.loads(figures)
    if document["version"] != 1 or document["day"] != day.isoformat():
        raise Difference(f"closed day {day}: its figures are those of {document['day']}")
    return document


def _check_accounts(
    day: date, frozen: list[dict[str, Any]], balances: dict[int, int], moved: dict[int, tuple[Any, ...]]
) -> None:
    found = {each["account_id"]: each for each in frozen}
    known = {account_id for account_id, minor in balances.items() if minor} | set(moved)
    for account_id in sorted(known - set(found)):
        raise Difference(f"closed day {day}: account {account_id} is not in its trial balance")
    for account_id, each in found.items():
        code, currency, debits, credits = moved.get(account_id, (each["account"], each["currency"], 0, 0))
        opening = balances[account_id]
        balances[account_id] = opening + int(debits) - int(credits)
        name = f"closed day {day}: account {account_id} ({code} {currency})"
        if (code, currency) != (each["account"], each["currency"]):
            raise Difference(f"{name} was frozen as {each['account']} {each['currency']}")
        said = {"opening": opening, "debits": int(debits), "credits": int(credits), "closing": balances[account_id]}
        for what, minor in said.items():
            text = Money(minor, currency).text
            if each[what] != text:
                raise Difference(f"{name} was frozen with {what} of {each[what]}, but the journal has {text}")


def _check_rails(day: date, document: dict[str, Any], on_its_way: dict[tuple[str, str], int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_RAILS, [day])
        rows = cursor.fetchall()
    frozen = {(each["rail"], each["currency"]): each for each in document["rails"]}
    for rail, currency, *numbers, on_way in rows:
        on_its_way[rail, currency] += int(on_way)
        each = frozen.pop((rail, currency), None)
        for place, column in enumerate(_COLUMNS):
            if rail == _LEDGER and column == "settled":
                continue
            count, text = numbers[2 * place], Money(int(numbers[2 * place + 1]), currency).text
            said = each[column] if each else {"count": 0, "amount": Money(0, currency).text}
            if (said["count"], said["amount"]) != (count, text):
                raise Difference(
                    f"closed day {day}: {rail} was frozen with {said['count']} {column}, {said['amount']} {currency}, "
                    f"but the journal has {count}, {text}"
                )
    for rail, currency in frozen:
        if rail != _LEDGER:
            raise Difference(f"closed day {day}: {rail} in {currency} was frozen, but the journal has nothing of it")
    _check_on_its_way(day, document["open_items"], on_its_way)


def _check_on_its_way(day: date, items: list[dict[str, Any]], on_its_way: dict[tuple[str, str], int]) -> None:
    said: dict[tuple[str, str], int] = defaultdict(int)
    for item in items:
        if item["kind"] == "ON_ITS_WAY":
            said[item["rail"], item["currency"]] += int(item["amount"].replace(".", ""))
    for rail, currency in sorted(said.keys() | {key for key, minor in on_its_way.items() if minor}):
        frozen, booked = said[rail, currency], on_its_way[rail, currency]
        if frozen != booked:
            raise Difference(
                f"closed day {day}: {Money(frozen, currency)} were frozen as on their way by {rail}, "
                f"but the journal has {Money(booked, currency)}"
            )
