"""What a dossier tells of one payment intent, file by file: as it is stored, without secrets and account numbers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from rails.models import Account, JournalEntry, RailAttempt
from rails.money import Money
from settlements import audit, redaction
from settlements.models import Approval, AuditEvent, Hold, MilestoneSettlement, PaymentIntent, ShipmentEvent
from settlements.policy import score_text

Row = dict[str, Any]


def chain(intent_id: int) -> bytes:
    """The audit events in their canonical form, one to a line."""
    events = AuditEvent.objects.filter(intent=intent_id).order_by("sequence")
    return b"".join(_canonical(event) + b"\n" for event in events.iterator(chunk_size=2_000))


def records(intent: PaymentIntent) -> Mapping[str, bytes]:
    """The other files, by name."""
    settlements = list(MilestoneSettlement.objects.filter(intent=intent).order_by("pk"))
    ids = [settlement.pk for settlement in settlements]
    approvals = Approval.objects.filter(settlement__in=ids).select_related("approver").order_by("pk")
    events = ShipmentEvent.objects.filter(shipment=intent.shipment_id).select_related("shipment", "source")
    attempts = RailAttempt.objects.filter(milestone_id__in=ids).prefetch_related("notices")
    entries = JournalEntry.objects.filter(milestone_id__in=ids).prefetch_related(
        "postings__debit_account__recipient", "postings__credit_account__recipient"
    )
    return {
        "intent.json": _file(_intent(intent)),
        "settlements.json": _file([_settlement(row) for row in settlements]),
        "approvals.json": _file([_approval(row) for row in approvals]),
        "holds.json": _file([_hold(row) for row in Hold.objects.filter(settlement__in=ids).order_by("pk")]),
        "events.json": _file([_event(row) for row in events.order_by("pk")]),
        "attempts.json": _file([_attempt(row) for row in attempts.order_by("milestone_id", "number")]),
        "journal.json": _file([_entry(row) for row in entries.order_by("pk")]),
    }


def _file(told: Any) -> bytes:
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def at(moment: datetime | None) -> str | None:
    """As the audit chain writes times."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")


def _canonical(event: AuditEvent) -> bytes:
    draft = audit.Draft(
        intent_id=event.intent_id,
        settlement_id=event.settlement_id,
        action=event.action,
        triggered_by=event.triggered_by,
        approved_by=event.approved_by,
        from_status=event.from_status,
        to_status=event.to_status,
        reason=event.reason,
        data=event.data,
    )
    return audit.canonical(draft, sequence=event.sequence, created_at=event.created_at)


def _intent(intent: PaymentIntent) -> Row:
    return {
        "id": intent.pk,
        "amount": Money(intent.amount_minor, intent.currency).text,
        "currency": intent.currency,
        "status": intent.status,
        "description": redaction.text(intent.description),
        "freight_token_id": intent.freight_token_id,
        "shipment_id": intent.shipment.shipment_id,
        "recipient_id": intent.recipient and intent.recipient.recipient_id,
        "payment_method": intent.payment_method,
        "created_by": intent.created_by_actor,
        "created_at": at(intent.created_at),
        "cancelled_at": at(intent.cancelled_at),
        "schedule": [
            {
                "event_type": item.event_type,
                "share": score_text(item.share),
                "amount": Money(item.amount_minor, item.currency).text,
            }
            for item in intent.items.order_by("position")
        ],
    }


def _settlement(row: MilestoneSettlement) -> Row:
    return {
        "id": row.pk,
        "event_type": row.event_type,
        "amount": Money(row.amount_minor, row.currency).text,
        "currency": row.currency,
        "status": row.status,
        "origin": row.origin,
        "event_id": row.event_id,
        "strategy": row.strategy,
        "risk_tier": row.risk_tier,
        "risk_score": None if row.risk_score is None else score_text(row.risk_score),
        "rule": row.rule,
        "explanation": row.explanation,
        "inputs": row.inputs,
        "policy_version": row.policy_version,
        "approvals_required": row.approvals_required,
        "delayed_until": at(row.settlement_delayed_until),
        "rail": row.rail,
        "reference": row.reference,
        "blocked_reason": row.blocked_reason,
        "error": redaction.text(row.error),
        "created_at": at(row.created_at),
        "released_at": at(row.released_at),
        "settled_at": at(row.settled_at),
    }


def _approval(row: Approval) -> Row:
    return {
        "settlement_id": row.settlement_id,
        "decision": row.decision,
        "approver": row.approver_id,
        "login_now": row.approver.get_username(),
        "channel": row.channel,
        "reason": row.reason,
        "version": row.version,
        "created_at": at(row.created_at),
    }


def _hold(row: Hold) -> Row:
    return {
        "settlement_id": row.settlement_id,
        "reason": row.reason,
        "placed_by": row.placed_by,
        "placed_at": at(row.placed_at),
        "lifted_by": row.lifted_by,
        "lifted_at": at(row.lifted_at),
        "lift_reason": row.lift_reason,
    }


def _event(row: ShipmentEvent) -> Row:
    body = redaction.as_received(row.body)
    return {
        "id": row.pk,
        "source": row.source.name,
        "message_id": row.message_id,
        "shipment_id": row.shipment.shipment_id,
        "event_type": row.event_type,
        "occurred_at": at(row.occurred_at),
        "received_at": at(row.received_at),
        "state": row.state,
        "settlements_created": row.settlements_created,
        "processed_at": at(row.processed_at),
        "error": redaction.text(row.error),
        "body": body,
        "redacted": body != row.body,
    }


def _attempt(row: RailAttempt) -> Row:
    return {
        "settlement_id": row.milestone_id,
        "number": row.number,
        "provider": row.provider,
        "destination": row.destination_id,
        "state": row.state,
        "amount": Money(row.amount_minor, row.currency).text,
        "currency": row.currency,
        "returned": Money(row.returned_minor, row.currency).text,
        "owed": Money(row.owed_minor, row.currency).text,
        "reference": row.reference,
        "tries": row.tries,
        "error": redaction.text(row.error),
        "question": redaction.text(row.question),
        "prepared_at": at(row.prepared_at),
        "submitted_at": at(row.submitted_at),
        "answered_at": at(row.answered_at),
        "confirmed_at": at(row.confirmed_at),
        "answers": [
            {
                "source": notice.source,
                "outcome": notice.outcome,
                "applied": notice.applied,
                "reference": notice.reference,
                "came_back": None
                if notice.amount_minor is None
                else Money(notice.amount_minor, notice.currency or row.currency).text,
                "reason": redaction.text(notice.reason),
                "occurred_at": at(notice.occurred_at),
                "heard_at": at(notice.created_at),
            }
            for notice in sorted(row.notices.all(), key=lambda notice: notice.pk)
        ],
    }


def _entry(row: JournalEntry) -> Row:
    return {
        "id": row.pk,
        "reference": row.reference,
        "kind": row.kind,
        "settlement_id": row.milestone_id,
        "attempt": row.attempt_number,
        "amount": Money(row.amount_minor, row.currency).text,
        "currency": row.currency,
        "reverses": row.reverses_id,
        "follows": row.follows_id,
        "posted_at": at(row.posted_at),
        "postings": [
            {
                "debit": _account(posting.debit_account),
                "credit": _account(posting.credit_account),
                "amount": Money(posting.amount_minor, posting.currency).text,
                "currency": posting.currency,
            }
            for posting in sorted(row.postings.all(), key=lambda posting: posting.pk)
        ],
    }


def _account(account: Account) -> str:
    owner = f" of recipient {account.recipient.recipient_id}" if account.recipient else ""
    return f"{account.code}{owner}"
