"""What each side says of a payment, in SQL: sets for all payments, or for those that `only` names.

A side's rows are named by milestone and attempt; amounts are minor units.
"""

from typing import Final

from rails.books import CLEARING
from rails.reconciling import OVERLAP

_CLEARING_CODES: Final = ", ".join(f"('{provider}', '{code}')" for provider, code in CLEARING.items())

# The clearing accounts, and every amount that was posted to one of them (out of it: negative).
CLEARING_ACCOUNTS: Final = f"""
    SELECT account.id, known.provider, account.currency
    FROM rails_account account JOIN (VALUES {_CLEARING_CODES}) AS known (provider, code) ON known.code = account.code
"""
CLEARING_LEGS: Final = """
    SELECT p.entry_id, c.provider, c.currency, p.amount_minor AS minor
    FROM clearing c JOIN rails_posting p ON p.debit_account_id = c.id
    UNION ALL
    SELECT p.entry_id, c.provider, c.currency, -p.amount_minor
    FROM clearing c JOIN rails_posting p ON p.credit_account_id = c.id
"""
# What the clearing accounts hold, by payment; what belongs to none comes under nulls.
ON_ITS_WAY: Final = """
    SELECT e.milestone_id, CASE WHEN e.milestone_id IS NOT NULL THEN e.attempt_number END AS number,
           legs.provider, legs.currency, sum(legs.minor) AS minor, min(e.posted_at) AS at
    FROM legs LEFT JOIN rails_journalentry e ON e.id = legs.entry_id
    GROUP BY 1, 2, 3, 4
"""

# What the journal posted, by payment: `released` less returned, `owed` by the recipient (negative: to it), `paid_out`.
# `is_local`: the ledger itself was the rail.
BOOKED: Final = """
    SELECT e.milestone_id, e.attempt_number AS number, e.currency, min(e.posted_at) AS at,
           coalesce(bool_or(starts_with(e.reference, 'INTERNAL_LEDGER:')), false) AS is_local,
           min(e.reference) FILTER (WHERE e.kind = 'release') AS reference,
           coalesce(sum(CASE e.kind WHEN 'release' THEN p.amount_minor WHEN 'return' THEN -p.amount_minor END), 0)
               AS released,
           coalesce(sum(CASE e.kind WHEN 'transfer' THEN p.amount_minor WHEN 'payout_return' THEN p.amount_minor
               WHEN 'payout' THEN -p.amount_minor WHEN 'transfer_return' THEN -p.amount_minor END), 0) AS on_its_way,
           coalesce(sum(CASE e.kind WHEN 'payout' THEN p.amount_minor WHEN 'payout_return' THEN -p.amount_minor END), 0)
               AS paid_out,
           coalesce(sum(CASE e.kind WHEN 'receivable' THEN p.amount_minor WHEN 'surplus_return' THEN p.amount_minor
               WHEN 'surplus' THEN -p.amount_minor WHEN 'receivable_return' THEN -p.amount_minor END), 0) AS owed
    FROM rails_journalentry e LEFT JOIN rails_posting p ON p.entry_id = e.id
    WHERE e.milestone_id IS NOT NULL {only}
    GROUP BY 1, 2, 3
"""

