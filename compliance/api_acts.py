"""/compliance: what an officer does to a settlement that waits, short of deciding; each act one domain call."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from compliance import assignments, notes
from settlements import holds, queries, reasons, values
from settlements.api.endpoint import Endpoint
from settlements.api.fields import Fields
from settlements.api.intents import officer
from settlements.api.rendering import answer
from settlements.locks import SettlementNotFound
from settlements.permissions import Scope
from settlements.statuses import Channel


class PlaceHold(Endpoint):
    """Keeps a settlement from being released until the hold is lifted."""

    scopes = {"POST": Scope.COMPLIANCE_HOLD}

    def post(self, request: Request, milestone_id: int) -> HttpResponse:
        holds.place(milestone_id, reason=_reason(self.body), actor=self.caller.actor, now=timezone.now())
        return _as_it_is("Settlement put on hold", milestone_id)


class ReleaseHold(Endpoint):
    """Ends the open hold."""

    scopes = {"POST": Scope.COMPLIANCE_HOLD}

    def post(self, request: Request, milestone_id: int) -> HttpResponse:
        holds.lift(milestone_id, reason=_reason(self.body), actor=self.caller.actor, now=timezone.now())
        return _as_it_is("Hold lifted", milestone_id)


class Extend(Endpoint):
    """Moves the date of a delayed settlement later."""

    scopes = {"POST": Scope.COMPLIANCE_HOLD}

    def post(self, request: Request, milestone_id: int) -> HttpResponse:
        reason, until = _extension(self.body)
        holds.extend(milestone_id, until=until, reason=reason, actor=self.caller.actor, now=timezone.now())
        return _as_it_is("Release put off", milestone_id)


class Assign(Endpoint):
    """Says who works on a settlement; null for nobody."""

    scopes = {"POST": Scope.COMPLIANCE_ASSIGN}

    def post(self, request: Request, milestone_id: int) -> HttpResponse:
        with Fields(self.body, allowed=("assignee", "reason")) as fields:
            name = fields.need("assignee", lambda value: None if value is None else values.visible_text(value))
            reason = fields.text("reason", longest=reasons.LONGEST, multiline=True)
        by, now = officer(self.caller.user, Channel.API), timezone.now()
        if name is None:
            done = assignments.unassign(milestone_id, officer=by, reason=reason, now=now)
        else:
            assignee = assignments.officer_named(name)
            done = assignments.assign(milestone_id, assignee=assignee, officer=by, reason=reason, now=now)
        return answer({"message": done.message, "milestone_id": milestone_id, "assignee": done.assignee or None})


class AddNote(Endpoint):
    """Leaves a note for colleagues, whatever the status."""

    scopes = {"POST": Scope.COMPLIANCE_NOTE}

    def post(self, request: Request, milestone_id: int) -> HttpResponse:
        with Fields(self.body, allowed=("text",)) as fields:
            text = fields.text("text", longest=reasons.LONGEST, multiline=True)
        message = notes.add(milestone_id, text=text, officer=officer(self.caller.user, Channel.API), now=timezone.now())
        return answer({"message": message, "milestone_id": milestone_id})


def _reason(body: dict[str, Any]) -> str:
    with Fields(body, allowed=("reason",)) as fields:
        return fields.text("reason", longest=reasons.LONGEST, multiline=True)


def _extension(body: dict[str, Any]) -> tuple[str, datetime]:
    with Fields(body, allowed=("reason", "until")) as fields:
        reason = fields.text("reason", longest=reasons.LONGEST, multiline=True)
        until = fields.moment("until")
    return reason, until.at


def _as_it_is(message: str, milestone_id: int) -> HttpResponse:
    milestone = queries.milestone(milestone_id)
    if milestone is None:
        raise SettlementNotFound(milestone_id)
    return answer(
        {
            "message": message,
            "milestone_id": milestone.id,
            "payment_intent_id": milestone.intent_id,
            "status": milestone.status.lower(),
            "on_hold": milestone.held,
            "settlement_delayed_until": milestone.settlement_delayed_until,
        }
    )
