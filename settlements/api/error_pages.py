"""What Django answers when no endpoint could: the API's JSON shape, and the usual HTML below /admin."""

import sys

from django.http import HttpRequest, HttpResponse
from django.views import csrf, defaults

from settlements.api.errors import Fault, Refused, database_unavailable, error_answer, is_database_lost, translate


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request Django refused before any view saw it: a foreign Host, too large a form."""
    if _is_admin(request):
        return defaults.bad_request(request, exception)
    refused = translate(exception) or Refused("bad_request", "The request can not be understood.", 400)
    return error_answer(*refused.faults, status=refused.status_code)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A view outside DRF that refused permission."""
    if _is_admin(request):
        return defaults.permission_denied(request, exception)
    return error_answer(Fault(code="permission_denied", detail="You may not do this."), status=403)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """No route; paths have no trailing slash."""
    if _is_admin(request):
        return defaults.page_not_found(request, exception)
    return error_answer(Fault(code="not_found", detail="There is nothing at this address."), status=404)


def handler500(request: HttpRequest) -> HttpResponse:
    """A bug (Django has logged it with its traceback) or a lost database; the answer says nothing of the inside."""
    error = sys.exc_info()[1]
    if is_database_lost(error) and not _is_admin(request):
        return database_unavailable(error)
    if _is_admin(request):
        return defaults.server_error(request)
    return error_answer(Fault(code="internal_error", detail="Something went wrong on our side."), status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its CSRF token."""
    if _is_admin(request):
        return csrf.csrf_failure(request, reason=reason)
    return error_answer(Fault(code="csrf_failed", detail="The CSRF token is missing or wrong."), status=403)


def _is_admin(request: HttpRequest) -> bool:
    return request.path_info == "/admin" or request.path_info.startswith("/admin/")
