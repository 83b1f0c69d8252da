"""/audit: what happened to a shipment's and an intent's money."""

from typing import Final

from settlements.api.openapi import examples
from settlements.api.openapi.components import METHOD
from settlements.api.openapi.intents import INTENT_ID
from settlements.api.openapi.operation import Answer, Operation, path_id, path_text
from settlements.api.openapi.shapes import (
    AMOUNT,
    CURRENCY,
    INTENT_STATUS,
    SCORE,
    TIER,
    VERSION,
    answered,
    array,
    identity,
    nullable,
    ref,
    shown,
)
from settlements.locks import IntentNotFound, SettlementNotFound
from settlements.permissions import Scope

_TAG: Final = "Audit"
_INTENT: Final = {
    "payment_intent_id": 11,
    **{
        name: examples.INTENT[name]
        for name in (
            "freight_token_id", "shipment_id", "amount", "currency", "risk_score", "risk_tier", "status",
            "payment_method", "version", "schedule",
        )
    },
    "milestones": [examples.MILESTONE],
    "summary": examples.INTENT_SUMMARY,
}  # fmt: skip

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/audit/shipments/{shipment_id}",
        id="auditShipment",
        tag=_TAG,
        summary="All milestones of a shipment",
        description="Over all its intents, with counts and sums. A carrier's key sees its own shipments; another's is "
        "404 like a missing one.",
        scope=Scope.AUDIT_READ,
        parameters=(path_text("shipment_id", "As the upstream writes it, percent-encoded.", examples.SHIPMENT),),
        answers=(
            Answer(
                status=200,
                says="The shipment's milestones.",
                schema=answered(
                    shipment_id=shown(), milestones=array(ref("Milestone")), summary=ref("ShipmentSummary")
                ),
                examples={
                    "shipment": {
                        "shipment_id": examples.SHIPMENT,
                        "milestones": [examples.MILESTONE],
                        "summary": examples.SHIPMENT_SUMMARY,
                    }
                },
            ),
        ),
        refusals=("shipment_not_found",),
    ),
    Operation(
        method="GET",
        path="/audit/payment_intents/{id}/milestones",
        id="auditIntent",
        tag=_TAG,
        summary="All milestones of an intent",
        description="With the intent's schedule, and the versions that decisions quote.",
        scope=Scope.AUDIT_READ,
        parameters=(INTENT_ID,),
        answers=(
            Answer(
                status=200,
                says="The intent's milestones.",
                schema=answered(
                    payment_intent_id=identity(),
                    freight_token_id=identity(),
                    shipment_id=shown(),
                    amount=AMOUNT,
                    currency=CURRENCY,
                    risk_score=nullable(SCORE),
                    risk_tier=TIER,
                    status=INTENT_STATUS,
                    payment_method=METHOD,
                    version=VERSION,
                    schedule=ref("Schedule"),
                    milestones=array(ref("Milestone")),
                    summary=ref("IntentSummary"),
                ),
                examples={"intent": _INTENT},
            ),
        ),
        refusals=(IntentNotFound,),
    ),
    Operation(
        method="GET",
        path="/audit/milestones/{milestone_id}",
        id="auditMilestone",
        tag=_TAG,
        summary="One milestone",
        description="The same object that messages to subscribers carry.",
        scope=Scope.AUDIT_READ,
        parameters=(path_id("milestone_id", "The milestone settlement's id.", 27),),
        answers=(
            Answer(
                status=200,
                says="The milestone.",
                schema=ref("Milestone"),
                examples={"milestone": examples.MILESTONE},
            ),
        ),
        refusals=(SettlementNotFound,),
    ),
)
