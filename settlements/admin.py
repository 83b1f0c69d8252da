"""What staff can look up about shipments, intents, settlements and their history; nothing is edited here."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rails.admin_columns import cut, listed
from rails.admin_pages import BY_CURRENCY, amount, words
from rails.wording import NOTHING, in_words
from settlements import admin_api_keys as admin_api_keys  # what is long has a file of its own
from settlements import admin_books_checks as admin_books_checks
from settlements import admin_checkpoints as admin_checkpoints
from settlements import admin_deliveries as admin_deliveries  # and leads to the one of subscribers
from settlements import admin_event_sources as admin_event_sources
from settlements import admin_exports as admin_exports
from settlements import admin_inbox as admin_inbox
from settlements import admin_office as admin_office
from settlements import admin_reconciliation as admin_reconciliation
from settlements.admin_archives import ArchivedInline
from settlements.admin_columns import COLUMNS, RelatedInline, SettlementsAdmin, sentence, status
from settlements.admin_decisions import ApprovalsOfSettlement, HoldsOfSettlement
from settlements.admin_dossier import WithDossier
from settlements.admin_search import ByIntent, ByShipment
from settlements.admin_troubles import ByTrouble
from settlements.models import (
    AuditEvent,
    FreightToken,
    IdempotencyKey,
    MilestoneSettlement,
    PaymentIntent,
    PaymentSchedule,
    PaymentScheduleItem,
    Shipment,
)
from settlements.models.guards import METHODS
from settlements.policy import score_text
from settlements.statuses import (
    EventType,
    IntentStatus,
    ReleaseStrategy,
    RiskTier,
    ScheduleType,
    SettlementStatus,
)

BY_EVENT_TYPE = words("event_type", EventType)
BY_TIER = words("risk_tier", RiskTier)
# A settlement that came into being gives the explanation of its decision as the reason.
COLUMNS_OF_AUDIT = {**COLUMNS, "reason": sentence}


@admin.display(description="risk score")
def risk_score(row: Any) -> str:
    """The score as plain digits."""
    return "unknown" if row.risk_score is None else score_text(row.risk_score)


@admin.display(description="hash")
def hash_in_hex(row: AuditEvent) -> str:
    """The event's place in its chain."""
    return bytes(row.hash).hex()


@admin.display(description="previous hash")
def previous_hash_in_hex(row: AuditEvent) -> str:
    """The hash of the event before it; zeros for the first."""
    return bytes(row.prev_hash).hex()


@admin.display(description="inputs of the decision")
def inputs_in_words(row: MilestoneSettlement) -> SafeString:
    """Each input on its line."""
    known = {name: "unknown" if value is None else value for name, value in row.inputs.items()}
    coded = {name: in_words(known[name]) for name in ("event_type", "risk_tier") if name in known}
    return listed({**known, **coded})


@admin.display(description="status")
def step(row: AuditEvent) -> str:
    """What the event changed: from which status to which."""
    was, now = (status(word) if word else "" for word in (row.from_status, row.to_status))
    return format_html('<span class="cp-nowrap">{} → {}</span>', was, now) if was and was != now else now or NOTHING


@admin.display(description="share")
def share_in_percent(row: PaymentScheduleItem) -> str:
    """`20 %`; a share has more decimal places stored than anybody wants to read."""
    return f"{(row.share.scaleb(2)).normalize():f} %"


class TokensOfShipment(RelatedInline):
    model = FreightToken
    fields: ClassVar[Any] = ["id", "status", risk_score, "carrier_id", "recipient", "updated_at"]
    readonly_fields = fields
    related = ["recipient"]


@admin.register(Shipment)
class ShipmentAdmin(SettlementsAdmin):
    row_called = "Shipment"
    list_display = ["shipment_id", "created_at"]
    search_fields = ["shipment_id__startswith"]
    search_help_text = "How the shipment's reference begins"
    sortable_by = ["shipment_id"]
    ordering = ["-pk"]
    inlines = [TokensOfShipment]


@admin.register(FreightToken)
class FreightTokenAdmin(ByShipment):
    list_display = ["id", "shipment", "status", risk_score, "risk_category", "carrier_id", "recipient", "updated_at"]
    list_filter = [words("status", ["active", "locked", "cancelled"])]
    list_select_related = ["shipment", "recipient"]
    sortable_by = ["id"]
    ordering = ["-pk"]


class ItemsOfIntent(RelatedInline):
    model = PaymentScheduleItem
    fields: ClassVar[Any] = ["position", "event_type", share_in_percent, amount]
    readonly_fields = fields
    show_change_link = False
    ordering = ["position"]


class SettlementsOfIntent(RelatedInline):
    model = MilestoneSettlement
    fields: ClassVar[Any] = ["event_type", amount, "status", "explanation", "reference", "released_at"]
    readonly_fields = fields
    ordering = ["pk"]


