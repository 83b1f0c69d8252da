"""What the API says of the acts of /compliance that are no decisions; `compliance.openapi` puts them to the rest."""

from typing import Any, Final

from compliance import assignments
from settlements import holds
from settlements.api.openapi.operation import Answer, Body, Operation, path_id
from settlements.api.openapi.shapes import (
    LONGEST_LINES,
    SETTLEMENT_STATUS,
    answered,
    boolean,
    identity,
    moment,
    nullable,
    sent,
    shown,
    text,
)
from settlements.locks import SettlementNotFound
from settlements.permissions import Scope
from settlements.refusals import Refusal

TAG: Final = "Compliance"
_AS_IT_IS: Final = answered(
    message=shown(),
    milestone_id=identity(),
    payment_intent_id=identity(),
    status=SETTLEMENT_STATUS,
    on_hold=boolean(),
    settlement_delayed_until=nullable(moment("Until when a delayed release waits.")),
)
_REASON: Final = text("Why; line breaks are kept.", longest=LONGEST_LINES)
_UNTIL: Final = {
    "type": "string",
    "format": "date-time",
    "description": "ISO 8601; without an offset it is read as UTC.",
}


def act(
    path: str,
    identifier: str,
    *,
    summary: str,
    description: str,
    scope: Scope,
    body: Body,
    answer: Answer,
    refusals: tuple[type[Refusal] | str, ...],
) -> Operation:
    """A POST to /compliance/{path}/{milestone_id}, by a person."""
    return Operation(
        method="POST",
        path=f"/compliance/{path}/{{milestone_id}}",
        id=identifier,
        tag=TAG,
        summary=summary,
        description=description,
        scope=scope,
        decides=True,
        parameters=(path_id("milestone_id", "The milestone settlement's id.", 22),),
        body=body,
        answers=(answer,),
        refusals=(SettlementNotFound, *refusals),
    )


def _as_it_is(message: str, *, on_hold: bool, until: str | None) -> Answer:
    example: dict[str, Any] = {
        "message": message,
        "milestone_id": 22,
        "payment_intent_id": 1,
        "status": "delayed" if until else "pending",
        "on_hold": on_hold,
        "settlement_delayed_until": until,
    }
    return Answer(status=200, says="How the settlement is now.", schema=_AS_IT_IS, examples={"done": example})


OPERATIONS: Final = (
    act(
        "hold",
        "holdMilestone",
        summary="Put a milestone on hold",
        description="Nothing is released until the hold is lifted, and nobody approves it meanwhile.",
        scope=Scope.COMPLIANCE_HOLD,
        body=Body(
            schema=sent(required=("reason",), reason=_REASON), examples={"hold": {"reason": "Claim filed by phone"}}
        ),
        answer=_as_it_is("Settlement put on hold", on_hold=True, until=None),
        refusals=(holds.HoldRefused,),
    ),
    act(
        "release_hold",
        "releaseHold",
        summary="Lift the hold of a milestone",
        description="What is due is released by the next sweep; what waits for approvals waits on.",
        scope=Scope.COMPLIANCE_HOLD,
        body=Body(
            schema=sent(required=("reason",), reason=_REASON), examples={"lift": {"reason": "The claim was withdrawn"}}
        ),
        answer=_as_it_is("Hold lifted", on_hold=False, until=None),
        refusals=(holds.HoldRefused,),
    ),
    act(
        "extend",
        "extendMilestone",
        summary="Put a delayed release off",
        description=f"To a later time than it has, by {holds.LONGEST_EXTENSION.days} days at most.",
        scope=Scope.COMPLIANCE_HOLD,
        body=Body(
            schema=sent(required=("reason", "until"), reason=_REASON, until=_UNTIL),
            examples={"extend": {"reason": "The carrier's bank is closed", "until": "2026-11-26T09:00:00Z"}},
        ),
        answer=_as_it_is("Release put off", on_hold=False, until="2026-11-26T09:00:00Z"),
        refusals=(holds.HoldRefused, holds.DateRefused),
    ),
    act(
        "assign",
        "assignMilestone",
        summary="Say who works on a milestone",
        description="An officer by login, or null for nobody. Everybody may still decide.",
        scope=Scope.COMPLIANCE_ASSIGN,
        body=Body(
            schema=sent(
                required=("assignee", "reason"), assignee=nullable(text("The login of an officer.")), reason=_REASON
            ),
            examples={
                "assign": {"assignee": "officer2", "reason": "Knows this carrier"},
                "take back": {"assignee": None, "reason": "On leave"},
            },
        ),
        answer=Answer(
            status=200,
            says="Who works on it now.",
            schema=answered(message=shown(), milestone_id=identity(), assignee=nullable(shown())),
            examples={"done": {"message": "Assigned to officer2", "milestone_id": 22, "assignee": "officer2"}},
        ),
        refusals=(assignments.AssignmentRefused, assignments.AssigneeRefused),
    ),
    act(
        "note",
        "addNote",
        summary="Leave a note",
        description="For colleagues, whatever the status of the milestone. It stays in the audit trail.",
        scope=Scope.COMPLIANCE_NOTE,
        body=Body(
            schema=sent(required=("text",), text=text("Line breaks are kept.", longest=LONGEST_LINES)),
            examples={"note": {"text": "Called the consignee: all pallets arrived."}},
        ),
        answer=Answer(
            status=200,
            says="It is there.",
            schema=answered(message=shown(), milestone_id=identity()),
            examples={"done": {"message": "Note added", "milestone_id": 22}},
        ),
        refusals=(),
    ),
)
