"""Outside the demo nobody gets past the login pages without a second factor that was used in this very session."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import Resolver404, resolve, reverse

from chainpay.access.adapters import has_second_factor

# For everybody: logging in and out.
_ALWAYS: Final = frozenset({"account_login", "account_logout", "mfa_authenticate"})
_TO_ENROL: Final = frozenset({"account_reauthenticate", "mfa_index", "mfa_activate_totp", "mfa_add_webauthn"})
_TO_SHOW: Final = frozenset({"account_reauthenticate", "mfa_reauthenticate_webauthn"})


class SecondFactorGate:
    """Lets a login without a second factor set one up, one with a factor show it, and neither do anything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/admin/") or is_open(request):
            return self.get_response(request)
        enrolled = has_second_factor(request.user)
        if _route(request) in (_TO_SHOW if enrolled else _TO_ENROL):
            return self.get_response(request)
        page = reverse("account_reauthenticate" if enrolled else "mfa_index")
        where = request.get_full_path() if request.method in {"GET", "HEAD"} else reverse("admin:index")
        return HttpResponseRedirect(f"{page}?{urlencode({'next': where})}")


def is_open(request: HttpRequest) -> bool:
    """Whether the request needs no second factor, or the person has shown theirs in this session and still has it."""
    if settings.CHAINPAY_DEMO or not request.user.is_authenticated or _route(request) in _ALWAYS:
        return True
    records = get_authentication_records(request, request.user)
    return any(record["method"] == "mfa" for record in records) and has_second_factor(request.user)


def _route(request: HttpRequest) -> str:
    try:
        return resolve(request.path_info).view_name
    except Resolver404:
        return ""
