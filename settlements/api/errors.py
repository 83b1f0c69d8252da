"""How a refusal is answered: one JSON shape for the API, whoever raised it; the admin keeps its HTML."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
)
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse, UnreadablePostError
from rest_framework import exceptions

from rails.money import MoneyError
from settlements.api import request_ids
from settlements.api.rendering import answer
from settlements.refusals import Kind, Refusal

logger = logging.getLogger(__name__)

STATUS_OF_KIND: Final[Mapping[Kind, int]] = {
    Kind.INVALID: 400,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
}
CHALLENGE: Final = "Bearer"
_DATABASE_LOST: Final = (OperationalError, InterfaceError)
# read_only_sql_transaction: the server we are connected to is a standby since a failover (PostgreSQL, appendix A).
_READ_ONLY: Final = "25006"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a request; `field` names where, dotted for nested ones."""

    code: str
    detail: str
    field: str | None = None


class Refused(exceptions.APIException):
    """A refusal that the interface itself decided: a fault, its HTTP status, and headers the status asks for."""

    def __init__(
        self, code: str, detail: str, status: int, field: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.faults: tuple[Fault, ...] = (Fault(code=code, detail=detail, field=field),)
        self.headers = dict(headers or {})


class RefusedFields(Refused):
    """Several faults of one body or query, answered together (400); the first one leads."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        super().__init__(first.code, first.detail, 400, first.field)
        self.faults = tuple(faults)


def unauthenticated(code: str, detail: str) -> Refused:
    """A 401 with the challenge HTTP demands beside it."""
    return Refused(code, detail, 401, headers={"WWW-Authenticate": CHALLENGE})


def error_answer(
    *faults: Fault, status: int, headers: Mapping[str, str] | None = None, extra: Mapping[str, object] | None = None
) -> HttpResponse:
    """`{"code", "detail", "field", "request_id"}` of the first fault, plus `errors` when there are several."""
    request_id = request_ids.current()
    shapes: list[dict[str, object]] = [
        {"code": fault.code, "detail": fault.detail, "field": fault.field, "request_id": request_id} for fault in faults
    ]
    body = dict(shapes[0], **(extra or {}))
    if len(shapes) > 1:
        body["errors"] = shapes
    return answer(body, status=status, headers=headers)


def exception_handler(error: Exception, context: Mapping[str, Any] | None = None) -> HttpResponse | None:
    """DRF's hook: the answer to anything anticipated; None for a bug, which Django logs and `handler500` answers."""
    if is_database_lost(error):
        return database_unavailable(error)
    refused = translate(error)
    if refused is None:
        return None
    return error_answer(*refused.faults, status=refused.status_code, headers=refused.headers)


def translate(error: Exception) -> Refused | None:
    """The interface's refusal for an anticipated exception of the domain, of Django or of DRF; None for a bug."""
    match error:
        case Refused():
            return error
        case Refusal():
            return Refused(error.code, error.detail, STATUS_OF_KIND[error.kind], error.field)
        case MoneyError():
            return Refused(error.code, str(error), 400, error.field)
        case exceptions.APIException():
            return _of_drf(error)
        case Http404():
            return Refused("not_found", "There is nothing at this address.", 404)
        case PermissionDenied():
            return Refused("permission_denied", "You may not do this.", 403)
        case SuspiciousOperation() | BadRequest() | UnreadablePostError():
            return _of_django(error)
    return None


def _of_drf(error: exceptions.APIException) -> Refused | None:
    """None for what DRF never raises here: nothing negotiates or serialises, so that would be a bug."""
    match error:
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return unauthenticated("not_authenticated", "This request needs valid credentials.")
        case exceptions.NotFound():
            return Refused("not_found", "There is nothing at this address.", 404)
        case exceptions.PermissionDenied():
            return Refused("permission_denied", "You may not do this.", 403)
        case exceptions.UnsupportedMediaType():
            return Refused("unsupported_media_type", "Send the body as application/json in UTF-8.", 415)
        case exceptions.Throttled():
            wait = getattr(error, "wait", None)
            headers = {} if wait is None else {"Retry-After": str(wait)}
            return Refused("too_many_requests", "Too many requests; try again later.", 429, headers=headers)
        case exceptions.ParseError():
            return Refused("malformed_json", "The body is not valid JSON.", 400)
    return None


def _of_django(error: Exception) -> Refused:
    match error:
        case RequestDataTooBig():
            return Refused("body_too_large", "The body is larger than 64 KiB.", 413)
        case DisallowedHost():
            return Refused("host_not_allowed", "This service does not answer to that host name.", 400)
        case TooManyFieldsSent():
            return Refused("too_many_parameters", "The request has too many parameters.", 400)
        case UnreadablePostError():
            return Refused("body_incomplete", "The body ended before its announced length.", 400)
    return Refused("bad_request", "The request can not be understood.", 400)


def is_database_lost(error: BaseException | None) -> bool:
    """Whether the database, and not the request, is to blame: away, out of room, memory or connections, read-only."""
    return isinstance(error, _DATABASE_LOST) or (
        isinstance(error, DatabaseError) and getattr(error.__cause__, "sqlstate", None) == _READ_ONLY
    )


def database_unavailable(error: BaseException | None) -> HttpResponse:
    """503: nothing is known to have been written, the caller may repeat."""
    logger.error("Database unavailable", exc_info=error)
    fault = Fault(code="database_unavailable", detail="The database can not be reached; try again shortly.")
    return error_answer(fault, status=503, headers={"Retry-After": "5"})
