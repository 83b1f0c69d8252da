"""Is what was booked on the accounts it belongs to, as of its time? By kind of entry, recipient and audit trail."""

from settlements.verification.differences import Rule, count, keep

_RULES = [
    Rule(
        "posting {0}: a {1} goes from {2} to {3}, which no {1} does",
        """
        SELECT p.id, e.kind, credit.code, debit.code FROM rails_posting p JOIN rails_journalentry e ON e.id = p.entry_id
        JOIN rails_account debit ON debit.id = p.debit_account_id
        JOIN rails_account credit ON credit.id = p.credit_account_id
        WHERE e.kind = 'release' AND (debit.code, credit.code) <> ('freight_cost', 'recipient_payable')
           OR e.kind = 'return' AND (debit.code, credit.code) <> ('recipient_payable', 'freight_cost')
           OR e.kind = 'payout' AND (debit.code <> 'recipient_payable' OR credit.code NOT LIKE '%_clearing')
           OR e.kind = 'transfer' AND debit.code NOT LIKE '%_clearing' ORDER BY p.id
        """,
    ),
    Rule(
        "posting {0}: it is on an account of recipient {1}, but its settlement {2} is for recipient {3}",
        """
        SELECT p.id, coalesce(account.recipient_id::text, 'nobody'), e.milestone_id,
               coalesce(i.recipient_id::text, 'nobody')
        FROM rails_posting p JOIN rails_journalentry e ON e.id = p.entry_id
        JOIN rails_account account ON account.id IN (p.debit_account_id, p.credit_account_id)
            AND account.code IN ('recipient_payable', 'recipient_receivable')
        JOIN settlements_milestonesettlement s ON s.id = e.milestone_id
        JOIN settlements_paymentintent i ON i.id = s.intent_id
        WHERE account.recipient_id IS DISTINCT FROM i.recipient_id ORDER BY p.id
        """,
    ),
    Rule(
        "journal entry {0} ({1}): it is booked as of {2}, but no audit event of settlement {3} is of that time",
        """
        SELECT e.id, e.reference, e.posted_at, e.milestone_id FROM rails_journalentry e
        WHERE e.kind = 'release' AND NOT EXISTS (
            SELECT 1 FROM settlements_auditevent a
            WHERE a.settlement_id = e.milestone_id AND a.created_at = e.posted_at) ORDER BY e.id
        """,
    ),
]


def check() -> int:
    """The number of postings; raises Difference for the first on another account."""
    keep(_RULES)
    return count("rails_posting")
