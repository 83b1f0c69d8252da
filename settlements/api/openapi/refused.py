"""Which refusals an operation can answer with: its own, and those of every caller, query, body and field."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rails.money import REFUSED as REFUSED_MONEY
from settlements.api.codes import CODES, SUFFIXES
from settlements.api.errors import STATUS_OF_KIND
from settlements.api.openapi.operation import JSON, Operation
from settlements.api.openapi.shapes import Schema, answered, array, nullable, ref, shown
from settlements.permissions import Scope
from settlements.refusals import Refusal, sentence

REQUEST_ID: Final = "9f1c2d3e4b5a46978899aabbccddeeff"
TITLES: Final[Mapping[int, str]] = {
    400: "The request is wrong; nothing was written.",
    401: "No credentials, or wrong ones; nothing was written.",
    403: "Known, but not allowed.",
    404: "There is no such thing, or it is none of yours.",
    409: "It does not fit what happened before; nothing was written.",
    411: "The length of the body is not announced.",
    413: "The body is too large.",
    415: "The body is no plain JSON.",
    429: "Too many requests.",
    503: "Not available for the moment.",
}
_OF_ANY_REQUEST: Final = ("unknown_parameter", "repeated_parameter", "too_many_parameters", "host_not_allowed")
_OF_ANY_BODY: Final = (
    "malformed_json",
    "not_an_object",
    "bad_request",
    "body_incomplete",
    "length_required",
    "body_too_large",
    "unsupported_media_type",
)
_OF_ANY_CALLER: Final = (
    "not_authenticated",
    "invalid_credentials",
    "unknown_demo_user",
    "permission_denied",
    "foreign_origin",
    "too_many_requests",
    "database_unavailable",
)
_NO_FIELDS: Final[Mapping[str, Any]] = {"properties": {}}


@dataclass(frozen=True, slots=True)
class Cause:
    """One code an operation may answer with."""

    code: str
    status: int
    says: str


def fault_schema() -> dict[str, Schema]:
    """The components of the one error shape."""
    properties: dict[str, Schema] = {
        "code": {"type": "string", "pattern": "^[a-z0-9_]+$", "description": "Stable; see `/docs/errors`."},
        "detail": shown("A sentence for a person; its words may change."),
        "field": nullable(shown("Where, dotted for nested fields; null if nowhere in particular.")),
        "request_id": shown("What our logs know this request by; also in the header `X-Request-ID`."),
    }
    fault = answered(**properties)
    several = array(ref("Fault"), minItems=2, description="All that is wrong, the first one leading; absent for one.")
    error = {**answered(**properties), "properties": {**properties, "errors": several}}
    return {"Fault": fault, "Error": error}


def causes(operation: Operation) -> list[Cause]:
    """Everything the operation may answer with that has a code of its own, fields' patterns aside."""
    found = [_cause(each) for each in (*operation.refusals, *_common(operation))]
    if "amount" in _fields(operation):
        found += [Cause(code, 400, says) for code, says in REFUSED_MONEY.items()]
    return list(dict.fromkeys(found))


def responses(operation: Operation, headers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers to refusals by status, each with the codes it may carry and an example of each."""
    by_status: dict[int, list[Cause]] = {}
    for cause in causes(operation):
        by_status.setdefault(cause.status, []).append(cause)
    return {str(status): _response(operation, status, by_status[status], headers) for status in sorted(by_status)}


def example(code: str, detail: str, field: str | None = None) -> dict[str, object]:
    """An error as it is answered."""
    return {"code": code, "detail": detail, "field": field, "request_id": REQUEST_ID}


def _common(operation: Operation) -> list[str]:
    codes = list(_OF_ANY_REQUEST)
    if operation.scope is not Scope.PUBLIC:
        codes += _OF_ANY_CALLER
        # A signature is about the body, which is read for it even where none is expected.
        codes += ["invalid_signature", *_OF_ANY_BODY[2:]] if operation.signed or operation.stripe_signed else []
    if operation.decides:
        codes.append("demo_client_may_not_decide")
    if any(parameter.place == "path" for parameter in operation.parameters):
        codes.append("not_found")
    if operation.body is not None:
        codes += _OF_ANY_BODY
        codes += [] if operation.body.unknown_fields else ["unknown_field"]
    return codes


def _cause(named: type[Refusal] | str) -> Cause:
    if isinstance(named, str):
        return Cause(named, CODES[named].status, CODES[named].says)
    return Cause(named.code, STATUS_OF_KIND[named.kind], sentence(named))


def _response(operation: Operation, status: int, found: Iterable[Cause], headers: Mapping[str, Any]) -> dict[str, Any]:
    code: Schema = {"enum": sorted({cause.code for cause in found})}
    fields = _fields(operation) if status == 400 else []
    if fields:
        pattern = f"^({'|'.join(fields)})_({'|'.join(SUFFIXES)})$"
        code = {"anyOf": [code, {"pattern": pattern}]}
    schema = {"allOf": [ref("Error"), {"properties": {"code": code}}]}
    examples = {cause.code: {"value": example(cause.code, cause.says.replace("`", ""))} for cause in found}
    if fields:
        first = fields[0]
        examples[f"{first}_missing"] = {"value": example(f"{first}_missing", f"{first} is missing.", first)}
    return {
        "description": TITLES[status],
        "headers": _headers(status, headers),
        "content": {JSON: {"schema": schema, "examples": examples}},
    }


def _headers(status: int, headers: Mapping[str, Any]) -> dict[str, Any]:
    extra = {401: "WWW-Authenticate", 429: "Retry-After"}.get(status)
    optional = {name: {**each, "required": name == "X-Request-ID"} for name, each in headers.items()}
    return {**optional, **({extra: {"$ref": f"#/components/headers/{extra}"}} if extra else {})}


def _fields(operation: Operation) -> list[str]:
    """Names that codes of this operation may begin with."""
    body = operation.body.schema if operation.body is not None else _NO_FIELDS
    kinds = body.get("anyOf", [body])
    asked = [each.name for each in operation.parameters if each.place in {"query", "header"}]
    named = [*(name for kind in kinds for name in kind["properties"]), *operation.nested, *asked]
    return list(dict.fromkeys(name.lower().replace("-", "_") for name in named))
