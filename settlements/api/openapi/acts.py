"""/payment_intents/{id}/...: what may be asked of an intent."""

from typing import Final

from settlements import approvals, requests
from settlements.api.openapi import examples
from settlements.api.openapi.components import METHOD
from settlements.api.openapi.intents import INTENT_ANSWER, INTENT_ID, METHOD_REFUSALS, TAG
from settlements.api.openapi.operation import Answer, Body, Operation, query
from settlements.api.openapi.shapes import (
    INTENT_STATUS,
    LONGEST_LINES,
    RELEASING_EVENT,
    SCORE,
    STRATEGY,
    TIER,
    answered,
    array,
    boolean,
    identity,
    nullable,
    ref,
    sent,
    shown,
    text,
    whole,
    words,
)
from settlements.intents import IntentCancelled, NothingToCancel
from settlements.locks import IntentNotFound
from settlements.permissions import Scope

_NO_BODY: Final = Body(schema=sent(), examples={"nothing": {}}, required=False)
_REASON: Final = text("Why; line breaks are kept.", longest=LONGEST_LINES)
_OUTLOOK: Final = {
    "recommendation": STRATEGY,
    "delay_seconds": whole("How long a delayed release would wait."),
    "explanation": shown(),
}
_ASSESSED: Final = {
    "recommendation": "immediate",
    "delay_seconds": 0,
    "explanation": "LOW risk (0.15 < 0.33) at POD_CONFIRMED: release now",
}
_DECISIONS: Final = (
    approvals.NotEligible, approvals.OnHold, approvals.AlreadyApprovedByYou, approvals.NotIndependent,
    approvals.NotWaiting, approvals.NothingToRelease, approvals.StaleVersion, approvals.NotStaff,
)  # fmt: skip

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/payment_intents/{id}/assess_risk",
        id="assessRisk",
        tag=TAG,
        summary="Assess the risk without acting",
        description="What would be decided now, for each event and for settle. Nothing is written.",
        scope=Scope.INTENTS_READ,
        parameters=(INTENT_ID,),
        body=_NO_BODY,
        answers=(
            Answer(
                status=200,
                says="The assessment.",
                schema=answered(
                    payment_intent_id=identity(),
                    risk_score=nullable(SCORE),
                    risk_tier=TIER,
                    **_OUTLOOK,
                    policy_version=shown(),
                    milestones=array(answered(event_type=RELEASING_EVENT, **_OUTLOOK)),
                ),
                examples={
                    "low risk": {
                        "payment_intent_id": 11,
                        "risk_score": examples.amount("0.15"),
                        "risk_tier": "low",
                        **_ASSESSED,
                        "policy_version": "2025-11",
                        "milestones": [{"event_type": "POD_CONFIRMED", **_ASSESSED}],
                    }
                },
            ),
        ),
        refusals=(IntentNotFound,),
    ),
    Operation(
        method="POST",
        path="/payment_intents/{id}/settle",
        id="settlePaymentIntent",
        tag=TAG,
        summary="Settle without waiting for events",
        description="Creates the milestones the intent does not have yet and decides by the tier: low risk is "
        "released at once, medium waits for the hold, high waits in the review queue. `force_approval` is an officer's "
        "approval of everything that waits; it needs `reason`, the intent's `version`, and the scope "
        "`compliance:decide`.",
        scope=Scope.INTENTS_SETTLE,
        decides=True,
        parameters=(INTENT_ID,),
        body=Body(
            schema=sent(
                force_approval={**boolean(), "default": False}, reason=nullable(_REASON), version=nullable(text())
            ),
            examples={
                "by risk": {},
                "approve what waits": {
                    "force_approval": True,
                    "reason": "Proof of delivery checked by phone",
                    "version": examples.VERSION,
                },
            },
            required=False,
        ),
        answers=(
            Answer(
                status=200,
                says="What was done, and the intent as it is now.",
                schema=answered(
                    payment_intent_id=identity(),
                    action_taken=words(
                        ["approved", "delayed", "rejected"], "`rejected` is the answer alone: its milestones wait."
                    ),
                    risk_tier=TIER,
                    settlements_created=whole(),
                    settlements_released=whole(),
                    settlements_waiting=whole(),
                    status=INTENT_STATUS,
                    payment_intent=ref("PaymentIntent"),
                    milestones=array(ref("Milestone")),
                ),
                examples={
                    "low risk": {
                        "payment_intent_id": 11,
                        "action_taken": "approved",
                        "risk_tier": "low",
                        "settlements_created": 2,
                        "settlements_released": 2,
                        "settlements_waiting": 0,
                        "status": "approved",
                        "payment_intent": {**examples.INTENT, "status": "approved"},
                        "milestones": [examples.MILESTONE],
                    }
                },
            ),
        ),
        refusals=(IntentNotFound, IntentCancelled, requests.IntentVersionStale, *_DECISIONS),
    ),
    Operation(
        method="POST",
        path="/payment_intents/{id}/complete",
        id="completePaymentIntent",
        tag=TAG,
        summary="Confirm the funds",
        description="On the internal ledger: an approved intent's milestones become `settled`. Other rails settle when "
        "their provider confirms.",
        scope=Scope.INTENTS_COMPLETE,
        parameters=(INTENT_ID,),
        body=_NO_BODY,
        answers=(INTENT_ANSWER,),
        refusals=(IntentNotFound, IntentCancelled, requests.NotApproved, requests.RemoteRail),
    ),
    Operation(
        method="POST",
        path="/payment_intents/{id}/set_payment_method",
        id="setPaymentMethod",
        tag=TAG,
        summary="Choose the payment rail",
        description="In the body or in the query. What was submitted keeps its rail.",
        scope=Scope.INTENTS_WRITE,
        parameters=(INTENT_ID, query("method", METHOD, "Instead of the body.")),
        body=Body(schema=sent(method=METHOD), examples={"ledger": {"method": "internal_ledger"}}, required=False),
        answers=(INTENT_ANSWER,),
        refusals=(IntentNotFound, IntentCancelled, *METHOD_REFUSALS, "method_ambiguous"),
    ),
    Operation(
        method="POST",
        path="/payment_intents/{id}/cancel",
        id="cancelPaymentIntent",
        tag=TAG,
        summary="Cancel what has not been released",
        description="Released money stays released, and later events create nothing for the intent.",
        scope=Scope.INTENTS_CANCEL,
        parameters=(INTENT_ID,),
        body=Body(
            schema=sent(required=("reason",), reason=_REASON), examples={"cancel": {"reason": "The load was refused"}}
        ),
        answers=(INTENT_ANSWER,),
        refusals=(IntentNotFound, IntentCancelled, NothingToCancel),
    ),
    Operation(
        method="GET",
        path="/payment_intents/{id}/history",
        id="readHistory",
        tag=TAG,
        summary="Read the audit trail",
        description="Oldest first; each line carries the hash of the one before. Of a history that ended years ago "
        "the last line is here; `archived` names the files that have the others, and `total_actions` counts all.",
        scope=Scope.AUDIT_READ,
        parameters=(INTENT_ID,),
        answers=(
            Answer(
                status=200,
                says="All lines.",
                schema=answered(
                    payment_intent_id=identity(),
                    logs=array(ref("AuditEvent")),
                    total_actions=whole(),
                    archived=array(ref("ArchivedAuditEvents")),
                ),
                examples={"history": examples.HISTORY},
            ),
        ),
        refusals=(IntentNotFound,),
    ),
)
