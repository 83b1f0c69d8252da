"""The review queue in the admin: what waits, one screen per settlement, and a form with a reason for every act."""

from functools import partial
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from compliance import queries, reviews
from compliance.acts import ACTS, Act
from compliance.forms import DecisionForm, ReasonForm
from compliance.models import ReviewQueue
from compliance.reviews import Review
from compliance.templatetags.review_words import money, words
from rails.admin import ReadOnlyAdmin
from settlements.approvals import Officer
from settlements.locks import SettlementNotFound
from settlements.permissions import Permission
from settlements.refusals import Kind, Refusal

PER_PAGE = 50
_STATUS_CODES = {Kind.INVALID: 400, Kind.FORBIDDEN: 403, Kind.NOT_FOUND: 404, Kind.CONFLICT: 409}

admin.site.site_header = "ChainPay"
admin.site.site_title = "ChainPay"
admin.site.index_title = "Overview"
admin.site.site_url = None


@admin.register(ReviewQueue)
class ReviewQueueAdmin(ReadOnlyAdmin):
    """Pages below /admin/compliance/reviewqueue/; nothing changes on GET."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, Permission.READ_QUEUE)

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        return [
            path("", site.admin_view(self.changelist_view), name="compliance_reviewqueue_changelist"),
            path("<int:milestone_id>/", site.admin_view(self.review_view), name="compliance_reviewqueue_review"),
            *(
                path(
                    f"<int:milestone_id>/{act.name}/",
                    site.admin_view(partial(self.act_view, act=act)),
                    name=f"compliance_reviewqueue_{act.name}",
                )
                for act in ACTS.values()
            ),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The queue, a page at a time."""
        _require(request, Permission.READ_QUEUE)
        number = _page_number(request)
        now = timezone.now()
        total, items = queries.queue(skip=(number - 1) * PER_PAGE, limit=PER_PAGE, now=now)
        page = Paginator(range(total), PER_PAGE).get_page(number)
        if page.number != number:
            return HttpResponseRedirect(f"{request.path}?page={page.number}")
        context = {"title": "Review queue", "items": items, "total": total, "page": page, "now": now}
        return self._render(request, "queue.html", context)

    def review_view(self, request: HttpRequest, milestone_id: int) -> HttpResponse:
        """One settlement with everything that speaks for and against it."""
        _require(request, Permission.READ_QUEUE)
        review = _review(milestone_id)
        possible = [act for act in ACTS.values() if act.is_possible(review) and may(request, act.permission)]
        context = {"title": _title(review), "review": review, "acts": possible}
        return self._render(request, "review.html", context)

    def act_view(self, request: HttpRequest, milestone_id: int, act: Act) -> HttpResponse:
        """GET: the form. POST: the act, by the officer who is logged in."""
        _require(request, Permission.READ_QUEUE)
        _require(request, act.permission)
        review = _review(milestone_id)
        if request.method != "POST":
            seen = request.GET.get("version", review.version)
            stale = "The settlement has changed since you looked at it; this is how it is now."
            return self._form(request, review, act, _form(act, review), refused=stale if seen != review.version else "")
        form = _form(act, review, request.POST)
        if not form.is_valid():
            return self._form(request, review, act, form, status=400)
        try:
            message = act.perform(
                milestone_id,
                officer=_officer(request),
                reason=form.cleaned_data["reason"],
                version=form.cleaned_data.get("version", ""),
                now=timezone.now(),
            )
        except Refusal as refusal:
            # Shown with the settlement as it is now; the reason is kept, the version is the new one.
            review = _review(milestone_id)
            again = _form(act, review, reason=form.cleaned_data["reason"])
            return self._form(request, review, act, again, refused=refusal.detail, status=_STATUS_CODES[refusal.kind])
        messages.success(request, f"{message}: {_title(review)}.")
        return HttpResponseRedirect(reverse("admin:compliance_reviewqueue_review", args=[milestone_id]))

    def _form(
        self, request: HttpRequest, review: Review, act: Act, form: ReasonForm, *, refused: str = "", status: int = 200
    ) -> HttpResponse:
        context = {
            "title": f"{act.label}: {_title(review)}",
            "review": review,
            "act": act,
            "form": form,
            "refused": refused,
            "possible": act.is_possible(review),
        }
        return self._render(request, "act.html", context, status=status)

    def _render(
        self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
    ) -> HttpResponse:
        everywhere = {**self.admin_site.each_context(request), "opts": self.model._meta}
        name = f"admin/compliance/reviewqueue/{template}"
        return TemplateResponse(request, name, {**everywhere, **context}, status=status)


def may(request: HttpRequest, permission: Permission) -> bool:
    """Whether the person who is logged in has a permission."""
    return request.user.has_perm(permission.full_name)


def _require(request: HttpRequest, permission: Permission) -> None:
    if not may(request, permission):
        raise PermissionDenied


def _review(milestone_id: int) -> Review:
    try:
        return reviews.find(milestone_id, now=timezone.now())
    except SettlementNotFound as missing:
        raise Http404(missing.detail) from missing


def _title(review: Review) -> str:
    shipment = review.settlement.intent.shipment
    return f"{money(review.amount)} at {words(review.settlement.event_type)}, shipment {shipment.shipment_id}"


def _officer(request: HttpRequest) -> Officer:
    user = cast(User, request.user)
    return Officer(pk=user.pk, username=user.get_username())


def _form(act: Act, review: Review, data: Any = None, *, reason: str = "") -> ReasonForm:
    form_class = DecisionForm if act.bound_to_version else ReasonForm
    return form_class(data, initial={"version": review.version, "reason": reason})


def _page_number(request: HttpRequest) -> int:
    word = request.GET.get("page", "1")
    return max(int(word), 1) if word.isascii() and word.isdigit() and len(word) <= 6 else 1
