"""Books for the backlog to be reconciled: every third paid settlement went by Stripe, the others by the ledger.

Attempts, entries and postings agree with the settlements, as the domain would have left them; triggers sleep meanwhile.
"""

from typing import Final

from django.db import connection, transaction

_PAID: Final = "s.status IN ('APPROVED', 'SETTLED')"
_BY_STRIPE: Final = "s.id % 3 = 0"
_STATEMENTS: Final = (
    f"""
    UPDATE settlements_milestonesettlement s SET rail = 'stripe', reference = 'tr_' || s.id,
        status = CASE WHEN s.id % 30 = 0 THEN 'APPROVED' ELSE 'SETTLED' END, settled_at = s.released_at
    WHERE {_PAID} AND {_BY_STRIPE}
    """,
    f"""
    INSERT INTO rails_railattempt (milestone_id, number, provider, amount_minor, currency, recipient_id, destination_id,
        state, reference, returned_minor, owed_minor, tries, error, question, prepared_at, submitted_at, answered_at,
        confirmed_at)
    SELECT s.id, 1, 'STRIPE', s.amount_minor, s.currency, 1, 1,
        CASE s.status WHEN 'APPROVED' THEN 'ACCEPTED' ELSE 'CONFIRMED' END, s.reference, 0, 0, 1, '', '', s.created_at,
        s.created_at, s.created_at, CASE s.status WHEN 'SETTLED' THEN s.created_at END
    FROM settlements_milestonesettlement s WHERE {_PAID} AND {_BY_STRIPE}
    """,
    """
    INSERT INTO rails_account (code, kind, currency)
    SELECT account.code, account.kind, currency.code FROM (VALUES ('freight_cost', 'expense'),
        ('recipient_payable', 'liability'), ('stripe_balance', 'asset'), ('stripe_clearing', 'asset')
    ) AS account (code, kind) CROSS JOIN (VALUES ('USD'), ('EUR'), ('JPY'), ('KWD')) AS currency (code)
    """,
    f"""
    INSERT INTO rails_journalentry
        (reference, kind, milestone_id, attempt_number, occurrence, currency, amount_minor, description, posted_at)
    SELECT CASE WHEN {_BY_STRIPE} THEN 'STRIPE:' || s.reference || ':' || upper(booked.kind) ELSE s.reference END,
        booked.kind, s.id, 1, 1, s.currency, s.amount_minor, '', s.released_at
    FROM settlements_milestonesettlement s JOIN (VALUES ('release'), ('transfer'), ('payout')) AS booked (kind)
        ON booked.kind = 'release' OR ({_BY_STRIPE} AND (booked.kind = 'transfer' OR s.status = 'SETTLED'))
    WHERE {_PAID} ORDER BY s.id, booked.kind DESC
    """,
    """
    INSERT INTO rails_posting (entry_id, debit_account_id, credit_account_id, currency, amount_minor, posted_at)
    SELECT e.id, debit.id, credit.id, e.currency, e.amount_minor, e.posted_at FROM rails_journalentry e
    JOIN (VALUES ('release', 'freight_cost', 'recipient_payable'), ('transfer', 'stripe_clearing', 'stripe_balance'),
                 ('payout', 'recipient_payable', 'stripe_clearing')) AS leg (kind, debit, credit) ON leg.kind = e.kind
    JOIN rails_account debit ON debit.code = leg.debit AND debit.currency = e.currency
    JOIN rails_account credit ON credit.code = leg.credit AND credit.currency = e.currency
    """,
)


def prepare() -> None:
    """Writes the books of the backlog that is there."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in _STATEMENTS:
            cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
