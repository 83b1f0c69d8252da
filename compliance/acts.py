"""What an officer may do to a settlement from the review queue: each act one domain call."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from compliance.reviews import Review
from settlements import approvals, holds
from settlements.approvals import Officer
from settlements.permissions import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A button of the review: who may press it, when it is there, and what it does; `perform` raises a Refusal."""

    name: str
    label: str
    explanation: str
    permission: Permission
    bound_to_version: bool
    is_possible: Callable[[Review], bool]
    perform: Callable[..., str]


def _approve(milestone_id: int, *, officer: Officer, reason: str, version: str, now: datetime) -> str:
    return approvals.approve(milestone_id, officer=officer, reason=reason, version=version, now=now).message


def _reject(milestone_id: int, *, officer: Officer, reason: str, version: str, now: datetime) -> str:
    return approvals.reject(milestone_id, officer=officer, reason=reason, version=version, now=now).message


def _hold(milestone_id: int, *, officer: Officer, reason: str, version: str, now: datetime) -> str:
    holds.place(milestone_id, reason=reason, actor=officer.actor, now=now)
    return "Settlement put on hold"


def _lift(milestone_id: int, *, officer: Officer, reason: str, version: str, now: datetime) -> str:
    holds.lift(milestone_id, reason=reason, actor=officer.actor, now=now)
    return "Hold lifted"


ACTS: dict[str, Act] = {
    act.name: act
    for act in (
        Act(
            name="approve",
            label="Approve",
            explanation="The money is released as soon as enough officers have approved.",
            permission=Permission.DECIDE_SETTLEMENT,
            bound_to_version=True,
            is_possible=lambda review: review.decidable and review.hold is None,
            perform=_approve,
        ),
        Act(
            name="reject",
            label="Reject",
            explanation="Nothing is paid for this milestone, now or later. This is final.",
            permission=Permission.DECIDE_SETTLEMENT,
            bound_to_version=True,
            is_possible=lambda review: review.decidable,
            perform=_reject,
        ),
        Act(
            name="hold",
            label="Put on hold",
            explanation="Nothing is released until the hold is lifted.",
            permission=Permission.HOLD_SETTLEMENT,
            bound_to_version=False,
            is_possible=lambda review: review.waits and review.hold is None,
            perform=_hold,
        ),
        Act(
            name="lift",
            label="Lift the hold",
            explanation="The settlement may be released again once it is authorised.",
            permission=Permission.HOLD_SETTLEMENT,
            bound_to_version=False,
            is_possible=lambda review: review.waits and review.hold is not None,
            perform=_lift,
        ),
    )
}
