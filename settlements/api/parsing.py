"""What a request's body says: strict JSON of at most 64 KiB, numbers exact, nothing read as empty by accident."""

import re
from collections.abc import Mapping
from typing import IO, Any, Final

from django.http import HttpRequest
from rest_framework.parsers import BaseParser

from settlements import strict_json
from settlements.api.errors import Refused
from settlements.strict_json import MalformedJSON

MAX_BODY_BYTES: Final = 64 * 1024
MEDIA_TYPE: Final = "application/json"

_MEDIA_TYPES: Final = re.compile(
    r'[ \t]*application/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?;?[ \t]*', re.ASCII | re.IGNORECASE
)


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
    """Strict JSON as `strict_json` reads it. Raises Refused `malformed_json`."""
    try:
        return strict_json.read(body)
    except MalformedJSON as error:
        raise _malformed(error.detail) from None


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


def _malformed(detail: str) -> Refused:
    return Refused("malformed_json", detail, 400)
