"""What staff can look up about people's decisions: approvals, holds, and above which amount two have to approve."""

from typing import Any, ClassVar

from django.contrib import admin

from rails.admin_pages import BY_CURRENCY
from rails.money import Money
from settlements.admin_columns import RelatedInline, SettlementsAdmin
from settlements.models import Approval, FourEyesLimit, Hold


@admin.display(description="officer")
def approver(row: Approval) -> str:
    """The officer's login, without a link to the login's page, which few may open."""
    return row.approver.username


class ApprovalsOfSettlement(RelatedInline):
    model = Approval
    fields: ClassVar[Any] = ["created_at", approver, "decision", "channel", "reason"]
    readonly_fields = fields
    related = ["approver"]


class HoldsOfSettlement(RelatedInline):
    model = Hold
    fields: ClassVar[Any] = ["placed_at", "placed_by", "reason", "lifted_at", "lifted_by", "lift_reason"]
    readonly_fields = fields


@admin.register(Approval)
class ApprovalAdmin(SettlementsAdmin):
    list_display = ["id", "settlement", "decision", "channel", approver, "reason", "created_at"]
    exclude = ["approver"]
    readonly_fields: ClassVar[Any] = [approver]
    list_filter = ["decision", "created_at"]
    list_select_related = ["settlement", "approver"]
    search_fields = ["approver__username__exact", "settlement__pk__exact"]
    search_help_text = "An officer's login or a settlement's number"
    sortable_by = ["id"]
    ordering = ["-pk"]


@admin.display(description="two approve above")
def four_eyes_above(row: FourEyesLimit) -> str:
    """The limit in the currency's digits."""
    return Money(row.above_minor, row.currency).text


@admin.register(FourEyesLimit)
class FourEyesLimitAdmin(SettlementsAdmin):
    list_display = ["id", "currency", four_eyes_above, "set_at"]
    exclude = ["above_minor"]
    readonly_fields: ClassVar[Any] = [four_eyes_above]
    list_filter = [BY_CURRENCY]
    sortable_by = ["id"]
    ordering = ["-pk"]


@admin.register(Hold)
class HoldAdmin(SettlementsAdmin):
    list_display = ["id", "settlement", "reason", "placed_by", "placed_at", "lifted_by", "lifted_at"]
    list_filter = [("lifted_at", admin.EmptyFieldListFilter), "placed_at"]
    list_select_related = ["settlement"]
    search_fields = ["settlement__pk__exact"]
    search_help_text = "A settlement's number"
    sortable_by = ["id"]
    ordering = ["-pk"]
