"""/openapi.json, /docs and /docs/errors: public, built once per process, and nothing in them comes from elsewhere."""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Final

from django.http import HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.cache import get_conditional_response
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from rest_framework.request import Request

from settlements.api.catalogue import sections
from settlements.api.endpoint import Endpoint
from settlements.api.openapi.document import VERSION, document
from settlements.api.openapi.operation import Operation
from settlements.api.rendering import JSON, dump
from settlements.permissions import Scope

HTML: Final = "text/html; charset=utf-8"
CACHING: Final = "public, max-age=300"
# No inline script, no inline style, no other host. Pictures in the style sheet of the page are `data:` URLs.
POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_CODE: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Content:
    """What stays the same while the process runs, made when it is first asked for."""

    make: Callable[[], bytes]
    media_type: str = HTML

    def answer(self) -> HttpResponse:
        """The content with what caches and browsers need to know of it."""
        body = self.make()
        headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"', "Cache-Control": CACHING}
        if self.media_type == HTML:
            headers["Content-Security-Policy"] = POLICY
        return HttpResponse(body, content_type=self.media_type, headers=headers)


class Described(Endpoint):
    """One of the three, or 304 for who has it already."""

    scopes = {"GET": Scope.PUBLIC}
    content: ClassVar[Content | None] = None

    def get(self, request: Request) -> HttpResponseBase:
        assert self.content is not None
        full = self.content.answer()
        found = get_conditional_response(request._request, etag=full["ETag"], response=full)
        return found if found is not None else full


def routes(operations: Iterable[Operation]) -> list[URLPattern]:
    """The routes that describe these operations, from wherever they are all visible."""
    described = tuple(operations)

    @cache
    def whole() -> bytes:
        return dump(document(described))

    return [
        path("openapi.json", Described.as_view(content=Content(whole, JSON))),
        path("docs", Described.as_view(content=Content(_reader))),
        path("docs/errors", Described.as_view(content=Content(_errors))),
    ]


@cache
def _reader() -> bytes:
    return render_to_string("docs/reader.html", {"version": VERSION}).encode()


@cache
def _errors() -> bytes:
    shown = [
        {
            "title": section.title,
            "says": _marked(section.says),
            "rows": [{"code": row.code, "statuses": row.statuses, "says": _marked(row.says)} for row in section.rows],
        }
        for section in sections()
    ]
    return render_to_string("docs/errors.html", {"version": VERSION, "sections": shown}).encode()


def _marked(text: str) -> SafeString:
    """Escaped, with `words` as code."""
    return mark_safe(_CODE.sub(r"<code>\1</code>", escape(text)))
