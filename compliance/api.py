"""/compliance: the review queue and its decisions, under the same rules as the admin."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from compliance import filters, queries
from settlements import approvals
from settlements.api.endpoint import Endpoint
from settlements.api.fields import Fields
from settlements.api.intents import officer
from settlements.api.rendering import answer, money, number
from settlements.permissions import Scope
from settlements.statuses import Channel

_LONGEST_REASON = 2_000


class Queue(Endpoint):
    """What waits for a person: overdue first, then largest."""

    scopes = {"GET": Scope.COMPLIANCE_READ}
    query_parameters = filters.NAMES | {"skip", "limit", "milestone_id"}

    def get(self, request: Request) -> HttpResponse:
        total, items = queries.queue(
            skip=self.query.integer("skip", default=0, lowest=0, highest=10**9),
            limit=self.query.integer("limit", default=50, lowest=1, highest=500),
            filters=filters.read(self.query),
            milestone_id=self.query.positive_id("milestone_id"),
            now=timezone.now(),
        )
        return answer({"total": total, "items": [_item(item) for item in items]})


class Approve(Endpoint):
    """Approves what `version` stands for; before a hold is over this is the expedite."""

    scopes = {"POST": Scope.COMPLIANCE_DECIDE}

    def post(self, request: Request, milestone_id: int) -> HttpResponse:
        reason, version = _decision(self.body)
        decided = approvals.approve(
            milestone_id,
            officer=officer(self.caller.user, Channel.API),
            reason=reason,
            version=version,
            now=timezone.now(),
        )
        return answer(_decided(decided))


class Reject(Endpoint):
    """Rejects what `version` stands for."""

    scopes = {"POST": Scope.COMPLIANCE_DECIDE}

    def post(self, request: Request, milestone_id: int) -> HttpResponse:
        reason, version = _decision(self.body)
        decided = approvals.reject(
            milestone_id,
            officer=officer(self.caller.user, Channel.API),
            reason=reason,
            version=version,
            now=timezone.now(),
        )
        return answer(_decided(decided))


def _decision(body: dict[str, Any]) -> tuple[str, str]:
    with Fields(body, allowed=("reason", "version")) as fields:
        return fields.text("reason", longest=_LONGEST_REASON, multiline=True), fields.text("version")


def _decided(decided: approvals.Decided) -> dict[str, Any]:
    return {
        "message": decided.message,
        "milestone_id": decided.settlement_id,
        "payment_intent_id": decided.intent_id,
        "status": decided.status.value.lower(),
        "approvals": decided.approvals,
        "approvals_required": decided.approvals_required,
        "reference": decided.reference or None,
    }


def _item(item: queries.QueueItem) -> dict[str, Any]:
    return {
        "milestone_id": item.milestone_id,
        "version": item.version,
        "payment_intent_id": item.payment_intent_id,
        "shipment_id": item.shipment_id,
        "event_type": item.event_type,
        "amount": money(item.amount),
        "currency": item.amount.currency,
        "status": item.status.lower(),
        "strategy": item.strategy.lower(),
        "risk_tier": item.risk_tier.lower(),
        "risk_score": number(item.risk_score),
        "reason": item.reason,
        "payment_method": item.rail,
        "recipient_id": item.recipient_id,
        "recipient_name": item.recipient_name,
        "waiting_since": item.waiting_since,
        "overdue": item.overdue,
        "approvals": item.approvals,
        "approvals_required": item.approvals_required,
        "on_hold": item.held,
        "hold_reason": item.hold_reason,
        "blocked_reason": item.blocked_reason or None,
        "assignee": item.assignee,
        "due_by": item.due_by,
        "releases_at": item.releases_at,
    }
