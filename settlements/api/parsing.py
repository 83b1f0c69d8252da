"""What a request's body says: strict JSON of at most 64 KiB, numbers exact, nothing read as empty by accident."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any, Final, NoReturn

from django.http import HttpRequest
from rest_framework.parsers import BaseParser

from settlements.api.errors import Refused

MAX_BODY_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 32
MEDIA_TYPE: Final = "application/json"

_MEDIA_TYPES: Final = re.compile(
    r'[ \t]*application/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?;?[ \t]*', re.ASCII | re.IGNORECASE
)
_STRING_OR_BRACKET: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
# Whole numbers beyond 64 bits stay Decimal: no id is one, orjson writes none, and thousands of digits are slow to turn
# into an int.
_MAX_INT_CHARACTERS: Final = 20
_MAX_INT: Final = 2**63 - 1
_MAX_NAME_IN_DETAIL: Final = 80


def read_body(request: HttpRequest) -> bytes:
    """The body as it arrived, b"" if there is none.

    Raises Refused: 411 without a usable Content-Length, 413 above 64 KiB (before reading), 415 for another media type.
    """
    length = _announced_length(request.META)
    if length == 0:
        return b""
    if length > MAX_BODY_BYTES:
        raise Refused("body_too_large", "The body is larger than 64 KiB.", 413)
    _require_json(request.META)
    body = request.body
    if len(body) != length:
        raise Refused("body_incomplete", "The body ended before its announced length.", 400)
    return body


def parse_body(body: bytes, *, optional: bool = False) -> dict[str, Any]:
    """The JSON object of a body; empty means {} only where it is optional. Raises Refused (400)."""
    if not body:
        if optional:
            return {}
        raise _malformed("The body is empty where a JSON object is expected.")
    value = parse_json(body)
    if type(value) is not dict:
        raise Refused("not_an_object", "The body must be a JSON object.", 400)
    return value


def parse_json(body: bytes) -> object:
    """Strict JSON: whole numbers of 64 bits as int, all others as Decimal. Raises Refused `malformed_json`.

    Stricter than RFC 8259 asks: no byte order mark, no duplicate keys, no NUL, no lone surrogates, depth at most 32.
    """
    _refuse_depth(body)
    try:
        text = body.decode()
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise _malformed("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        detail = f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise _malformed(detail) from None
    except InvalidOperation:
        raise _malformed("A number in the body has an exponent beyond all limits.") from None
    if b"\\u" in body:
        _refuse_unstorable(value)
    return value


class StrictJSONParser(BaseParser):
    """The same for DRF's `request.data`."""

    media_type = MEDIA_TYPE

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        request = (parser_context or {}).get("request")
        if request is None:
            return parse_body(stream.read(MAX_BODY_BYTES + 1))
        return parse_body(read_body(request._request))


def _announced_length(meta: Mapping[str, Any]) -> int:
    if meta.get("HTTP_TRANSFER_ENCODING"):
        raise Refused("length_required", "Send the body with a Content-Length instead of in chunks.", 411)
    text = meta.get("CONTENT_LENGTH") or ""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise Refused("bad_request", "The Content-Length is not a number.", 400)
    return int(text)


def has_length(request: HttpRequest) -> bool:
    """Whether the request says how long its body is; one that does not may be optional, never required."""
    return bool(request.META.get("CONTENT_LENGTH"))


def _require_json(meta: Mapping[str, Any]) -> None:
    media_type = meta.get("CONTENT_TYPE") or ""
    if media_type != MEDIA_TYPE and not _MEDIA_TYPES.fullmatch(media_type):
        raise Refused("unsupported_media_type", "Send the body as application/json in UTF-8.", 415)
    if meta.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in {"", "identity"}:
        raise Refused("unsupported_media_type", "Send the body without a Content-Encoding.", 415)


def _refuse_depth(body: bytes) -> None:
    """Counts before anything is parsed; brackets inside strings do not count."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(body):
        mark = found[0]
        if mark in (b"[", b"{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise _malformed(f"The body is nested more than {MAX_DEPTH} levels deep.")
        elif mark in (b"]", b"}"):
            depth -= 1


def _refuse_unstorable(value: object) -> None:
    """NUL and lone surrogates can only hide behind \\u escapes; PostgreSQL stores neither."""
    if type(value) is str:
        if "\x00" in value:
            raise _malformed("A text in the body contains NUL.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _malformed("A text in the body contains half of a surrogate pair.") from None
    elif type(value) is dict:
        for key, item in value.items():
            _refuse_unstorable(key)
            _refuse_unstorable(item)
    elif type(value) is list:
        for item in value:
            _refuse_unstorable(item)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        name = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise _malformed(f"The key {name[:_MAX_NAME_IN_DETAIL]!a} appears twice in one object.")
    return made


def _whole(text: str) -> int | Decimal:
    if len(text) <= _MAX_INT_CHARACTERS and -_MAX_INT <= (number := int(text)) <= _MAX_INT:
        return number
    return Decimal(text)


def _refuse_constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is not a JSON number.")


def _malformed(detail: str) -> Refused:
    return Refused("malformed_json", detail, 400)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=Decimal, parse_int=_whole, parse_constant=_refuse_constant
)
