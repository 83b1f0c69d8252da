"""Archives of audit events as staff look them up: which file holds what, and where each chain was cut."""

from typing import Any, ClassVar

from django.contrib import admin

from settlements.admin_columns import COLUMNS, SettlementsAdmin, SettlementsInline
from settlements.models import ArchivedChain, AuditArchive


@admin.display(description="archive", ordering="id")
def label(row: AuditArchive) -> str:
    """`2024-03/1`."""
    return row.label


@admin.display(description="intents")
def intents(row: AuditArchive) -> str:
    """Of how many it holds events."""
    return f"{row.chains:,}"


@admin.display(description="audit events")
def events(row: AuditArchive) -> str:
    """How many it holds."""
    return f"{row.events:,}"


@admin.display(description="bytes")
def size(row: AuditArchive) -> str:
    """Of the file, as it is compressed."""
    return f"{row.size:,}"


@admin.register(AuditArchive)
class AuditArchiveAdmin(SettlementsAdmin):
    columns = COLUMNS
    list_display = [label, "created_at", intents, events, size, "file_name", "actor"]
    list_filter = ["created_at"]
    search_fields = ["file_name"]
    search_help_text = "The name of a file, or a month like 2024-03"
    sortable_by = ["id"]
    ordering = ["-pk"]
    fields: ClassVar[Any] = [
        label, "month", "number", intents, events, "file_name", size, "sha256", "after_days", "actor", "created_at",
    ]  # fmt: skip
    readonly_fields = fields


@admin.display(description="archive")
def archive(row: ArchivedChain) -> str:
    """`2024-03/1`."""
    return row.archive.label


@admin.display(description="hash of the last")
def last_hash(row: ArchivedChain) -> str:
    """The hash of the event that stays in the table."""
    return bytes(row.hash).hex()


class ArchivedInline(SettlementsInline):
    """Below an intent: which of its audit events left the table, and for which file."""

    model = ArchivedChain
    verbose_name_plural = "audit events in archives"
    fields: ClassVar[Any] = [archive, "first_sequence", "last_sequence"]
    readonly_fields = fields
    ordering = ["first_sequence"]


@admin.register(ArchivedChain)
class ArchivedChainAdmin(SettlementsAdmin):
    columns = COLUMNS
    list_display = ["id", archive, "intent_id", "first_sequence", "last_sequence"]
    list_select_related = ["archive"]
    search_fields = ["intent__pk__exact"]
    search_help_text = "The number of a payment intent"
    sortable_by = ["id"]
    ordering = ["-pk"]
    fields: ClassVar[Any] = [archive, "intent", "first_sequence", "last_sequence", last_hash]
    readonly_fields = fields
