"""What staff can look up of Stripe: its events, payouts and accounts; nothing is edited here."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from rails.admin_columns import COLUMNS, Columns, listed, tag, tags
from rails.admin_pages import ReadOnlyAdmin, ReadOnlyInline, words
from rails.models import (
    StripeAccount,
    StripeEvent,
    StripeEventDecision,
    StripeEventState,
    StripeInstallation,
    StripeListening,
    StripePayout,
    StripePayoutPart,
    StripePayoutStatus,
)
from rails.stripe import currencies
from rails.wording import in_words

_STATE_LOOKS: Final[Mapping[str, str]] = {"WAITING": "cp-medium", "UNCLEAR": "cp-alarm", "DONE": "cp-low"}
_STATUS_LOOKS: Final[Mapping[str, str]] = {"paid": "cp-low", "failed": "cp-alarm", "canceled": "cp-alarm"}


@admin.display(description="amount", ordering="amount")
def payout_amount(row: StripePayout) -> str:
    """Stripe's integer in major units, thousands apart: `38,400.00 USD`; of another's currency the integer."""
    try:
        money = currencies.from_stripe(row.amount, row.currency)
    except currencies.NotStripes:
        return f"{row.amount} {row.currency}"
    return f"{money.major:,} {money.currency}"


class _Parts(ReadOnlyInline):
    model = StripePayoutPart
    columns: ClassVar[Columns] = {**COLUMNS, "told": in_words}
    fields: ClassVar[Any] = ["milestone_id", "attempt_number", "transfer_id", "told"]
    readonly_fields = fields
    show_change_link = False


_DECIDED: Final = Exists(StripeEventDecision.objects.filter(event=OuterRef("pk"), unclear_since=OuterRef("done_at")))


@admin.display(description="state", ordering="state")
def state_of(row: StripeEvent) -> SafeString:
    """What became of it, and whether a person dealt with what nobody could understand."""
    if row.state == StripeEventState.UNCLEAR and row.is_decided:  # type: ignore[attr-defined]
        return tag("Unclear, dealt with")
    return tag(in_words(row.state), _STATE_LOOKS.get(row.state, ""))


class _Decisions(ReadOnlyInline):
    model = StripeEventDecision
    columns: ClassVar[Columns] = {**COLUMNS, "decision": in_words}
    fields: ClassVar[Any] = ["decided_at", "decision", "actor", "reason", "detail"]
    readonly_fields = fields
    show_change_link = False


class ForPeople(admin.SimpleListFilter):
    """Whether somebody has to decide about an event."""

    title = "waiting for people"
    parameter_name = "waits"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Unclear, waits for a person")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> QuerySet[StripeEvent]:
        return queryset.filter(~_DECIDED, state=StripeEventState.UNCLEAR) if self.value() == "1" else queryset


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    columns: ClassVar[Columns] = {**COLUMNS, "about": listed, "type": str}
    row_called = "Event"
    list_display = ["occurred_at", "type", state_of, "detail", "account", "came_by"]
    fields: ClassVar[Any] = [
        "event_id", "type", "account", "about_id", "about", "came_by", "occurred_at", "received_at", state_of,
        "detail", "tries", "next_try_at", "done_at",
    ]  # fmt: skip
    readonly_fields = fields
    list_filter = [ForPeople, words("state", StripeEventState), words("came_by", ["webhook", "poll"])]
    search_fields = ["=event_id", "=about_id", "=account"]
    search_help_text = "A whole id: of the event, of what it is about, or of the account"
    inlines = [_Decisions]

    def get_queryset(self, request: HttpRequest) -> QuerySet[StripeEvent]:
        found: QuerySet[StripeEvent] = super().get_queryset(request).annotate(is_decided=_DECIDED)
        return found


@admin.register(StripeEventDecision)
class StripeEventDecisionAdmin(ReadOnlyAdmin):
    called = "Decisions on Stripe events"
    row_called = "Decision on"
    columns: ClassVar[Columns] = {**COLUMNS, "decision": in_words}
    list_display = ["decided_at", "event", "decision", "actor", "reason", "detail"]
    list_filter = [words("decision", StripeEventDecision.Decision), "decided_at"]
    list_select_related = ["event"]
    search_fields = ["=event__event_id", "=event__about_id", "actor"]
    search_help_text = "A whole id of the event or of what it is about, or who decided"
    fields: ClassVar[Any] = ["event", "detail", "unclear_since", "decision", "actor", "reason", "decided_at"]
    readonly_fields = fields


@admin.register(StripePayout)
class StripePayoutAdmin(ReadOnlyAdmin):
    columns: ClassVar[Columns] = {**COLUMNS, "status": tags(_STATUS_LOOKS)}
    row_called = "Payout"
    list_display = ["payout_id", "status", payout_amount, "account", "arrives_on", "failure"]
    list_filter = [words("status", StripePayoutStatus), "automatic", "contents_known"]
    search_fields = ["=payout_id", "=account", "=parts__transfer_id"]
    search_help_text = "A whole id: of the payout, of the account, or of a transfer in it"
    exclude = ["looks", "next_look_at", "amount", "currency"]
    readonly_fields: ClassVar[Any] = [payout_amount]
    inlines = [_Parts]


@admin.register(StripeAccount)
class StripeAccountAdmin(ReadOnlyAdmin):
    list_display = ["account", "trouble", "looked_at", "payouts_seen_at"]
    search_fields = ["=account"]
    search_help_text = "A whole account"


@admin.register(StripePayoutPart)
class StripePayoutPartAdmin(ReadOnlyAdmin):
    columns: ClassVar[Columns] = {**COLUMNS, "told": in_words}
    row_called = "Transfer"
    list_display = ["milestone_id", "attempt_number", "transfer_id", "payout", "told"]
    list_select_related = ["payout"]
    search_fields = ["=milestone_id", "=transfer_id", "=payout__payout_id"]
    search_help_text = "A milestone's number, or a whole id of the transfer or the payout"


@admin.register(StripeListening)
class StripeListeningAdmin(ReadOnlyAdmin):
    row_called = "State of"
    list_display = ["polled_at", "events_seen_until", "leased_until"]
    exclude = ["only_one"]


@admin.register(StripeInstallation)
class StripeInstallationAdmin(ReadOnlyAdmin):
    called = "Mark of this installation"
    row_called = "Mark"
    list_display = ["mark", "created_at"]
    exclude = ["only_one"]
