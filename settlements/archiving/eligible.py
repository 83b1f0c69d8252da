"""Which payment intents can be archived with a month, and why others of that month can not: read, never written."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from django.db import connection

from settlements import audit, candidates, work
from settlements.archives.lines import COLUMNS
from settlements.statuses import SettlementStatus

_AT_A_TIME: Final = 2_000
# What nothing follows once no rail can return it; FAILED and RETURNED wait for people until they are CANCELLED.
_FINAL: Final = (SettlementStatus.SETTLED, SettlementStatus.REJECTED, SettlementStatus.CANCELLED)
_WORDS: Final = ", ".join(f"'{status}'" for status in _FINAL)
_SETTLEMENTS: Final = "settlements_milestonesettlement s WHERE s.intent_id = i.id"
# The first that holds is told. Alias: i the intent; `work` is the work list.
_REASONS: Final = (
    ("a milestone is not final", f"EXISTS (SELECT 1 FROM {_SETTLEMENTS} AND s.status NOT IN ({_WORDS}))"),
    (
        "a milestone may still come",
        """i.cancelled_at IS NULL AND EXISTS (
            SELECT 1 FROM settlements_paymentscheduleitem item WHERE item.intent_id = i.id AND NOT EXISTS (
                SELECT 1 FROM settlements_milestonesettlement s
                WHERE s.intent_id = i.id AND s.event_type = item.event_type))""",
    ),
    ("a hold stands", f"EXISTS (SELECT 1 FROM {_SETTLEMENTS} AND {candidates.HELD})"),
    ("it is on the work list", f"EXISTS (SELECT 1 FROM {_SETTLEMENTS} AND s.id IN (SELECT settlement_id FROM work))"),
    (
        "money is on its way, or owed",
        """EXISTS (SELECT 1 FROM settlements_milestonesettlement s JOIN rails_railattempt a ON a.milestone_id = s.id
            WHERE s.intent_id = i.id AND (a.state IN ('PREPARED', 'SUBMITTED', 'ACCEPTED') OR a.owed_minor <> 0))""",
    ),
    (
        "reconciliation found a difference",
        """EXISTS (SELECT 1 FROM settlements_milestonesettlement s JOIN settlements_booksdifference d
            ON d.milestone_id = s.id WHERE s.intent_id = i.id AND d.gone_at IS NULL)""",
    ),
    (
        "a shipment event waits or failed",
        """EXISTS (SELECT 1 FROM settlements_shipmentevent e
            WHERE e.shipment_id = i.shipment_id AND e.state IN ('WAITING', 'FAILED'))""",
    ),
    # The work list and the check of evidence ask for these events in their daily work.
    (
        "work was closed or evidence added",
        f"""EXISTS (SELECT 1 FROM settlements_auditevent a
            WHERE a.intent_id = i.id AND a.action IN ('{audit.WORK_CLOSED}', '{audit.EVIDENCE_ADDED}'))""",
    ),
    (
        "a message to a subscriber was not made yet",
        """EXISTS (SELECT 1 FROM settlements_milestonesettlement s JOIN settlements_delivery d
            ON d.settlement_id = s.id WHERE s.intent_id = i.id AND d.payload = '')""",
    ),
)
_WHY: Final = " ".join(f"WHEN {condition} THEN '{reason}'" for reason, condition in _REASONS)
# What has more in the table than the event that an archive leaves there. Of a month is what grew last in it.
_OF_THE_MONTH: Final = f"""
    WITH work AS MATERIALIZED ({work.ALL}), judged AS MATERIALIZED (
        SELECT i.id, head.sequence - tail.sequence + 1 AS events, CASE {_WHY} ELSE '' END AS why
        FROM settlements_paymentintent i
        CROSS JOIN LATERAL (SELECT a.sequence, a.created_at FROM settlements_auditevent a
                            WHERE a.intent_id = i.id ORDER BY a.sequence DESC LIMIT 1) head
        CROSS JOIN LATERAL (SELECT a.sequence FROM settlements_auditevent a
                            WHERE a.intent_id = i.id ORDER BY a.sequence LIMIT 1) tail
        WHERE head.created_at >= %(since)s::timestamptz AND head.created_at < %(until)s::timestamptz
          AND tail.sequence < head.sequence
    )
"""
_COUNTED: Final = f"{_OF_THE_MONTH} SELECT why, count(*), sum(events)::bigint FROM judged GROUP BY why ORDER BY why"
_EVENTS: Final = f"""
    {_OF_THE_MONTH}
    SELECT {", ".join(f"a.{column}{'::text' if column == 'data' else ''}" for column in COLUMNS)}
    FROM judged JOIN settlements_auditevent a ON a.intent_id = judged.id
    WHERE judged.why = '' ORDER BY a.intent_id, a.sequence
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How many intents of a month can be archived, with how many events, and how many stay by which reason."""

    intents: int
    events: int
    staying: dict[str, int]


def bounds(month: date) -> dict[str, datetime]:
    """The month in UTC, from its first moment to the first of the next."""
    after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return {"since": datetime.combine(month, time(), tzinfo=UTC), "until": datetime.combine(after, time(), tzinfo=UTC)}


def counted(month: date) -> Found:
    """What a run would find at this moment."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, bounds(month))
        rows = {why: (intents, events) for why, intents, events in cursor.fetchall()}
    intents, events = rows.pop("", (0, 0))
    return Found(intents=intents, events=events, staying={why: each for why, (each, _) in rows.items()})


def events(month: date) -> Generator[tuple[Any, ...], None, None]:
    """The audit events of what can be archived, by intent and sequence, columns as in lines.COLUMNS.

    Inside a transaction; read to the end or closed.
    """
    with connection.chunked_cursor() as cursor:
        cursor.execute(_EVENTS, bounds(month))
        while rows := cursor.fetchmany(_AT_A_TIME):
            yield from rows
