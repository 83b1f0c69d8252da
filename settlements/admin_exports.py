"""Exports as staff look them up: how far each is, what left, and its file while it is kept."""

from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from rails.admin_columns import cut, listed, tags
from rails.admin_pages import words
from rails.wording import NOTHING
from settlements.admin_columns import COLUMNS, SettlementsAdmin
from settlements.exports import answers, background, files, records
from settlements.exports.datasets import KNOWN, UnknownDataset, find
from settlements.exports.files import FileMissing
from settlements.exports.records import By
from settlements.models import Export, ExportState

_LOOKS = {"QUEUED": "cp-blue", "RUNNING": "cp-blue", "SENT": "cp-low", "READY": "cp-low", "FAILED": "cp-alarm"}
_PIECE = 64 * 1024


@admin.display(description="rows")
def rows(row: Export) -> str:
    """`12,000 of 1,000,000 (1 %)` while it is being made."""
    if row.state == ExportState.RUNNING and row.rows_total:
        return f"{row.rows_done:,} of {row.rows_total:,} ({100 * row.rows_done // row.rows_total} %)"
    return f"{row.rows_done:,}" if row.state != ExportState.QUEUED else NOTHING


@admin.display(description="size")
def size(row: Export) -> str:
    """Bytes, written as people do."""
    kib = row.bytes_done / 1024
    if not row.bytes_done:
        return NOTHING
    return f"{kib / 1024:,.1f} MiB" if kib >= 1024 else f"{kib:,.1f} KiB"


@admin.display(description="filter", ordering="filter_words")
def filter_words(row: Export) -> SafeString:
    """What was asked for, in words."""
    return cut(row.filter_words)


@admin.display(description="totals")
def totals(row: Export) -> str:
    """Amounts by currency, one to a line."""
    return listed(row.totals) or NOTHING


@admin.display(description="file")
def file(row: Export) -> str | SafeString:
    """The way to it, while it is kept."""
    if row.state != ExportState.READY:
        return NOTHING
    address = reverse("admin:settlements_export_download", args=[row.pk])
    return format_html('<a class="cp-nowrap" href="{}">Download</a>', address)


@admin.register(Export)
class ExportAdmin(SettlementsAdmin):
    """Every export there was."""

    columns = {**COLUMNS, "state": tags(_LOOKS)}
    row_called = "Export of"
    list_display = ["id", "created_at", "dataset", filter_words, "state", rows, size, "actor", file]
    list_filter = [words("dataset", KNOWN), words("state", ExportState.values), "created_at"]
    search_fields = ["actor__exact"]
    search_help_text = "Who exported, in full: user:finance1"
    sortable_by = ["id"]
    ordering = ["-pk"]
    fieldsets: ClassVar[Any] = [
        (None, {"fields": ["id", "dataset", "version", "delivery", "state", "filter_words", "actor"]}),
        ("What left", {"fields": [rows, size, totals, "sha256", "error", file]}),
        ("When", {"fields": ["created_at", "started_at", "finished_at", "expires_at"]}),
    ]
    readonly_fields: ClassVar[Any] = [name for _, options in fieldsets for name in options["fields"]]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.download_view))
        return [path("<int:export_id>/download/", view, name="settlements_export_download"), *super().get_urls()]

    def download_view(self, request: HttpRequest, export_id: int) -> HttpResponseBase:
        """The file, for those who may export its dataset; each download is on record."""
        user = cast(User, request.user)
        export = Export.objects.filter(pk=export_id).first()
        if export is None or not self.has_view_permission(request):
            raise Http404("There is no such export.")
        try:
            allowed = background.may_export(user, find(export.dataset))
        except UnknownDataset:
            allowed = False
        if not allowed:
            raise PermissionDenied
        return download(export, by=By(actor=f"user:{user.get_username()}", user_id=user.pk))


def download(export: Export, *, by: By) -> FileResponse:
    """The file of a finished export. Raises Http404 for one that is not ready, or whose file is gone."""
    if export.state != ExportState.READY:
        raise Http404("The file of this export is not there.")
    try:
        content = files.reading(export.pk, size=export.bytes_done)
    except FileMissing as missing:
        raise Http404("The file of this export is not there.") from missing
    records.downloaded(export, by=by, now=timezone.now())
    answer = FileResponse(content)
    answer.block_size = _PIECE
    return answers.as_file(answer, export.file_name)
