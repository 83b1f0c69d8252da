"""What a message to a subscriber says: the settlement exactly as GET /audit/milestones/{id} answers it."""

from typing import Any

from settlements import queries
from settlements.api import representations
from settlements.api.rendering import dump
from settlements.models import AuditEvent, Delivery


def body_of(delivery: Delivery) -> bytes:
    """The JSON body of a message; its audit event and subscriber are read already.

    `data` is the settlement as it stands now; `from_status`, `to_status` and `sequence` tell what happened.
    """
    body: dict[str, Any] = {"type": delivery.event_type, "timestamp": delivery.created_at}
    event = delivery.audit_event
    if event is None or delivery.settlement_id is None:
        return dump({**body, "data": {"subscriber": delivery.subscriber.name}})
    milestone = queries.milestone(delivery.settlement_id)
    if milestone is None:
        raise LookupError(f"milestone settlement {delivery.settlement_id} vanished")
    before, after = _moved(event, delivery.settlement_id)
    return dump(
        {
            **body,
            "sequence": event.sequence,
            "from_status": before,
            "to_status": after,
            "data": representations.milestone(milestone),
        }
    )


def _moved(event: AuditEvent, settlement_id: int) -> tuple[str | None, str | None]:
    """From which status to which; an event of the intent or of another milestone has let this one join the queue."""
    if event.settlement_id != settlement_id:
        return "pending", "pending"
    return event.from_status.lower() or None, event.to_status.lower() or None
