"""Is what providers said, what is booked of it and where settlements stand the same story? Attempt by attempt."""

from rails.books import CLEARING
from rails.models.notice import BY_HAND
from settlements.models.approval_guards import SAYINGS
from settlements.verification.differences import Rule, count, keep

# The last attempt of each settlement (none: nulls), and what its status asks of it.
_LAST = """
    FROM settlements_milestonesettlement s LEFT JOIN LATERAL (
        SELECT own.* FROM rails_railattempt own WHERE own.milestone_id = s.id ORDER BY own.number DESC LIMIT 1
    ) a ON true
"""
_FITS = """CASE s.status WHEN 'RELEASING' THEN a.state IN ('PREPARED', 'SUBMITTED')
    WHEN 'APPROVED' THEN a.state = 'ACCEPTED' WHEN 'SETTLED' THEN a.state = 'CONFIRMED'
    WHEN 'FAILED' THEN a.state = 'REFUSED' WHEN 'RETURNED' THEN a.state = 'RETURNED' END"""
_WORDS = "s.id, lower(s.status), s.rail, coalesce(lower(a.state), 'not there')"

# What failed or came back may have been given another rail since; only its last attempt says where it went.
_SETTLEMENTS = [
    Rule(
        "settlement {0}: it is {1} on rail {2}, but its last attempt is {3}",
        f"""
        SELECT {_WORDS} {_LAST}
        WHERE ((s.status IN ('RELEASING', 'APPROVED', 'SETTLED') AND s.rail <> 'internal_ledger')
               OR s.status = 'FAILED' OR (s.status = 'RETURNED' AND (a.id IS NOT NULL OR s.rail <> 'internal_ledger')))
          AND NOT coalesce({_FITS}, false) ORDER BY s.id
        """,
    ),
    Rule(
        "settlement {0}: it is {1} on rail {2}, but its last attempt is {3}",
        f"""
        SELECT {_WORDS} {_LAST}
        WHERE a.state NOT IN ('REFUSED', 'RETURNED') AND NOT (
            s.status IN ('RELEASING', 'APPROVED', 'SETTLED') AND s.rail = lower(a.provider)) ORDER BY s.id
        """,
    ),
    Rule(
        "settlement {0}: it is {1} {2} in minor units by {3} under {4}, "
        "but its last attempt is {5} {6} by {7} under {8}",
        f"""
        SELECT s.id, s.amount_minor, s.currency, s.rail, coalesce(nullif(s.reference, ''), 'nothing'),
               a.amount_minor, a.currency, lower(a.provider), coalesce(nullif(a.reference, ''), 'nothing') {_LAST}
        WHERE (s.amount_minor, s.currency) IS DISTINCT FROM (a.amount_minor, a.currency) AND a.id IS NOT NULL
           OR s.status IN ('RELEASING', 'APPROVED', 'SETTLED') AND s.rail <> 'internal_ledger'
              AND s.rail <> lower(a.provider)
           OR s.status IN ('APPROVED', 'SETTLED', 'RETURNED') AND s.rail = lower(a.provider)
              AND s.reference <> a.reference
        ORDER BY s.id
        """,
    ),
    Rule(
        "attempt {1} of milestone {0}: there is no settlement {0}",
        """
        SELECT a.milestone_id, a.number FROM rails_railattempt a WHERE NOT EXISTS (
            SELECT 1 FROM settlements_milestonesettlement s WHERE s.id = a.milestone_id) ORDER BY a.id
        """,
    ),
]
# Releases by the ledger are attempts too: they are counted with those at providers.
_NUMBERS = [
    Rule(
        "settlement {0}: its attempts are counted up to {2}, but there are {1}",
        """
        SELECT tried.milestone_id, count(*), max(tried.number) FROM (
            SELECT milestone_id, number FROM rails_railattempt
            UNION SELECT milestone_id, attempt_number FROM rails_journalentry WHERE kind = 'release'
        ) tried GROUP BY tried.milestone_id HAVING count(*) <> max(tried.number) OR min(tried.number) <> 1
        ORDER BY tried.milestone_id
        """,
    ),
    Rule(
        "attempt {1} of milestone {0}: it is {2}, but attempt {3} followed it",
        """
        SELECT a.milestone_id, a.number, lower(a.state), later.number
        FROM rails_railattempt a JOIN rails_railattempt later
            ON later.milestone_id = a.milestone_id AND later.number = a.number + 1
        WHERE a.state NOT IN ('REFUSED', 'RETURNED') ORDER BY a.milestone_id, a.number
        """,
    ),
]
_BOOKED = """
    FROM rails_railattempt a CROSS JOIN LATERAL (
        SELECT count(*) AS entries,
               count(*) FILTER (WHERE e.kind = 'release') AS releases,
               count(*) FILTER (WHERE e.kind = 'transfer') AS transfers,
               coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = 'release'), 0) AS released,
               coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = 'transfer'), 0) AS sent,
               coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = 'return'), 0) AS returned,
               coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = 'transfer_return'), 0) AS sent_back,
               coalesce(sum(CASE e.kind WHEN 'payout' THEN e.amount_minor
                                        WHEN 'payout_return' THEN -e.amount_minor END), 0) AS arrived,
               coalesce(sum(CASE e.kind WHEN 'receivable' THEN e.amount_minor
                                        WHEN 'receivable_return' THEN -e.amount_minor END), 0) AS receivable,
               coalesce(sum(CASE e.kind WHEN 'surplus' THEN e.amount_minor
                                        WHEN 'surplus_return' THEN -e.amount_minor END), 0) AS surplus,
               coalesce(bool_and(e.currency = a.currency), true) AS one_currency
        FROM rails_journalentry e WHERE e.milestone_id = a.milestone_id AND e.attempt_number = a.number
    ) booked
"""
_NAME = "a.milestone_id, a.number, lower(a.state)"
_BOOKS = [
    Rule(
        "attempt {1} of milestone {0}: it is {2}, but {3} journal entries are booked of it",
        f"""
        SELECT {_NAME}, booked.entries {_BOOKED}
        WHERE a.state IN ('PREPARED', 'SUBMITTED', 'REFUSED') AND booked.entries > 0 ORDER BY a.milestone_id, a.number
        """,
    ),
    Rule(
        "attempt {1} of milestone {0}: it is {2}, but {3} releases and {4} transfers of it are booked",
        f"""
        SELECT {_NAME}, booked.releases, booked.transfers {_BOOKED}
        WHERE a.state IN ('ACCEPTED', 'CONFIRMED', 'RETURNED') AND (booked.releases, booked.transfers) <> (1, 1)
        ORDER BY a.milestone_id, a.number
        """,
    ),
    Rule(
        "attempt {1} of milestone {0}: it is of {3} {4} in minor units, but {5} are booked as released, {6} as sent",
        f"""
        SELECT {_NAME}, a.amount_minor, a.currency, booked.released, booked.sent {_BOOKED}
        WHERE booked.entries > 0 AND ((booked.released, booked.sent) <> (a.amount_minor, a.amount_minor)
            OR NOT booked.one_currency) ORDER BY a.milestone_id, a.number
        """,
    ),
    Rule(
        "attempt {1} of milestone {0}: {3} in minor units came back of it, but {4} are booked as returned, "
        "{5} as sent back",
        f"""
        SELECT {_NAME}, a.returned_minor, booked.returned, booked.sent_back {_BOOKED}
        WHERE (booked.returned, booked.sent_back) <> (a.returned_minor, a.returned_minor)
        ORDER BY a.milestone_id, a.number
        """,
    ),
    Rule(
        "attempt {1} of milestone {0}: it is {2}, but {3} in minor units of it are booked as paid out",
        f"""
        SELECT {_NAME}, booked.arrived {_BOOKED}
        WHERE booked.arrived <> CASE a.state WHEN 'CONFIRMED' THEN a.amount_minor - a.returned_minor ELSE 0 END
        ORDER BY a.milestone_id, a.number
        """,
    ),
    Rule(
        "attempt {1} of milestone {0}: {3} in minor units of it are owed by the recipient (negative: to it), but {4} "
        "are booked as receivable, {5} as surplus",
        f"""
        SELECT {_NAME}, a.owed_minor, booked.receivable, booked.surplus {_BOOKED}
        WHERE (booked.receivable, booked.surplus) <> (greatest(a.owed_minor, 0), greatest(-a.owed_minor, 0))
        ORDER BY a.milestone_id, a.number
        """,
    ),
    Rule(
        "account recipient_receivable of recipient {0} in {1}: it holds {2} in minor units, but {3} are owed",
        """
        SELECT owed.recipient_id, owed.currency, sum(owed.holds), sum(owed.owed) FROM (
            SELECT account.recipient_id, account.currency, p.amount_minor AS holds, 0::bigint AS owed
            FROM rails_posting p JOIN rails_account account ON account.id = p.debit_account_id
            WHERE account.code = 'recipient_receivable'
            UNION ALL
            SELECT account.recipient_id, account.currency, -p.amount_minor, 0
            FROM rails_posting p JOIN rails_account account ON account.id = p.credit_account_id
            WHERE account.code = 'recipient_receivable'
            UNION ALL
            SELECT a.recipient_id, a.currency, 0, a.owed_minor FROM rails_railattempt a WHERE a.owed_minor > 0
        ) owed GROUP BY 1, 2 HAVING sum(owed.holds) <> sum(owed.owed) ORDER BY 1, 2
        """,
    ),
    Rule(
        "attempt {1} of milestone {0}: its reversal came back after it had counted, but no word on the attempt says so",
        """
        SELECT paid.milestone_id, paid.attempt_number FROM rails_achreversal r
        JOIN rails_achentry paid ON paid.id = r.entry_id
        JOIN rails_achoutcome through ON through.entry_id = r.sent_as_id AND through.fate = 'CONFIRMED'
        JOIN rails_achoutcome back ON back.entry_id = r.sent_as_id AND back.fate = 'RETURNED'
        JOIN rails_railattempt a ON a.milestone_id = paid.milestone_id AND a.number = paid.attempt_number
        WHERE back.heard_at IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM rails_railnotice n WHERE n.attempt_id = a.id AND n.outcome = 'RECLAIM_FAILED')
        ORDER BY paid.milestone_id
        """,
    ),
    Rule(
        "journal entry {0} ({1}): there is no attempt {2} of milestone {3}",
        """
        SELECT e.id, e.reference, e.attempt_number, e.milestone_id FROM rails_journalentry e
        WHERE (e.kind IN ('transfer', 'transfer_return', 'payout', 'payout_return', 'receivable',
                          'receivable_return', 'surplus', 'surplus_return')
               OR (e.kind = 'release' AND NOT starts_with(e.reference, 'INTERNAL_LEDGER:')))
          AND NOT EXISTS (SELECT 1 FROM rails_railattempt a
                          WHERE a.milestone_id = e.milestone_id AND a.number = e.attempt_number) ORDER BY e.id
        """,
    ),
]
_CLEARING = ", ".join(f"('{provider}', '{code}')" for provider, code in CLEARING.items())
_ON_THEIR_WAY = [
    Rule(
        "account {0} in {1}: it holds {2} in minor units, but {3} are on their way",
        f"""
        SELECT clearing.code, clearing.currency, clearing.holds, clearing.out FROM (
            SELECT each.code, each.currency, sum(each.holds) AS holds, sum(each.out) AS out FROM (
                SELECT account.code, account.currency, p.amount_minor AS holds, 0::bigint AS out
                FROM rails_posting p JOIN rails_account account ON account.id = p.debit_account_id
                UNION ALL
                SELECT account.code, account.currency, -p.amount_minor, 0
                FROM rails_posting p JOIN rails_account account ON account.id = p.credit_account_id
                UNION ALL
                SELECT known.code, a.currency, 0, a.amount_minor - a.returned_minor FROM rails_railattempt a
                JOIN (VALUES {_CLEARING}) AS known (provider, code) ON known.provider = a.provider
                WHERE a.state = 'ACCEPTED'
            ) each JOIN (VALUES {_CLEARING}) AS known (provider, code) ON known.code = each.code
            GROUP BY each.code, each.currency
        ) clearing WHERE clearing.holds <> clearing.out ORDER BY clearing.code, clearing.currency
        """,
    ),
]
_PEOPLE = [
    Rule(
        "settlement {0}: it has {1} attempts at providers, but its audit events tell of {2}",
        """
        SELECT s.id, coalesce(tried.n, 0), coalesce(told.n, 0) FROM settlements_milestonesettlement s
        LEFT JOIN (SELECT milestone_id, count(*) AS n FROM rails_railattempt GROUP BY 1) tried
            ON tried.milestone_id = s.id
        LEFT JOIN (SELECT settlement_id, count(*) AS n FROM settlements_auditevent
                   WHERE to_status = 'RELEASING' AND from_status <> 'RELEASING' AND data->>'rail' <> 'internal_ledger'
                   GROUP BY 1) told
            ON told.settlement_id = s.id
        WHERE coalesce(tried.n, 0) <> coalesce(told.n, 0) ORDER BY s.id
        """,
    ),
    # By their order in the history and not by clocks: what was approved after it had failed, and before it went again.
    Rule(
        "settlement {0}, audit event {1}: it went out again, but no version had all its approvals since it was {2}",
        """
        SELECT again.settlement_id, again.sequence, lower(again.from_status) FROM settlements_auditevent again
        CROSS JOIN LATERAL (
            SELECT max(b.sequence) AS sequence FROM settlements_auditevent b
            WHERE b.settlement_id = again.settlement_id AND b.sequence < again.sequence
              AND b.to_status = again.from_status AND b.from_status <> b.to_status
        ) back
        WHERE again.from_status IN ('FAILED', 'RETURNED') AND again.to_status = 'RELEASING' AND NOT EXISTS (
            SELECT 1 FROM settlements_auditevent told
            WHERE told.settlement_id = again.settlement_id AND told.action = 'retry_approved'
              AND told.sequence > back.sequence AND told.sequence < again.sequence
              AND (told.data->>'approvals_required')::int <= (
                  SELECT count(DISTINCT a.approver_id) FROM settlements_approval a
                  WHERE a.settlement_id = told.settlement_id AND a.decision = 'APPROVE'
                    AND a.version = told.data->>'version')
        ) ORDER BY again.settlement_id, again.sequence
        """,
    ),
    Rule(
        "settlement {0}: user {1} recorded that attempt {2} was refused or given back, and approved what followed",
        f"""
        SELECT a.milestone_id, p.approver_id, a.number FROM rails_railnotice n
        JOIN rails_railattempt a ON a.id = n.attempt_id
        JOIN settlements_approval p ON p.settlement_id = a.milestone_id AND p.decision = 'APPROVE'
            AND n.source = '{BY_HAND}' || p.approver_id AND p.created_at > n.created_at
        WHERE n.outcome IN ('REFUSED', 'RECOVERED') ORDER BY a.milestone_id
        """,
    ),
    Rule(
        "settlement {0}: user {1} said that it was refused, came back or was to be taken back, and approved what "
        "followed",
        f"""
        SELECT p.settlement_id, p.approver_id FROM ({SAYINGS}) AS saying (settlement_id, user_id, said_at)
        JOIN settlements_approval p ON p.settlement_id = saying.settlement_id AND p.approver_id = saying.user_id
            AND p.decision = 'APPROVE' AND p.created_at > saying.said_at ORDER BY p.settlement_id
        """,
    ),
]


def check() -> int:
    """The number of attempts; raises Difference for the first that contradicts its settlement, its books or people."""
    keep([*_SETTLEMENTS, *_NUMBERS, *_BOOKS, *_ON_THEIR_WAY, *_PEOPLE])
    return count("rails_railattempt")
