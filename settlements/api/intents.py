"""/payment_intents: creating, reading, and what may be asked of one."""

import hashlib
from typing import Any

import orjson
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from settlements import chainfreight, idempotency, intents, queries, requests, values
from settlements.api import representations
from settlements.api.callers import Caller
from settlements.api.endpoint import Endpoint
from settlements.api.errors import Refused
from settlements.api.fields import Fields
from settlements.api.headers import visible_header
from settlements.api.rendering import answer, dump, number
from settlements.api.words import IntentStatusWord, TierWord
from settlements.approvals import Officer
from settlements.intents import IntentRequest, ScheduleRequest
from settlements.locks import IntentNotFound
from settlements.permissions import Scope
from settlements.policy import Decision
from settlements.statuses import Channel, EventType, IntentStatus, RiskTier, ScheduleType
from settlements.tokens import TokenPush

_FIELDS = frozenset(
    {"freight_token_id", "amount", "currency", "description", "payment_method", "recipient_id", "schedule"}
)
_LONGEST_DESCRIPTION = 2_000
_LONGEST_REASON = 2_000


class PaymentIntents(Endpoint):
    """POST creates an intent (repeatable under an Idempotency-Key); GET lists, newest first."""

    scopes = {"GET": Scope.INTENTS_READ, "POST": Scope.INTENTS_WRITE}
    query_parameters = frozenset({"skip", "limit", "status", "risk_tier"})

    def get(self, request: Request) -> HttpResponse:
        status = self.query.choice("status", IntentStatusWord)
        tier = self.query.choice("risk_tier", TierWord)
        total, found = queries.intents(
            skip=self.query.integer("skip", default=0, lowest=0, highest=10**9),
            limit=self.query.integer("limit", default=10, lowest=1, highest=100),
            status=IntentStatus(status.upper()) if status else None,
            risk_tier=RiskTier(tier.upper()) if tier else None,
            carrier_id=self.caller.carrier_id,
        )
        return answer({"total": total, "payment_intents": [representations.intent(each) for each in found]})

    def post(self, request: Request) -> HttpResponse:
        if self.request.GET:
            raise Refused("unknown_parameter", "POST /payment_intents takes no query parameters.", 400)
        wanted = _intent_request(self.body)
        key = visible_header(request._request, "Idempotency-Key")
        # Here and not later: no transaction is open yet.
        fetched = chainfreight.fetch_unknown(wanted.freight_token_id)
        if key is None:
            return _created(self._create(wanted, fetched)[1])
        body = idempotency.once(
            actor=self.caller.actor,
            key=key,
            body_hash=_normalised(wanted),
            produce=lambda: self._create(wanted, fetched),
            now=timezone.now(),
        )
        return _created(body)

    def _create(self, wanted: IntentRequest, fetched: TokenPush | None) -> tuple[int, bytes]:
        user = self.caller.user
        intent_id = intents.create(
            wanted,
            actor=self.caller.actor,
            user_id=user.pk if user else None,
            fetched=fetched,
            now=timezone.now(),
        )
        return intent_id, dump(representations.intent(found(intent_id, self.caller)))


class PaymentIntentDetail(Endpoint):
    """One intent."""

    scopes = {"GET": Scope.INTENTS_READ}

    def get(self, request: Request, intent_id: int) -> HttpResponse:
        return answer(representations.intent(found(intent_id, self.caller)))


class AssessRisk(Endpoint):
    """The risk, and what each event would do, without acting."""

    scopes = {"POST": Scope.INTENTS_READ}
    body_optional = True

    def post(self, request: Request, intent_id: int) -> HttpResponse:
        with Fields(self.body, allowed=()):
            pass
        return answer(_assessment(requests.assess(found(intent_id, self.caller).row)))


class Settle(Endpoint):
    """Settles by request, or with `force_approval` as an officer's approval of all that waits."""

    scopes = {"POST": Scope.INTENTS_SETTLE}
    body_optional = True

    def post(self, request: Request, intent_id: int) -> HttpResponse:
        if self.body.get("force_approval") is True:
            self.caller.require(Scope.COMPLIANCE_DECIDE)
        with Fields(self.body, allowed=("force_approval", "reason", "version")) as fields:
            forced = fields.boolean("force_approval", default=False)
            if forced:
                reason: str = fields.text("reason", longest=_LONGEST_REASON, multiline=True)
                version = fields.text("version")
            else:
                reason = fields.maybe_text("reason", longest=_LONGEST_REASON, multiline=True) or ""
                fields.maybe_text("version")
        force = None
        if forced:
            force = requests.Force(officer=officer(self.caller.user, Channel.SETTLE), reason=reason, version=version)
        result = requests.settle(intent_id, actor=self.caller.actor, reason=reason, force=force, now=timezone.now())
        intent = found(intent_id, self.caller)
        return answer(
            {
                "payment_intent_id": intent_id,
                "action_taken": result.action_taken,
                "risk_tier": result.tier.lower(),
                "settlements_created": result.created,
                "settlements_released": result.released,
                "settlements_waiting": result.waiting,
                "status": intent.row.status.lower(),
                "payment_intent": representations.intent(intent),
                "milestones": [representations.milestone(each) for each in queries.milestones_of_intent(intent_id)],
            }
        )


