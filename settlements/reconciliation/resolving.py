"""How a person resolves a difference: once, with a reason, on record in the office's chain; no money changes."""

from datetime import datetime
from typing import Final

from django.db import transaction

from settlements import objections, office_log, reasons
from settlements.models import BooksDifference, DifferenceResolution
from settlements.objections import Officer
from settlements.office_log import OfficeAction, OfficeDraft
from settlements.refusals import Kind, Refusal

_TOLD: Final = (
    "kind", "provider", "milestone_id", "attempt_number", "reference", "currency", "expected_minor", "found_minor",
    "expected", "found",
)  # fmt: skip


class DifferenceNotFound(Refusal):
    """There is no such difference."""

    code = "difference_not_found"
    kind = Kind.NOT_FOUND


class DifferenceResolved(Refusal):
    """Somebody has resolved this difference before."""

    code = "difference_already_resolved"
    kind = Kind.CONFLICT


class DifferenceGone(Refusal):
    """The difference is not there any more, or it is another one by now; look at it again."""

    code = "difference_gone"
    kind = Kind.CONFLICT


def resolve(difference_id: int, *, officer: Officer, reason: str, now: datetime) -> DifferenceResolution:
    """Takes down why this difference may stand, in a transaction of its own.

    Raises ReasonRefused, NotStaff, DifferenceNotFound, DifferenceResolved, DifferenceGone.
    """
    reasons.check(reason)
    with transaction.atomic():
        objections.check_staff(officer)
        difference = BooksDifference.objects.select_for_update().filter(pk=difference_id).first()
        if difference is None:
            raise DifferenceNotFound("There is no such difference.")
        before = DifferenceResolution.objects.filter(difference=difference).first()
        if before is not None:
            raise DifferenceResolved(f"{before.actor.removeprefix('user:')} has resolved it: {before.reason}")
        if difference.gone_at is not None:
            raise DifferenceGone("It is not there any more, or differs in something else by now; look at it again.")
        resolution = DifferenceResolution.objects.create(
            difference=difference, reason=reason, resolved_by_id=officer.pk, actor=officer.actor, resolved_at=now
        )
        told = {name: getattr(difference, name) for name in _TOLD}
        draft = OfficeDraft(
            action=OfficeAction.DIFFERENCE_RESOLVED,
            subject=f"difference {difference.pk}",
            actor=officer.actor,
            reason=reason,
            data=told,
        )
        office_log.record(draft, now=now)
    return resolution
