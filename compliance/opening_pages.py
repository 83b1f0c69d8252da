"""Where the page of a settlement tells that it has been visible; see `static/compliance/opened.js`."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from compliance import openings
from compliance.pages import STATUS_CODES, officer, require
from settlements.permissions import Permission
from settlements.refusals import Refusal


@require_POST
def opened_view(request: HttpRequest, milestone_id: int) -> HttpResponse:
    """Records that the person who is logged in had the page on their screen; saying it twice changes nothing."""
    require(request, Permission.READ_QUEUE)
    try:
        openings.record(
            request.POST.get("ticket", ""),
            settlement_id=milestone_id,
            officer_id=officer(request).pk,
            now=timezone.now(),
        )
    except Refusal as refusal:
        return HttpResponse(refusal.detail, status=STATUS_CODES[refusal.kind], content_type="text/plain")
    return HttpResponse(status=204)
