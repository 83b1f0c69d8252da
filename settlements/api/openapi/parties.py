"""/freight_tokens and /recipients: what the upstream pushes and reads back."""

from typing import Any, Final

from settlements.api.openapi import destinations, examples
from settlements.api.openapi.operation import Answer, Body, Operation, path_id, path_text
from settlements.api.openapi.shapes import SCORE_SENT, nullable, ref, sent, text, upstream_id
from settlements.methods import MethodRefused
from settlements.permissions import Scope
from settlements.tokens import RecipientNotFound, ShipmentMissing, TokenMoved, TokenNotFound

_TAG: Final = "Tokens and recipients"
_TOKEN_ID: Final = path_id("id", "The upstream's token id.", 42)
_RECIPIENT_ID: Final = path_text("recipient_id", "1 to 200 visible characters without spaces.", "acme-haulage")
_TOKEN: Final[dict[str, Any]] = {"schema": ref("FreightToken"), "examples": {"token": examples.TOKEN}}
_RECIPIENT: Final[dict[str, Any]] = {
    "schema": ref("Recipient"),
    "examples": {"recipient": {**examples.RECIPIENT, "destinations": destinations.EXAMPLE}},
}

OPERATIONS: Final = (
    Operation(
        method="PUT",
        path="/freight_tokens/{id}",
        id="putFreightToken",
        tag=_TAG,
        summary="Push a freight token",
        description="Creates or updates; absent fields keep their value. A token never changes its shipment. One "
        "without a score counts as high risk.",
        scope=Scope.TOKENS_WRITE,
        parameters=(_TOKEN_ID,),
        body=Body(
            schema=sent(
                shipment_id=upstream_id("As the upstream writes it; a new token must name it."),
                status={
                    "type": "string",
                    "pattern": "^[A-Za-z][A-Za-z_]{0,39}$",
                    "description": "Only `active` and `locked` let money go.",
                    "default": "active",
                },
                risk_score=nullable(SCORE_SENT),
                risk_category=nullable(text("Kept for display; it decides nothing.")),
                carrier_id={"anyOf": [*upstream_id("")["anyOf"], {"type": "null"}], "description": "Who hauls."},
                recipient_id=nullable(text("Who is paid; must be known.")),
            ),
            examples={
                "token": {
                    "shipment_id": "SHIP-42",
                    "risk_score": examples.amount("0.41"),
                    "carrier_id": "acme",
                    "recipient_id": "acme-haulage",
                }
            },
        ),
        answers=(
            Answer(status=200, says="The token as it is now.", **_TOKEN),
            Answer(status=201, says="The new token.", **_TOKEN),
        ),
        refusals=(ShipmentMissing, TokenMoved, RecipientNotFound),
    ),
    Operation(
        method="GET",
        path="/freight_tokens/{id}",
        id="readFreightToken",
        tag=_TAG,
        summary="Read a freight token",
        description="A carrier's key reads the tokens of its own shipments.",
        scope=Scope.TOKENS_READ,
        parameters=(_TOKEN_ID,),
        answers=(Answer(status=200, says="The token.", **_TOKEN),),
        refusals=(TokenNotFound,),
    ),
    Operation(
        method="PUT",
        path="/recipients/{recipient_id}",
        id="putRecipient",
        tag=_TAG,
        summary="Push a recipient",
        description="Creates, renames, and proposes destinations. The first ones of a recipient that was never paid "
        "are usable at once. A change waits until another person of ours has confirmed it and its quarantine is over; "
        "nothing is paid to the old destination meanwhile. A repetition changes nothing.",
        scope=Scope.RECIPIENTS_WRITE,
        parameters=(_RECIPIENT_ID,),
        body=Body(
            schema=sent(
                required=("name",),
                name=text(),
                destinations=destinations.SENT,
            ),
            examples={
                "recipient": {"name": "Acme Haulage"},
                "bank account": {"name": "Acme Haulage", "destinations": destinations.EXAMPLE_SENT},
            },
        ),
        answers=(
            Answer(status=200, says="The recipient as it is now.", **_RECIPIENT),
            Answer(status=201, says="The new recipient.", **_RECIPIENT),
        ),
        refusals=(MethodRefused, "destination_not_needed", "account_ambiguous"),
        nested=("recipient_id", *destinations.FIELDS),
    ),
    Operation(
        method="GET",
        path="/recipients/{recipient_id}",
        id="readRecipient",
        tag=_TAG,
        summary="Read a recipient",
        description="Destinations are shown masked.",
        scope=Scope.RECIPIENTS_READ,
        parameters=(_RECIPIENT_ID,),
        answers=(Answer(status=200, says="The recipient.", **_RECIPIENT),),
        refusals=("recipient_unknown",),
    ),
)
