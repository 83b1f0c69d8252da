"""/webhooks/shipment_event: what a carrier posts."""

from typing import Final

from settlements.api.openapi import examples
from settlements.api.openapi.operation import Answer, Body, Operation
from settlements.api.openapi.shapes import Schema, answered, moment, nullable, sent, shown, upstream_id, whole, words
from settlements.api.words import EventWord
from settlements.inbox import EventTypeNotAllowed, MessageReused, ShipmentNotReached
from settlements.permissions import Scope

_TAG: Final = "Shipment events"
_POD: Final = {
    "shipment_id": examples.SHIPMENT,
    "event_type": "POD_CONFIRMED",
    "occurred_at": "2025-11-07T15:30:00Z",
}
_BODY: Final = Body(
    schema=sent(
        required=("shipment_id", "event_type", "occurred_at"),
        open_ended=True,
        shipment_id=upstream_id("The shipment, as its tokens name it."),
        event_type=words([*EventWord, *(word.lower() for word in EventWord)], "In any letter case."),
        occurred_at={
            "type": "string",
            "format": "date-time",
            "description": "ISO 8601; without an offset it is read as UTC. At most 5 minutes ahead of our clock.",
        },
        event_id={
            "anyOf": [*upstream_id("")["anyOf"], {"type": "null"}],
            "description": "Your own id of the message, where no `webhook-id` is sent.",
        },
    ),
    examples={
        "proof of delivery": _POD,
        "pickup, in lower case": {**_POD, "event_type": "pickup_confirmed", "shipment_id": 4711},
        "a position, stored and nothing more": {**_POD, "event_type": "IN_TRANSIT", "event_id": "evt-20251107-1"},
    },
    unknown_fields=True,
)
_RECEIPT: Final[dict[str, Schema]] = {
    "shipment_id": shown(),
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
        "**202** means stored, not yet processed: the next sweep tries again. Do not send it again; a repeat is "
        "harmless. Any 4xx means not stored.",
        scope=Scope.EVENTS_WRITE,
        signed=True,
        body=_BODY,
        answers=(
            Answer(
                status=200,
                says="Stored and processed.",
                schema=answered(**_RECEIPT),
                examples={"processed": _PROCESSED},
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
