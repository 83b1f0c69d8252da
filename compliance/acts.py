"""What an officer may do to a settlement from the review queue: each act one domain call."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile

from compliance import assignments, evidence, notes
from compliance.forms import AssignmentForm, DecisionForm, EvidenceForm, ExtendForm, NoteForm, ReasonForm
from compliance.reviews import Review
from settlements import approvals, holds
from settlements.approvals import Officer
from settlements.permissions import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A button of the review: who may press it, when it is there, what is filled in, and what it does.

    `about_money` acts say the amount on their button. Those that have `approves` may be refused to one officer and open
    to another. Where `asks_again` is set the person must have shown lately who they are.
    `perform` gets the milestone, `officer`, `now` and what the form holds, and raises a Refusal.
    """

    name: str
    label: str
    explanation: str
    permission: Permission
    form: type[ReasonForm]
    is_possible: Callable[[Review], bool]
    perform: Callable[..., str]
    about_money: bool = False
    approves: bool = False
    asks_again: bool = True


def _approve(milestone_id: int, *, officer: Officer, reason: str, version: str, now: datetime) -> str:
    return approvals.approve(milestone_id, officer=officer, reason=reason, version=version, now=now).message


def _reject(milestone_id: int, *, officer: Officer, reason: str, version: str, now: datetime) -> str:
    return approvals.reject(milestone_id, officer=officer, reason=reason, version=version, now=now).message


def _hold(milestone_id: int, *, officer: Officer, reason: str, now: datetime) -> str:
    holds.place(milestone_id, reason=reason, actor=officer.actor, now=now)
    return "Settlement put on hold"


def _lift(milestone_id: int, *, officer: Officer, reason: str, now: datetime) -> str:
    holds.lift(milestone_id, reason=reason, actor=officer.actor, now=now)
    return "Hold lifted"


def _extend(milestone_id: int, *, officer: Officer, until: datetime, reason: str, now: datetime) -> str:
    holds.extend(milestone_id, until=until, reason=reason, actor=officer.actor, now=now)
    return f"Waits until {until:%Y-%m-%d %H:%M} UTC"


def _note(milestone_id: int, *, officer: Officer, reason: str, now: datetime) -> str:
    return notes.add(milestone_id, text=reason, officer=officer, now=now)


def _evidence(milestone_id: int, *, officer: Officer, file: "UploadedFile[bytes]", reason: str, now: datetime) -> str:
    if (file.size or 0) > evidence.largest():
        raise evidence.too_large()
    return evidence.add(
        milestone_id, file=file, name=file.name or "", description=reason, officer=officer, now=now
    ).message


def _assign(milestone_id: int, *, officer: Officer, assignee: User, reason: str, now: datetime) -> str:
    return assignments.assign(milestone_id, assignee=assignee, officer=officer, reason=reason, now=now).message


def _unassign(milestone_id: int, *, officer: Officer, reason: str, now: datetime) -> str:
    return assignments.unassign(milestone_id, officer=officer, reason=reason, now=now).message


ACTS: dict[str, Act] = {
    act.name: act
    for act in (
        Act(
            name="approve",
            label="Approve",
            explanation="The money is released as soon as enough officers have approved.",
            permission=Permission.DECIDE_SETTLEMENT,
            form=DecisionForm,
            is_possible=lambda review: review.decidable and review.hold is None and not review.expedites,
            perform=_approve,
            about_money=True,
            approves=True,
        ),
        Act(
            name="expedite",
            label="Expedite",
            explanation="The money is released now, before its date, as soon as enough officers have approved that.",
            permission=Permission.DECIDE_SETTLEMENT,
            form=DecisionForm,
            is_possible=lambda review: review.decidable and review.hold is None and review.expedites,
            perform=_approve,
            about_money=True,
            approves=True,
        ),
        Act(
            name="reject",
            label="Reject",
            explanation="Nothing is paid for this milestone, now or later. This is final.",
            permission=Permission.DECIDE_SETTLEMENT,
            form=DecisionForm,
            is_possible=lambda review: review.decidable,
            perform=_reject,
            about_money=True,
        ),
        Act(
            name="hold",
            label="Put on hold",
            explanation="Nothing is released until the hold is lifted.",
            permission=Permission.HOLD_SETTLEMENT,
            form=ReasonForm,
            is_possible=lambda review: review.waits and review.hold is None,
            perform=_hold,
        ),
        Act(
            name="lift",
            label="Release hold",
            explanation="The settlement may be released again once it is authorised.",
            permission=Permission.HOLD_SETTLEMENT,
            form=ReasonForm,
            is_possible=lambda review: review.waits and review.hold is not None,
            perform=_lift,
        ),
        Act(
            name="extend",
            label="Extend",
            explanation="It waits longer before it is released by itself; never shorter.",
            permission=Permission.HOLD_SETTLEMENT,
            form=ExtendForm,
            is_possible=lambda review: review.waits and review.expedites,
            perform=_extend,
        ),
        Act(
            name="assign",
            label="Assign",
            explanation="One officer works on it; everybody may still decide.",
            permission=Permission.ASSIGN_SETTLEMENT,
            form=AssignmentForm,
            is_possible=lambda review: review.waits,
            perform=_assign,
        ),
        Act(
            name="unassign",
            label="Take back the assignment",
            explanation="Nobody works on it then, until somebody takes it.",
            permission=Permission.ASSIGN_SETTLEMENT,
            form=ReasonForm,
            is_possible=lambda review: review.waits and review.assignment is not None,
            perform=_unassign,
        ),
        Act(
            name="note",
            label="Add a note",
            explanation="For colleagues; it stays in the audit trail and changes nothing.",
            permission=Permission.ANNOTATE_SETTLEMENT,
            form=NoteForm,
            is_possible=lambda review: True,
            perform=_note,
            asks_again=False,
        ),
        Act(
            name="evidence",
            label="Add evidence",
            explanation="The file is kept with its SHA-256 and can not be taken away again.",
            permission=Permission.ANNOTATE_SETTLEMENT,
            form=EvidenceForm,
            is_possible=lambda review: True,
            perform=_evidence,
            asks_again=False,
        ),
    )
}
