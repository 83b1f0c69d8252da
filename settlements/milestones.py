"""From an accepted event to decided, released and audited milestone settlements, many intents per statement."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection

from rails.money import Money
from settlements import audit, candidates, four_eyes, lifecycle, sending
from settlements.lifecycle import NewSettlement
from settlements.policy import (
    WIRE,
    Decision,
    approvals_required,
    decide_at_event,
    decide_at_settle,
    nothing_to_release,
)
from settlements.sending import Payment, Sent
from settlements.statements import bigints
from settlements.statuses import EventType, Origin, ReleaseStrategy, SettlementStatus

logger = logging.getLogger(__name__)

_STRATEGY_LOG = {
    ReleaseStrategy.IMMEDIATE: "Smart Settlement: releasing immediately",
    ReleaseStrategy.DELAYED: "Smart Settlement: delayed release (24h)",
    ReleaseStrategy.MANUAL_REVIEW: "Smart Settlement: pending manual review (HIGH risk)",
}

_BY_EVENTS = f"""
    SELECT DISTINCT ON (i.id, e.event_type) i.id AS intent_id, e.event_type, e.id AS event_id, e.received_at,
        e.received_from
    FROM {{events}} e
    JOIN settlements_eventsource src ON src.id = e.source_id
    JOIN settlements_paymentintent i ON i.shipment_id = e.shipment_id
    JOIN settlements_freighttoken t ON t.id = i.freight_token_id
    WHERE e.shipment_id = ANY(%(shipments)s::bigint[]) AND i.shipment_id = ANY(%(shipments)s::bigint[])
      AND (%(events)s::bigint[] IS NULL OR e.id = ANY(%(events)s::bigint[]))
      AND (%(intents)s::bigint[] IS NULL OR i.id = ANY(%(intents)s::bigint[]))
      AND {candidates.REACHES}
      AND e.state <> 'FAILED'
    ORDER BY i.id, e.event_type, e.id
"""
_SUPPOSED = """(
    SELECT %(event)s::bigint AS id, %(source)s::bigint AS source_id, (%(shipments)s::bigint[])[1] AS shipment_id,
           %(event_type)s::text AS event_type, coalesce(%(received_at)s::timestamptz, now()) AS received_at,
           '' AS received_from, 'WAITING' AS state
)"""
_BY_REQUEST = """
    SELECT i.id AS intent_id, item.event_type, NULL::bigint AS event_id, now() AS received_at, '' AS received_from
    FROM settlements_paymentintent i JOIN settlements_paymentscheduleitem item ON item.intent_id = i.id
    WHERE i.shipment_id = ANY(%(shipments)s::bigint[]) AND i.id = ANY(%(intents)s::bigint[])
"""
# Everything the decision, the release and the audit chain need, and the ids of the settlements to be.
_MISSING = """
    WITH wanted AS ({wanted})
    SELECT w.intent_id, w.event_type, w.event_id, w.received_at, w.received_from, item.amount_minor, item.currency,
           i.payment_method, i.recipient_id, i.risk_score, t.risk_score, t.status,
           coalesce(r.payouts_enabled, true), coalesce(s.enabled, true), {destination}, head.sequence, head.hash,
           {id}, {above},
           i.status = 'PENDING', (
               SELECT count(*) FROM settlements_paymentscheduleitem open
               WHERE open.intent_id = w.intent_id AND open.amount_minor > 0
                 AND NOT EXISTS (SELECT 1 FROM settlements_milestonesettlement m
                                 WHERE m.intent_id = open.intent_id AND m.event_type = open.event_type)
           )
    FROM wanted w
    JOIN settlements_paymentintent i ON i.id = w.intent_id
    JOIN settlements_freighttoken t ON t.id = i.freight_token_id
    JOIN settlements_paymentscheduleitem item ON item.intent_id = w.intent_id AND item.event_type = w.event_type
    LEFT JOIN rails_recipient r ON r.id = i.recipient_id
    LEFT JOIN rails_railswitch s ON s.rail = upper(i.payment_method)
    LEFT JOIN LATERAL (
        SELECT a.sequence, a.hash FROM settlements_auditevent a
        WHERE a.intent_id = w.intent_id ORDER BY a.sequence DESC LIMIT 1
    ) head ON true
    WHERE i.status NOT IN ('CANCELLED', 'REJECTED')
      AND NOT EXISTS (SELECT 1 FROM settlements_milestonesettlement m
                      WHERE m.intent_id = w.intent_id AND m.event_type = w.event_type)
    ORDER BY w.intent_id, item.position
