"""What people have to look at of banks' files (lost, in trouble, quarantined, items), and of Stripe's events."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from rails.base import SettlementProvider
from settlements import next_steps
from settlements.statuses import BankWorkKind

MOST: Final = 50


def _lost(rail: str) -> str:
    """The files of a rail that their outbox has lost, with what somebody says of them and another has to confirm."""
    table = f"{rail.lower()}_file"
    return f"""
    SELECT 'LOST', '{rail}', f.id, f.name, f.lost_words || coalesce(
           '. Waits for another person to confirm: ' || regexp_replace(v.proposed_actor, '^user:', '') || ' says that '
           || CASE v.verdict WHEN 'NEVER_SENT' THEN 'the bank never got it' ELSE 'the bank has it' END, ''), f.lost_at
    FROM rails_{rail.lower()}file f LEFT JOIN rails_fileverdict v ON v.{table}_id = f.id AND v.taken_back_at IS NULL
    WHERE f.state = 'STAGED' AND f.lost_at IS NOT NULL"""


# Per piece of work: kind, rail, row, what it is called, what is said of it, since when; by partial indexes alone.
_FOR_PEOPLE = f"""
    SELECT 'INBOX' AS kind, t.rail, t.id, t.name, t.words, t.began_at AS since FROM rails_inboxtrouble t
    WHERE t.ended_at IS NULL
    UNION ALL
    {_lost("ACH")}
    UNION ALL
    {_lost("WIRE")}
    UNION ALL
    SELECT 'QUARANTINED', 'ACH', f.id, f.name, 'Line ' || (f.faults->0->>'line') || ': ' || (f.faults->0->>'reason'),
           f.read_at FROM rails_achinboundfile f
    WHERE f.faults <> '[]' AND NOT EXISTS (SELECT 1 FROM rails_bankfiledealing d WHERE d.ach_file_id = f.id)
    UNION ALL
    SELECT 'QUARANTINED', 'WIRE', m.id, m.name, coalesce('Line ' || m.fault_line || ': ', '') || m.fault, m.read_at
    FROM rails_wiremessage m
    WHERE m.fault <> '' AND NOT EXISTS (SELECT 1 FROM rails_bankfiledealing d WHERE d.wire_message_id = m.id)
    UNION ALL
    SELECT 'ITEM', 'ACH', i.id, trim(i.code || ' of ' || i.trace_number), i.words, f.read_at
    FROM rails_achinbounditem i JOIN rails_achinboundfile f ON f.id = i.file_id WHERE i.waits
    UNION ALL
    SELECT 'EVENT', 'STRIPE', e.id, trim(e.type || ' ' || e.about_id), e.detail, e.done_at FROM rails_stripeevent e
    WHERE e.state = 'UNCLEAR' AND NOT EXISTS (
        SELECT 1 FROM rails_stripeeventdecision d WHERE d.event_id = e.id AND d.unclear_since = e.done_at)
"""
# How many pieces of work wait for people.
COUNT: Final = f"(SELECT count(*) FROM ({_FOR_PEOPLE}) bank_work)"
# How many of each kind, and since when the oldest.
BY_KIND: Final = f"SELECT kind, count(*), min(since) FROM ({_FOR_PEOPLE}) bank_work GROUP BY kind"
_LIST = f"""
    SELECT kind, rail, id, name, words, since, count(*) OVER () FROM ({_FOR_PEOPLE}) bank_work
    WHERE %(rail)s::text IS NULL OR rail = %(rail)s
    ORDER BY array_position(%(kinds)s::text[], kind), since, id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankWork:
    """One piece of work about a bank's file or an event of Stripe's; `row` is its row, `name` what it is called."""

    kind: BankWorkKind
    rail: SettlementProvider
    row: int
    name: str
    words: str
    since: datetime

    @property
    def next_step(self) -> str:
        """What a person does next, in words."""
        return next_steps.of_bank(self.kind, self.rail)


def listed(*, rail: SettlementProvider | None = None, limit: int = MOST) -> tuple[int, list[BankWork]]:
    """How many pieces of work there are, and the first of them: the gravest first, the oldest of each first."""
    with connection.cursor() as cursor:
        cursor.execute(_LIST, {"rail": rail, "kinds": [kind.value for kind in BankWorkKind], "limit": limit})
        rows = cursor.fetchall()
    return (rows[0][-1] if rows else 0), [
        BankWork(kind=BankWorkKind(kind), rail=SettlementProvider(of), row=row, name=name, words=words, since=since)
        for kind, of, row, name, words, since, _ in rows
    ]
