"""The only writer of status: settlements are created and moved here, many per statement, each with its audit."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from rails.money import Money
from settlements import audit
from settlements.policy import Decision, explained, score_text
from settlements.statements import bigints
from settlements.statuses import EventType, Origin, SettlementStatus
from settlements.transitions import may_follow

logger = logging.getLogger(__name__)

# Rows travel as one JSON parameter: building an array per column costs the client several times as much.
_CREATE = """
    INSERT INTO settlements_milestonesettlement (id, intent_id, event_type, amount_minor, currency, status, origin,
        event_id, rail, reference, strategy, risk_tier, risk_score, rule, explanation, inputs, policy_version,
        approvals_required, settlement_delayed_until, blocked_reason, released_at, error, created_at, updated_at)
    SELECT n.*, '', now.at, now.at
    FROM json_to_recordset(%s::json) AS n (id bigint, intent_id bigint, event_type text, amount_minor bigint,
        currency text, status text, origin text, event_id bigint, rail text, reference text, strategy text, tier text,
        score numeric, rule text, explanation text, inputs jsonb, policy_version text, approvals_required smallint,
        delayed_until timestamptz, blocked_reason text, released_at timestamptz)
    CROSS JOIN (SELECT %s::timestamptz AS at) now
"""

_MOVE = """
    UPDATE settlements_milestonesettlement s SET
        status = m.new, updated_at = now.at, blocked_reason = '', retry_at = NULL, error = '',
        reference = coalesce(m.reference, s.reference),
        released_at = CASE WHEN m.new = 'APPROVED' AND m.old <> 'SETTLED' THEN now.at ELSE s.released_at END,
        settled_at = CASE WHEN m.new = 'SETTLED' THEN now.at ELSE s.settled_at END,
        strategy = coalesce(m.strategy, s.strategy), risk_tier = coalesce(m.tier, s.risk_tier),
        risk_score = CASE WHEN m.strategy IS NULL THEN s.risk_score ELSE m.score END,
        rule = coalesce(m.rule, s.rule), explanation = coalesce(m.explanation, s.explanation),
        inputs = coalesce(m.inputs, s.inputs), policy_version = coalesce(m.policy_version, s.policy_version),
        settlement_delayed_until = coalesce(m.delayed_until, s.settlement_delayed_until)
    FROM json_to_recordset(%s::json) AS m (id bigint, old text, new text, reference text, strategy text, tier text,
        score numeric, rule text, explanation text, inputs jsonb, policy_version text, delayed_until timestamptz)
    CROSS JOIN (SELECT %s::timestamptz AS at) now
    WHERE s.id = m.id AND s.status = m.old
    RETURNING s.id
"""

# What waits with authority is for the sweep from now on, also before its hold is over; without authority no more.
_BLOCK = """
    UPDATE settlements_milestonesettlement s SET blocked_reason = b.reason, updated_at = %s,
        retry_at = CASE WHEN b.reason <> '' THEN now() END
    FROM unnest(%s::bigint[], %s::text[]) AS b (id, reason)
    WHERE s.id = b.id AND s.blocked_reason <> b.reason
"""

# SPEC section 3: settlements of amount zero are ignored, the first line that holds is the status. LATERAL, so that
# each intent is looked up by index whatever the planner knows of the tables.
_INTENT_STATUS = """
    UPDATE settlements_paymentintent i SET status = derived.status
    FROM (SELECT DISTINCT unnest(%s::bigint[]) AS id) wanted
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN own.cancelled_at IS NOT NULL THEN 'CANCELLED'
            WHEN bool_or(s.status = 'DELAYED') THEN 'DELAYED'
            WHEN bool_or(s.id IS NULL OR s.status IN ('PENDING', 'RELEASING', 'FAILED', 'RETURNED')) THEN 'PENDING'
            WHEN bool_and(s.status IN ('REJECTED', 'CANCELLED')) THEN 'REJECTED'
            WHEN bool_and(s.status IN ('SETTLED', 'REJECTED', 'CANCELLED')) THEN 'SETTLED'
            ELSE 'APPROVED' END AS status
        FROM settlements_paymentintent own
        JOIN settlements_paymentscheduleitem item ON item.intent_id = own.id AND item.amount_minor > 0
        LEFT JOIN settlements_milestonesettlement s ON s.intent_id = own.id AND s.event_type = item.event_type
        WHERE own.id = wanted.id
        GROUP BY own.id
    ) derived
    WHERE i.id = wanted.id AND i.status <> derived.status