"""
_NEXT_ID = "nextval('settlements_milestonesettlement_id_seq')"
_ABOVE = four_eyes.ABOVE.format(row="item")
_DESTINATION = candidates.DESTINATION_OBSTACLE.format(rail="i.payment_method", recipient="i.recipient_id")
_NEW = {"id": _NEXT_ID, "above": _ABOVE, "destination": _DESTINATION}
_FOR_EVENTS = _MISSING.format(wanted=_BY_EVENTS.format(events="settlements_shipmentevent"), **_NEW)
_FOR_REQUEST = _MISSING.format(wanted=_BY_REQUEST, **_NEW)
# The same for an event that is only supposed: it reads tables and takes no number, so it may run where nothing may
# be written.
_IF_IT_CAME = _MISSING.format(wanted=_BY_EVENTS.format(events=_SUPPOSED), **{**_NEW, "id": "0::bigint"})


@dataclass(frozen=True, slots=True)
class Milestone:
    """An intent's schedule item that an event (or a request) has made due for a decision."""

    settlement_id: int
    intent_id: int
    event_type: EventType
    event_id: int | None
    received_at: datetime
    actor: str
    amount: Money
    four_eyes_above: Money
    rail: str
    recipient_id: int | None
    obstacle: str
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Intents:
    """What the look-up told of its intents, by id: the head of the audit chain, and of PENDING ones the open items."""

    heads: dict[int, audit.Head]
    open_items: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupposedEvent:
    """An event as if it were accepted: one that was not sent yet (no id, received now), or a stored one."""

    source_pk: int
    event_type: EventType
    event_id: int | None = None
    received_at: datetime | None = None


def process_milestone_for_intent(
    *, shipment_pk: int, intent_id: int, event_id: int, actor: str, now: datetime
) -> list[NewSettlement]:
    """One event for one intent; empty when the milestone exists already or the schedule has no such item."""
    return process_milestones(
        shipment_pks=[shipment_pk], event_ids=[event_id], intent_ids=[intent_id], actor=actor, now=now
    )


def process_milestones(
    *,
    shipment_pks: Sequence[int],
    now: datetime,
    event_ids: Sequence[int] | None = None,
    intent_ids: Sequence[int] | None = None,
    actor: str | None = None,
) -> list[NewSettlement]:
    """The milestones that accepted events of locked shipments make due, for their live intents; None means all.

    Without an `actor` it is each event's sender who creates them.
    """
    return _process(_FOR_EVENTS, shipment_pks, event_ids, intent_ids, Origin.EVENT, actor=actor, now=now)


def process_requested(
    *, shipment_pk: int, intent_id: int, actor: str, reason: str, now: datetime
) -> list[NewSettlement]:
    """All milestones that an intent does not have yet, settled by request; its shipment is locked."""
    return _process(_FOR_REQUEST, [shipment_pk], None, [intent_id], Origin.SETTLE, actor=actor, reason=reason, now=now)


def plan(*, shipment_pk: int, event: SupposedEvent) -> list[NewSettlement]:
    """What `process_milestones` would create for the event as things are now: nothing is written, paid or logged.

    The settlements have no number yet (0). A rail that takes instructions is supposed to accept them.
    """
    milestones, _ = _missing(
        _IF_IT_CAME,
        Origin.EVENT,
        {
            "shipments": bigints([shipment_pk]),
            "events": None,
            "intents": None,
            "event": event.event_id,
            "source": event.source_pk,
            "event_type": event.event_type,
            "received_at": event.received_at,
        },
    )
    return [
        _settlement(each, Origin.EVENT, sending.supposed(each.rail) if _goes_now(each) else None) for each in milestones
    ]


def _process(
    statement: str,
    shipment_pks: Sequence[int],
    event_ids: Sequence[int] | None,
    intent_ids: Sequence[int] | None,
    origin: Origin,
    *,
    actor: str | None,
    now: datetime,
    reason: str = "",
) -> list[NewSettlement]:
    parameters = {
        "shipments": bigints(shipment_pks),
        "events": None if event_ids is None else bigints(event_ids),
        "intents": None if intent_ids is None else bigints(intent_ids),
    }
    milestones, intents = _missing(statement, origin, parameters, actor=actor)
    sent = sending.send([_payment(milestone) for milestone in milestones if _goes_now(milestone)], now=now)
    created = [_settlement(milestone, origin, sent.get(milestone.settlement_id)) for milestone in milestones]
    for new in created:
        if new.amount.minor > 0 and new.decision.strategy in _STRATEGY_LOG:
            logger.info(_STRATEGY_LOG[new.decision.strategy])
    lifecycle.create(
        created,
        reason=reason,
        now=now,
        known_heads=intents.heads,
        unmoved=_unmoved(created, intents.open_items),
    )
    return created


