"""Are the entries that no settlement owns what the office's log told of them? Column by column, with their posting."""

from typing import Final

from rails.money import EXPONENTS
from settlements.verification.differences import Difference, Rule, count, keep, rows_of

_UNIT: Final = " ".join(f"WHEN '{currency}' THEN {10**digits}" for currency, digits in EXPONENTS.items())
_TOLD: Final = """
    rails_journalentry e {join} JOIN settlements_officeevent o
        ON o.action = 'entry_booked' AND (o.data->>'entry')::bigint = e.id
"""
# What is stored, and what was told of it, as comparable texts.
_COLUMNS: Final = f"""
    SELECT e.id, e.reference, o.sequence, each.name, coalesce(each.stored, 'nothing'), coalesce(each.told, 'nothing')
    FROM {_TOLD.format(join="")} LEFT JOIN rails_posting p ON p.entry_id = e.id
    LEFT JOIN rails_account debit ON debit.id = p.debit_account_id
    LEFT JOIN rails_account credit ON credit.id = p.credit_account_id
    CROSS JOIN LATERAL (VALUES
        ('settlement', e.milestone_id::text, NULL),
        ('reference', e.reference, o.data->>'reference'),
        ('kind', e.kind, o.data->>'kind'),
        ('amount in minor units', e.amount_minor::text,
         trim_scale((o.data->>'amount')::numeric * CASE e.currency {_UNIT} END)::text),
        ('posting in minor units', p.amount_minor::text, e.amount_minor::text),
        ('currency', e.currency, o.data->>'currency'),
        ('debited account', p.debit_account_id::text, o.data->'debit'->>'account'),
        ('debited account''s code', debit.code, o.data->'debit'->>'code'),
        ('debited account''s recipient', debit.recipient_id::text, o.data->'debit'->>'recipient'),
        ('credited account', p.credit_account_id::text, o.data->'credit'->>'account'),
        ('credited account''s code', credit.code, o.data->'credit'->>'code'),
        ('credited account''s recipient', credit.recipient_id::text, o.data->'credit'->>'recipient'),
        ('reversed entry', e.reverses_id::text, o.data->>'reverses'),
        ('description', e.description, o.data->>'description'),
        ('time', e.posted_at::text, (o.data->>'posted_at')::timestamptz::text),
        ('time of writing', e.created_at::text, (o.data->>'created_at')::timestamptz::text),
        ('day', e.booked_on::text, o.data->>'booked_on')
    ) AS each (name, stored, told)
    WHERE each.stored IS DISTINCT FROM each.told ORDER BY e.id
"""
_RULES: Final = [
    Rule(
        "journal entry {0} ({1}): its {3} is {4}, but office event {2} tells of {5}",
        _COLUMNS,
    ),
    Rule(
        "journal entry {0} ({1}): no settlement owns it, and no office event tells of it",
        f"""
        SELECT e.id, e.reference FROM {_TOLD.format(join="LEFT")}
        WHERE e.milestone_id IS NULL AND o.id IS NULL ORDER BY e.id
        """,
    ),
]
_ENTRIES_TOLD: Final = """
    SELECT o.sequence, o.subject, o.data->>'entry', e.id FROM settlements_officeevent o
    LEFT JOIN rails_journalentry e ON e.id = (o.data->>'entry')::bigint
    WHERE o.action = 'entry_booked' ORDER BY (o.data->>'entry')::bigint, o.sequence
"""


def check() -> int:
    """The number of entries that no settlement owns; raises Difference for the first that was told otherwise."""
    before = None
    with rows_of(_ENTRIES_TOLD) as rows:
        for sequence, subject, told, entry_id in rows:
            if entry_id is None:
                raise Difference(f"office event {sequence}: journal entry {told} ({subject}) that it tells of is gone")
            if entry_id == before:
                raise Difference(f"office event {sequence}: it tells of journal entry {told} a second time")
            before = entry_id
    keep(_RULES)
    return count("rails_journalentry WHERE milestone_id IS NULL")
