"""The reconciliation page: what does not fit first, what was resolved, what matches; a form to resolve one."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from compliance import recent
from compliance.forms import ReasonForm
from compliance.models import ReviewQueue
from compliance.pages import STATUS_CODES, may, officer, require
from compliance.queue_pages import asked as filled
from compliance.reconciliation_forms import ReconciliationFilterForm
from rails.base import SettlementProvider
from rails.models import RailReconciliation
from settlements.models import Comparison
from settlements.permissions import Permission
from settlements.reconciliation import comparing, listing, resolving
from settlements.reconciliation.listing import Asked, Difference, View
from settlements.reconciliation.words import WORDS
from settlements.refusals import Refusal

PER_PAGE: Final = 50
# How far back payments that match are counted and shown unless a day is asked for.
DAYS_SHOWN: Final = 31
# Older than that, a comparison is no picture of now.
_STALE_AFTER: Final = timedelta(hours=2)
_LIST: Final = "admin:compliance_reconciliation"


def list_view(request: HttpRequest) -> HttpResponse:
    """The lines that are asked for, a page at a time; a filter that can not be read is said so."""
    require(request, Permission.READ_QUEUE)
    now = timezone.now()
    given = filled(request.GET)
    view = _view(given)
    form = ReconciliationFilterForm(given)
    narrowed = _without(given, "view", "after")
    context: dict[str, Any] = {
        "title": "Reconciliation",
        "now": now,
        "form": form,
        "view": view,
        "filters": narrowed.urlencode(),
        "may_resolve": may(request, Permission.RESOLVE_DIFFERENCE),
    }
    if not form.is_valid():
        faults = [str(fault) for errors in form.errors.values() for fault in errors]
        return _render(request, "list.html", {**context, "faults": faults}, status=400)
    with listing.reading():
        context |= _found(form.asked, view, _after(given), now)
    return _render(request, "list.html", context)


def _found(asked: Asked, view: View, after: int | None, now: datetime) -> dict[str, Any]:
    """What the list shows, of the last comparison."""
    comparison = Comparison.objects.first()
    context: dict[str, Any] = {"comparison": comparison, "lists": _lists(), "stale": _is_stale(comparison, now)}
    if comparison is None:
        return context
    period = _period(asked, now)
    kinds = listing.by_kind(asked)
    context |= {
        "totals": listing.totals(comparison),
        "kinds": [(kind, WORDS[kind].title, number) for kind, number in kinds],
        "open": sum(number for _, number in kinds),
        "figures": listing.figures(period, comparison),
        "period": period,
    }
    if view is View.MATCHED:
        lines, after_that = listing.matched(period, comparison, after=after, limit=PER_PAGE)
        context |= {"lines": lines, "next": after_that}
    else:
        found = listing.differences(view, asked, after=after, limit=PER_PAGE + 1)
        context |= {"differences": found[:PER_PAGE], "next": found[PER_PAGE - 1].id if len(found) > PER_PAGE else None}
    return {**context, "after": after}


def resolve_view(request: HttpRequest, difference_id: int) -> HttpResponse:
    """GET: the difference and the form. POST: resolved, by the person who showed lately who they are."""
    require(request, Permission.READ_QUEUE)
    require(request, Permission.RESOLVE_DIFFERENCE)
    again = recent.require_recent(request)
    if again is not None:
        return again
    difference = _difference(difference_id)
    if request.method != "POST":
        return _page(request, difference, ReasonForm(initial=recent.kept(request).dict()))
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _page(request, difference, form, status=400)
    try:
        resolving.resolve(
            difference_id, officer=officer(request), reason=form.cleaned_data["reason"], now=timezone.now()
        )
    except Refusal as refusal:
        status = STATUS_CODES[refusal.kind]
        return _page(request, _difference(difference_id), form, refused=refusal.detail, status=status)
    messages.success(request, f"Resolved: {difference.said.sentence}")
    kept = _without(QueryDict(request.META.get("QUERY_STRING", "")), "after")
    return HttpResponseRedirect(f"{reverse(_LIST)}?{kept.urlencode()}" if kept else reverse(_LIST))


@require_POST
def compare_view(request: HttpRequest) -> HttpResponse:
    """Compares everything now; providers' lists as they were read last."""
    require(request, Permission.READ_QUEUE)
    require(request, Permission.RESOLVE_DIFFERENCE)
    comparison = comparing.compare(actor=officer(request).actor, now=timezone.now())
    messages.success(request, f"{comparison.payments:,} payments compared; {comparison.differences:,} do not fit.")
    return HttpResponseRedirect(reverse(_LIST))


def _view(given: QueryDict) -> View:
    word = given.get("view", "")
    return View(word) if word in set(View) else View.OPEN


def _after(given: QueryDict) -> int | None:
    word = given.get("after", "")
    return int(word) if word.isascii() and word.isdigit() and len(word) < 19 else None


def _without(given: QueryDict, *names: str) -> QueryDict:
    left = given.copy()
    for name in names:
        left.pop(name, None)
    return left


def _period(asked: Asked, now: datetime) -> Asked:
    """The same with a period: the days asked for, or the last month."""
    last = asked.last_day or now.date()
    return replace(asked, first_day=asked.first_day or last - timedelta(days=DAYS_SHOWN - 1), last_day=last)


def _lists() -> list[RailReconciliation]:
    """The last attempt to read each provider's list."""
    runs = RailReconciliation.objects.order_by("provider", "-id").distinct("provider")
    return [run for run in runs if run.provider in set(SettlementProvider)]


def _is_stale(comparison: Comparison | None, now: datetime) -> bool:
    return comparison is not None and comparison.started_at < now - _STALE_AFTER


def _difference(difference_id: int) -> Difference:
    difference = listing.find(difference_id)
    if difference is None:
        raise Http404("There is no such difference.")
    return difference


def _page(
    request: HttpRequest, difference: Difference, form: ReasonForm, *, refused: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "title": f"Resolve: {difference.said.title.lower()}",
        "difference": difference,
        "form": form,
        "refused": refused,
        "now": timezone.now(),
        "query": request.META.get("QUERY_STRING", ""),
        "is_open": difference.gone_at is None and difference.resolved_at is None,
    }
    return _render(request, "resolve.html", context, status=status)


def _render(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    everywhere = {**admin.site.each_context(request), "opts": ReviewQueue._meta}
    return TemplateResponse(
        request, f"admin/compliance/reconciliation/{template}", {**everywhere, **context}, status=status
    )
