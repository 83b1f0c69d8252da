"""The figures beside the lines of the sidebar; one statement for all of them, once per page."""

from collections.abc import Callable
from typing import cast

from django.http import HttpRequest
from django.utils import timezone

from compliance import counters
from compliance.counters import Counters
from settlements.permissions import Permission

_KEPT = "_chainpay_counters"


def counters_of(request: HttpRequest) -> Counters:
    if not hasattr(request, _KEPT):
        setattr(request, _KEPT, counters.counts(request.user, timezone.now()))
    return cast(Counters, getattr(request, _KEPT))


def _badge(figure: str) -> Callable[[HttpRequest], str]:
    def shown(request: HttpRequest) -> str:
        if not request.user.has_perm(Permission.READ_QUEUE.full_name):
            return ""
        number = getattr(counters_of(request), figure)
        return f"{number:,}" if number else ""

    return shown


waiting, overdue, mine, held, delayed, destinations, work, differences = map(
    _badge, ("waiting", "overdue", "mine", "held", "delayed", "destinations", "work", "differences")
)