# What the banks have of us and said of it: `word` as an attempt would stand if it followed them; `told_at` is the time
# of their last word. A refused file, a return and a reversal that went through all bring the money back; of a file that
# never reached the bank nothing moved.
_NOT_ANSWERED: Final = "CASE f.state WHEN 'STAGED' THEN 'STAGED' WHEN 'NEVER_SENT' THEN 'REFUSED' ELSE 'ACCEPTED' END"
_ACH: Final = f"""
    SELECT 'ACH' AS provider, e.milestone_id, e.attempt_number AS number, e.trace_number AS reference, e.amount_minor,
           'USD' AS currency, f.name AS file, told.bank_reference,
           CASE WHEN f.state = 'REFUSED' OR told.returned OR back.at IS NOT NULL THEN e.amount_minor ELSE 0 END
               AS returned_minor,
           CASE WHEN f.state = 'REFUSED' OR told.returned OR back.at IS NOT NULL THEN 'RETURNED'
                WHEN told.confirmed THEN 'CONFIRMED' ELSE {_NOT_ANSWERED} END AS word,
           greatest(f.created_at, f.handed_over_at, f.refused_at, told.at, back.at) AS told_at
    FROM rails_achentry e JOIN rails_achfile f ON f.id = e.file_id
    LEFT JOIN LATERAL (
        SELECT bool_or(o.fate = 'RETURNED') AS returned, bool_or(o.fate = 'CONFIRMED') AS confirmed,
               max(o.created_at) AS at, max(o.bank_reference) AS bank_reference
        FROM rails_achoutcome o WHERE o.entry_id = e.id
    ) told ON true
    LEFT JOIN LATERAL (
        SELECT max(o.created_at) AS at FROM rails_achreversal r JOIN rails_achoutcome o ON o.entry_id = r.sent_as_id
        WHERE r.entry_id = e.id AND o.fate = 'CONFIRMED'
    ) back ON true
    WHERE e.kind = 'PAYMENT' {{only}}
"""
_WIRES: Final = f"""
    SELECT 'WIRE', e.milestone_id, e.attempt_number, e.end_to_end_id, e.amount_minor, e.currency, f.name,
           told.bank_reference, CASE WHEN told.refused THEN e.amount_minor ELSE coalesce(told.returned_minor, 0) END,
           CASE WHEN told.refused OR told.returned_minor >= e.amount_minor THEN 'RETURNED'
                WHEN told.confirmed THEN 'CONFIRMED' ELSE {_NOT_ANSWERED} END,
           greatest(f.created_at, f.handed_over_at, told.at)
    FROM rails_wireentry e JOIN rails_wirefile f ON f.id = e.file_id
    LEFT JOIN LATERAL (
        SELECT bool_or(w.word = 'REFUSED') AS refused, bool_or(w.word = 'CONFIRMED') AS confirmed,
               sum(w.amount_minor) FILTER (WHERE w.word = 'RETURNED') AS returned_minor,
               max(w.said_at) AS at, (array_agg(w.bank_reference ORDER BY w.id DESC))[1] AS bank_reference
        FROM rails_wireanswer w WHERE w.entry_id = e.id
    ) told ON true
    WHERE true {{only}}
"""
BANKS: Final = f"{_ACH} UNION ALL {_WIRES}"

# The last list of payments that could be read, of each provider that has one.
LISTS: Final = """
    SELECT DISTINCT ON (run.provider) run.id, run.provider, run.since, run.started_at
    FROM rails_railreconciliation run WHERE run.error = '' ORDER BY run.provider, run.id DESC
"""
# What each provider's lists told differently, by the last list that looked so far back: one of a few days says nothing
# of what is older. Where it tells again of a payment from shortly before its days, that replaces what was told before.
LISTED: Final = f"""
    SELECT d.*, run.provider
    FROM rails_railreconciliation run JOIN rails_raildifference d ON d.reconciliation_id = run.id
    LEFT JOIN rails_railattempt own ON d.kind = 'MISSING_THERE' AND own.provider = run.provider
        AND own.milestone_id = d.milestone_id AND own.number = d.attempt_number
    WHERE run.error = '' AND NOT EXISTS (
        SELECT 1 FROM rails_railreconciliation later
        WHERE later.provider = run.provider AND later.error = '' AND later.id > run.id
          AND (later.since <= least(d.occurred_at, own.submitted_at)
               OR (later.since <= d.occurred_at + interval '{OVERLAP.days} days' AND EXISTS (
                   SELECT 1 FROM rails_raildifference again
                   WHERE again.reconciliation_id = later.id AND again.kind = d.kind AND again.reference = d.reference
                     AND again.milestone_id IS NOT DISTINCT FROM d.milestone_id
                     AND again.attempt_number IS NOT DISTINCT FROM d.attempt_number)))
    )
"""