def _missing(
    statement: str, origin: Origin, parameters: dict[str, Any], *, actor: str | None = None
) -> tuple[list[Milestone], Intents]:
    """The milestones that are due and not there yet, in the order of their intents, and what is known of those."""
    intents = Intents(heads={}, open_items={})
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [_milestone(row, origin, intents, actor) for row in cursor.fetchall()], intents


def _unmoved(created: Sequence[NewSettlement], open_items: dict[int, int]) -> set[int]:
    """The PENDING intents that stay so: other items are still open, and nothing new is DELAYED (SPEC section 3)."""
    filled = Counter(new.intent_id for new in created if new.amount.minor > 0)
    delayed = {new.intent_id for new in created if new.status is SettlementStatus.DELAYED}
    return {intent for intent, number in open_items.items() if number > filled[intent] and intent not in delayed}


def _milestone(row: Sequence[Any], origin: Origin, intents: Intents, actor: str | None) -> Milestone:
    """The milestone of a row; what it says of its intent is noted beside it."""
    (
        intent_id, event_type, event_id, received_at, sender, amount_minor, currency, rail, recipient_id,
        snapshot, current, token_status, recipient_usable, rail_on, destination, sequence, hash_, settlement_id,
        four_eyes_above_minor, intent_pending, items_open,
    ) = row  # fmt: skip
    if intent_pending:
        intents.open_items[intent_id] = items_open
    if sequence is not None:
        intents.heads[intent_id] = audit.Head(sequence, bytes(hash_))
    return Milestone(
        settlement_id=settlement_id,
        intent_id=intent_id,
        event_type=EventType(event_type),
        event_id=event_id,
        received_at=received_at,
        actor=sender if actor is None else actor,
        amount=Money(amount_minor, currency),
        four_eyes_above=Money(four_eyes_above_minor, currency),
        rail=rail,
        recipient_id=recipient_id,
        obstacle=candidates.obstacle(
            held=False, rail=rail, rail_on=rail_on, recipient_usable=recipient_usable, destination=destination
        ),
        decision=_decide(origin, snapshot, current, token_status, EventType(event_type)),
    )


def _decide(
    origin: Origin, snapshot: Decimal | None, current: Decimal | None, token_status: str, event_type: EventType
) -> Decision:
    decide = decide_at_event if origin is Origin.EVENT else decide_at_settle
    return decide(candidates.risk_picture(snapshot, current, token_status), event_type)


def _goes_now(milestone: Milestone) -> bool:
    """Whether its money goes at once: decided so, there is some, and nothing stands against it."""
    return (
        milestone.decision.strategy is ReleaseStrategy.IMMEDIATE
        and milestone.rail != WIRE
        and milestone.amount.minor > 0
        and not milestone.obstacle
    )


def _payment(milestone: Milestone) -> Payment:
    return Payment(
        settlement_id=milestone.settlement_id,
        amount=milestone.amount,
        rail=milestone.rail,
        recipient_id=milestone.recipient_id,
    )


def _settlement(milestone: Milestone, origin: Origin, sent: Sent | None) -> NewSettlement:
    """What is stored: APPROVED when paid, RELEASING when on its way, DELAYED with its date, else PENDING for people."""
    decision = milestone.decision
    status, until, blocked = SettlementStatus.PENDING, None, ""
    if sent and sent.status:
        status = sent.status
    elif milestone.amount.minor == 0:
        decision = nothing_to_release(decision)
    elif decision.strategy is ReleaseStrategy.DELAYED:
        # Of a wire the date alone is kept: whatever was decided, people release it.
        status = SettlementStatus.PENDING if milestone.rail == WIRE else SettlementStatus.DELAYED
        until = milestone.received_at + timedelta(seconds=settings.CHAINPAY_HOLD_SECONDS)
    elif decision.strategy is ReleaseStrategy.IMMEDIATE and milestone.rail != WIRE:
        # Authorised, but it may not go now: due at once, and the sweep tries again.
        status, until = SettlementStatus.DELAYED, milestone.received_at
        blocked = milestone.obstacle or (sent.refused if sent else "")
    return NewSettlement(
        id=milestone.settlement_id,
        intent_id=milestone.intent_id,
        event_type=milestone.event_type,
        amount=milestone.amount,
        status=status,
        origin=origin,
        event_id=milestone.event_id,
        actor=milestone.actor,
        rail=milestone.rail,
        decision=decision,
        approvals_required=approvals_required(milestone.amount, milestone.rail, milestone.four_eyes_above),
        delayed_until=until,
        reference=sent.reference if sent else "",
        blocked_reason=blocked,
    )
