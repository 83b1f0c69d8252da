"""What the API says of /compliance; `settlements.api.openapi` puts it together with the rest."""

from typing import Any, Final

from compliance import filters, openapi_acts
from settlements import approvals
from settlements.api.openapi.components import METHOD
from settlements.api.openapi.examples import amount
from settlements.api.openapi.operation import Answer, Body, Operation, path_id, query
from settlements.api.openapi.shapes import (
    AMOUNT,
    CURRENCY,
    LONGEST_LINES,
    RELEASING_EVENT,
    SCORE,
    SETTLEMENT_STATUS,
    STRATEGY,
    TIER,
    VERSION,
    answered,
    array,
    boolean,
    identity,
    moment,
    nullable,
    sent,
    shown,
    text,
    whole,
    words,
)
from settlements.locks import SettlementNotFound
from settlements.permissions import Scope

_TAG: Final = openapi_acts.TAG
_FIGURE: Final = {"type": "string", "pattern": f"^[0-9]{{1,11}}(\\.[0-9]{{1,{filters.AMOUNT_DIGITS}}})?$"}
_HOURS: Final = whole(highest=filters.LONGEST_AGE_HOURS)
_SCHEMAS: Final[dict[str, Any]] = {
    "state": words(filters.State),
    "q": text(),
    "tier": TIER,
    "event_type": RELEASING_EVENT,
    "payment_method": METHOD,
    "recipient_id": text(),
    "currency": CURRENCY,
    "min_amount": _FIGURE,
    "max_amount": _FIGURE,
    "overdue": boolean(),
    "older_than_hours": _HOURS,
    "younger_than_hours": _HOURS,
    "assignee": text(),
    "unassigned": boolean(),
    "on_hold": boolean(),
    "approvals_begun": boolean(),
}
_ITEM: Final = answered(
    milestone_id=identity(),
    version=VERSION,
    payment_intent_id=identity(),
    shipment_id=shown(),
    event_type=RELEASING_EVENT,
    amount=AMOUNT,
    currency=CURRENCY,
    status=SETTLEMENT_STATUS,
    strategy=STRATEGY,
    risk_tier=TIER,
    risk_score=nullable(SCORE),
    reason=shown("Why it waits."),
    payment_method=METHOD,
    recipient_id=nullable(shown()),
    recipient_name=nullable(shown()),
    waiting_since=moment(),
    overdue=boolean(),
    approvals=whole(),
    approvals_required=whole(lowest=1),
    on_hold=boolean(),
    hold_reason=nullable(shown("Why it is on hold.")),
    blocked_reason=nullable(shown("What stands in the way of a release that is authorised.")),
    assignee=nullable(shown("The username of the officer who works on it.")),
    due_by=nullable(moment("When the target for a decision is reached; null for what releases by itself.")),
    releases_at=nullable(moment("When it releases by itself; null for what waits for people.")),
)
_WAITING: Final[dict[str, Any]] = {
    "milestone_id": 22,
    "version": "21fb45474f0698ad4d09962f3d6b0e57",
    "payment_intent_id": 1,
    "shipment_id": "SHIP-BOZZA-001",
    "event_type": "POD_CONFIRMED",
    "amount": amount("38400.00"),
    "currency": "USD",
    "status": "pending",
    "strategy": "manual_review",
    "risk_tier": "high",
    "risk_score": amount("0.81"),
    "reason": "HIGH risk (0.81 >= 0.67) at POD_CONFIRMED: manual review",
    "payment_method": "internal_ledger",
    "recipient_id": "summit-factoring",
    "recipient_name": "Summit Factoring Corp.",
    "waiting_since": "2026-11-22T09:12:59.009071Z",
    "overdue": False,
    "approvals": 1,
    "approvals_required": 2,
    "on_hold": False,
    "hold_reason": None,
    "blocked_reason": None,
    "assignee": "officer2",
    "due_by": "2026-11-23T09:12:59.009071Z",
    "releases_at": None,
}
_DECIDED: Final = answered(
    message=shown(),
    milestone_id=identity(),
    payment_intent_id=identity(),
    status=SETTLEMENT_STATUS,
    approvals=whole(),
    approvals_required=whole(lowest=1),
    reference=nullable(shown()),
)
_BODY: Final = Body(
    schema=sent(
        required=("reason", "version"),
        reason=text("Why; line breaks are kept.", longest=LONGEST_LINES),
        version=text("As read from the queue or the audit answer: a decision is about what was on the screen."),
    ),
    examples={"decision": {"reason": "Bill of lading checked", "version": "21fb45474f0698ad4d09962f3d6b0e57"}},
)
_REFUSALS: Final = (
    SettlementNotFound, approvals.NotWaiting, approvals.NothingToRelease, approvals.NotEligible, approvals.OnHold,
    approvals.StaleVersion, approvals.AlreadyApprovedByYou, approvals.NotIndependent, approvals.NotStaff,
)  # fmt: skip


def _decision(verb: str, summary: str, description: str, message: str, status: str, reference: str | None) -> Operation:
    answer = {
        "message": message,
        "milestone_id": 22,
        "payment_intent_id": 1,
        "status": status,
        "approvals": 2,
        "approvals_required": 2,
        "reference": reference,
    }
    return Operation(
        method="POST",
        path=f"/compliance/{verb}/{{milestone_id}}",
        id=f"{verb}Milestone",
        tag=_TAG,
        summary=summary,
        description=description,
        scope=Scope.COMPLIANCE_DECIDE,
        decides=True,
        parameters=(path_id("milestone_id", "The milestone settlement's id.", 22),),
        body=_BODY,
        answers=(Answer(status=200, says="What became of it.", schema=_DECIDED, examples={"decided": answer}),),
        refusals=_REFUSALS,
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/compliance/queue",
        id="readQueue",
        tag=_TAG,
        summary="What waits for a person",
        description="Overdue first, then largest (by figure, whatever the currency), then oldest; what is `delayed` by "
        "when it releases itself. Filters given together must all hold.",
        scope=Scope.COMPLIANCE_READ,
        parameters=(
            query("skip", whole(highest=10**9), "How many to pass over."),
            query("limit", whole(lowest=1, highest=500), "At most so many; 50 if absent."),
            query("milestone_id", whole(lowest=1, highest=10**18 - 1), "Only this milestone."),
            *(query(name, _SCHEMAS[name], says) for name, says in filters.SAYS.items()),
        ),
        answers=(
            Answer(
                status=200,
                says="One page, and how many there are in all.",
                schema=answered(total=whole(), items=array(_ITEM)),
                examples={"page": {"total": 1, "items": [_WAITING]}},
            ),
        ),
    ),
    _decision(
        "approve",
        "Approve a milestone",
        "Above the four-eyes amount the first approval is recorded and a second officer's releases. On a delayed "
        "milestone this releases before the hold is over. Never by who created the intent or edited its recipient.",
        "Settlement approved",
        "approved",
        "INTERNAL_LEDGER:20261122T091347284752Z:22",
    ),
    _decision(
        "reject",
        "Reject a milestone",
        "One officer is enough, and nothing is ever paid.",
        "Settlement rejected",
        "rejected",
        None,
    ),
    *openapi_acts.OPERATIONS,
)
