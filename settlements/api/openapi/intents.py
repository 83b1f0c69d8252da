"""/payment_intents: creating, listing, reading."""

from typing import Any, Final

from settlements.api.openapi import examples
from settlements.api.openapi.components import METHOD
from settlements.api.openapi.operation import Answer, Body, Operation, header, path_id, query
from settlements.api.openapi.shapes import (
    AMOUNT_SENT,
    CURRENCY,
    INTENT_STATUS,
    LONGEST_LINES,
    SCORE_SENT,
    TIER,
    Schema,
    answered,
    array,
    identity,
    nullable,
    ref,
    sent,
    text,
    whole,
    words,
)
from settlements.idempotency import KeyReused
from settlements.intents import ScheduleRefused, TokenNotLive
from settlements.locks import IntentNotFound
from settlements.methods import DestinationMissing, MethodCannotPay, MethodNotEnabled, MethodRefused
from settlements.permissions import Scope
from settlements.statuses import EventType, ScheduleType
from settlements.tokens import RecipientNotFound, TokenNotFound

METHOD_REFUSALS: Final = (MethodRefused, MethodNotEnabled, MethodCannotPay, DestinationMissing)
TAG: Final = "Payment intents"
INTENT_ID: Final = path_id("id", "The intent's id.", 11)
INTENT_ANSWER: Final = Answer(
    status=200, says="The intent.", schema=ref("PaymentIntent"), examples={"intent": examples.INTENT}
)
_ITEM: Final[Schema] = sent(
    required=("event_type", "share"),
    event_type=words([*EventType, *(word.lower() for word in EventType)], "In any letter case."),
    share={**SCORE_SENT, "description": 'Like "0.60"; the shares sum to exactly 1.'},
)
_SCHEDULE: Final[Schema] = {
    "anyOf": [
        sent(type=words([ScheduleType.MILESTONE, ScheduleType.FULL_ON_POD])),
        sent(
            required=("type", "items"),
            type=words([ScheduleType.CUSTOM]),
            items=array(_ITEM, minItems=1, maxItems=len(EventType)),
        ),
        {"type": "null"},
    ],
    "description": "`milestone` follows the risk of the token, `full_on_pod` releases all at proof of delivery, "
    "`custom` says its own shares.",
}
_BODY: Final = Body(
    schema=sent(
        required=("freight_token_id", "amount"),
        freight_token_id=identity("The token the shipment is known by."),
        amount=AMOUNT_SENT,
        currency={**CURRENCY, "default": "USD"},
        description=nullable(text(longest=LONGEST_LINES)),
        payment_method={
            **METHOD,
            "description": "How it is paid; absent, the table of defaults says so, else it is `internal_ledger`.",
        },
        recipient_id=nullable(text("Who is paid; else the token's recipient.")),
        schedule=_SCHEDULE,
    ),
    examples={
        "by risk": {"freight_token_id": 1, "amount": examples.amount("10000.00"), "currency": "USD"},
        "custom shares": {
            "freight_token_id": 1,
            "amount": "1250.50",
            "currency": "EUR",
            "recipient_id": "acme-haulage",
            "schedule": {
                "type": "custom",
                "items": [
                    {"event_type": "POD_CONFIRMED", "share": "0.60"},
                    {"event_type": "CLAIM_WINDOW_CLOSED", "share": "0.40"},
                ],
            },
        },
    },
)
_KEY_SCHEMA: Final[Schema] = {"type": "string", "pattern": "^[!-~]{1,255}$"}
_PAGE: Final[dict[str, Any]] = {"total": 1, "payment_intents": [examples.INTENT]}

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/payment_intents",
        id="createPaymentIntent",
        tag=TAG,
        summary="Create a payment intent",
        description="Owes an amount for a freight token. The schedule follows the token's risk as it is now; events "
        "that came before are applied at once. Under an `Idempotency-Key` the same request may be repeated without "
        "fear: it gets the first answer again. Requests are compared as they are understood: `10000` and "
        '`"10000.00"` are the same amount.',
        scope=Scope.INTENTS_WRITE,
        parameters=(header("Idempotency-Key", _KEY_SCHEMA, "1 to 255 visible ASCII characters.", "invoice-7731"),),
        body=_BODY,
        answers=(
            Answer(
                status=201,
                says="The intent; for a repeat the first answer.",
                schema=ref("PaymentIntent"),
                examples={"intent": examples.INTENT},
            ),
        ),
        refusals=(
            TokenNotFound, TokenNotLive, RecipientNotFound, *METHOD_REFUSALS, ScheduleRefused, KeyReused,
            "items_not_allowed",
        ),
        nested=("items", "type", "event_type", "share"),
    ),
    Operation(
        method="GET",
        path="/payment_intents",
        id="listPaymentIntents",
        tag=TAG,
        summary="List payment intents",
        description="Newest first. A carrier's key sees the intents of its own tokens.",
        scope=Scope.INTENTS_READ,
        parameters=(
            query("skip", whole(highest=10**9), "How many to pass over."),
            query("limit", whole(lowest=1, highest=100), "At most so many; 10 if absent."),
            query("status", INTENT_STATUS, "Only these."),
            query("risk_tier", TIER, "Only these."),
        ),
        answers=(
            Answer(
                status=200,
                says="One page, and how many there are in all.",
                schema=answered(total=whole(), payment_intents=array(ref("PaymentIntent"))),
                examples={"page": _PAGE},
            ),
        ),
    ),
    Operation(
        method="GET",
        path="/payment_intents/{id}",
        id="readPaymentIntent",
        tag=TAG,
        summary="Read a payment intent",
        description="With its sums, its schedule, and the `version` that `force_approval` quotes.",
        scope=Scope.INTENTS_READ,
        parameters=(INTENT_ID,),
        answers=(INTENT_ANSWER,),
        refusals=(IntentNotFound,),
    ),
)  # fmt: skip
