"""What must be the same on both sides, as SQL that yields what is not.

Each statement yields (kind, provider, milestone_id, attempt_number, reference, currency, expected_minor, found_minor,
expected, found, occurred_at). Settlement, attempt and journal change in one transaction, so they agree at every moment;
providers are told of only once both had time to learn of each other.
"""

from typing import Final

from rails.reconciling import IN_DOUBT_AFTER

_SECONDS: Final = int(IN_DOUBT_AFTER.total_seconds())
_LONG_AGO: Final = f"%(now)s::timestamptz - interval '{_SECONDS} seconds'"
_NOTHING: Final = "NULL::bigint"

LAST_ATTEMPTS: Final = """
    SELECT a.* FROM rails_railattempt a WHERE NOT EXISTS (
        SELECT 1 FROM rails_railattempt later WHERE later.milestone_id = a.milestone_id AND later.number > a.number)
"""

_FITS: Final = """CASE s.status WHEN 'RELEASING' THEN a.state IN ('PREPARED', 'SUBMITTED')
    WHEN 'APPROVED' THEN a.state = 'ACCEPTED' WHEN 'SETTLED' THEN a.state = 'CONFIRMED'
    WHEN 'FAILED' THEN a.state = 'REFUSED' WHEN 'RETURNED' THEN a.state = 'RETURNED'
    ELSE a.state IN ('REFUSED', 'RETURNED') END"""
