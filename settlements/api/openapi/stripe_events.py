"""/webhooks/stripe: what Stripe posts."""

from typing import Any, Final

from settlements.api.openapi.operation import Answer, Body, Operation
from settlements.api.openapi.shapes import answered, sent, shown
from settlements.permissions import Scope

_EVENT: Final[dict[str, Any]] = {
    "id": "evt_1PgqZx2eZvKYlo2CabcdEFGH",
    "object": "event",
    "api_version": "2023-08-16",
    "created": 1762529400,
    "livemode": False,
    "pending_webhooks": 1,
    "request": {"id": None, "idempotency_key": None},
    "type": "payout.paid",
    "account": "acct_1032D82eZvKYlo2C",
    "data": {
        "object": {
            "id": "po_1PgqZx2eZvKYlo2CabcdEFGH",
            "object": "payout",
            "amount": 700000,
            "arrival_date": 1762473600,
            "automatic": True,
            "created": 1762387200,
            "currency": "usd",
            "failure_code": None,
            "failure_message": None,
            "status": "paid",
        }
    },
}
_ANSWER: Final = {"event_id": _EVENT["id"], "message": "Stored; it is applied within seconds."}

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/webhooks/stripe",
        id="postStripeEvent",
        tag="Providers",
        summary="Stripe posts an event",
        description="For Stripe alone: one webhook endpoint for the platform's own events (`transfer.*`) and one for "
        "those of connected accounts (`payout.*`, `account.*`, `capability.updated`), each with its secret in "
        "`STRIPE_WEBHOOK_SECRET`.\n\n"
        "An event is stored once by its id, whatever else a repeat may say, and applied by a worker. Types that "
        "nothing follows from are answered 200 as well. Of the objects only what this service reads is kept.\n\n"
        "**401** means not signed by a live secret, or outside of five minutes; nothing was written.",
        scope=Scope.ANYONE,
        stripe_signed=True,
        body=Body(
            schema=sent(
                required=("id", "object", "type", "created", "data"),
                open_ended=True,
                id={"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{2,249}$"},
                object={"const": "event"},
                type={"type": "string", "pattern": r"^[a-z0-9_]{1,60}(\.[a-z0-9_]{1,60}){0,5}$"},
                created={"type": "integer", "minimum": 0, "maximum": 253402300799},
                data={"type": "object", "required": ["object"], "properties": {"object": {"type": "object"}}},
                account={"type": ["string", "null"], "pattern": "^(acct_[0-9A-Za-z]{8,60})?$"},
                livemode={"type": "boolean"},
            ),
            examples={"a payout that was paid": _EVENT},
            unknown_fields=True,
        ),
        answers=(
            Answer(
                status=200,
                says="Stored, or stored before.",
                schema=answered(event_id=shown(), message=shown()),
                examples={"stored": _ANSWER},
            ),
        ),
        refusals=("stripe_event_invalid",),
    ),
)
