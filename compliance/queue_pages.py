"""The list of the review queue: what waits, a page at a time."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from compliance import queries
from compliance.pages import render, require
from settlements.permissions import Permission

PER_PAGE = 50


def queue_view(request: HttpRequest) -> HttpResponse:
    """The queue, a page at a time."""
    require(request, Permission.READ_QUEUE)
    number = _page_number(request)
    now = timezone.now()
    total, items = queries.queue(skip=(number - 1) * PER_PAGE, limit=PER_PAGE, now=now)
    page = Paginator(range(total), PER_PAGE).get_page(number)
    if page.number != number:
        return HttpResponseRedirect(f"{request.path}?page={page.number}")
    context: dict[str, Any] = {"title": "Review queue", "items": items, "total": total, "page": page, "now": now}
    return render(request, "queue.html", context)


def _page_number(request: HttpRequest) -> int:
    word = request.GET.get("page", "1")
    return max(int(word), 1) if word.isascii() and word.isdigit() and len(word) <= 6 else 1
