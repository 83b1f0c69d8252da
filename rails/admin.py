"""What staff can look up about recipients, rails and books; nothing is edited here."""

from typing import Any, ClassVar

from django.contrib import admin

from rails import admin_bank_inboxes as admin_bank_inboxes
from rails import admin_lost_files as admin_lost_files
from rails import admin_reconciliations as admin_reconciliations
from rails import admin_stripe as admin_stripe
from rails import admin_wire as admin_wire
from rails.accounts import AccountCode
from rails.admin_columns import COLUMNS, Columns, tag
from rails.admin_pages import BY_CURRENCY, ReadOnlyAdmin, ReadOnlyInline, amount, money, words
from rails.attempt_words import ATTEMPT_LOOKS, ATTEMPT_WORDS, outcome_of
from rails.base import Applied, RailOutcome, SettlementProvider
from rails.models import (
    Account,
    AccountKind,
    AttemptState,
    JournalEntry,
    Posting,
    RailAttempt,
    RailNotice,
    RailSwitch,
    Recipient,
    RecipientEdit,
)


class RecipientEdits(ReadOnlyInline):
    model = RecipientEdit
    fields: ClassVar[Any] = ["revision", "changes", "reason", "actor", "created_at"]
    readonly_fields = fields


@admin.register(Recipient)
class RecipientAdmin(ReadOnlyAdmin):
    row_called = "Recipient"
    list_display = ["recipient_id", "name", "payouts_enabled", "revision", "updated_at"]
    list_filter = ["payouts_enabled"]
    search_fields = ["recipient_id", "name"]
    inlines = [RecipientEdits]


@admin.register(RecipientEdit)
class RecipientEditAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "recipient", "revision", "actor", "changes"]
    list_filter = ["created_at"]
    list_select_related = ["recipient"]
    exclude = ["edited_by"]
    search_fields = ["recipient__recipient_id", "actor"]


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ["code", "kind", "currency", "recipient", "opened_at"]
    list_filter = [words("kind", AccountKind), words("code", AccountCode), BY_CURRENCY]
    list_select_related = ["recipient"]
    search_fields = ["code", "recipient__recipient_id", "recipient__name"]


class EntryPostings(ReadOnlyInline):
    model = Posting
    fields: ClassVar[Any] = ["debit_account", "credit_account", amount, "posted_at"]
    readonly_fields = fields


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    row_called = "Journal entry"
    list_display = ["reference", "kind", amount, "milestone_id", "reverses", "posted_at", "booked_on"]
    list_filter = ["kind", BY_CURRENCY, "posted_at", "booked_on"]
    readonly_fields: ClassVar[Any] = ["booked_on"]
    list_select_related = ["reverses"]
    search_fields = ["=reference", "=milestone_id"]
    search_help_text = "A whole reference, or a milestone's number"
    inlines = [EntryPostings]


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin):
    list_display = ["entry", "debit_account", "credit_account", amount, "posted_at"]
    list_filter = [BY_CURRENCY, "posted_at"]
    list_select_related = ["entry", "debit_account", "credit_account"]
    search_fields = ["=entry__reference", "=entry__milestone_id"]


@admin.register(RailSwitch)
class RailSwitchAdmin(ReadOnlyAdmin):
    list_display = ["rail", "enabled", "reason", "actor", "changed_at"]
    list_filter = ["enabled"]


class AttemptNotices(ReadOnlyInline):
    model = RailNotice
    fields: ClassVar[Any] = ["outcome", "applied", "source", "reason", "occurred_at"]
    readonly_fields = fields


@admin.display(description="came back")
def returned(row: RailAttempt) -> str:
    """How much of it."""
    return money(row.returned_minor, row.currency)


@admin.display(description="owed")
def owed(row: RailAttempt) -> str:
    """What the recipient has although it counts as come back, or what came back twice."""
    return money(row.owed_minor, row.currency)


@admin.register(RailAttempt)
class RailAttemptAdmin(ReadOnlyAdmin):
    called = "Rail attempts"
    row_called = "Rail"
    columns: ClassVar[Columns] = {
        **COLUMNS, "state": lambda state: tag(outcome_of(state), ATTEMPT_LOOKS.get(state, "")),
    }  # fmt: skip
    list_display = ["milestone_id", "number", "provider", "state", amount, "recipient", "reference", "tries", "error"]
    list_filter = [
        words("provider", [provider for provider in SettlementProvider if provider.method != "internal_ledger"]),
        words("state", AttemptState, written=ATTEMPT_WORDS.__getitem__),
        BY_CURRENCY,
    ]
    list_select_related = ["recipient"]
    search_fields = ["=milestone_id", "=reference"]
    search_help_text = "A milestone's number, or a whole reference"
    fields: ClassVar[Any] = [
        "milestone_id", "number", "provider", "state", amount, "recipient", "destination", "reference", returned, owed,
        "tries", "error", "question", "prepared_at", "submitted_at", "answered_at", "confirmed_at",
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [AttemptNotices]


@admin.register(RailNotice)
class RailNoticeAdmin(ReadOnlyAdmin):
    called = "Words of providers"
    list_display = ["created_at", "attempt", "outcome", "applied", "source", "reason"]
    list_filter = [words("outcome", RailOutcome), words("applied", Applied)]
    list_select_related = ["attempt"]
    search_fields = ["=attempt__milestone_id", "=reference", "=source"]
    search_help_text = "A milestone's number, or a whole reference or source"
