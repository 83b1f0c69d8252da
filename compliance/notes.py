"""Notes of people beside a settlement: audit events of it, so that they are chained and stay."""

from datetime import datetime

from django.db import transaction

from settlements import audit, candidates, locks, reasons
from settlements.approvals import Officer


def add(milestone_id: int, *, text: str, officer: Officer, now: datetime) -> str:
    """Writes a note, whatever the status of the settlement; a sentence for the officer. Raises a Refusal."""
    reasons.check(text)
    with transaction.atomic():
        locks.of_settlement(milestone_id)
        (candidate,) = candidates.read([milestone_id])
        audit.record(
            [
                audit.Draft(
                    intent_id=candidate.intent_id,
                    settlement_id=milestone_id,
                    action=audit.NOTE_ADDED,
                    triggered_by=officer.actor,
                    from_status=candidate.status.value,
                    to_status=candidate.status.value,
                    reason=text,
                )
            ],
            now=now,
        )
    return "Note added"