_IS_OUT: Final = "s.status IN ('RELEASING', 'APPROVED', 'SETTLED')"
# What failed or came back may have been given another rail since; only its last attempt says where it went.
_WENT_OUT: Final = f"""(
    ({_IS_OUT} AND s.rail <> 'internal_ledger') OR s.status = 'FAILED'
    OR (s.status = 'RETURNED' AND s.rail <> 'internal_ledger')
)"""
_PAID_BY_THE_LEDGER_INSTEAD: Final = (
    f"({_IS_OUT} AND s.rail = 'internal_ledger' AND a.state IN ('REFUSED', 'RETURNED'))"
)
_SETTLEMENTS: Final = f"""
    SELECT rule.kind, coalesce(a.provider, upper(s.rail)), s.id, a.number,
           coalesce(nullif(s.reference, ''), a.reference, ''), s.currency, rule.expected_minor, rule.found_minor,
           rule.expected, rule.found, coalesce(a.submitted_at, a.prepared_at, s.released_at, s.created_at)
    FROM settlements_milestonesettlement s LEFT JOIN last_attempts a ON a.milestone_id = s.id
    CROSS JOIN LATERAL (VALUES
        ('NO_ATTEMPT', {_WENT_OUT} AND a.id IS NULL, s.amount_minor, {_NOTHING}, s.status, ''),
        ('STATUS', a.id IS NOT NULL AND NOT {_PAID_BY_THE_LEDGER_INSTEAD}
             AND (NOT coalesce({_FITS}, false) OR ({_IS_OUT} AND s.rail <> lower(a.provider))),
         {_NOTHING}, {_NOTHING}, s.status, a.state),
        ('AMOUNT', (s.amount_minor, s.currency) IS DISTINCT FROM (a.amount_minor, a.currency) AND a.id IS NOT NULL,
         s.amount_minor, a.amount_minor, s.currency::text, a.currency::text),
        ('REFERENCE', s.status IN ('APPROVED', 'SETTLED', 'RETURNED') AND s.rail = lower(a.provider)
             AND s.reference <> a.reference, {_NOTHING}, {_NOTHING}, s.reference, a.reference)
    ) AS rule (kind, broken, expected_minor, found_minor, expected, found)
    WHERE rule.broken
"""
_ORPHANS: Final = """
    SELECT 'NO_SETTLEMENT', a.provider, a.milestone_id, a.number, a.reference, a.currency, NULL, a.amount_minor,
           '', '', coalesce(a.submitted_at, a.prepared_at)
    FROM rails_railattempt a
    WHERE NOT EXISTS (SELECT 1 FROM settlements_milestonesettlement s WHERE s.id = a.milestone_id)
"""
# What the ledger itself paid: a settlement's standing release, and nothing of what is not out by it. The last reference
# is the greatest, for it holds its time.
_BY_THE_LEDGER: Final = f"""
    SELECT rule.kind, 'INTERNAL_LEDGER', coalesce(s.id, own.milestone_id), NULL,
           coalesce(nullif(s.reference, ''), own.reference, ''), coalesce(own.currency, s.currency),
           rule.expected_minor, rule.found_minor, rule.expected, rule.found,
           coalesce(s.released_at, own.at, s.created_at)
    FROM (
        SELECT id, reference, currency, released_at, created_at,
               CASE WHEN status IN ('APPROVED', 'SETTLED') AND rail = 'internal_ledger' THEN amount_minor ELSE 0 END
                   AS out_minor
        FROM settlements_milestonesettlement
    ) s FULL JOIN (
        SELECT b.milestone_id, b.currency, sum(b.released)::bigint AS released, max(b.reference) AS reference,
               min(b.at) AS at
        FROM booked b WHERE NOT EXISTS (
            SELECT 1 FROM rails_railattempt a WHERE a.milestone_id = b.milestone_id AND a.number = b.number)
        GROUP BY 1, 2
    ) own ON own.milestone_id = s.id
    CROSS JOIN LATERAL (VALUES
        ('NO_SETTLEMENT', s.id IS NULL AND own.released <> 0, {_NOTHING}, own.released, '', ''),
        ('BOOKED', s.id IS NOT NULL AND (coalesce(own.released, 0) <> s.out_minor
             OR (s.out_minor <> 0 AND own.currency <> s.currency)), s.out_minor, coalesce(own.released, 0), '', ''),
        ('REFERENCE', s.out_minor <> 0 AND own.reference <> s.reference, {_NOTHING}, {_NOTHING}, s.reference,
         own.reference)
    ) AS rule (kind, broken, expected_minor, found_minor, expected, found)
    WHERE rule.broken
"""
_ATTEMPTS: Final = """
    SELECT rule.kind, a.provider, a.milestone_id, a.number, a.reference, a.currency, rule.expected_minor,
           rule.found_minor, '', '', coalesce(a.submitted_at, a.prepared_at)
    FROM rails_railattempt a LEFT JOIN booked b
        ON b.milestone_id = a.milestone_id AND b.number = a.number AND b.currency = a.currency
    CROSS JOIN LATERAL (VALUES
        ('BOOKED', CASE WHEN a.state IN ('ACCEPTED', 'CONFIRMED', 'RETURNED')
            THEN a.amount_minor - a.returned_minor ELSE 0 END, coalesce(b.released, 0)),
        ('OWED', a.owed_minor, coalesce(b.owed, 0))
    ) AS rule (kind, expected_minor, found_minor)
    WHERE rule.expected_minor <> rule.found_minor
    UNION ALL
    SELECT 'BOOKED', a.provider, a.milestone_id, a.number, a.reference, b.currency, 0, b.released, '', '', b.at
    FROM rails_railattempt a JOIN booked b
        ON b.milestone_id = a.milestone_id AND b.number = a.number AND b.currency <> a.currency
    WHERE b.released <> 0
"""
_CLEARING: Final = """
    SELECT 'CLEARING', coalesce(w.provider, a.provider), coalesce(w.milestone_id, a.milestone_id),
           coalesce(w.number, a.number), coalesce(a.reference, ''), coalesce(w.currency, a.currency),
           coalesce(a.amount_minor - a.returned_minor, 0), coalesce(w.minor, 0), '', '',
           coalesce(a.submitted_at, w.at, %(now)s)
    FROM (SELECT * FROM rails_railattempt WHERE state = 'ACCEPTED') a FULL JOIN on_its_way w
        ON w.milestone_id = a.milestone_id AND w.number = a.number AND w.provider = a.provider
        AND w.currency = a.currency
    WHERE coalesce(a.amount_minor - a.returned_minor, 0) <> coalesce(w.minor, 0)
"""
_IN_DOUBT: Final = f"""
    SELECT 'IN_DOUBT', a.provider, a.milestone_id, a.number, a.reference, a.currency, a.amount_minor, NULL,
           '', '', a.submitted_at
    FROM rails_railattempt a WHERE a.state = 'SUBMITTED' AND a.submitted_at < {_LONG_AGO}
"""
_BANKS: Final = f"""
    SELECT rule.kind, coalesce(b.provider, a.provider), coalesce(b.milestone_id, a.milestone_id),
           coalesce(b.number, a.number), coalesce(nullif(a.reference, ''), b.reference, ''),
           coalesce(a.currency, b.currency), rule.expected_minor, rule.found_minor, rule.expected, rule.found,
           coalesce(a.submitted_at, a.prepared_at, b.told_at)
    FROM (SELECT * FROM rails_railattempt WHERE provider IN ('ACH', 'WIRE') AND state <> 'PREPARED') a
    FULL JOIN banks b ON b.milestone_id = a.milestone_id AND b.number = a.number AND b.provider = a.provider
    CROSS JOIN LATERAL (VALUES
        ('OURS_MISSING', a.id IS NULL AND b.word NOT IN ('STAGED', 'REFUSED') AND b.returned_minor < b.amount_minor,
         {_NOTHING}, b.amount_minor, '', ''),
        ('THEIRS_MISSING', b.provider IS NULL AND a.state IN ('ACCEPTED', 'CONFIRMED', 'RETURNED'),
         a.amount_minor, {_NOTHING}, '', ''),
        ('THEIR_AMOUNT', (a.amount_minor, a.currency) <> (b.amount_minor, b.currency),
         a.amount_minor, b.amount_minor, a.currency::text, b.currency),
        ('THEIR_REFERENCE', a.reference <> '' AND a.reference <> b.reference, {_NOTHING}, {_NOTHING}, a.reference,
         b.reference),
        ('THEIR_WORD', b.word <> 'STAGED' AND a.state <> b.word, {_NOTHING}, {_NOTHING}, a.state, b.word),
        ('THEIR_RETURN', a.state = b.word AND a.returned_minor <> b.returned_minor,
         a.returned_minor, b.returned_minor, '', '')
    ) AS rule (kind, broken, expected_minor, found_minor, expected, found)
    WHERE rule.broken AND coalesce(greatest(b.told_at, a.answered_at), '-infinity') < {_LONG_AGO}
"""
# What a bank's file tells of something that is no payment of ours, until somebody has dealt with it. The item, and the
# bank's own reference, are told with it: two of one amount are two.
_STRANGERS: Final = """
    SELECT 'OURS_MISSING', 'ACH', NULL, NULL, i.trace_number, 'USD', NULL, i.amount_minor, '',
           concat_ws(' ', nullif(i.words, ''), format('(item %%s, line %%s of %%s)', i.id, i.line, f.name)), f.read_at
    FROM rails_achinbounditem i JOIN rails_achinboundfile f ON f.id = i.file_id
    WHERE i.waits AND i.entry_id IS NULL
    UNION ALL
    SELECT 'OURS_MISSING', 'WIRE', NULL, NULL, coalesce(nullif(v.end_to_end_id, ''), v.bank_reference), v.currency,
           NULL, v.amount_minor, '',
           concat_ws(' ', nullif(v.status, ''), '(its reference ' || nullif(v.bank_reference, '') || ')'), m.read_at
    FROM rails_wireevidence v JOIN rails_wiremessage m ON m.id = v.message_id
    WHERE v.entry_id IS NULL AND v.proposes <> ''
"""
# The bank's file speaks of a wire, and nobody has taken its word down; or it has another amount than we paid.
_EVIDENCE: Final = f"""
    SELECT rule.kind, 'WIRE', e.milestone_id, e.attempt_number, e.end_to_end_id, e.currency, rule.expected_minor,
           rule.found_minor, rule.expected, rule.found, m.read_at
    FROM rails_wireevidence v JOIN rails_wiremessage m ON m.id = v.message_id
    JOIN rails_wireentry e ON e.id = v.entry_id
    CROSS JOIN LATERAL (VALUES
        ('THEIR_WORD', NOT EXISTS (SELECT 1 FROM rails_wireanswer w WHERE w.entry_id = e.id AND w.word = v.proposes),
         {_NOTHING}, {_NOTHING}, '', CASE v.proposes WHEN 'CONFIRMED' THEN 'CONFIRMED' ELSE 'RETURNED' END),
        ('THEIR_AMOUNT', v.proposes = 'CONFIRMED' AND (v.amount_minor, v.currency) <> (e.amount_minor, e.currency),
         e.amount_minor, v.amount_minor, e.currency, v.currency)
    ) AS rule (kind, broken, expected_minor, found_minor, expected, found)
    WHERE v.proposes <> '' AND rule.broken AND m.read_at < {_LONG_AGO}
"""
# Found when the provider's lists were read (rails/reconciling.py); what has come right since is left out.
_LISTED: Final = """
    SELECT known.kind, d.provider, d.milestone_id, d.attempt_number, coalesce(nullif(a.reference, ''), d.reference),
           coalesce(a.currency::text, d.currency),
           CASE known.kind WHEN 'OURS_MISSING' THEN NULL WHEN 'THEIR_RETURN' THEN a.returned_minor
                ELSE a.amount_minor END,
           CASE known.kind WHEN 'THEIR_RETURN' THEN d.returned_minor ELSE d.amount_minor END,
           CASE known.kind WHEN 'THEIR_AMOUNT' THEN a.currency WHEN 'THEIR_WORD' THEN a.state ELSE '' END,
           CASE known.kind WHEN 'THEIR_AMOUNT' THEN d.currency WHEN 'THEIR_WORD' THEN 'ACCEPTED' ELSE d.theirs END,
           d.occurred_at
    FROM listed d
    JOIN (VALUES ('MISSING_THERE', 'THEIRS_MISSING'), ('MISSING_HERE', 'OURS_MISSING'), ('AMOUNT', 'THEIR_AMOUNT'),
                 ('DESTINATION', 'THEIR_DESTINATION'), ('RETURNED', 'THEIR_RETURN'), ('REFERENCE', 'THEIR_REFERENCE'),
                 ('NOT_TAKEN_DOWN', 'THEIR_WORD')) AS known (theirs, kind) ON known.theirs = d.kind
    LEFT JOIN rails_railattempt a ON a.milestone_id = d.milestone_id AND a.number = d.attempt_number
        AND a.provider = d.provider
    WHERE NOT coalesce(known.kind = 'THEIR_WORD' AND a.state IN ('ACCEPTED', 'CONFIRMED', 'RETURNED'), false)
      AND NOT coalesce(known.kind = 'THEIR_RETURN' AND a.returned_minor = d.returned_minor, false)
      AND NOT (known.kind = 'OURS_MISSING' AND EXISTS (
          SELECT 1 FROM rails_railattempt own WHERE own.provider = d.provider AND own.reference = d.reference))
"""

ALL: Final = " UNION ALL ".join(
    (_SETTLEMENTS, _ORPHANS, _BY_THE_LEDGER, _ATTEMPTS, _CLEARING, _IN_DOUBT, _BANKS, _STRANGERS, _EVIDENCE, _LISTED)
)
