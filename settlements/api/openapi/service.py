"""/whoami, /healthz and the self-description: who is asking, and what answers."""

from typing import Any, Final

from settlements.api.callers import CallerKind
from settlements.api.openapi.operation import Answer, Operation, header
from settlements.api.openapi.shapes import (
    answered,
    array,
    boolean,
    moment,
    nullable,
    shown,
    whole,
    words,
)
from settlements.permissions import PERMISSION_OF_SCOPE, Scope
from settlements.statuses import EVENT_WORDS

_CALLING: Final = "Who is calling"
_OPERATION: Final = "Operation"
_CACHED: Final[dict[str, Any]] = {
    "ETag": {"description": "Changes with the content.", "required": True, "schema": {"type": "string"}},
    "Cache-Control": {"description": "How long it may be kept.", "required": True, "schema": {"type": "string"}},
}
_IF_CHANGED: Final = header("If-None-Match", {"type": "string"}, "An ETag from before; 304 when it still holds.")
_UNCHANGED: Final = Answer(status=304, says="As before.", schema=None, headers=_CACHED)
_OK: Final = words(["ok"])


def _page(path: str, operation_id: str, summary: str, description: str) -> Operation:
    return Operation(
        method="GET",
        path=path,
        id=operation_id,
        tag=_OPERATION,
        summary=summary,
        description=description,
        scope=Scope.PUBLIC,
        parameters=(_IF_CHANGED,),
        answers=(
            Answer(
                status=200,
                says="The page.",
                schema={"type": "string"},
                media_type="text/html; charset=utf-8",
                headers=_CACHED,
            ),
            _UNCHANGED,
        ),
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/whoami",
        id="whoami",
        tag=_CALLING,
        summary="What we take you for",
        description="Your key or event source, its scopes and limits. A source signs the empty body.",
        scope=Scope.ANYONE,
        signed=True,
        answers=(
            Answer(
                status=200,
                says="The caller.",
                schema=answered(
                    kind=words(CallerKind),
                    name=shown(),
                    actor=shown("What the audit trail calls you."),
                    scopes=array(words(PERMISSION_OF_SCOPE)),
                    carrier_id=nullable(shown("Whose shipments alone you reach; null: all.")),
                    allowed_event_types=array(words(EVENT_WORDS)),
                    expires_at=nullable(moment()),
                    rate_limit=answered(requests_per_second=whole(lowest=1), remaining=whole()),
                    demo=boolean(),
                ),
                examples={
                    "an event source": {
                        "kind": "event_source",
                        "name": "acme",
                        "actor": "source:acme",
                        "scopes": ["events:write"],
                        "carrier_id": "acme",
                        "allowed_event_types": ["PICKUP_CONFIRMED", "POD_CONFIRMED"],
                        "expires_at": None,
                        "rate_limit": {"requests_per_second": 100, "remaining": 99},
                        "demo": False,
                    }
                },
            ),
        ),
    ),
    Operation(
        method="GET",
        path="/healthz",
        id="healthz",
        tag=_OPERATION,
        summary="Alive?",
        description="The process answers. Nothing else is asked.",
        scope=Scope.PUBLIC,
        answers=(Answer(status=200, says="Alive.", schema=answered(status=_OK), examples={"alive": {"status": "ok"}}),),
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        id="openapi",
        tag=_OPERATION,
        summary="This document",
        description="OpenAPI 3.1.",
        scope=Scope.PUBLIC,
        parameters=(_IF_CHANGED,),
        answers=(
            Answer(status=200, says="The document.", schema={"type": "object"}, headers=_CACHED),
            _UNCHANGED,
        ),
    ),
    _page("/docs", "docs", "This document, to read and to try", "Needs JavaScript; everything comes from this host."),
    _page("/docs/errors", "docsErrors", "Every error code", "What each code means, by status."),
)
