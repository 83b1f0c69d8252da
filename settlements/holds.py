"""Holds: a person keeps a settlement from being released, lifts that again, or makes it wait longer."""

from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from settlements import audit, candidates, locks, reasons, release
from settlements.candidates import Candidate
from settlements.models import Hold
from settlements.refusals import Kind, Refusal

# Who wants longer puts it on hold; a date is one that somebody still remembers.
LONGEST_EXTENSION: Final = timedelta(days=90)

_EXTEND = """
    UPDATE settlements_milestonesettlement SET settlement_delayed_until = %s, updated_at = %s
    WHERE id = %s AND status = 'DELAYED' AND settlement_delayed_until < %s
"""


class HoldRefused(Refusal):
    """The settlement can not be held, lifted or extended as asked."""

    code = "hold_refused"
    kind = Kind.CONFLICT


class DateRefused(Refusal):
    """The time to put a release off to is not ahead, or too far ahead."""

    code = "until_refused"


def place(settlement_id: int, *, reason: str, actor: str, now: datetime) -> Hold:
    """Keeps a waiting settlement from being released until the hold is lifted. Raises HoldRefused, ReasonRefused."""
    reasons.check(reason)
    with transaction.atomic():
        candidate = _locked(settlement_id)
        if candidate.amount.minor == 0:
            raise HoldRefused("The amount of this settlement is zero: there is nothing to keep from being released.")
        if candidate.held:
            raise HoldRefused("This settlement is on hold already.")
        hold = Hold.objects.create(settlement_id=settlement_id, reason=reason, placed_by=actor, placed_at=now)
        _tell(candidate, "hold_placed", reason, actor, now)
        return hold


def lift(settlement_id: int, *, reason: str, actor: str, now: datetime) -> None:
    """Ends the open hold; the next sweep releases what is due. Raises HoldRefused, ReasonRefused."""
    reasons.check(reason)
    with transaction.atomic():
        candidate = _locked(settlement_id)
        lifted = Hold.objects.filter(settlement_id=settlement_id, lifted_at__isnull=True).update(
            lifted_at=now, lifted_by=actor, lift_reason=reason
        )
        if not lifted:
            raise HoldRefused("This settlement is not on hold.")
        _tell(candidate, "hold_lifted", reason, actor, now)


def extend(settlement_id: int, *, until: datetime, reason: str, actor: str, now: datetime) -> None:
    """Moves a delayed settlement's date later, never earlier, within LONGEST_EXTENSION.

    Raises HoldRefused, DateRefused, ReasonRefused.
    """
    reasons.check(reason)
    if not now < until <= now + LONGEST_EXTENSION:
        raise DateRefused(
            f"A release is put off to a time that is ahead, by {LONGEST_EXTENSION.days} days at most; "
            "put it on hold to wait longer.",
            field="until",
        )
    with transaction.atomic():
        candidate = _locked(settlement_id)
        if candidate.approvals_complete:
            raise HoldRefused("Officers have approved its release before that date already; put it on hold instead.")
        with connection.cursor() as cursor:
            cursor.execute(_EXTEND, [until, now, settlement_id, until])
            if cursor.rowcount == 0:
                raise HoldRefused("Only a delayed settlement can be extended, and only to a later date.")
        _tell(candidate, "hold_extended", reason, actor, now, until=until.isoformat())


def _locked(settlement_id: int) -> Candidate:
    locks.of_settlement(settlement_id)
    (candidate,) = candidates.read([settlement_id])
    if not release.still_waits(candidate):
        raise HoldRefused(f"This settlement does not wait any more; it is {candidate.status.value.lower()}.")
    return candidate


def _tell(candidate: Candidate, action: str, reason: str, actor: str, now: datetime, **data: str) -> None:
    audit.record(
        [
            audit.Draft(
                intent_id=candidate.intent_id,
                settlement_id=candidate.settlement_id,
                action=action,
                triggered_by=actor,
                from_status=candidate.status.value,
                to_status=candidate.status.value,
                reason=reason,
                data=data,
            )
        ],
        now=now,
    )
