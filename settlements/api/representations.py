"""How intents, milestones and history look on the wire: lower-case status words, amounts as exact JSON numbers."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from settlements import audit
from settlements.api.rendering import money, number
from settlements.lifecycle import NewSettlement
from settlements.models import ArchivedChain, AuditEvent
from settlements.policy import explained
from settlements.queries import Intent, Milestone, ScheduleItem, sums
from settlements.statuses import ReleaseStrategy, SettlementStatus

_SHARE_DIGITS = 2
_SUMS = ("total_approved_amount", "total_settled_amount", "total_pending_amount")


def intent(found: Intent) -> dict[str, Any]:
    """A payment intent with its sums and schedule."""
    row = found.row
    return {
        "id": row.pk,
        "freight_token_id": row.freight_token_id,
        "shipment_id": row.shipment.shipment_id,
        "amount": money(found.amount),
        "currency": row.currency,
        "description": row.description,
        "status": row.status.lower(),
        "payment_method": row.payment_method,
        "recipient_id": row.recipient.recipient_id if row.recipient else None,
        "risk_score": number(row.risk_score),
        "risk_tier": row.risk_tier.lower(),
        "risk_category": row.risk_category or None,
        "approved_amount": money(found.sums.approved),
        "settled_amount": money(found.sums.settled),
        "pending_amount": money(found.sums.pending),
        "unreleased_amount": money(found.unreleased),
        "schedule": schedule(found),
        "version": found.version,
        "created_by": row.created_by_actor,
        "created_at": row.created_at,
        "cancelled_at": row.cancelled_at,
    }


def schedule(found: Intent) -> dict[str, Any]:
    """The schedule; an item's status is null until its event has come."""
    return {"type": found.schedule_type, "items": [_item(item) for item in found.items]}


def milestone(found: Milestone) -> dict[str, Any]:
    """One milestone settlement with its decision in words."""
    return {
        "id": found.id,
        "payment_intent_id": found.intent_id,
        "event_type": found.event_type,
        "amount": money(found.amount),
        "currency": found.amount.currency,
        "status": found.status.value.lower(),
        "strategy": found.strategy.lower(),
        "decision": explained(
            found.explanation, strategy=ReleaseStrategy(found.strategy), rail=found.rail, amount=found.amount
        ),
        "rule": found.rule,
        "policy_version": found.policy_version,
        "risk_tier": found.risk_tier.lower(),
        "risk_score": number(found.risk_score),
        "origin": found.origin.lower(),
        "provider": found.rail.upper(),
        "reference": found.reference or None,
        "settlement_delayed_until": found.settlement_delayed_until,
        "blocked_reason": found.blocked_reason or None,
        "on_hold": found.held,
        "approvals": found.approvals,
        "approvals_required": found.approvals_required,
        "version": found.version,
        "created_at": found.created_at,
        "released_at": found.released_at,
        "settled_at": found.settled_at,
    }


def planned(found: NewSettlement) -> dict[str, Any]:
    """A milestone settlement that a dry run would have created, in the words of `milestone`; it has no id."""
    return {
        "payment_intent_id": found.intent_id,
        "event_type": found.event_type,
        "amount": money(found.amount),
        "currency": found.amount.currency,
        "status": found.status.value.lower(),
        "strategy": found.decision.strategy.lower(),
        "decision": explained(
            found.decision.explanation, strategy=found.decision.strategy, rail=found.rail, amount=found.amount
        ),
        "rule": found.decision.rule,
        "policy_version": found.decision.policy_version,
        "risk_tier": found.decision.tier.lower(),
        "risk_score": number(found.decision.score),
        "provider": found.rail.upper(),
        "settlement_delayed_until": found.delayed_until,
        "blocked_reason": found.blocked_reason or None,
        "approvals_required": found.approvals_required,
    }


def shipment_summary(milestones: Sequence[Milestone]) -> dict[str, Any]:
    """Counts and sums; with several currencies the single totals are null and `per_currency` tells them apart."""
    currencies = sorted({found.amount.currency for found in milestones})
    per_currency = {currency: _sums(milestones, currency) for currency in currencies}
    only = per_currency[currencies[0]] if len(currencies) == 1 else dict.fromkeys(_SUMS)
    if not currencies:
        only = dict.fromkeys(_SUMS, 0)
    return {
        "total_milestones": len(milestones),
        **{f"{status.value.lower()}_count": _count(milestones, status) for status in SettlementStatus},
        **only,
        "currency": currencies[0] if len(currencies) == 1 else None,
        "per_currency": per_currency,
    }


def _sums(milestones: Sequence[Milestone], currency: str) -> dict[str, Any]:
    found = sums(milestones, currency)
    return dict(zip(_SUMS, (money(found.approved), money(found.settled), money(found.pending)), strict=True))


def _count(milestones: Sequence[Milestone], status: SettlementStatus) -> int:
    return sum(found.status is status for found in milestones)


def intent_summary(milestones: Sequence[Milestone], currency: str) -> dict[str, Any]:
    """The milestones of one intent in numbers."""
    found = sums(milestones, currency)
    return {
        "total_milestones": len(milestones),
        "approved_amount": money(found.approved),
        "settled_amount": money(found.settled),
        "pending_amount": money(found.pending),
    }


def archived(part: ArchivedChain) -> dict[str, Any]:
    """Where audit events of an intent lie that may have left the table."""
    return {
        "file": part.archive.file_name,
        "sha256": part.archive.sha256,
        "first_sequence": part.first_sequence,
        "last_sequence": part.last_sequence,
    }


def audit_event(event: AuditEvent, *, for_staff: bool) -> dict[str, Any]:
    """One line of the history, with its place in the chain; others do not read what staff write for each other."""
    told = for_staff or event.action not in audit.AMONG_STAFF
    return {
        "id": event.pk,
        "sequence": event.sequence,
        "action": event.action,
        "milestone_id": event.settlement_id,
        "from_status": event.from_status.lower() or None,
        "to_status": event.to_status.lower() or None,
        "reason": (event.reason or None) if told else None,
        "triggered_by": event.triggered_by,
        "approved_by": event.approved_by or None,
        "data": event.data if told else {},
        "created_at": event.created_at,
        "prev_hash": bytes(event.prev_hash).hex(),
        "hash": bytes(event.hash).hex(),
    }


def share_text(share: Decimal) -> str:
    """A share with at least two decimals: "0.60", "0.125"."""
    whole, _, digits = format(share.normalize(), "f").partition(".")
    return f"{whole}.{digits.ljust(_SHARE_DIGITS, '0')}"


def _item(item: ScheduleItem) -> dict[str, Any]:
    return {
        "event_type": item.event_type,
        "share": share_text(item.share),
        "amount": money(item.amount),
        "status": item.status.value.lower() if item.status else None,
    }
