"""A review queue to measure on: a million settlements of which ten thousand wait, written by a few large statements.

The rows agree with one another as the domain would have left them, except that audit events are not chained and no
journal is kept: neither is read by the queue. Triggers and foreign keys sleep while they are written
(`session_replication_role`), which only a superuser of a database of one's own may say, and nothing but a bench should.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import connection, transaction

from compliance.roles import Role

OFFICERS = 6
# Of 12 waiting settlements 10 are proofs of delivery and 2 pickups that joined with theirs.
_PER_12 = 10

_SHIPMENTS = """
    INSERT INTO settlements_shipment (id, shipment_id, created_at)
    OVERRIDING SYSTEM VALUE SELECT n, 'SHIP-' || lpad(n::text, 8, '0'), %(now)s::timestamptz
    FROM generate_series(1, %(intents)s::bigint) n
"""
_RECIPIENTS = """
    INSERT INTO rails_recipient (id, recipient_id, name, revision, payouts_enabled, created_at, updated_at)
    OVERRIDING SYSTEM VALUE
    SELECT n, 'carrier-' || n, 'Carrier ' || n || ' Haulage Ltd', 1, true, %(now)s::timestamptz, %(now)s::timestamptz
    FROM generate_series(1, 2000) n
"""
_TOKENS = """
    INSERT INTO settlements_freighttoken
        (id, shipment_id, status, risk_score, risk_category, carrier_id, recipient_id, created_at, updated_at)
    SELECT n, n, 'active', 0.81, 'HIGH', '', 1 + n %% 2000, %(now)s::timestamptz, %(now)s::timestamptz
    FROM generate_series(1, %(intents)s::bigint) n
"""
# What an intent is: W waits for people, D is delayed, both since two days at most; the rest was paid in the course of a
# year, in the order of time. The waiting ones lie between all the others.
_KINDS = """
    CREATE TEMPORARY TABLE bench_kind ON COMMIT DROP AS
    SELECT n,
           CASE n %% %(every)s::bigint WHEN 0 THEN 'W' WHEN 1 THEN 'D' ELSE 'P' END AS kind,
           (ARRAY['USD', 'USD', 'USD', 'USD', 'USD', 'USD', 'EUR', 'EUR', 'JPY', 'KWD'])[1 + n %% 10] AS currency,
           100 * (1000 + (n * 7919) %% 2000000) AS amount,
           CASE WHEN n %% %(every)s::bigint < 2
                THEN %(now)s::timestamptz - ((n * 7907) %% 2880) * interval '1 minute'
                ELSE %(now)s::timestamptz - (1 - n::float8 / %(intents)s::bigint) * interval '1 year' END AS at
    FROM generate_series(1, %(intents)s::bigint) n
