"""Holds: a person keeps a settlement from being released, lifts that again, or makes it wait longer."""

from datetime import datetime

from django.db import connection, transaction

from settlements import audit, candidates, locks, release
from settlements.candidates import Candidate
from settlements.models import Hold
from settlements.refusals import Kind, Refusal

_EXTEND = """
    UPDATE settlements_milestonesettlement SET settlement_delayed_until = %s, updated_at = %s
    WHERE id = %s AND status = 'DELAYED' AND settlement_delayed_until < %s
"""


class HoldRefused(Refusal):
    """The settlement can not be held, lifted or extended as asked."""

    code = "hold_refused"
    kind = Kind.CONFLICT


def place(settlement_id: int, *, reason: str, actor: str, now: datetime) -> Hold:
    """Keeps a waiting settlement from being released until the hold is lifted. Raises HoldRefused."""
    with transaction.atomic():
        candidate = _locked(settlement_id)
        if candidate.held:
            raise HoldRefused("This settlement is on hold already.")
        hold = Hold.objects.create(settlement_id=settlement_id, reason=reason, placed_by=actor, placed_at=now)
        _tell(candidate, "hold_placed", reason, actor, now)
        return hold


def lift(settlement_id: int, *, reason: str, actor: str, now: datetime) -> None:
    """Ends the open hold; the next sweep releases what is due. Raises HoldRefused."""
    with transaction.atomic():
        candidate = _locked(settlement_id)
        lifted = Hold.objects.filter(settlement_id=settlement_id, lifted_at__isnull=True).update(
            lifted_at=now, lifted_by=actor, lift_reason=reason
        )
        if not lifted:
            raise HoldRefused("This settlement is not on hold.")
        _tell(candidate, "hold_lifted", reason, actor, now)


def extend(settlement_id: int, *, until: datetime, reason: str, actor: str, now: datetime) -> None:
    """Moves a delayed settlement's date later, never earlier. Raises HoldRefused."""
    with transaction.atomic():
        candidate = _locked(settlement_id)
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
