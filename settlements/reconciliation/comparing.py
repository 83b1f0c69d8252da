"""Compares all four sides of every payment, in one statement as of one moment, and keeps what does not fit."""

import logging
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from settlements.models import Comparison
from settlements.reconciliation import rules, sides

logger = logging.getLogger(__name__)

# One at a time: the second one waits, and then finds what the first has written.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('settlements_comparison'))"
# Hundreds of thousands of payments are put beside each other in memory.
_MEMORY: Final = "SET LOCAL work_mem = '96MB'; SET LOCAL plan_cache_mode = force_custom_plan"

_COLUMNS: Final = (
    "kind, provider, milestone_id, attempt_number, reference, currency, expected_minor, found_minor, expected, found"
)
_COMPARE: Final = f"""
    WITH clearing AS ({sides.CLEARING_ACCOUNTS}), legs AS ({sides.CLEARING_LEGS}), on_its_way AS ({sides.ON_ITS_WAY}),
    booked AS ({sides.BOOKED.format(only="")}), banks AS ({sides.BANKS.format(only="")}), listed AS ({sides.LISTED}),
    last_attempts AS ({rules.LAST_ATTEMPTS}),
    broken ({_COLUMNS}, occurred_at) AS ({rules.ALL}),
    found AS (
        SELECT DISTINCT ON (identity) named.* FROM (
            SELECT broken.*, encode(sha256(convert_to(jsonb_build_array({_COLUMNS})::text, 'UTF8')), 'hex') AS identity
            FROM broken
        ) named ORDER BY identity, occurred_at
    ),
    gone AS (
        UPDATE settlements_booksdifference d SET gone_at = %(now)s
        WHERE d.gone_at IS NULL AND NOT EXISTS (SELECT 1 FROM found WHERE found.identity = d.identity) RETURNING 1
    ),
    added AS (
        INSERT INTO settlements_booksdifference (identity, {_COLUMNS}, occurred_at, found_at)
        SELECT found.identity, {_COLUMNS}, occurred_at, %(now)s FROM found WHERE NOT EXISTS (
            SELECT 1 FROM settlements_booksdifference d WHERE d.identity = found.identity AND d.gone_at IS NULL)
        ORDER BY occurred_at
        RETURNING 1
    ),
    figures AS (
        SELECT provider, currency, sum(payments) AS payments, sum(on_their_way) AS on_their_way,
               sum(clearing) AS clearing
        FROM (
            SELECT upper(s.rail) AS provider, s.currency::text AS currency, count(*) AS payments,
                   0::numeric AS on_their_way, NULL::numeric AS clearing
            FROM settlements_milestonesettlement s
            WHERE s.status IN ('RELEASING', 'APPROVED', 'SETTLED', 'FAILED', 'RETURNED') GROUP BY 1, 2
            UNION ALL
            SELECT a.provider, a.currency, 0, sum(a.amount_minor - a.returned_minor), 0
            FROM rails_railattempt a WHERE a.state = 'ACCEPTED' GROUP BY 1, 2
            UNION ALL
            SELECT c.provider, c.currency, 0, 0, coalesce((
                SELECT sum(legs.minor) FROM legs WHERE legs.provider = c.provider AND legs.currency = c.currency), 0)
            FROM clearing c
        ) part GROUP BY 1, 2
    )
    INSERT INTO settlements_comparison (actor, started_at, payments, differences, totals)
    SELECT %(actor)s, %(now)s, coalesce(sum(payments), 0), (SELECT count(*) FROM found), coalesce(jsonb_object_agg(
        lower(provider) || ' ' || currency,
        jsonb_build_object('payments', payments, 'on_their_way', on_their_way, 'clearing', clearing)
    ), '{{}}') FROM figures
    RETURNING id, (SELECT count(*) FROM added), (SELECT count(*) FROM gone)
"""


def compare(*, actor: str, now: datetime) -> Comparison:
    """Compares everything as it is at this moment. A difference that is there already stays; what is gone is marked."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        cursor.execute(_MEMORY)
        cursor.execute(_COMPARE, {"actor": actor, "now": now})
        comparison_id, added, gone = cursor.fetchone()
    comparison = Comparison.objects.get(pk=comparison_id)
    logger.log(
        logging.ERROR if added else logging.INFO,
        "Reconciliation: %s payments compared, %s differences, %s of them new, %s gone",
        comparison.payments,
        comparison.differences,
        added,
        gone,
    )
    return comparison
