"""The whole document: operations by path, components, security, and what holds for all of them."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from settlements.api.openapi import acts, audit, events, exports, intents, parties, refused, service, stripe_events
from settlements.api.openapi.components import COMPONENTS
from settlements.api.openapi.introduction import INTRODUCTION, TAGS
from settlements.api.openapi.operation import JSON, Answer, Body, Operation, Parameter
from settlements.api.openapi.outbound import webhooks
from settlements.permissions import Scope

VERSION: Final = "1.0.0"
OPERATIONS: Final = (
    *events.OPERATIONS,
    *stripe_events.OPERATIONS,
    *intents.OPERATIONS,
    *acts.OPERATIONS,
    *parties.OPERATIONS,
    *audit.OPERATIONS,
    *exports.OPERATIONS,
    *service.OPERATIONS,
)

_HEADERS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "X-Request-ID": ("What our logs know the request by: yours, or one we made.", {"type": "string"}),
    "RateLimit-Limit": ("Requests the caller may make in a second.", {"type": "integer", "minimum": 1}),
    "RateLimit-Remaining": ("How many more may come at once.", {"type": "integer", "minimum": 0}),
    "RateLimit-Reset": ("Seconds until the whole allowance is there again.", {"type": "integer", "minimum": 0}),
    "Retry-After": ("Seconds to wait.", {"type": "integer", "minimum": 0}),
    "WWW-Authenticate": ("The challenge that HTTP asks for.", {"type": "string"}),
}
_LIMITS: Final = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_SIGNATURE: Final[Mapping[str, tuple[str, str]]] = {
    "eventSource": ("X-Event-Source", "The name of your event source."),
    "webhookId": (
        "webhook-id",
        "Unique per message, and the same for its repeats: 1 to 255 visible ASCII characters without a dot.",
    ),
    "webhookTimestamp": ("webhook-timestamp", "Whole seconds since 1970, within 5 minutes of our clock."),
    "webhookSignature": (
        "webhook-signature",
        "`v1,` and the base64 of HMAC-SHA256 of `{id}.{timestamp}.{body}` under your secret; several are separated by "
        "spaces.",
    ),
}
_REQUEST_ID: Final = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "An id of your own for this request: 1 to 64 visible ASCII characters; anything else is replaced.",
    "schema": {"type": "string"},
}


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these operations; amounts in it are exact JSON numbers, so dump it as an answer."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ChainPay",
            "version": VERSION,
            "summary": "Freight settlements.",
            "description": INTRODUCTION,
        },
        "tags": [{"name": name, "description": says} for name, says in TAGS.items()],
        "paths": paths,
        "webhooks": webhooks(),
        "components": {
            "schemas": {**refused.fault_schema(), **COMPONENTS},
            "parameters": {"RequestId": _REQUEST_ID},
            "headers": {name: {"description": says, "schema": schema} for name, (says, schema) in _HEADERS.items()},
            "securitySchemes": _security_schemes(),
        },
    }


def _security_schemes() -> dict[str, Any]:
    key = {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "cpk_...",
        "description": "A key with scopes, an owner (a member of staff or a service) and maybe an expiry; shown once.",
    }
    signature = {
        scheme: {"type": "apiKey", "in": "header", "name": name, "description": says}
        for scheme, (name, says) in _SIGNATURE.items()
    }
    stripe = {
        "type": "apiKey",
        "in": "header",
        "name": "Stripe-Signature",
        "description": "`t=` seconds since 1970, within 5 minutes of our clock, and `v1=` the HMAC-SHA256 of "
        "`{t}.{body}` under one of Stripe's webhook secrets.",
    }
    return {"apiKey": key, **signature, "stripeSignature": stripe}


def _operation(operation: Operation) -> dict[str, Any]:
    headers = _headers(operation, required=True)
    given = {str(each.status): _answer(each, headers) for each in operation.answers}
    responses = {**refused.responses(operation, _headers(operation, required=False)), **given}
    told = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.description}\n\n{_wanted(operation)}",
        "security": _security(operation),
        "parameters": [
            *[_parameter(each) for each in operation.parameters],
            {"$ref": "#/components/parameters/RequestId"},
        ],
        "responses": dict(sorted(responses.items())),
    }
    return told if operation.body is None else {**told, "requestBody": _body(operation.body)}


def _wanted(operation: Operation) -> str:
    if operation.scope is Scope.PUBLIC:
        return "Public: no credentials."
    if operation.stripe_signed:
        return "No key: signed by Stripe."
    if operation.scope is Scope.ANYONE:
        return "Scope: none; any valid key or signature."
    return f"Scope: `{operation.scope}`" + (", which every event source holds." if operation.signed else ".")


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    """OpenAPI 3.1 lets schemes other than OAuth list what a caller must hold."""
    if operation.scope is Scope.PUBLIC:
        return []
    if operation.stripe_signed:
        return [{"stripeSignature": []}]
    held = [] if operation.scope is Scope.ANYONE else [str(operation.scope)]
    signature = dict.fromkeys(_SIGNATURE, held)
    if operation.scope is Scope.EVENTS_WRITE:
        return [signature]
    return [{"apiKey": held}, signature] if operation.signed else [{"apiKey": held}]


def _headers(operation: Operation, *, required: bool) -> dict[str, Any]:
    """The headers of an answer; a counted one tells of the caller's limit."""
    names = ("X-Request-ID", *(() if operation.scope is Scope.PUBLIC else _LIMITS))
    return {
        name: {"description": _HEADERS[name][0], "required": required, "schema": _HEADERS[name][1]} for name in names
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    told = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.says,
        "schema": parameter.schema,
    }
    return told if parameter.example is None else {**told, "example": parameter.example}


def _body(body: Body) -> dict[str, Any]:
    content = {"schema": body.schema, "examples": _examples(body.examples)}
    return {"required": body.required, "content": {JSON: content}}


def _answer(answer: Answer, headers: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": answer.says or HTTPStatus(answer.status).phrase,
        "headers": {**headers, **answer.headers},
    }
    if answer.schema is not None:
        content = {"schema": answer.schema}
        shown = {"examples": _examples(answer.examples)} if answer.examples else {}
        told["content"] = {answer.media_type: {**content, **shown}}
    return told


def _examples(examples: Mapping[str, object]) -> dict[str, Any]:
    return {name: {"value": value} for name, value in examples.items()}
