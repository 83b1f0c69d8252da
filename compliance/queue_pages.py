"""The list of the review queue: what waits, filtered, searched and paged; whoever may act selects rows here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils import timezone

from compliance import filters, queries
from compliance.badges import counters_of
from compliance.bulk_acts import BULK_ACTS
from compliance.counters import Counters
from compliance.filter_form import FilterForm
from compliance.filters import Filters, State
from compliance.pages import may, render, require
from settlements.api.errors import RefusedFields
from settlements.api.query_parameters import Query
from settlements.permissions import Permission

PER_PAGE: Final = 50
_HIGHEST_PAGE: Final = 100_000
_HEADINGS: Final = {
    State.WAITING: "waiting for a decision",
    State.HELD: "on hold",
    State.DELAYED: "delayed",
}
_ORDERS: Final = {
    State.WAITING: "Overdue first, then the largest.",
    State.HELD: "Overdue first, then the largest.",
    State.DELAYED: "Each releases by itself at its time, the next one first.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickLink:
    """A list that officers open again and again, with how many are in it if that is counted."""

    label: str
    query: str
    count: int | None
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One filter that is on, in words, and the query without it."""

    label: str
    value: str
    query: str


def queue_view(request: HttpRequest) -> HttpResponse:
    """The queue, a page at a time; a filter that can not be read is said so, and nothing is listed."""
    require(request, Permission.READ_QUEUE)
    given = asked(request.GET)
    now = timezone.now()
    counted = counters_of(request)
    context: dict[str, Any] = {
        "title": "Review queue",
        "now": now,
        "target_hours": settings.CHAINPAY_REVIEW_TARGET_HOURS,
        "form": FilterForm(given),
        "links": list(_links(request, given, counted)),
        "query": given.urlencode(),
    }
    try:
        wanted, number = _read(given, request.GET)
    except RefusedFields as refused:
        faults = [fault.detail for fault in refused.faults]
        return render(request, "queue.html", {**context, "faults": faults}, status=400)
    total, items = queries.queue(skip=(number - 1) * PER_PAGE, limit=PER_PAGE, filters=wanted, now=now)
    page = Paginator(range(total), PER_PAGE).get_page(number)
    if page.number != number:
        return HttpResponseRedirect(f"{request.path}?{_with(given, page=str(page.number))}")
    shown = {
        "items": items,
        "total": total,
        "page": page,
        "chips": list(_chips(given)),
        "filtered": bool(given) and not any(link.current for link in context["links"]),
        "heading": _HEADINGS[wanted.state],
        "order": _ORDERS[wanted.state],
        "delayed": wanted.state is State.DELAYED,
        "acts": [bulk for bulk in BULK_ACTS.values() if may(request, bulk.act.permission)],
    }
    return render(request, "queue.html", {**context, **shown})


def asked(given: QueryDict) -> QueryDict:
    """The filters of an address: a form sends empty fields along, and they ask nothing."""
    kept = QueryDict(mutable=True)
    for name, values in given.lists():
        filled = [value for value in values if value.strip()]
        if filled and name != "page":
            kept.setlist(name, [value.strip() if name == "q" else value for value in filled])
    return kept


def _read(given: QueryDict, everything: QueryDict) -> tuple[Filters, int]:
    wanted = filters.read(Query(given, allowed=filters.NAMES))
    paging = QueryDict(mutable=True)
    paging.setlist("page", everything.getlist("page"))
    if not everything.get("page"):
        return wanted, 1
    return wanted, Query(paging, allowed={"page"}).integer("page", default=1, lowest=1, highest=_HIGHEST_PAGE)


def _links(request: HttpRequest, given: QueryDict, counted: Counters) -> Iterator[QuickLink]:
    me = request.user.get_username()
    for label, query, count in (
        ("All", {}, counted.waiting),
        ("Overdue", {"overdue": "1"}, counted.overdue),
        ("Mine", {"assignee": me}, counted.mine),
        ("Unassigned", {"unassigned": "1"}, None),
        ("On hold", {"state": State.HELD.value}, counted.held),
        ("Delayed", {"state": State.DELAYED.value}, counted.delayed),
    ):
        current = given.dict() == query
        yield QuickLink(label=label, query=_query(query), count=count, current=current)


def _chips(given: QueryDict) -> Iterator[Chip]:
    form = FilterForm(given)
    for name, value in given.items():
        rest = given.copy()
        del rest[name]
        yield Chip(label=form.label_of(name), value=form.words_of(name, str(value)), query=rest.urlencode())


def _with(given: QueryDict, **changed: str) -> str:
    query = given.copy()
    for name, value in changed.items():
        query[name] = value
    return query.urlencode()


def _query(values: Mapping[str, str]) -> str:
    query = QueryDict(mutable=True)
    query.update(values)
    return query.urlencode()
