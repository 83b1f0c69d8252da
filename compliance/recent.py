"""Has this person shown lately who they are? Acts that move or keep money ask before they begin.

A view calls `require_recent(request)` first, on GET and on POST, and answers what it gets:

    again = recent.require_recent(request)
    if again is not None:
        return again

The person is led to the page that asks for password and second factor, and back to this address by GET. What a POST had
in its fields waits meanwhile: the GET that follows reads it once with `recent.kept(request)` and fills its form again.
Nothing is carried out by itself.

Only sessions of the admin are concerned. API keys have no session: they decide by their scope (docs/api.md).
"""

import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

_KEPT: Final = "kept_post"
_NEVER_KEPT: Final = ("csrfmiddlewaretoken",)


def require_recent(request: HttpRequest, *, never_kept: Sequence[str] = ()) -> HttpResponse | None:
    """None if the person logged in or confirmed within `CHAINPAY_RECENT_LOGIN_MINUTES`; else the way to do so.

    Fields of a POST are kept for `kept`, but no files, and none of `never_kept`: sessions lie in the database.
    """
    if is_recent(request, within_minutes=settings.CHAINPAY_RECENT_LOGIN_MINUTES):
        return None
    if request.method == "POST":
        fields = request.POST.copy()
        for name in (*_NEVER_KEPT, *never_kept):
            fields.pop(name, None)
        request.session[_KEPT] = {"path": request.path, "fields": fields.urlencode()}
    return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': request.get_full_path()})}")


def kept(request: HttpRequest) -> QueryDict:
    """The fields of the POST to this address that had to wait for the person to confirm; empty if there is none.

    For one reading, by the page at this address only; whatever else was kept is forgotten.
    """
    waiting = request.session.pop(_KEPT, None)
    if not waiting or waiting["path"] != request.path:
        return QueryDict()
    return QueryDict(waiting["fields"])


def is_recent(request: HttpRequest, *, within_minutes: int) -> bool:
    """Whether everything that logging in asks for was shown in this session within so many minutes."""
    since = time.time() - within_minutes * 60
    records = get_authentication_records(request, request.user)
    shown = {record["method"] for record in records if record["at"] > since}
    return needed() <= shown


def needed() -> frozenset[str]:
    """What logging in asks for: a password, and outside the demo a second factor."""
    return frozenset({"password"}) if settings.CHAINPAY_DEMO else frozenset({"password", "mfa"})
