"""/webhooks/shipment_event: what a carrier posts."""

from collections.abc import Iterable
from typing import Final

from settlements.api.openapi import examples
from settlements.api.openapi.operation import Answer, Body, Operation, query
from settlements.api.openapi.shapes import (
    Schema,
    answered,
    array,
    moment,
    nullable,
    ref,
    sent,
    shown,
    upstream_id,
    whole,
    words,
)
from settlements.api.words import PING, EventWord
from settlements.inbox import EventTypeNotAllowed, MessageReused, ShipmentNotReached
from settlements.permissions import Scope

_TAG: Final = "Shipment events"


def _any_case(vocabulary: Iterable[str]) -> list[str]:
    """The words as we write them and as ChainFreight does; the schema lists no other case."""
    return [spelled for word in vocabulary for spelled in (str(word), word.lower())]


_POD: Final = {
    "shipment_id": examples.SHIPMENT,
    "event_type": "POD_CONFIRMED",
    "occurred_at": "2025-11-07T15:30:00Z",
}
_EVENT: Final = sent(
    required=("shipment_id", "event_type", "occurred_at"),
    open_ended=True,
    shipment_id=upstream_id("The shipment, as its tokens name it."),
    event_type=words(_any_case(word for word in EventWord if word != PING), "In any letter case."),
    occurred_at={
        "type": "string",
        "format": "date-time",
        "description": "ISO 8601; without an offset it is read as UTC. At most 5 minutes ahead of our clock.",
    },
    event_id={
        "anyOf": [*upstream_id("")["anyOf"], {"type": "null"}],
        "description": "Your own id of the message, where no `webhook-id` is sent.",
    },
)
_PING: Final = sent(
    required=("event_type",),
    open_ended=True,
    event_type=words(_any_case([PING]), "Answers, and does nothing."),
    shipment_id={"anyOf": [*upstream_id("")["anyOf"], {"type": "null"}]},
    occurred_at={"type": ["string", "null"], "format": "date-time"},
)
_BODY: Final = Body(
    schema={"anyOf": [_EVENT, _PING]},
    examples={
        "proof of delivery": _POD,
        "pickup, in lower case": {**_POD, "event_type": "pickup_confirmed", "shipment_id": 4711},
        "a position, stored and nothing more": {**_POD, "event_type": "IN_TRANSIT", "event_id": "evt-20251107-1"},
        "is anybody there?": {"event_type": "ping"},
    },
    unknown_fields=True,
)
_RECEIPT: Final[dict[str, Schema]] = {
    "shipment_id": nullable(shown("Null for a ping that names none.")),
    "event_type": words(EventWord),
    "processed_at": nullable(moment()),
    "milestone_settlements_created": whole(),
    "message": shown(),
}
_PROCESSED: Final = {
    "shipment_id": examples.SHIPMENT,
    "event_type": "POD_CONFIRMED",
    "processed_at": examples.LATER,
    "milestone_settlements_created": 1,
    "message": "Processed shipment event: 1 milestone settlement(s) created/updated",
}
_WAITING: Final = {
    **_PROCESSED,
    "processed_at": None,
    "milestone_settlements_created": 0,
    "message": "Stored; processing did not succeed yet and is tried again by the next sweep",
}
_PONG: Final = {
    **_PROCESSED,
    "shipment_id": None,
    "event_type": "PING",
    "milestone_settlements_created": 0,
    "message": "Pong: this address takes your events; nothing was stored.",
}
_REHEARSAL: Final = answered(
    shipment_id=shown(),
    event_type=words(EventWord),
    dry_run={"const": True},
    would_create=array(ref("PlannedMilestone")),
    first_answer=nullable({"anyOf": [answered(**_RECEIPT)], "description": "To a repeat; null for a new message."}),
    milestone_settlements_created={"const": 0},
    message=shown(),
)
_REHEARSED: Final = {
    "shipment_id": examples.SHIPMENT,
    "event_type": "POD_CONFIRMED",
    "dry_run": True,
    "would_create": [examples.PLANNED],
    "first_answer": None,
    "milestone_settlements_created": 0,
    "message": "Would create 1 milestone settlement(s).",
}

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/webhooks/shipment_event",
        id="postShipmentEvent",
        tag=_TAG,
        summary="Post a shipment event",
        description="Sign the message by the Standard Webhooks specification, with any of its libraries, and name your "
        "event source in `X-Event-Source`.\n\n"
        "`PICKUP_CONFIRMED`, `POD_CONFIRMED` and `CLAIM_WINDOW_CLOSED` release money; the others are stored and create "
        "nothing. Further fields are stored as well.\n\n"
        "**Repeats.** A message is known by `webhook-id`, else by `event_id`, else by its body. The same message gets "
        "the first answer again and changes nothing, so repeat a request whose answer was lost. The same id with "
        "another body is 409.\n\n"
        "**`?dry_run=1`** answers what would be created and why, and changes no row; a `ping` answers and does nothing."
        "\n\n"
        "**202** means stored, not yet processed: the next sweep tries again. Do not send it again; a repeat is "
        "harmless. Any 4xx means not stored.",
        scope=Scope.EVENTS_WRITE,
        signed=True,
        parameters=(query("dry_run", words(["1", "true", "0", "false"]), "Only tell what would happen."),),
        body=_BODY,
        answers=(
            Answer(
                status=200,
                says="Stored and processed; or what a dry run would do, with nothing stored.",
                schema={"anyOf": [answered(**_RECEIPT), _REHEARSAL]},
                examples={"processed": _PROCESSED, "dry run": _REHEARSED, "pong": _PONG},
            ),
            Answer(
                status=202,
                says="Stored; processing is tried again.",
                schema=answered(**_RECEIPT),
                examples={"waiting": _WAITING},
            ),
        ),
        refusals=(
            MessageReused, ShipmentNotReached, EventTypeNotAllowed, "event_source_inactive",
            "occurred_at_in_the_future",
        ),
        nested=("webhook_id",),
    ),
)  # fmt: skip
