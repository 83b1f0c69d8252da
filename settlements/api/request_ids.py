"""Which request this is: one id in the answer's header, in every error and in every log line."""

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
_SANE = re.compile(r"[!-~]{1,64}")
_current: ContextVar[str] = ContextVar("request_id", default="-")
_event: ContextVar[int | None] = ContextVar("event_id", default=None)


NOBODY: Final = "-"


def current() -> str:
    """The id of the request this thread is answering, or "-" outside of one."""
    return _current.get()


def work_for(request_id: str) -> None:
    """What this thread does from now on belongs to a request, or to a task by its id."""
    _current.set(request_id if _SANE.fullmatch(request_id) else NOBODY)


def tell_event(event_id: int) -> None:
    """The request this thread is answering brought this shipment event, or a repeat of it."""
    _event.set(event_id)


def event() -> int | None:
    """The shipment event that the request brought, if it did."""
    return _event.get()


class RequestIdMiddleware:
    """Takes a caller's `X-Request-ID` (1 to 64 visible ASCII characters) or makes one; the outermost middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID")
        request_id = given if given and _SANE.fullmatch(given) else uuid.uuid4().hex
        # Never reset: Django logs 4xx answers after the last middleware has returned, and the next request overwrites.
        _current.set(request_id)
        _event.set(None)
        response = self.get_response(request)
        response.headers[HEADER] = request_id
        return response


class RequestIdFilter(logging.Filter):
    """Gives every log record a `request_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = _current.get()
        return True
