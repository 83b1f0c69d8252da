"""The review queue in the admin: its pages below /admin/compliance/reviewqueue/; nothing changes on GET."""

from functools import partial
from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from compliance import admin_ach as admin_ach
from compliance import admin_days as admin_days
from compliance import admin_exports as admin_exports  # after the rails, whose journal it extends
from compliance import admin_rails as admin_rails
from compliance import admin_staff as admin_staff
from compliance import admin_stripe as admin_stripe
from compliance import admin_wires as admin_wires
from compliance import (
    bulk_pages,
    evidence_pages,
    item_pages,
    next_page,
    opening_pages,
    queue_pages,
    reconciliation_pages,
    stamp_pages,
    work_pages,
)
from compliance.acts import ACTS
from compliance.admin_exports import Offer
from compliance.exported_reviews import QUEUE, REVIEWS, queue_on_screen
from compliance.models import ReviewQueue
from compliance.pages import may, require
from compliance.work_acts import WORK_ACTS
from rails.admin_pages import ReadOnlyAdmin
from settlements.exports import background, figures
from settlements.permissions import Permission


@admin.register(ReviewQueue)
class ReviewQueueAdmin(ReadOnlyAdmin):
    """Where Django's admin finds the pages of the queue."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, Permission.READ_QUEUE)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view
        return [
            path("", page(self.changelist_view), name="compliance_reviewqueue_changelist"),
            path("export/", page(self.export_view), name="compliance_reviewqueue_export"),
            path("bulk/<str:act>/", page(bulk_pages.bulk_view), name="compliance_reviewqueue_bulk"),
            path("<int:milestone_id>/", page(item_pages.review_view), name="compliance_reviewqueue_review"),
            path(
                "<int:milestone_id>/opened/",
                page(opening_pages.opened_view),
                name="compliance_reviewqueue_opened",
            ),
            path(
                "<int:milestone_id>/evidence/<int:evidence_id>/",
                page(evidence_pages.download_view),
                name="compliance_reviewqueue_evidence_file",
            ),
            path("<int:milestone_id>/next/", page(next_page.next_view), name="compliance_reviewqueue_next"),
            path("reconciliation/", page(reconciliation_pages.list_view), name="compliance_reconciliation"),
            path(
                "reconciliation/compare/",
                page(reconciliation_pages.compare_view),
                name="compliance_reconciliation_compare",
            ),
            path(
                "reconciliation/<int:difference_id>/",
                page(reconciliation_pages.resolve_view),
                name="compliance_reconciliation_resolve",
            ),
            path("work/", page(work_pages.list_view), name="compliance_work_list"),
            path("work/<int:milestone_id>/", page(work_pages.item_view), name="compliance_work_item"),
            *(
                path(
                    f"work/<int:milestone_id>/{act.name}/",
                    page(partial(work_pages.act_view, act=act)),
                    name=f"compliance_work_{act.name}",
                )
                for act in WORK_ACTS.values()
            ),
            path("rubber-stamps/", page(stamp_pages.report_view), name="compliance_reviewqueue_stamps"),
            path("rubber-stamps/csv/", page(stamp_pages.csv_view), name="compliance_reviewqueue_stamps_csv"),
            *(
                path(
                    f"<int:milestone_id>/{act.name}/",
                    page(partial(item_pages.act_view, act=act)),
                    name=f"compliance_reviewqueue_{act.name}",
                )
                for act in ACTS.values()
            ),
        ]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The queue as it is on the screen, as CSV."""
        require(request, Permission.READ_QUEUE)
        back = reverse("admin:compliance_reviewqueue_changelist")
        return admin_exports.export_view(request, REVIEWS, QUEUE, back=back, opts=self.opts)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The queue, a page at a time."""
        response = queue_pages.queue_view(request)
        if isinstance(response, TemplateResponse) and response.context_data and "total" in response.context_data:
            response.context_data["export"] = self._offer(request)
        return response

    def _offer(self, request: HttpRequest) -> Offer | None:
        user = cast(User, request.user)
        if not background.may_export(user, REVIEWS):
            return None
        found = figures.read(REVIEWS, queue_on_screen(request.GET, user), key=REVIEWS.key)
        return admin_exports.offer(request, REVIEWS, found, address=reverse("admin:compliance_reviewqueue_export"))