"""


class LostRace(RuntimeError):
    """A settlement left its status although its shipment was locked: some writer broke the lock order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSettlement:
    """A settlement to be created by `actor`, decided and, when APPROVED, already booked under `reference`."""

    id: int
    intent_id: int
    event_type: EventType
    amount: Money
    status: SettlementStatus
    origin: Origin
    event_id: int | None
    actor: str
    rail: str
    decision: Decision
    approvals_required: int
    delayed_until: datetime | None = None
    reference: str = ""
    blocked_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One settlement from one status to another; who, why, and what changes with it."""

    settlement_id: int
    intent_id: int
    old: SettlementStatus
    new: SettlementStatus
    action: str
    actor: str
    reason: str = ""
    approved_by: str = ""
    reference: str | None = None
    decision: Decision | None = None
    delayed_until: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def create(
    settlements: Sequence[NewSettlement],
    *,
    reason: str = "",
    now: datetime,
    known_heads: dict[int, audit.Head] | None = None,
    unmoved: Collection[int] = (),
) -> None:
    """Writes new settlements, their audit events and the status of their intents: three statements for any number.

    `unmoved` names intents whose status these settlements can not change; theirs is not derived again.
    """
    if not settlements:
        return
    rows = [_row(new, now) for new in settlements]
    with connection.cursor() as cursor:
        cursor.execute(_CREATE, [orjson.dumps(rows).decode(), now])
    for new in settlements:
        logger.info(
            "Created milestone settlement %s: payment_intent=%s, event_type=%s, status=%s, event_id=%s",
            new.id,
            new.intent_id,
            new.event_type.value,
            new.status.value,
            new.event_id,
        )
    audit.record([_creation(new, reason) for new in settlements], now=now, known_heads=known_heads)
    refresh_intents([new.intent_id for new in settlements if new.intent_id not in unmoved])


def transition(moves: Sequence[Move], *, now: datetime) -> None:
    """Moves settlements whose shipments the caller has locked, by compare-and-set, with audit and intent status.

    Raises LostRace when one was no longer where the caller read it, and ValueError for a move outside the table.
    """
    if not moves:
        return
    for move in moves:
        if move.old is not move.new and not may_follow(move.old, move.new):
            raise ValueError(f"{move.old} is not followed by {move.new}")
    rows = [_changes(move) for move in moves]
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [orjson.dumps(rows).decode(), now])
        if len(cursor.fetchall()) != len(moves):
            raise LostRace("a settlement moved under a locked shipment")
    audit.record([_told(move) for move in moves], now=now)
    refresh_intents([move.intent_id for move in moves])


def block(blocked: Sequence[tuple[int, int, SettlementStatus, str]], *, actor: str, now: datetime) -> None:
    """Says of (settlement id, intent id, status, reason) why an authorised release waits; the status stays.

    An empty reason says that it waits for people again: what was approved is no longer what it is.
    """
    if not blocked:
        return
    with connection.cursor() as cursor:
        cursor.execute(_BLOCK, [now, [row[0] for row in blocked], [row[3] for row in blocked]])
    audit.record(
        [
            audit.Draft(
                intent_id=intent_id,
                settlement_id=settlement_id,
                action="release_blocked" if why else "approval_void",
                triggered_by=actor,
                from_status=status.value,
                to_status=status.value,
                reason=why,
            )
            for settlement_id, intent_id, status, why in blocked
        ],
        now=now,
    )


def refresh_intents(intent_ids: Sequence[int]) -> None:
    """Stores the status of intents as their settlements have it now."""
    if not intent_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(_INTENT_STATUS, [bigints(intent_ids)])


def _row(new: NewSettlement, now: datetime) -> dict[str, Any]:
    return {
        "id": new.id,
        "intent_id": new.intent_id,
        "event_type": new.event_type,
        "amount_minor": new.amount.minor,
        "currency": new.amount.currency,
        "status": new.status,
        "origin": new.origin,
        "event_id": new.event_id,
        "rail": new.rail,
        "reference": new.reference,
        **_columns(new.decision),
        "approvals_required": new.approvals_required,
        "delayed_until": new.delayed_until,
        "blocked_reason": new.blocked_reason,
        "released_at": now if new.status is SettlementStatus.APPROVED else None,
    }


def _changes(move: Move) -> dict[str, Any]:
    return {
        "id": move.settlement_id,
        "old": move.old,
        "new": move.new,
        "reference": move.reference,
        **(_columns(move.decision) if move.decision else {}),
        "delayed_until": move.delayed_until,
    }


def _columns(decision: Decision) -> dict[str, Any]:
    return {
        "strategy": decision.strategy,
        "tier": decision.tier,
        "score": None if decision.score is None else score_text(decision.score),
        "rule": decision.rule,
        "explanation": decision.explanation,
        "inputs": decision.inputs,
        "policy_version": decision.policy_version,
    }


def _explained(new: NewSettlement) -> str:
    decision = new.decision
    return explained(decision.explanation, strategy=decision.strategy, rail=new.rail, amount=new.amount)


def _creation(new: NewSettlement, reason: str) -> audit.Draft:
    return audit.Draft(
        intent_id=new.intent_id,
        settlement_id=new.id,
        action="settlement_created",
        triggered_by=new.actor,
        to_status=new.status.value,
        reason=reason or _explained(new),
        data={
            "event_type": new.event_type.value,
            "amount": new.amount.text,
            "currency": new.amount.currency,
            "origin": new.origin.value,
            "event_id": new.event_id,
            "rail": new.rail,
            "reference": new.reference,
            "delayed_until": new.delayed_until and new.delayed_until.isoformat(),
            "blocked_reason": new.blocked_reason,
            "approvals_required": new.approvals_required,
            **told(new.decision),
        },
    )


def _told(move: Move) -> audit.Draft:
    data = dict(move.data)
    if move.reference:
        data["reference"] = move.reference
    if move.decision:
        data |= told(move.decision)
    if move.delayed_until:
        data["delayed_until"] = move.delayed_until.isoformat()
    return audit.Draft(
        intent_id=move.intent_id,
        settlement_id=move.settlement_id,
        action=move.action,
        triggered_by=move.actor,
        from_status=move.old.value,
        to_status=move.new.value,
        reason=move.reason,
        approved_by=move.approved_by,
        data=data,
    )


def told(decision: Decision) -> dict[str, Any]:
    """A decision as the audit trail keeps it."""
    return {
        "strategy": decision.strategy.value,
        "risk_tier": decision.tier.value,
        "risk_score": None if decision.score is None else score_text(decision.score),
        "rule": decision.rule,
        "explanation": decision.explanation,
        "policy_version": decision.policy_version,
        "inputs": decision.inputs,
    }
