"""What the API's document says of /readyz."""

from typing import Any, Final

from chainpay.operation import readiness
from settlements.api.openapi.operation import Answer, Operation, query
from settlements.api.openapi.refused import example, fault_schema
from settlements.api.openapi.shapes import Schema, answered, words
from settlements.permissions import Scope

_STATES: Final[dict[str, Schema]] = {
    "database": words([readiness.OK, readiness.UNREACHABLE]),
    "migrations": words([readiness.OK, readiness.UNAPPLIED, readiness.UNKNOWN]),
    "broker": words([readiness.OK, readiness.UNREACHABLE]),
    "beat": words([readiness.OK, readiness.STALE, readiness.UNKNOWN]),
}
_WELL: Final = dict.fromkeys(_STATES, readiness.OK)
_FAULT: Final[dict[str, Any]] = fault_schema()["Fault"]["properties"]

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/readyz",
        id="readyz",
        tag="Operation",
        summary="Ready?",
        description="Asks database and migrations, without which nothing is answered, and broker and beat, without "
        "which money is delayed: then the service is `degraded`, and takes events as ever.",
        scope=Scope.PUBLIC,
        parameters=(
            query("strict", words(["1", "true", "0", "false"]), "Whether everything is needed: degraded is 503 then."),
        ),
        answers=(
            Answer(
                status=200,
                says="Ready.",
                schema=answered(status=words([readiness.OK, "degraded"]), checks=answered(**_STATES)),
                examples={
                    "ready": {"status": "ok", "checks": _WELL},
                    "broker away": {"status": "degraded", "checks": {**_WELL, "broker": readiness.UNREACHABLE}},
                },
            ),
            Answer(
                status=503,
                says="Not ready; `checks` says why.",
                schema=answered(
                    **{**_FAULT, "code": words(["not_ready", "database_unavailable"])},
                    status=words(["not_ready"]),
                    checks=answered(**_STATES),
                ),
                examples={
                    "a new version": {
                        **example("not_ready", "Not ready: migrations, beat."),
                        "status": "not_ready",
                        "checks": {**_WELL, "migrations": readiness.UNAPPLIED, "beat": readiness.UNKNOWN},
                    }
                },
            ),
        ),
    ),
)
