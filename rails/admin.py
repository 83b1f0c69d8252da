"""What staff can look up about recipients, rails and books; nothing is edited here."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from rails.models import Account, JournalEntry, Posting, RailSwitch, Recipient, RecipientEdit
from rails.money import Money


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to read, for those with the view permission; they are written by the domain alone."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    """Rows below the one they belong to, to read."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AmountShown:
    """The row's amount in major units with its currency."""

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, row: JournalEntry | Posting) -> str:
        return str(Money(row.amount_minor, row.currency))


class RecipientEdits(ReadOnlyInline):
    model = RecipientEdit
    fields = ("revision", "changes", "actor", "edited_by", "created_at")
    readonly_fields = fields


@admin.register(Recipient)
class RecipientAdmin(ReadOnlyAdmin):
    list_display = ["recipient_id", "name", "payouts_enabled", "revision", "updated_at"]
    list_filter = ["payouts_enabled"]
    search_fields = ["recipient_id", "name"]
    inlines = [RecipientEdits]


@admin.register(RecipientEdit)
class RecipientEditAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "recipient", "revision", "actor", "edited_by", "changes"]
    list_filter = ["created_at"]
    list_select_related = ["recipient", "edited_by"]
    search_fields = ["recipient__recipient_id", "actor"]


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ["code", "kind", "currency", "recipient", "opened_at"]
    list_filter = ["kind", "code", "currency"]
    list_select_related = ["recipient"]
    search_fields = ["code", "recipient__recipient_id", "recipient__name"]


class EntryPostings(AmountShown, ReadOnlyInline):
    model = Posting
    fields = ("debit_account", "credit_account", "amount", "posted_at")
    readonly_fields = fields


@admin.register(JournalEntry)
class JournalEntryAdmin(AmountShown, ReadOnlyAdmin):
    list_display = ["reference", "kind", "amount", "milestone_id", "attempt_number", "reverses", "posted_at"]
    list_filter = ["kind", "currency", "posted_at"]
    list_select_related = ["reverses"]
    search_fields = ["=reference", "=milestone_id"]
    search_help_text = "A whole reference, or a milestone's number"
    inlines = [EntryPostings]


@admin.register(Posting)
class PostingAdmin(AmountShown, ReadOnlyAdmin):
    list_display = ["entry", "debit_account", "credit_account", "amount", "posted_at"]
    list_filter = ["currency", "posted_at"]
    list_select_related = ["entry", "debit_account", "credit_account"]
    search_fields = ["=entry__reference", "=entry__milestone_id"]


@admin.register(RailSwitch)
class RailSwitchAdmin(ReadOnlyAdmin):
    list_display = ["rail", "enabled", "reason", "actor", "changed_at"]
    list_filter = ["enabled"]
