"""What a form-encoded request says: `metadata[a]=1&expand[0]=data.source` as nested values of text."""

import re
from typing import Any, Final
from urllib.parse import parse_qsl

from tests.stripe_fake.errors import ApiError

_NAME: Final = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_PART: Final = re.compile(r"\[([^\[\]]*)\]")


def decoded(encoded: str) -> dict[str, Any]:
    """The parameters, in objects and lists; raises ApiError for what no client of Stripe would send."""
    found: dict[str, Any] = {}
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, strict_parsing=bool(encoded), errors="strict")
    except ValueError as error:
        raise ApiError(400, "Invalid request body", code=None) from error
    for name, value in pairs:
        match = _NAME.match(name)
        if match is None:
            raise ApiError(400, f"Invalid parameter name: {name}", param=name, code="parameter_unknown")
        _put(found, [match[1], *_PART.findall(match[2])], value)
    return {name: _lists(value) for name, value in found.items()}


def _put(into: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        inner = into.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ApiError(400, f"Invalid object: {part}", param=part, code=None)
        into = inner
    key = path[-1] if path[-1] else str(len(into))
    if key in into:
        raise ApiError(400, f"Received a parameter twice: {path[0]}", param=path[0], code=None)
    into[key] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(each) for name, each in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
