"""The way to a file of evidence: downloaded and never shown by us, after its SHA-256 was compared."""

import logging

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from compliance import evidence
from compliance.evidence import EvidenceDamaged
from compliance.models import Evidence
from compliance.pages import render, require
from settlements.permissions import Permission

logger = logging.getLogger(__name__)


@require_safe
def download_view(request: HttpRequest, milestone_id: int, evidence_id: int) -> HttpResponse:
    """The file as an attachment; whatever it is, the browser is told to save it and to run nothing of it."""
    require(request, Permission.READ_QUEUE)
    row = Evidence.objects.filter(pk=evidence_id, settlement_id=milestone_id).first()
    if row is None:
        raise Http404("There is no such evidence.")
    try:
        content = evidence.content_of(row)
    except EvidenceDamaged as damaged:
        logger.error("Evidence is not as it was uploaded: %s", damaged)
        return render(request, "damaged.html", {"title": "This file can not be shown", "evidence": row}, status=500)
    answer = HttpResponse(content, content_type="application/octet-stream")
    answer["Content-Disposition"] = content_disposition_header(True, row.name)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    answer["Cache-Control"] = "private, no-store"
    return answer
