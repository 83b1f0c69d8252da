"""What is booked: the only writer of the journal, and the balances read from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from django.db import connection, transaction

from rails.accounts import CHART, AccountCode, AccountKey, open_accounts
from rails.entries import AccountMissing, Entry, EntryConflict, EntryUnknown, LedgerError, Outcome, Posted
from rails.models import AccountKind, EntryKind, Posting
from rails.money import Money

MAX_ENTRIES: Final = 5_000  # in one statement

# What books a kind backwards.
_BACKWARDS: Final = {EntryKind.RELEASE: EntryKind.RETURN, EntryKind.CORRECTION: EntryKind.CORRECTION}

# An entry and its posting are one statement, for any number of entries. An account that is missing leaves its entry
# out, and with it the milestone's others, for a later one may build on it; a fact that is booked already (or a release
# whose predecessor is still out) is skipped by the unique indexes; the answer tells which. A later attempt follows the
# milestone's last return.
_POST = """
    WITH named AS (
        SELECT wanted.*,
            CASE WHEN debit_recipient IS NULL
                THEN (SELECT id FROM rails_account WHERE code = debit_code AND currency = wanted.currency
                    AND recipient_id IS NULL)
                ELSE (SELECT id FROM rails_account WHERE code = debit_code AND currency = wanted.currency
                    AND recipient_id = debit_recipient) END AS debit_id,
            CASE WHEN credit_recipient IS NULL
                THEN (SELECT id FROM rails_account WHERE code = credit_code AND currency = wanted.currency
                    AND recipient_id IS NULL)
                ELSE (SELECT id FROM rails_account WHERE code = credit_code AND currency = wanted.currency
                    AND recipient_id = credit_recipient) END AS credit_id,
            CASE WHEN wanted.kind = 'release' AND wanted.attempt_number > 1
                THEN (SELECT max(back.id) FROM rails_journalentry back
                    WHERE back.milestone_id = wanted.milestone_id AND back.kind = 'return') END AS follows_id
        FROM json_to_recordset(%s::json) AS wanted (place int, kind text, reference text, milestone_id bigint,
            attempt_number int, occurrence int, currency text, amount_minor bigint, reverses_id bigint,
            description text, debit_code text, debit_recipient bigint, credit_code text, credit_recipient bigint)
    ), wanted AS (
        SELECT named.*, bool_and(debit_id IS NOT NULL AND credit_id IS NOT NULL)
            OVER (PARTITION BY milestone_id, CASE WHEN milestone_id IS NULL THEN place END) AS at_home
        FROM named
    ), entry AS (
        INSERT INTO rails_journalentry (kind, reference, milestone_id, attempt_number, occurrence, currency,
            amount_minor, reverses_id, follows_id, description, posted_at)
        SELECT kind, reference, milestone_id, attempt_number, occurrence, currency, amount_minor, reverses_id,
            follows_id, description, %s::timestamptz
        FROM wanted WHERE at_home
        ORDER BY milestone_id, place
        ON CONFLICT DO NOTHING
        RETURNING id, reference, posted_at, currency, amount_minor
    ), posting AS (
        INSERT INTO rails_posting (entry_id, debit_account_id, credit_account_id, currency, amount_minor, posted_at)
        SELECT entry.id, wanted.debit_id, wanted.credit_id, entry.currency, entry.amount_minor, entry.posted_at
        FROM entry JOIN wanted USING (reference)
    )
    SELECT wanted.place, wanted.at_home, entry.id
    FROM wanted LEFT JOIN entry USING (reference)
"""

_EARLIER = """
    SELECT wanted.place, entry.id, entry.reference, entry.posted_at, entry.currency, entry.amount_minor,
        entry.reverses_id, debit.code, debit.recipient_id, credit.code, credit.recipient_id
    FROM unnest(%s::int[], %s::text[], %s::text[], %s::bigint[], %s::int[], %s::int[])
        AS wanted (place, kind, reference, milestone_id, attempt_number, occurrence)
    JOIN rails_journalentry entry ON entry.kind = wanted.kind AND (
        (entry.milestone_id = wanted.milestone_id AND entry.attempt_number = wanted.attempt_number
            AND entry.occurrence = wanted.occurrence)
        OR (wanted.milestone_id IS NULL AND entry.milestone_id IS NULL AND entry.reference = wanted.reference))
    JOIN rails_posting posting ON posting.entry_id = entry.id
    JOIN rails_account debit ON debit.id = posting.debit_account_id
    JOIN rails_account credit ON credit.id = posting.credit_account_id
