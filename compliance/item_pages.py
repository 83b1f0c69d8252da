"""One settlement of the review queue: everything about it on one page, and a form with a reason for every act."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from compliance import recent, reviews
from compliance.acts import ACTS, Act
from compliance.forms import ReasonForm
from compliance.pages import STATUS_CODES, may, officer, render, require
from compliance.reviews import Review
from compliance.templatetags.review_words import money, words
from settlements import approvals
from settlements.locks import SettlementNotFound
from settlements.permissions import Permission
from settlements.refusals import Refusal


def review_view(request: HttpRequest, milestone_id: int) -> HttpResponse:
    """One settlement with everything that speaks for and against it, and a dialog for each act."""
    require(request, Permission.READ_QUEUE)
    review = _review(milestone_id)
    possible = [act for act in ACTS.values() if act.is_possible(review) and may(request, act.permission)]
    objection = _objection(request, review, possible)
    acts = [
        Choice(
            act,
            _form(act, review, typed={"assignee": request.user.get_username()}),
            blocked=act.approves and objection != "",
        )
        for act in possible
    ]
    context = {"title": _title(review), "review": review, "acts": acts, "objection": objection}
    return render(request, "review.html", context)


def act_view(request: HttpRequest, milestone_id: int, act: Act) -> HttpResponse:
    """GET: the form. POST: the act, by the officer who is logged in and showed lately who they are."""
    require(request, Permission.READ_QUEUE)
    require(request, act.permission)
    again = recent.require_recent(request) if act.asks_again else None
    if again is not None:
        return again
    review = _review(milestone_id)
    if request.method != "POST":
        typed = recent.kept(request)
        seen = typed.get("version") or request.GET.get("version", review.version)
        stale = "The settlement has changed since you looked at it; this is how it is now."
        form = _form(act, review, typed=typed.dict())
        return _page(request, review, act, form, refused=stale if seen != review.version else "")
    form = _form(act, review, request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, review, act, form, status=400)
    try:
        message = act.perform(
            milestone_id,
            officer=officer(request),
            now=timezone.now(),
            **form.cleaned_data,
        )
    except Refusal as refusal:
        # Shown with the settlement as it is now; what was typed is kept, the version is the new one.
        review = _review(milestone_id)
        kept = _form(act, review, typed=form.cleaned_data)
        return _page(request, review, act, kept, refused=refusal.detail, status=STATUS_CODES[refusal.kind])
    messages.success(request, f"{message}: {_title(review)}.")
    return HttpResponseRedirect(reverse("admin:compliance_reviewqueue_review", args=[milestone_id]))


@dataclass(frozen=True, slots=True)
class Choice:
    """An act that is possible, its form, and whether this officer would be refused."""

    act: Act
    form: ReasonForm
    blocked: bool


def _objection(request: HttpRequest, review: Review, possible: Sequence[Act]) -> str:
    """Why this officer may not approve it, told before they try; empty when they may, or nobody may now."""
    if not any(act.approves for act in possible):
        return ""
    refusal = approvals.objection(review.settlement.pk, officer=officer(request))
    return refusal.detail if refusal else ""


def _page(
    request: HttpRequest, review: Review, act: Act, form: ReasonForm, *, refused: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "title": f"{act.label}: {_title(review)}",
        "review": review,
        "act": act,
        "form": form,
        "refused": refused,
        "possible": act.is_possible(review),
    }
    return render(request, "act.html", context, status=status)


def _review(milestone_id: int) -> Review:
    try:
        return reviews.find(milestone_id, now=timezone.now())
    except SettlementNotFound as missing:
        raise Http404(missing.detail) from missing


def _title(review: Review) -> str:
    shipment = review.settlement.intent.shipment
    return f"{money(review.amount)} at {words(review.settlement.event_type)}, shipment {shipment.shipment_id}"


def _form(
    act: Act, review: Review, data: Any = None, files: Any = None, *, typed: Mapping[str, Any] | None = None
) -> ReasonForm:
    """The form of an act, its ids its own on a page with many; nothing that was typed names another version."""
    initial = {"until": review.settlement.settlement_delayed_until, **(typed or {}), "version": review.version}
    return act.form(data, files, initial=initial, auto_id=f"{act.name}-%s")
