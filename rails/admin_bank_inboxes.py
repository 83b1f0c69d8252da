"""What staff can look up of the banks' inboxes: their troubles, and how quarantined files were dealt with."""

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from rails.admin_columns import COLUMNS, Columns, minute, tag
from rails.admin_pages import ReadOnlyAdmin, words
from rails.base import SettlementProvider
from rails.models import BankFileDealing, InboxTrouble

_COLUMNS: Final[Columns] = COLUMNS


@admin.display(description="file")
def file_of(row: BankFileDealing) -> str:
    """The file's name."""
    return str(row.ach_file or row.wire_message)


@admin.display(description="file", ordering="name")
def place(row: InboxTrouble) -> str:
    """The file's name, or all of them."""
    return row.name or "The whole inbox"


@admin.display(description="ended at", ordering="ended_at")
def ended(row: InboxTrouble) -> SafeString:
    """When it was over."""
    return tag("Goes on", "cp-alarm") if row.ended_at is None else minute(row.ended_at)


class GoesOn(admin.SimpleListFilter):
    """Whether a trouble is over."""

    title = "standing"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Goes on"), ("0", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InboxTrouble]) -> QuerySet[InboxTrouble]:
        return queryset.filter(ended_at__isnull=self.value() == "1") if self.value() in {"0", "1"} else queryset


@admin.register(BankFileDealing)
class BankFileDealingAdmin(ReadOnlyAdmin):
    called = "Quarantined files dealt with"
    row_called = "File"
    columns: ClassVar[Columns] = _COLUMNS
    list_display = ["dealt_at", file_of, "actor", "reason"]
    list_filter = ["dealt_at"]
    list_select_related = ["ach_file", "wire_message"]
    search_fields = ["ach_file__name", "wire_message__name"]
    search_help_text = "A part of the file's name"
    fields: ClassVar[Any] = ["ach_file", "wire_message", "actor", "reason", "dealt_at"]
    readonly_fields = fields


@admin.register(InboxTrouble)
class InboxTroubleAdmin(ReadOnlyAdmin):
    called = "Troubles of inboxes"
    row_called = "Trouble of"
    columns: ClassVar[Columns] = _COLUMNS
    list_display = ["began_at", "rail", place, "words", ended]
    list_filter = [GoesOn, words("rail", [SettlementProvider.ACH, SettlementProvider.WIRE])]
    search_fields = ["name"]
    search_help_text = "A part of the file's name"
    fields: ClassVar[Any] = ["rail", place, "words", "began_at", ended]
    readonly_fields = fields