"""


def post(entries: Sequence[Entry], *, now: datetime) -> list[Posted]:
    """Book all entries or none, one statement for all of them, in the caller's transaction if there is one.

    A fact booked before with the same content answers with its first reference. Raises EntryConflict for the same
    fact with another content or money that is out already, AccountMissing for a recipient that does not exist.
    """
    with transaction.atomic():
        outcomes = post_each(entries, now=now)
        posted: list[Posted] = []
        for outcome in outcomes:
            if isinstance(outcome, LedgerError):
                raise outcome
            posted.append(outcome)
    return posted


def post_each(entries: Sequence[Entry], *, now: datetime) -> list[Outcome]:
    """Book what can be booked; one outcome per entry, in their order, so that a bad one leaves the others.

    As `post`, but an entry that can not be booked gives its LedgerError instead of raising it.
    """
    outcomes: dict[int, Outcome] = {}
    # No savepoint: whatever is refused here is refused without an error of the database.
    with transaction.atomic(savepoint=False):
        for start in range(0, len(entries), MAX_ENTRIES):
            places = range(start, min(start + MAX_ENTRIES, len(entries)))
            outcomes |= _post_batch({place: entries[place] for place in places}, now)
    return [outcomes[place] for place in range(len(entries))]


def _post_batch(entries: dict[int, Entry], now: datetime) -> dict[int, Outcome]:
    assert connection.in_atomic_block
    firsts, repeats, outcomes = _once_each(entries)
    written, homeless = _insert(firsts, now)
    if homeless:
        open_accounts(key for entry in homeless.values() for key in (entry.debit, entry.credit))
        more, homeless = _insert(homeless, now)
        written |= more
    for place, entry_id in written.items():
        outcomes[place] = Posted(entry_id, firsts[place].reference, now, True)
    for place, entry in homeless.items():
        outcomes[place] = AccountMissing(f"entry {entry.reference}: there is no such recipient")
    skipped = {place: entry for place, entry in firsts.items() if place not in outcomes}
    if skipped:
        outcomes |= _booked_before(skipped)
    for place, first in repeats.items():
        outcomes[place] = _repeated(outcomes[first])
    return outcomes


def _once_each(entries: dict[int, Entry]) -> tuple[dict[int, Entry], dict[int, int], dict[int, Outcome]]:
    """Split into the first entry of each fact, the repetitions of one (place -> first place), and contradictions."""
    firsts: dict[int, Entry] = {}
    repeats: dict[int, int] = {}
    conflicts: dict[int, Outcome] = {}
    by_fact: dict[tuple[object, ...], int] = {}
    references: set[str] = set()
    for place, entry in entries.items():
        first = by_fact.setdefault(entry.fact, place)
        if first != place and entries[first].content == entry.content:
            repeats[place] = first
        elif first != place or entry.reference in references:
            conflicts[place] = EntryConflict(f"entry {entry.reference} contradicts another of its batch")
        else:
            firsts[place] = entry
            references.add(entry.reference)
    return firsts, repeats, conflicts


def _insert(entries: dict[int, Entry], now: datetime) -> tuple[dict[int, int], dict[int, Entry]]:
    """Write entries with their postings: the ids of those written, and the entries without an account."""
    # One JSON parameter: building an array per column costs the client several times as much.
    rows_wanted = [
        {
            "place": place,
            "kind": entry.kind,
            "reference": entry.reference,
            "milestone_id": entry.milestone_id,
            "attempt_number": entry.attempt_number,
            "occurrence": entry.occurrence,
            "currency": entry.amount.currency,
            "amount_minor": entry.amount.minor,
            "reverses_id": entry.reverses_id,
            "description": entry.description,
            "debit_code": entry.debit.code,
            "debit_recipient": entry.debit.recipient_id,
            "credit_code": entry.credit.code,
            "credit_recipient": entry.credit.recipient_id,
        }
        for place, entry in entries.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_POST, [orjson.dumps(rows_wanted).decode(), now])
        rows = cursor.fetchall()
    written = {place: entry_id for place, _, entry_id in rows if entry_id is not None}
    return written, {place: entries[place] for place, at_home, _ in rows if not at_home}


def _booked_before(entries: dict[int, Entry]) -> dict[int, Outcome]:
    """Compare entries the unique indexes skipped with what stands in the journal."""
    values = entries.values()
    columns: list[Any] = [
        list(entries),
        [entry.kind.value for entry in values],
        [entry.reference for entry in values],
        [entry.milestone_id for entry in values],
        [entry.attempt_number for entry in values],
        [entry.occurrence for entry in values],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_EARLIER, columns)
        rows = cursor.fetchall()
    outcomes: dict[int, Outcome] = {
        place: EntryConflict(f"entry {entry.reference}: an earlier one stands in its way")
        for place, entry in entries.items()
    }
    for place, entry_id, reference, posted_at, currency, minor, reverses_id, *accounts in rows:
        debit = AccountKey(AccountCode(accounts[0]), currency, accounts[1])
        credit = AccountKey(AccountCode(accounts[2]), currency, accounts[3])
        if entries[place].content == (Money(minor, currency), debit, credit, reverses_id):
            outcomes[place] = Posted(entry_id, reference, posted_at, False)
        else:
            outcomes[place] = EntryConflict(f"entry {reference} is booked with another content")
    return outcomes


def _repeated(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Posted):
        return Posted(outcome.entry_id, outcome.reference, outcome.posted_at, False)
    return outcome


def reverse(
    entry_id: int, *, now: datetime, amount: Money | None = None, reference: str = "", description: str = ""
) -> Posted:
    """Book an entry backwards, whole or in part: a release as a return, a correction as a correction.

    Raises EntryUnknown, and EntryConflict for a return (money that came back goes out by a new release) or for an
    entry reversed before with another amount.
    """
    columns = ("entry__kind", "entry__reference", "entry__milestone_id", "entry__attempt_number", "amount_minor")
    accounts = [f"{side}__{name}" for side in ("debit_account", "credit_account") for name in ("code", "recipient_id")]
    row = Posting.objects.filter(entry_id=entry_id).values_list("currency", *columns, *accounts).first()
    if row is None:
        raise EntryUnknown(f"there is no entry {entry_id}")
    currency, kind, first_reference, milestone_id, attempt_number, minor, debit, debtor, credit, creditor = row
    back = _BACKWARDS.get(EntryKind(kind))
    if back is None:
        raise EntryConflict(f"entry {first_reference} is a {kind}; what it booked goes on by a new entry")
    entry = Entry(
        kind=back,
        reference=reference or f"{first_reference}:{back.name}",
        amount=amount or Money(minor, currency),
        debit=AccountKey(AccountCode(credit), currency, creditor),
        credit=AccountKey(AccountCode(debit), currency, debtor),
        milestone_id=milestone_id,
        attempt_number=attempt_number,
        reverses_id=entry_id,
        description=description,
    )
    return post([entry], now=now)[0]


@dataclass(frozen=True, slots=True)
class TrialBalanceRow:
    """The sums of one code in one currency over all its accounts; per currency debits equal credits."""

    code: AccountCode
    kind: AccountKind
    currency: str
    debit: Money
    credit: Money


_SUMS = """
    SELECT account.code, account.currency, sum(leg.debit), sum(leg.credit)
    FROM (
        SELECT debit_account_id AS account_id, amount_minor AS debit, 0 AS credit, posted_at FROM rails_posting
        UNION ALL
        SELECT credit_account_id, 0, amount_minor, posted_at FROM rails_posting
    ) leg JOIN rails_account account ON account.id = leg.account_id
    WHERE (%s::text IS NULL OR account.currency = %s::text)
        AND (%s::timestamptz IS NULL OR leg.posted_at < %s::timestamptz)
        AND (%s::text IS NULL OR account.code = %s::text)
        AND (%s::text IS NULL OR account.recipient_id IS NOT DISTINCT FROM %s::bigint)
    GROUP BY account.code, account.currency ORDER BY account.currency, account.code
"""


def trial_balance(currency: str | None = None, *, before: datetime | None = None) -> list[TrialBalanceRow]:
    """The sums of every code, in one or every currency, of what was booked before a moment (default: all)."""
    return _sums(currency, before, None, None)


def balance(account: AccountKey, *, before: datetime | None = None) -> Money:
    """What an account holds on its own side (assets and expenses: debit; liabilities and income: credit)."""
    for row in _sums(account.currency, before, account.code.value, account.recipient_id):
        debit_side = row.kind in (AccountKind.ASSET, AccountKind.EXPENSE)
        return row.debit - row.credit if debit_side else row.credit - row.debit
    return Money.zero(account.currency)


def _sums(
    currency: str | None, before: datetime | None, code: str | None, recipient_id: int | None
) -> list[TrialBalanceRow]:
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, [currency, currency, before, before, code, code, code, recipient_id])
        return [
            TrialBalanceRow(
                AccountCode(row_code),
                CHART[AccountCode(row_code)],
                row_currency,
                Money(int(debit), row_currency),
                Money(int(credit), row_currency),
            )
            for row_code, row_currency, debit, credit in cursor.fetchall()
        ]
