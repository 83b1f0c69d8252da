"""What Stripe's published schema says of a request and of an object."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

from tests.stripe_fake.errors import ApiError, missing, unknown

_FILE: Final = Path(__file__).parent.parent / "data/stripe/spec3-2023-09-12.settlement-subset.json"
# Endpoints the published cut leaves out, with the parameters they have.
_BESIDE: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("get", "/v1/account"): {},
    ("get", "/v1/charges/{charge}"): {"parameters": [{"name": "expand", "in": "query", "schema": {"type": "array"}}]},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint: its template, the values in its path, and what it takes."""

    method: str
    template: str
    in_path: Mapping[str, str]
    takes: Mapping[str, Any]
    requires: frozenset[str]


@cache
def published() -> dict[str, Any]:
    """The schema as Stripe published it."""
    loaded: dict[str, Any] = json.loads(_FILE.read_text())
    return loaded


def operation(method: str, path: str) -> Operation:
    """The endpoint of a request; raises ApiError for one that is not in the schema."""
    for (verb, template), described in _operations().items():
        in_path = _matched(template, path)
        if verb == method.lower() and in_path is not None:
            return Operation(verb, template, in_path, *_takes(described))
    raise ApiError(404, f"Unrecognized request URL ({method.upper()}: {path}).", code=None)


def check(operation: Operation, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with integers and booleans for what; raises ApiError for the first that Stripe would refuse."""
    for name in params:
        if name not in operation.takes:
            raise unknown(name)
    for name in sorted(operation.requires):
        if name not in params or params[name] == "":
            raise missing(name)
    return {name: _read(name, value, operation.takes[name]) for name, value in params.items()}


def faults(kind: str, document: Mapping[str, Any]) -> list[str]:
    """What the published schema has against an object that the fake answers with."""
    return [f"{'/'.join(map(str, each.instance_path))}: {each.message}" for each in _judge(kind).iter_errors(document)]


@cache
def _operations() -> dict[tuple[str, str], dict[str, Any]]:
    found = {(verb, path): each for path, verbs in published()["paths"].items() for verb, each in verbs.items()}
    return {**found, **_BESIDE}


def _matched(template: str, path: str) -> dict[str, str] | None:
    wanted, given = template.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    values = {}
    for want, have in zip(wanted, given, strict=True):
        if want.startswith("{"):
            values[want.strip("{}")] = have
        elif want != have:
            return None
    return values


def _takes(described: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    takes = {each["name"]: each["schema"] for each in described.get("parameters", []) if each["in"] == "query"}
    content = described.get("requestBody", {}).get("content", {})
    for body in (each["schema"] for each in content.values()):
        takes |= body.get("properties", {})
        return takes, frozenset(body.get("required", []))
    return takes, frozenset()


def _read(name: str, value: Any, schema: Mapping[str, Any]) -> Any:
    if "anyOf" in schema:
        return _any_of(name, value, schema["anyOf"])
    kind = schema.get("type")
    if kind == "object":
        return _object(name, value, schema)
    if kind == "array":
        if not isinstance(value, list):
            raise ApiError(400, "Invalid array", param=name)
        return [_read(f"{name}[{place}]", each, schema.get("items", {})) for place, each in enumerate(value)]
    if not isinstance(value, str):
        raise ApiError(400, f"Invalid {kind}", param=name)
    return _scalar(name, value, schema)


def _scalar(name: str, value: str, schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "integer":
        return _integer(name, value)
    if kind == "boolean":
        if value not in {"true", "false"}:
            raise ApiError(400, f"Invalid boolean: {value}", param=name)
        return value == "true"
    if len(value) > schema.get("maxLength", 5000):
        raise ApiError(400, f"Invalid string: {value[:20]}...; too long", code="parameter_invalid_string", param=name)
    if "enum" in schema and value not in schema["enum"]:
        raise ApiError(400, f"Invalid {name}: must be one of {', '.join(schema['enum'])}", param=name)
    return value


def _any_of(name: str, value: Any, schemas: list[Mapping[str, Any]]) -> Any:
    refused: ApiError | None = None
    for schema in schemas:
        try:
            return _read(name, value, schema)
        except ApiError as error:
            refused = error
    raise refused or unknown(name)


def _object(name: str, value: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(value, list):  # keys that are numbers
        value = {str(place): each for place, each in enumerate(value)}
    if not isinstance(value, dict):
        raise ApiError(400, "Invalid object", param=name)
    others = schema.get("additionalProperties", True)
    known = schema.get("properties", {})
    if name == "metadata":
        _limits_of_metadata(value)
    read = {}
    for key, each in value.items():
        if key not in known and (others is False or known):
            raise unknown(f"{name}[{key}]")
        inner = known.get(key) or (others if isinstance(others, dict) else {"type": "string"})
        read[key] = _read(f"{name}[{key}]", each, inner)
    return read


def _limits_of_metadata(value: Mapping[str, Any]) -> None:
    """At most 50 keys of 40 characters with values of 500 (https://docs.stripe.com/api/metadata)."""
    if len(value) > 50 or any(len(key) > 40 or len(str(each)) > 500 for key, each in value.items()):
        raise ApiError(400, "Metadata has too many keys, or a key or value that is too long", param="metadata")


def _integer(name: str, value: str) -> int:
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise ApiError(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


@cache
def _judge(kind: str) -> Any:
    schemas = {name: _as_json_schema(each) for name, each in published()["components"]["schemas"].items()}
    return jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{kind}", "components": {"schemas": schemas}})


def _as_json_schema(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [_as_json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    written = {name: _as_json_schema(each) for name, each in schema.items() if name != "nullable"}
    if schema.get("nullable") is True:
        return {"anyOf": [written, {"type": "null"}]}
    return written
