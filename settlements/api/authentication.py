"""Who is calling: staff by session, or in the demo its keyless client or one of its logins; anybody else gets 401."""

from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from settlements.api.errors import CHALLENGE, Refused, unauthenticated
from settlements.permissions import DECISIONS, Permission

DEMO_ACTOR: Final = "demo"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# Bearer keys and webhook signatures do not exist yet, so whoever shows one shows a wrong one.
_UNKNOWN_CREDENTIALS: Final = ("HTTP_AUTHORIZATION", "HTTP_WEBHOOK_SIGNATURE")
_LONGEST_USERNAME: Final = 150
_OTHER_SITES: Final = frozenset({"cross-site", "same-site"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sent a request: `actor` is what the audit trail names. Events are posted as the platform's source."""

    actor: str
    user: User | None
    is_demo: bool

    def may(self, permission: Permission) -> bool:
        """Whether the caller has a permission; the demo client has all but the decisions."""
        if self.is_demo:
            return permission not in DECISIONS
        return self.user is not None and self.user.has_perm(permission.full_name)

    def require(self, permission: Permission) -> None:
        """Raises Refused (403) unless the caller has the permission."""
        if self.may(permission):
            return
        if self.is_demo:
            raise Refused(
                "demo_client_may_not_decide",
                "The demo client may not decide; act as a demo login with the header X-Demo-User: officer1.",
                403,
            )
        raise Refused("permission_denied", f"You lack the permission {permission.full_name}.", 403)


_DEMO_CLIENT: Final = Caller(actor=DEMO_ACTOR, user=None, is_demo=True)


def identify(request: HttpRequest) -> Caller:
    """The caller of a request. Raises Refused: 401 without valid credentials, 403 for a page of another origin."""
    meta = request.META
    for header in _UNKNOWN_CREDENTIALS:
        if header in meta:
            raise unauthenticated("invalid_credentials", "These credentials are not valid.")
    demo: bool = settings.CHAINPAY_DEMO
    if demo:
        _refuse_other_origins(request)
        if "HTTP_X_DEMO_USER" in meta:
            return _demo_login(meta["HTTP_X_DEMO_USER"])
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        return _session_login(request)
    if demo:
        return _DEMO_CLIENT
    raise unauthenticated("not_authenticated", "This request needs credentials.")


class CallerAuthentication(BaseAuthentication):
    """`identify` for DRF: `request.auth` is the Caller, `request.user` its user."""

    def authenticate(self, request: Request) -> tuple[Any, Caller]:
        caller = identify(request._request)
        return caller.user or AnonymousUser(), caller

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def _refuse_other_origins(request: HttpRequest) -> None:
    """In the demo any page open in the same browser could post here: browsers say where a request comes from."""
    origin = request.META.get("HTTP_ORIGIN")
    own = f"{request.scheme}://{request.get_host()}" if origin else None
    crossed = request.method not in SAFE_METHODS and request.META.get("HTTP_SEC_FETCH_SITE") in _OTHER_SITES
    if origin != own or crossed:
        raise Refused("foreign_origin", "In the demo, pages of another origin may not call this service.", 403)


def _demo_login(username: str) -> Caller:
    user = None
    if len(username) <= _LONGEST_USERNAME and username.isprintable():
        user = get_user_model().objects.filter(username=username, is_active=True, is_staff=True).first()
    if user is None:
        raise unauthenticated("unknown_demo_user", "X-Demo-User names no demo login.")
    return _staff(user)


def _session_login(request: HttpRequest) -> Caller:
    user = request.user
    if not (user.is_authenticated and user.is_active and user.is_staff):
        raise unauthenticated(
            "not_authenticated", "This session is not that of a staff login; log in again or leave its cookie out."
        )
    if request.method not in SAFE_METHODS:
        _enforce_csrf(request)
    return _staff(user)


def _enforce_csrf(request: HttpRequest) -> None:
    """Django's own check, for DRF's views are exempt from its middleware; the token comes in X-CSRFToken."""
    check = CSRFCheck(lambda _: None)  # type: ignore[arg-type]
    check.process_request(request)
    reason = check.process_view(request, None, (), {})  # type: ignore[arg-type]
    if reason:
        raise Refused("csrf_failed", f"The CSRF check failed: {reason}", 403)


def _staff(user: User) -> Caller:
    return Caller(actor=f"user:{user.get_username()}", user=user, is_demo=False)