class Complete(Endpoint):
    """Confirms what a local rail released."""

    scopes = {"POST": Scope.INTENTS_COMPLETE}
    body_optional = True

    def post(self, request: Request, intent_id: int) -> HttpResponse:
        with Fields(self.body, allowed=()):
            pass
        requests.complete(intent_id, actor=self.caller.actor, now=timezone.now())
        return answer(representations.intent(found(intent_id, self.caller)))


class SetPaymentMethod(Endpoint):
    """Chooses the rail, by body or query parameter."""

    scopes = {"POST": Scope.INTENTS_WRITE}
    query_parameters = frozenset({"method"})
    body_optional = True

    def post(self, request: Request, intent_id: int) -> HttpResponse:
        in_query = self.query.text("method")
        with Fields(self.body, allowed=("method",)) as fields:
            in_body = fields.maybe_text("method", nullable=False)
            if in_body is None and in_query is None and not fields.given("method"):
                fields.fault("method", "method_missing", "method is missing.")
            if in_body is not None and in_query is not None and in_body != in_query:
                fields.fault("method", "method_ambiguous", "The body and the query name different methods.")
        intents.set_payment_method(intent_id, in_body or in_query or "", actor=self.caller.actor, now=timezone.now())
        return answer(representations.intent(found(intent_id, self.caller)))


class Cancel(Endpoint):
    """Cancels what has not been released."""

    scopes = {"POST": Scope.INTENTS_CANCEL}

    def post(self, request: Request, intent_id: int) -> HttpResponse:
        with Fields(self.body, allowed=("reason",)) as fields:
            reason = fields.text("reason", longest=_LONGEST_REASON, multiline=True)
        intents.cancel(intent_id, reason=reason, actor=self.caller.actor, now=timezone.now())
        return answer(representations.intent(found(intent_id, self.caller)))


class History(Endpoint):
    """The audit trail of one intent."""

    scopes = {"GET": Scope.AUDIT_READ}

    def get(self, request: Request, intent_id: int) -> HttpResponse:
        found(intent_id, self.caller)
        for_staff = not self.caller.carrier_id
        logs = [representations.audit_event(event, for_staff=for_staff) for event in queries.history(intent_id)]
        return answer(
            {
                "payment_intent_id": intent_id,
                "logs": logs,
                "total_actions": logs[-1]["sequence"] if logs else 0,
                "archived": [representations.archived(part) for part in queries.archived(intent_id)],
            }
        )


def found(intent_id: int, caller: Caller) -> queries.Intent:
    """The intent; raises IntentNotFound, also when the caller's carrier has nothing to do with it."""
    intent = queries.intent(intent_id, carrier_id=caller.carrier_id)
    if intent is None:
        raise IntentNotFound(intent_id)
    return intent


def officer(user: Any, channel: Channel) -> Officer:
    """The staff user who decides, and by which request."""
    return Officer(pk=user.pk, username=user.get_username(), channel=channel)


def _created(body: bytes) -> HttpResponse:
    return HttpResponse(body, status=201, content_type="application/json")


def _intent_request(body: dict[str, Any]) -> IntentRequest:
    with Fields(body, allowed=_FIELDS) as fields:
        return IntentRequest(
            freight_token_id=fields.positive_id("freight_token_id"),
            amount=fields.money(),
            description=fields.maybe_text("description", longest=_LONGEST_DESCRIPTION, multiline=True) or "",
            payment_method=fields.maybe_text("payment_method", nullable=False),
            recipient_id=fields.maybe_text("recipient_id"),
            schedule=_schedule(fields),
        )


def _schedule(fields: Fields) -> ScheduleRequest:
    wanted = fields.nested("schedule", allowed=("type", "items"))
    if wanted is None:
        return ScheduleRequest()
    kind = wanted.maybe_word("type", ScheduleType, default=ScheduleType.MILESTONE)
    if kind is not ScheduleType.CUSTOM:
        if wanted.given("items"):
            wanted.fault("items", "items_not_allowed", "Only a custom schedule has items.")
        return ScheduleRequest(type=kind or ScheduleType.MILESTONE)
    items = wanted.nested_list("items", allowed=("event_type", "share"), most=len(EventType))
    return ScheduleRequest(
        type=ScheduleType.CUSTOM,
        items=[
            (item.word("event_type", EventType, any_case=True), item.need("share", values.fraction)) for item in items
        ],
    )


def _normalised(wanted: IntentRequest) -> bytes:
    """The request as it was understood: 10000, "10000" and 10000.00 are the same one."""
    schedule = wanted.schedule
    return hashlib.sha256(
        orjson.dumps(
            [
                wanted.freight_token_id,
                wanted.amount.minor,
                wanted.amount.currency,
                wanted.description,
                wanted.payment_method,
                wanted.recipient_id,
                schedule.type,
                [[event_type, representations.share_text(share)] for event_type, share in schedule.items],
            ]
        )
    ).digest()


def _assessment(found: requests.Assessment) -> dict[str, Any]:
    decision = found.at_settle
    return {
        "payment_intent_id": found.intent.pk,
        "risk_score": number(decision.score),
        "risk_tier": found.tier.lower(),
        "recommendation": decision.strategy.lower(),
        "delay_seconds": requests.delay_seconds(decision),
        "explanation": decision.explanation,
        "policy_version": decision.policy_version,
        "milestones": [_of_event(each) for each in found.decisions],
    }


def _of_event(decision: Decision) -> dict[str, Any]:
    return {
        "event_type": decision.inputs["event_type"],
        "recommendation": decision.strategy.lower(),
        "delay_seconds": requests.delay_seconds(decision),
        "explanation": decision.explanation,
    }
