"""Do the books balance? Entries equal their postings, and debits equal credits in every currency."""

from settlements.verification.differences import Rule, count, keep

_RULES = [
    Rule(
        "journal entry {0} ({1}): it is of {2} {3} in minor units, but its postings sum to {4}",
        """
        SELECT e.id, e.reference, e.amount_minor, e.currency, coalesce(sum(p.amount_minor), 0)
        FROM rails_journalentry e LEFT JOIN rails_posting p ON p.entry_id = e.id
        GROUP BY e.id HAVING coalesce(sum(p.amount_minor), 0) <> e.amount_minor ORDER BY e.id
        """,
    ),
    Rule(
        "posting {0}: its journal entry {1} does not exist",
        """
        SELECT p.id, p.entry_id FROM rails_posting p
        WHERE NOT EXISTS (SELECT 1 FROM rails_journalentry e WHERE e.id = p.entry_id) ORDER BY p.id
        """,
    ),
    Rule(
        "posting {0}: it is in {1}, but its entry is in {2} and its accounts are in {3} and {4}",
        """
        SELECT p.id, p.currency, e.currency, coalesce(debit.currency, 'none'), coalesce(credit.currency, 'none')
        FROM rails_posting p JOIN rails_journalentry e ON e.id = p.entry_id
        LEFT JOIN rails_account debit ON debit.id = p.debit_account_id
        LEFT JOIN rails_account credit ON credit.id = p.credit_account_id
        WHERE (p.currency, p.currency, p.currency) IS DISTINCT FROM (e.currency, debit.currency, credit.currency)
        ORDER BY p.id
        """,
    ),
    Rule(
        "posting {0}: it is booked as of {1}, but its entry as of {2}",
        """
        SELECT p.id, p.posted_at, e.posted_at FROM rails_posting p JOIN rails_journalentry e ON e.id = p.entry_id
        WHERE p.posted_at <> e.posted_at ORDER BY p.id
        """,
    ),
    Rule(
        "posting {0}: it moves nothing, or moves it to where it came from",
        """
        SELECT p.id FROM rails_posting p WHERE p.amount_minor <= 0 OR p.debit_account_id = p.credit_account_id
        ORDER BY p.id
        """,
    ),
    Rule(
        "currency {0}: debits less credits of the trial balance come to {1} in minor units, not to zero",
        """
        SELECT account.currency, sum(leg.minor) FROM (
            SELECT debit_account_id AS account_id, amount_minor AS minor FROM rails_posting
            UNION ALL SELECT credit_account_id, -amount_minor FROM rails_posting
        ) leg JOIN rails_account account ON account.id = leg.account_id
        GROUP BY account.currency HAVING sum(leg.minor) <> 0 ORDER BY account.currency
        """,
    ),
    Rule(
        "journal entry {0} ({1}): it takes back more than, or something else than, entry {2} booked",
        """
        SELECT e.id, e.reference, e.reverses_id FROM rails_journalentry e
        LEFT JOIN rails_journalentry o ON o.id = e.reverses_id
        WHERE e.reverses_id IS NOT NULL AND (o.id IS NULL OR e.amount_minor > o.amount_minor
            OR (e.currency, e.milestone_id) IS DISTINCT FROM (o.currency, o.milestone_id))
        ORDER BY e.id
        """,
    ),
]


def check() -> int:
    """The number of journal entries; raises Difference for the first that does not balance."""
    keep(_RULES)
    return count("rails_journalentry")
