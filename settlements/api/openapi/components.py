"""The objects of the answers, by the names the document refers to them with."""

from typing import Final

from rails.base import SettlementProvider
from settlements.api.openapi import destinations
from settlements.api.openapi.shapes import (
    AMOUNT,
    CURRENCY,
    HASH,
    INTENT_STATUS,
    RELEASING_EVENT,
    SCORE,
    SETTLEMENT_STATUS,
    SHARE,
    STRATEGY,
    TIER,
    VERSION,
    Schema,
    answered,
    array,
    boolean,
    identity,
    lower,
    moment,
    nullable,
    ref,
    shown,
    whole,
    words,
)
from settlements.statuses import Origin, ScheduleType

METHOD: Final[Schema] = words((provider.method for provider in SettlementProvider), "The payment rail.")
_TOTALS: Final[dict[str, Schema]] = {
    "total_approved_amount": AMOUNT,
    "total_settled_amount": AMOUNT,
    "total_pending_amount": AMOUNT,
}
_COUNTS: Final[dict[str, Schema]] = {f"{status}_count": whole() for status in SETTLEMENT_STATUS["enum"]}
_DECISION: Final[dict[str, Schema]] = {
    "event_type": RELEASING_EVENT,
    "amount": AMOUNT,
    "currency": CURRENCY,
    "status": SETTLEMENT_STATUS,
    "strategy": STRATEGY,
    "decision": shown("Why, in words."),
    "rule": shown("The rule that fired."),
    "policy_version": shown(),
    "risk_tier": TIER,
    "risk_score": nullable(SCORE),
}

COMPONENTS: Final[dict[str, Schema]] = {
    "Schedule": answered(
        type=words(ScheduleType),
        items=array(
            answered(
                event_type=RELEASING_EVENT,
                share=SHARE,
                amount=AMOUNT,
                status=nullable({**SETTLEMENT_STATUS, "description": "Null until the event has come."}),
            )
        ),
    ),
    "PaymentIntent": answered(
        id=identity(),
        freight_token_id=identity(),
        shipment_id=shown(),
        amount=AMOUNT,
        currency=CURRENCY,
        description=shown(),
        status=INTENT_STATUS,
        payment_method=METHOD,
        recipient_id=nullable(shown()),
        risk_score=nullable({**SCORE, "description": "The token's score when the intent was created."}),
        risk_tier=TIER,
        risk_category=nullable(shown("The upstream's word; it decides nothing.")),
        approved_amount={**AMOUNT, "description": "Approved or settled."},
        settled_amount={**AMOUNT, "description": "Settled."},
        pending_amount={**AMOUNT, "description": "Pending, delayed or releasing."},
        unreleased_amount={**AMOUNT, "description": "The amount less what is approved."},
        schedule=ref("Schedule"),
        version=VERSION,
        created_by=shown(),
        created_at=moment(),
        cancelled_at=nullable(moment()),
    ),
    "Milestone": answered(
        id=identity(),
        payment_intent_id=identity(),
        **_DECISION,
        origin=words(lower(Origin), "What brought it into being: an event, or a settle request."),
        provider=words(provider.name for provider in SettlementProvider),
        reference=nullable(shown("The rail's reference, once released.")),
        settlement_delayed_until=nullable(moment("Until when a delayed release waits.")),
        blocked_reason=nullable(shown("Why an authorised release can not go just now.")),
        on_hold=boolean(),
        approvals=whole("How many have approved this version."),
        approvals_required=whole("How many must.", lowest=1),
        version=VERSION,
        created_at=moment(),
        released_at=nullable(moment()),
        settled_at=nullable(moment()),
    ),
    "PlannedMilestone": answered(
        payment_intent_id=identity(),
        **_DECISION,
        provider=words(provider.name for provider in SettlementProvider),
        settlement_delayed_until=nullable(moment()),
        blocked_reason=nullable(shown()),
        approvals_required=whole(lowest=1),
    ),
    "IntentSummary": answered(
        total_milestones=whole(), approved_amount=AMOUNT, settled_amount=AMOUNT, pending_amount=AMOUNT
    ),
    "ShipmentSummary": answered(
        total_milestones=whole(),
        **_COUNTS,
        **{name: nullable(schema) for name, schema in _TOTALS.items()},
        currency=nullable(CURRENCY),
        per_currency={
            "type": "object",
            "additionalProperties": answered(**_TOTALS),
            "description": "The totals by currency; with several currencies the single totals are null.",
        },
    ),
    "AuditEvent": answered(
        id=identity(),
        sequence=whole("Counts the events of one intent.", lowest=1),
        action=shown(),
        milestone_id=nullable(identity()),
        from_status=nullable(shown()),
        to_status=nullable(shown()),
        reason=nullable(shown()),
        triggered_by=shown(),
        approved_by=nullable(shown()),
        data={"type": "object", "description": "The inputs of what happened; amounts here are texts."},
        created_at=moment(),
        prev_hash=HASH,
        hash=HASH,
    ),
    "ArchivedAuditEvents": answered(
        file=shown("The name of the archive."),
        sha256=HASH,
        first_sequence=whole("Of the events in it.", lowest=1),
        last_sequence=whole("This one is in the database, too.", lowest=2),
    ),
    "FreightToken": answered(
        freight_token_id=identity(),
        shipment_id=shown(),
        status=shown("Only `active` and `locked` let money go."),
        risk_score=nullable(SCORE),
        risk_tier=TIER,
        risk_category=nullable(shown()),
        carrier_id=nullable(shown()),
        recipient_id=nullable(shown()),
        created_at=moment(),
        updated_at=moment(),
    ),
    "Recipient": answered(
        recipient_id=shown(),
        name=shown(),
        destinations=destinations.ANSWERED,
        payouts_enabled=boolean(),
        created_at=moment(),
        updated_at=moment(),
    ),
}
