"""The acts of the back office as staff look them up; nothing is edited here."""

from typing import Any, ClassVar

from django.contrib import admin

from rails.admin_pages import words
from settlements.admin_columns import COLUMNS, SettlementsAdmin
from settlements.models import OfficeEvent
from settlements.office_log import OfficeAction


@admin.display(description="hash")
def hash_in_hex(row: OfficeEvent) -> str:
    """The event's place in the chain."""
    return bytes(row.hash).hex()


@admin.display(description="previous hash")
def previous_hash_in_hex(row: OfficeEvent) -> str:
    """The hash of the event before it; zeros for the first."""
    return bytes(row.prev_hash).hex()


@admin.register(OfficeEvent)
class OfficeEventAdmin(SettlementsAdmin):
    columns = COLUMNS
    list_display = ["sequence", "created_at", "action", "subject", "actor", "reason"]
    list_filter = [words("action", OfficeAction), "created_at"]
    search_fields = ["subject__startswith"]
    search_help_text = "How the subject begins: an export, a day"
    sortable_by = ["sequence"]
    ordering = ["-pk"]
    exclude = ["prev_hash", "hash"]
    readonly_fields: ClassVar[Any] = [previous_hash_in_hex, hash_in_hex]
