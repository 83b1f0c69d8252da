"""Counting what was written, once and for all: figures that never go down, whatever is archived or restarted.

Rows of append-only tables are counted by ranges of their ids, a range and its sum in one transaction. Ids are given
before they are committed, so a range may be counted only when no transaction is left that could still commit into it:
what is the last row now (`ahead`) is counted up to when of those who write to the table nobody is left who had begun by
then. Whoever writes to a table holds a lock on it from before the id is given to the end; long transactions that write
elsewhere hold up nothing.
Nothing of it is on the way of an event; the counters are behind by a run or two of the task.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from django.db import connection, transaction

STEP: Final = 200_000
# What is ahead is asked about anew after this time only.
_SETTLES_SECONDS: Final = 10

EVENTS: Final = "chainpay_shipment_events"
DECISIONS: Final = "chainpay_decisions"
RELEASES: Final = "chainpay_releases"
REVIEWS: Final = "chainpay_reviews"
ATTEMPTS: Final = "chainpay_attempts"
MESSAGES: Final = "chainpay_messages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A counter: its name (Prometheus adds `_total`), what it tells, and its labels."""

    name: str
    says: str
    labels: tuple[str, ...]


FIGURES: Final = (
    Figure(
        name=EVENTS,
        says="Shipment events stored, by type and by what became of them when they were counted.",
        labels=("event_type", "verdict"),
    ),
    Figure(
        name=DECISIONS,
        says="Decisions over settlements, the first and later ones, by event, strategy and risk tier.",
        labels=("event_type", "strategy", "tier"),
    ),
    Figure(
        name=RELEASES,
        says="Settlements that reached a status of the money on its way, by rail; unsettled: a payout failed.",
        labels=("rail", "outcome"),
    ),
    Figure(name=REVIEWS, says="Decisions of officers, by how they came.", labels=("decision", "channel")),
    Figure(name=ATTEMPTS, says="Payments written down for providers.", labels=("rail",)),
    Figure(name=MESSAGES, says="Messages to subscribers written, by event type.", labels=("event_type",)),
)

# What is counted of each table: rows (figure, labels) out of those with first < id <= last.
_SOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "settlements_shipmentevent": f"""
            SELECT '{EVENTS}', ARRAY[e.event_type, lower(e.state)]
            FROM settlements_shipmentevent e WHERE e.id > %(first)s AND e.id <= %(last)s
        """,
        "settlements_auditevent": f"""
            SELECT '{DECISIONS}', ARRAY[s.event_type, lower(a.data->>'strategy'), lower(a.data->>'risk_tier')]
            FROM settlements_auditevent a JOIN settlements_milestonesettlement s ON s.id = a.settlement_id
            WHERE a.id > %(first)s AND a.id <= %(last)s AND a.action IN ('settlement_created', 'decided_again')
            UNION ALL
            SELECT '{RELEASES}', ARRAY[s.rail, CASE
                WHEN a.from_status = 'SETTLED' AND a.to_status = 'APPROVED' THEN 'unsettled'
                ELSE lower(a.to_status) END]
            FROM settlements_auditevent a JOIN settlements_milestonesettlement s ON s.id = a.settlement_id
            WHERE a.id > %(first)s AND a.id <= %(last)s AND a.from_status <> a.to_status
              AND a.to_status IN ('RELEASING', 'APPROVED', 'SETTLED', 'FAILED', 'RETURNED')
        """,
        "settlements_approval": f"""
            SELECT '{REVIEWS}', ARRAY[lower(p.decision), lower(p.channel)]
            FROM settlements_approval p WHERE p.id > %(first)s AND p.id <= %(last)s
        """,
        "rails_railattempt": f"""
            SELECT '{ATTEMPTS}', ARRAY[lower(a.provider)]
            FROM rails_railattempt a WHERE a.id > %(first)s AND a.id <= %(last)s
        """,
        "settlements_delivery": f"""
            SELECT '{MESSAGES}', ARRAY[d.event_type]
            FROM settlements_delivery d WHERE d.id > %(first)s AND d.id <= %(last)s
        """,
    }
)
_ADD: Final = """
    INSERT INTO operation_count AS known (figure, labels, number)
    SELECT seen.figure, seen.labels, count(*) FROM ({rows}) AS seen (figure, labels) GROUP BY 1, 2
    ON CONFLICT (figure, labels) DO UPDATE SET number = known.number + excluded.number
"""
_BEGIN: Final = "INSERT INTO operation_countedto (source, last) VALUES (%s, 0) ON CONFLICT DO NOTHING"
# A database that was restored from a dump counts its transactions anew: what is ahead by the old count is forgotten.
_LOCK: Final = """
    SELECT m.last, m.ahead,
           m.ahead_at <= clock_timestamp() - make_interval(secs => %s)
           AND NOT EXISTS (
               SELECT 1 FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
               WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.relation = m.source::regclass
                 AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                 AND coalesce(a.xact_start <= m.ahead_at, true)),
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint < m.ahead_xid
    FROM operation_countedto m WHERE m.source = %s FOR UPDATE
"""
_LOOK_AHEAD: Final = """
    UPDATE operation_countedto SET counted_at = clock_timestamp(), ahead = row.last, ahead_at = row.at,
        ahead_xid = row.xid
    FROM (SELECT coalesce(max(id), 0) AS last, clock_timestamp() AS at,
                 pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid FROM {source}) AS row
    WHERE source = %s
"""
_MOVE_ON: Final = "UPDATE operation_countedto SET last = %s, counted_at = clock_timestamp() WHERE source = %s"


def count_all() -> dict[str, int]:
    """Counts what can be counted of every table; how many ids that was, of each."""
    counted = dict.fromkeys(_SOURCES, 0)
    for source in _SOURCES:
        while number := _step(source):
            counted[source] += number
    return counted


def _step(source: str) -> int:
    """Counts up to `STEP` ids of a table and looks ahead when there are no more; how many ids."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_BEGIN, [source])
        cursor.execute(_LOCK, [_SETTLES_SECONDS, source])
        first, ahead, settled, of_another_time = cursor.fetchone()
        if ahead is None or of_another_time:
            cursor.execute(_LOOK_AHEAD.format(source=source), [source])
            return 0
        if not settled:
            return 0
        last = min(ahead, first + STEP)
        if last <= first:
            cursor.execute(_LOOK_AHEAD.format(source=source), [source])
            return 0
        cursor.execute(_ADD.format(rows=_SOURCES[source]), {"first": first, "last": last})
        cursor.execute(_MOVE_ON, [last, source])
        return int(last - first)