class AuditInline(RelatedInline):
    columns = COLUMNS_OF_AUDIT
    model = AuditEvent
    fields: ClassVar[Any] = ["sequence", "created_at", "action", step, "reason", "triggered_by", "approved_by"]
    readonly_fields = fields
    ordering = ["sequence"]


@admin.register(PaymentIntent)
class PaymentIntentAdmin(WithDossier, ByIntent):
    list_display = [
        "id", amount, "status", "shipment", "recipient", "risk_tier", risk_score, "created_by_actor", "created_at",
    ]  # fmt: skip
    list_filter = [
        words("status", IntentStatus), BY_TIER, BY_CURRENCY, words("payment_method", METHODS), "created_at",
    ]  # fmt: skip
    list_select_related = ["shipment", "recipient"]
    intent_column = "pk"
    sortable_by = ["id"]
    ordering = ["-pk"]
    fields: ClassVar[Any] = [
        "id", "status", amount, "description", "freight_token", "shipment", "recipient", "payment_method",
        "risk_tier", risk_score, "risk_category", "created_by_actor", "created_at", "cancelled_at",
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [ItemsOfIntent, SettlementsOfIntent, AuditInline]

    def get_inlines(self, request: HttpRequest, obj: PaymentIntent | None) -> list[Any]:
        """With its archives where it has any."""
        return [*self.inlines, ArchivedInline] if obj is not None and obj.archived.exists() else self.inlines


@admin.register(PaymentSchedule)
class PaymentScheduleAdmin(ByIntent):
    list_display = ["id", "intent", "type"]
    list_filter = [words("type", ScheduleType)]
    list_select_related = ["intent"]
    sortable_by = ["id"]
    ordering = ["-pk"]


@admin.register(PaymentScheduleItem)
class PaymentScheduleItemAdmin(ByIntent):
    list_display = ["id", "intent", "event_type", "share", amount]
    list_filter = [BY_EVENT_TYPE, BY_CURRENCY]
    list_select_related = ["intent"]
    sortable_by = ["id"]
    ordering = ["-pk"]


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(SettlementsAdmin):
    row_called = "Idempotency key of"
    list_display = ["id", "actor", "key", "intent", "created_at"]
    list_select_related = ["intent"]
    search_fields = ["key__exact"]
    search_help_text = "The key in full"
    exclude = ["body_hash"]
    sortable_by = ["id"]
    ordering = ["-pk"]


@admin.register(MilestoneSettlement)
class MilestoneSettlementAdmin(ByIntent):
    linked_by = frozenset({"event__id__exact"})
    list_display = [
        "id", amount, "status", "event_type", "shipment", "recipient", "strategy", "reference", "created_at",
    ]  # fmt: skip
    list_filter = [
        words("status", SettlementStatus), ByTrouble, words("strategy", ReleaseStrategy), BY_TIER, BY_EVENT_TYPE,
        BY_CURRENCY, words("rail", METHODS), "created_at",
    ]  # fmt: skip
    list_select_related = ["intent__shipment", "intent__recipient"]
    sortable_by = ["id"]
    ordering = ["-pk"]
    fieldsets: ClassVar[Any] = [
        (None, {"fields": ["id", "status", amount, "event_type", "intent", "shipment", "recipient"]}),
        ("Decision", {"fields": ["explanation", "strategy", "rule", inputs_in_words, "policy_version"]}),
        ("Release", {"fields": ["rail", "reference", "approvals_required", "settlement_delayed_until"]}),
        ("Progress", {"fields": ["blocked_reason", "error", "retry_at", "released_at", "settled_at"]}),
        ("Origin", {"fields": ["origin", "event", "created_at", "updated_at"]}),
    ]
    readonly_fields: ClassVar[Any] = [name for _, options in fieldsets for name in options["fields"]]
    inlines = [ApprovalsOfSettlement, HoldsOfSettlement, AuditInline]

    @admin.display(description="shipment")
    def shipment(self, row: MilestoneSettlement) -> SafeString:
        return cut(row.intent.shipment.shipment_id)

    @admin.display(description="recipient", empty_value="-")
    def recipient(self, row: MilestoneSettlement) -> SafeString | None:
        return cut(row.intent.recipient.recipient_id) if row.intent.recipient else None


@admin.register(AuditEvent)
class AuditEventAdmin(ByIntent):
    columns = COLUMNS_OF_AUDIT
    list_display = ["id", "created_at", "intent_id", "settlement_id", "action", step, "reason", "triggered_by"]
    list_filter = [words("to_status", SettlementStatus), "created_at"]
    sortable_by = ["id"]
    ordering = ["-pk"]
    exclude = ["prev_hash", "hash"]
    readonly_fields: ClassVar[Any] = [previous_hash_in_hex, hash_in_hex]
