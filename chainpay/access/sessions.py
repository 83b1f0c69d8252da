"""How long a session lasts: until nobody uses it, and never longer than some hours. Ended ones are deleted."""

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

_STARTED: Final = "session_started_at"
_SEEN: Final = "session_seen_at"
# Not every page writes the session: this much of the idle time may be lost to its owner, and never more than a quarter.
_SEEN_EVERY_SECONDS: Final = 60
_SWEPT: Final = 100

# Why a session ended, as the login page says it.
REASONS: Final = {
    "idle": "You were logged out because nothing happened for {idle_minutes} minutes.",
    "over": "You were logged out because {session_hours} hours have passed since you logged in.",
    "gone": "Your session has ended.",
    "logout": "You are logged out.",
}


class SessionLimits:
    """Ends sessions on time and sends the person to the login page, which says why and leads back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/admin/"):
            return self.get_response(request)
        why = _why_over(request)
        if why:
            logout(request)
            return _to_login(request, why)
        return self.get_response(request)


def start(request: HttpRequest) -> None:
    """The person has logged in just now. The cookie goes when the browser is closed."""
    _sweep()
    request.session.set_expiry(0)
    request.session[_STARTED] = request.session[_SEEN] = time.time()


def end_all_of(user_id: int) -> int:
    """Ends every session of a person; how many there were."""
    live = Session.objects.filter(expire_date__gt=timezone.now())
    theirs = [row.pk for row in live.iterator() if row.get_decoded().get("_auth_user_id") == str(user_id)]
    Session.objects.filter(pk__in=theirs).delete()
    return len(theirs)


def words(reason: str) -> str:
    """Why a session ended; nothing for a reason we do not know."""
    told = REASONS.get(reason, "")
    return told.format(idle_minutes=settings.CHAINPAY_IDLE_MINUTES, session_hours=settings.CHAINPAY_SESSION_HOURS)


def _sweep() -> None:
    """Sessions whose owners never came back leave the database bit by bit."""
    expired = Session.objects.filter(expire_date__lte=timezone.now()).values_list("pk", flat=True)[:_SWEPT]
    Session.objects.filter(pk__in=list(expired)).delete()


def _why_over(request: HttpRequest) -> str:
    now = time.time()
    if not request.user.is_authenticated:
        return "gone" if _had_one(request) else ""
    if _STARTED not in request.session:
        start(request)  # logged in before there were limits
    if now - request.session[_STARTED] >= settings.CHAINPAY_SESSION_HOURS * 3600:
        return "over"
    seen, idle_seconds = request.session[_SEEN], settings.CHAINPAY_IDLE_MINUTES * 60
    if now - seen >= idle_seconds:
        return "idle"
    if now - seen >= min(_SEEN_EVERY_SECONDS, idle_seconds / 4):
        request.session[_SEEN] = now
    return ""


def _had_one(request: HttpRequest) -> bool:
    """A cookie of a session that is no more, on a page that needs one."""
    has_cookie = settings.SESSION_COOKIE_NAME in request.COOKIES
    return has_cookie and request.path != reverse("account_login") and request.session.is_empty()


def _to_login(request: HttpRequest, why: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('account_login')}?{urlencode({'next': _page(request), 'ended': why})}")


def _page(request: HttpRequest) -> str:
    """Where the person was: this page, or for a form the page that it was on."""
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    referer = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        parts = urlsplit(referer)
        return parts._replace(scheme="", netloc="", fragment="").geturl()
    return reverse("admin:index")