"""
_INTENTS = """
    INSERT INTO settlements_paymentintent
        (id, freight_token_id, shipment_id, amount_minor, currency, description, payment_method, recipient_id,
         risk_score, risk_category, risk_tier, status, created_by_actor, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT n, n, n, amount, currency, '', 'internal_ledger', 1 + n %% 2000, 0.81, 'HIGH', 'HIGH',
           CASE kind WHEN 'W' THEN 'PENDING' WHEN 'D' THEN 'DELAYED' ELSE 'APPROVED' END, 'bench', at
    FROM bench_kind
"""
# Each intent has a pickup and a proof of delivery; four of five waiting ones have nothing to release at pickup.
_MILESTONES = """
    CREATE TEMPORARY TABLE bench_milestone ON COMMIT DROP AS
    SELECT 2 * n - 1 AS id, n, kind, 'PICKUP_CONFIRMED' AS event_type, currency, at,
           CASE WHEN kind = 'W' AND n / %(every)s::bigint %% 5 <> 0 THEN 0 ELSE amount / 5 END AS amount,
           CASE kind WHEN 'W' THEN 'PENDING' WHEN 'D' THEN 'DELAYED' ELSE 'APPROVED' END AS status,
           CASE kind WHEN 'W' THEN 'PENDING' WHEN 'D' THEN 'DELAYED' ELSE 'IMMEDIATE' END AS strategy
    FROM bench_kind
    UNION ALL
    SELECT 2 * n, n, kind, 'POD_CONFIRMED', currency, at,
           CASE WHEN kind = 'W' AND n / %(every)s::bigint %% 5 <> 0 THEN amount ELSE amount - amount / 5 END,
           CASE kind WHEN 'W' THEN 'PENDING' ELSE 'APPROVED' END,
           CASE kind WHEN 'W' THEN 'MANUAL_REVIEW' ELSE 'IMMEDIATE' END
    FROM bench_kind
"""
_SCHEDULES = """
    INSERT INTO settlements_paymentschedule (intent_id, type) SELECT n, 'custom' FROM bench_kind
"""
_ITEMS = """
    INSERT INTO settlements_paymentscheduleitem (intent_id, position, event_type, share, amount_minor, currency)
    SELECT m.n, m.id %% 2, m.event_type, m.amount::numeric / k.amount, m.amount, m.currency
    FROM bench_milestone m JOIN bench_kind k ON k.n = m.n
"""
_SETTLEMENTS = """
    INSERT INTO settlements_milestonesettlement
        (id, intent_id, event_type, amount_minor, currency, status, origin, rail, reference, strategy, risk_tier,
         risk_score, rule, explanation, inputs, policy_version, approvals_required, settlement_delayed_until,
         blocked_reason, error, created_at, updated_at, released_at)
    OVERRIDING SYSTEM VALUE
    SELECT id, n, event_type, amount, currency, status, 'SETTLE', 'internal_ledger',
           CASE status WHEN 'APPROVED' THEN 'INTERNAL_LEDGER:bench:' || id ELSE '' END, strategy,
           CASE kind WHEN 'W' THEN 'HIGH' WHEN 'D' THEN 'MEDIUM' ELSE 'LOW' END, 0.81, 'bench',
           CASE kind WHEN 'W' THEN 'HIGH risk (0.81 >= 0.67) at ' || event_type || ': manual review' ELSE 'bench' END,
           jsonb_build_object('event_type', event_type, 'token_status', 'active', 'snapshot_score', '0.81',
                              'current_score', '0.81'),
           'bench', CASE WHEN amount > 1000000 THEN 2 ELSE 1 END,
           CASE status WHEN 'DELAYED' THEN at + interval '3 days' END, '', '', at, at,
           CASE status WHEN 'APPROVED' THEN at END
    FROM bench_milestone
"""
_AUDIT = """
    INSERT INTO settlements_auditevent
        (intent_id, sequence, settlement_id, action, from_status, to_status, reason, triggered_by, approved_by, data,
         created_at, prev_hash, hash)
    SELECT n, CASE event_type WHEN 'PICKUP_CONFIRMED' THEN 1 ELSE 2 END, id, 'settlement_created', '', status, '',
           'bench', '', '{}', at, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex')
    FROM bench_milestone
"""
# One of nine is assigned to each officer but the last three, one of twenty is on hold, of the large ones every second
# has its first approval.
_ASSIGNMENTS = """
    INSERT INTO compliance_assignment
        (settlement_id, assignee_id, assigned_by, reason, assigned_at, ended_by, end_reason)
    SELECT s.id, officer.id, 'user:bench', 'bench', s.created_at, '', ''
    FROM settlements_milestonesettlement s
    JOIN unnest(%(officers)s::bigint[]) WITH ORDINALITY AS officer (id, place) ON officer.place = s.id %% 9
    WHERE s.status = 'PENDING' AND s.amount_minor > 0 AND officer.place <= 3
"""
_HOLDS = """
    INSERT INTO settlements_hold (settlement_id, reason, placed_by, placed_at, lifted_by, lift_reason)
    SELECT id, 'bench', 'user:bench', created_at, '', '' FROM settlements_milestonesettlement
    WHERE status IN ('PENDING', 'DELAYED') AND amount_minor > 0 AND (id / 2) %% 20 = 0
"""
_APPROVALS = """
    INSERT INTO settlements_approval (settlement_id, approver_id, decision, reason, version, channel, created_at)
    SELECT s.id, (%(officers)s::bigint[])[1], 'APPROVE', 'bench',
           settlements_settlement_version(s.id, s.intent_id, s.amount_minor, s.currency, s.rail, s.strategy),
           'ITEM', s.created_at
    FROM settlements_milestonesettlement s
    WHERE s.status = 'PENDING' AND s.approvals_required = 2 AND (s.id / 2) %% 2 = 0
"""
_TABLES = (
    "settlements_shipment", "rails_recipient", "settlements_paymentintent", "settlements_milestonesettlement",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What was written: how many settlements there are and how many of them wait, and who works on them."""

    settlements: int
    waiting: int
    officers: list[User]


def prepare(settlements: int, *, waiting: int, now: datetime) -> Backlog:
    """Writes that many settlements into an empty database, and at least that many waiting among them."""
    officers = _officers()
    intents = settlements // 2
    every = max(intents // -(-waiting * _PER_12 // 12), 2)
    values: dict[str, Any] = {
        "now": now,
        "intents": intents,
        "every": every,
        "officers": [officer.pk for officer in officers],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in (
            _SHIPMENTS, _RECIPIENTS, _TOKENS, _KINDS, _INTENTS, _MILESTONES, _SCHEDULES, _ITEMS, _SETTLEMENTS, _AUDIT,
            _ASSIGNMENTS, _HOLDS, _APPROVALS,
        ):  # fmt: skip
            cursor.execute(statement, values)
        for table in _TABLES:
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return _counted(officers)


def found() -> Backlog | None:
    """The backlog that an earlier run has left here; None in a new database."""
    officers = list(User.objects.filter(username__startswith="bench-officer-").order_by("pk"))
    return _counted(officers) if officers else None


def _counted(officers: list[User]) -> Backlog:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE status = 'PENDING' AND amount_minor > 0)"
            " FROM settlements_milestonesettlement"
        )
        total, waits = cursor.fetchone()
    return Backlog(settlements=total, waiting=waits, officers=officers)


def _officers() -> list[User]:
    group = Group.objects.get(name=Role.COMPLIANCE_OFFICER.value)
    made = [User.objects.create_user(f"bench-officer-{place}", is_staff=True) for place in range(1, OFFICERS + 1)]
    for officer in made:
        officer.groups.add(group)
    return made
