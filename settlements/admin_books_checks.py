"""Verifications of the books as staff look them up: what each run proved, or the first difference."""

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from rails.admin_columns import cut, tag
from rails.wording import NOTHING
from settlements.admin_columns import COLUMNS, SettlementsAdmin
from settlements.models import BooksCheck

_OUTCOMES: Final = {"proven": "Proven", "difference": "Difference", "broken": "Broke off"}


@admin.display(description="outcome")
def outcome(row: BooksCheck) -> SafeString:
    """What came of it, as a tag."""
    if row.is_proven:
        return tag("Proven", "cp-low")
    return tag("Difference" if row.difference else "Broke off", "cp-alarm")


@admin.display(description="what was found")
def found(row: BooksCheck) -> str | SafeString:
    """The first difference, or why it broke off."""
    return cut(row.difference or row.error) if not row.is_proven else NOTHING


@admin.display(description="took")
def took(row: BooksCheck) -> str:
    """`2 min 5 s`."""
    minutes, seconds = divmod(round(row.took.total_seconds()), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


@admin.display(description="rows", ordering="rows")
def rows(row: BooksCheck) -> str:
    """How many rows the checks covered."""
    return f"{row.rows:,}"


@admin.display(description="proven")
def proven(row: BooksCheck) -> SafeString | str:
    """Each check that found nothing, with its rows and seconds, one to a line."""
    lines = [(f"{each['rows']:,}", each["check"], each["seconds"]) for each in row.proven if isinstance(each, dict)]
    return format_html_join("", '<span class="cp-line">{} {} ({} s)</span>', lines) or NOTHING


@admin.display(description="to be known")
def notes(row: BooksCheck) -> SafeString | str:
    """What contradicts nothing and has to be known, a sentence to a line."""
    return format_html_join("", '<span class="cp-line">{}</span>', [(note,) for note in row.notes]) or NOTHING


class ByOutcome(admin.SimpleListFilter):
    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(_OUTCOMES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[BooksCheck]) -> QuerySet[BooksCheck]:
        if self.value() == "proven":
            return queryset.filter(failed_check="")
        if self.value() in _OUTCOMES:
            broken = self.value() == "broken"
            return queryset.exclude(failed_check="").filter(**{"difference" if broken else "error": ""})
        return queryset


@admin.register(BooksCheck)
class BooksCheckAdmin(SettlementsAdmin):
    called = "Verifications"
    columns = COLUMNS
    list_display = ["started_at", outcome, found, rows, took, "actor"]
    list_filter = [ByOutcome]
    sortable_by = ["started_at"]
    ordering = ["-pk"]
    fields: ClassVar[Any] = [
        "started_at", "finished_at", took, "actor", "night", outcome, "failed_check", "difference", "error", notes,
        proven, rows,
    ]  # fmt: skip
    readonly_fields = fields
