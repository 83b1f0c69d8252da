"""The lists of the admin that can be exported: figures of what is on the screen, and the way to its CSV, by POST."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from compliance.admin_rails import JournalEntryActs
from rails import admin as admin_of_rails
from rails.admin_pages import NewestPaginator, ReadOnlyAdmin
from rails.models import JournalEntry, Posting, RailAttempt
from settlements import admin as admin_of_settlements
from settlements.exports import answers, background, figures, on_screen, records
from settlements.exports.datasets import Asked, Dataset, find
from settlements.exports.filters import FilterInvalid
from settlements.exports.records import By
from settlements.exports.selections import Selection
from settlements.exports.statements import Figures
from settlements.exports.streaming import ExportsBusy
from settlements.models import AuditEvent, MilestoneSettlement
from settlements.models.export import FILE

# Beyond so many rows a list does not count them each time that it is looked at.
COUNTED_AT_ONCE = NewestPaginator.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What stands above a list: the figures of its rows, None where nobody asked yet, and where to export them."""

    dataset: Dataset
    address: str
    figures: Figures | None

    @property
    def rows(self) -> str:
        """`1,234 rows`."""
        if self.figures is None:
            return f"{COUNTED_AT_ONCE:,} rows or more"
        return f"{self.figures.rows:,} row{'' if self.figures.rows == 1 else 's'}"

    @property
    def amounts(self) -> list[str]:
        """`38,400.00 USD`, by currency."""
        totals = self.figures.totals if self.figures else {}
        return [f"{Decimal(total):,} {currency}" for currency, total in totals.items()]


def offer(request: HttpRequest, dataset: Dataset, found: Figures | None, *, address: str) -> Offer | None:
    """What this person is offered above a list; nothing to those who may not export it."""
    if not background.may_export(cast(User, request.user), dataset):
        return None
    query = request.GET.urlencode()
    return Offer(dataset=dataset, address=f"{address}?{query}" if query else address, figures=found)


def export_view(request: HttpRequest, dataset: Dataset, label: str, *, back: str, opts: Any) -> HttpResponseBase:
    """GET: the figures of what the list shows, and what can be done. POST: the file, now or prepared beside."""
    user = cast(User, request.user)
    if not background.may_export(user, dataset):
        raise PermissionDenied
    asked = Asked(dataset=dataset.name, list_label=label, query=request.GET.urlencode())
    try:
        selection, key = on_screen.selected(dataset, asked, user=user)
    except FilterInvalid as invalid:
        messages.error(request, invalid.detail)
        return HttpResponseRedirect(back)
    if request.method == "GET":
        found = figures.read(dataset, selection, key=key)
        context = {
            **admin.site.each_context(request),
            "opts": opts,
            "title": f"Export {dataset.title.lower()}",
            "export": offer(request, dataset, found, address=request.path),
            "selection": selection,
            "back": f"{back}?{asked.query}" if asked.query else back,
        }
        return TemplateResponse(request, "admin/export.html", context)
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "POST"])
    by = By(actor=f"user:{user.get_username()}", user_id=user.pk)
    if request.POST.get("way") == "file":
        return _queued(request, asked, dataset, selection, by)
    try:
        return answers.streamed(request, asked, selection, key=key, by=by, clock=timezone.now)
    except ExportsBusy:
        messages.info(request, "Another export is being sent at this moment, so a file is prepared instead.")
        return _queued(request, asked, dataset, selection, by)


def _queued(request: HttpRequest, asked: Asked, dataset: Dataset, selection: Selection, by: By) -> HttpResponse:
    export = records.begin(asked, dataset, selection, by=by, delivery=FILE, now=timezone.now())
    days = records.KEPT.days
    messages.success(request, f"Export {export.pk} is being prepared. Its file will be kept here for {days} days.")
    return HttpResponseRedirect(reverse("admin:settlements_export_changelist"))


class ExportingAdmin(ReadOnlyAdmin):
    """A list whose rows are exported as a dataset; mixed in before the list's own admin."""

    exported_as: ClassVar[str]

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self._export_view)
        return [path("export/", page, name=f"{self._base()}_export"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data["export"] = self._offer(request, response.context_data["cl"])
        return response

    def _offer(self, request: HttpRequest, shown: Any) -> Offer | None:
        dataset = find(self.exported_as)
        if not background.may_export(cast(User, request.user), dataset):
            return None
        found = None
        if shown.result_count < COUNTED_AT_ONCE:
            key = dataset.list_of(self.opts.label_lower).key
            found = figures.read(dataset, on_screen.of_changelist(shown), key=key)
        return offer(request, dataset, found, address=reverse(f"admin:{self._base()}_export"))

    def _export_view(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise Http404("There is no such list.")
        back = reverse(f"admin:{self._base()}_changelist")
        return export_view(request, find(self.exported_as), self.opts.label_lower, back=back, opts=self.opts)

    def _base(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"


for registered in (MilestoneSettlement, AuditEvent, JournalEntry, Posting, RailAttempt):
    admin.site.unregister(registered)


@admin.register(MilestoneSettlement)
class SettlementExports(ExportingAdmin, admin_of_settlements.MilestoneSettlementAdmin):
    """Settlements."""

    exported_as = "settlements"


@admin.register(AuditEvent)
class AuditExports(ExportingAdmin, admin_of_settlements.AuditEventAdmin):
    """Audit events."""

    exported_as = "audit_events"


@admin.register(JournalEntry)
class JournalExports(ExportingAdmin, JournalEntryActs):
    """The postings of the entries on the screen."""

    exported_as = "postings"


@admin.register(Posting)
class PostingExports(ExportingAdmin, admin_of_rails.PostingAdmin):
    """Postings."""

    exported_as = "postings"


@admin.register(RailAttempt)
class AttemptExports(ExportingAdmin, admin_of_rails.RailAttemptAdmin):
    """Rail attempts."""

    exported_as = "rail_attempts"
