"""Who works on a settlement: the only writer of assignments, one audit event for each."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from compliance.models import Assignment
from settlements import audit, candidates, locks, reasons, release
from settlements.approvals import Officer
from settlements.candidates import Candidate
from settlements.permissions import Permission
from settlements.refusals import Kind, Refusal

_BACKEND = "django.contrib.auth.backends.ModelBackend"


class AssignmentRefused(Refusal):
    """The settlement does not wait any more, or is assigned already as asked."""

    code = "assignment_refused"
    kind = Kind.CONFLICT


class AssigneeRefused(Refusal):
    """Nobody of this name decides about settlements: an assignee is active staff with that permission."""

    code = "assignee_refused"
    kind = Kind.INVALID


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """What became of an assignment; `assignee` is nobody's name when it was taken away, `before` who had it."""

    settlement_id: int
    assignee: str
    before: str

    @property
    def message(self) -> str:
        """A sentence for the officer."""
        return f"Assigned to {self.assignee}" if self.assignee else f"No longer assigned to {self.before}"


def officers() -> QuerySet[User]:
    """Who may be given a settlement to work on, by name."""
    deciders = User.objects.with_perm(Permission.DECIDE_SETTLEMENT.full_name, backend=_BACKEND)
    return deciders.filter(is_staff=True).order_by("username")


def officer_named(username: str) -> User:
    """The officer of this name; raises AssigneeRefused."""
    found = None if "\0" in username else officers().filter(username=username).first()
    if found is None:
        raise AssigneeRefused(f"{username!r} is nobody who decides about settlements.", field="assignee")
    return found


def assign(milestone_id: int, *, assignee: User, officer: Officer, reason: str, now: datetime) -> Assigned:
    """Gives a waiting settlement to an officer, taking it from whoever had it. Raises a Refusal."""
    if not (assignee.is_staff and assignee.has_perm(Permission.DECIDE_SETTLEMENT.full_name)):
        name = assignee.get_username()
        raise AssigneeRefused(f"{name} does not decide about settlements.", field="assignee")
    reasons.check(reason)
    with transaction.atomic():
        candidate = _locked(milestone_id)
        current = _current(milestone_id)
        if current is not None and current.assignee_id == assignee.pk:
            raise AssignmentRefused(f"This settlement is assigned to {assignee.get_username()} already.")
        if current is not None:
            _end(current, officer, reason, now)
        Assignment.objects.create(
            settlement_id=milestone_id,
            assignee=assignee,
            assigned_by=officer.actor,
            reason=reason,
            assigned_at=now,
        )
        before = current.assignee.get_username() if current else ""
        data = {"assignee": assignee.get_username(), "assignee_before": before}
        _tell(candidate, "assigned", officer, reason, data, now)
    return Assigned(settlement_id=milestone_id, assignee=assignee.get_username(), before=before)


def unassign(milestone_id: int, *, officer: Officer, reason: str, now: datetime) -> Assigned:
    """Takes a waiting settlement from whoever has it. Raises a Refusal."""
    reasons.check(reason)
    with transaction.atomic():
        candidate = _locked(milestone_id)
        current = _current(milestone_id)
        if current is None:
            raise AssignmentRefused("This settlement is not assigned to anybody.")
        _end(current, officer, reason, now)
        before = current.assignee.get_username()
        _tell(candidate, "unassigned", officer, reason, {"assignee_before": before}, now)
    return Assigned(settlement_id=milestone_id, assignee="", before=before)


def _locked(milestone_id: int) -> Candidate:
    locks.of_settlement(milestone_id)
    (candidate,) = candidates.read([milestone_id])
    if not release.still_waits(candidate):
        raise AssignmentRefused(f"This settlement does not wait any more; it is {candidate.status.value.lower()}.")
    if candidate.amount.minor == 0:
        raise AssignmentRefused("The amount of this settlement is zero: there is nothing to work on.")
    return candidate


def _current(milestone_id: int) -> Assignment | None:
    open_ones = Assignment.objects.filter(settlement_id=milestone_id, ended_at__isnull=True)
    return open_ones.select_related("assignee").first()


def _end(current: Assignment, officer: Officer, reason: str, now: datetime) -> None:
    Assignment.objects.filter(pk=current.pk).update(ended_at=now, ended_by=officer.actor, end_reason=reason)


def _tell(
    candidate: Candidate, action: str, officer: Officer, reason: str, data: dict[str, str], now: datetime
) -> None:
    audit.record(
        [
            audit.Draft(
                intent_id=candidate.intent_id,
                settlement_id=candidate.settlement_id,
                action=action,
                triggered_by=officer.actor,
                from_status=candidate.status.value,
                to_status=candidate.status.value,
                reason=reason,
                data=data,
            )
        ],
        now=now,
    )
