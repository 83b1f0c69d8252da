"""Messages to subscribers in the admin: what waits, what was taken, what is parked; and once more, by POST."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rails.admin_columns import tags
from rails.admin_pages import words
from rails.wording import in_words
from settlements import redelivery
from settlements.admin_columns import COLUMNS, SettlementsAdmin
from settlements.admin_search import number
from settlements.admin_subscribers import actor_of, may_manage, require_manager
from settlements.models import Delivery
from settlements.refusals import Refusal
from settlements.statuses import DeliveryState, News

MOST_AT_ONCE = 500

state = tags({DeliveryState.DELIVERED: "cp-low", DeliveryState.WAITING: "cp-blue", DeliveryState.PARKED: "cp-alarm"})


@admin.display(description="payload")
def payload(row: Delivery) -> SafeString:
    """The body byte for byte as it is sent, wrapped only; nothing until it is prepared."""
    return format_html('<code class="cp-break">{}</code>', row.payload or "not prepared yet")


@admin.display(description="message")
def news(row: Delivery) -> SafeString:
    """What is told, and to whom."""
    return format_html('{}<span class="cp-small">{}</span>', in_words(row.event_type), row.subscriber)


@admin.display(description="state")
def progress(row: Delivery) -> SafeString:
    """The state, how often it was tried and what was answered last."""
    tried = f"{row.attempts} attempt{'' if row.attempts == 1 else 's'}"
    answered = "" if row.last_status is None else f", last {row.last_status}"
    return format_html('{}<span class="cp-small cp-nowrap">{}{}</span>', state(row.state), tried, answered)


@admin.display(description="last error, next attempt")
def trouble(row: Delivery) -> SafeString:
    """What was wrong with the last attempt, and when the next one is."""
    at = f"next {row.next_attempt_at:%Y-%m-%d %H:%M:%S} UTC" if row.state == DeliveryState.WAITING else ""
    return format_html('{}<span class="cp-small">{}</span>', row.last_error or "-", at)


@admin.register(Delivery)
class DeliveryAdmin(SettlementsAdmin):
    columns = {**COLUMNS, "state": state}
    list_display = ["id", news, "settlement_id", progress, trouble]
    list_filter = [words("state", DeliveryState), "subscriber", words("event_type", News)]
    list_select_related = ["subscriber"]
    search_fields = ["pk"]
    search_help_text = "In full: a message's id, its number or its settlement's number"
    sortable_by = ["id"]
    ordering = ["-pk"]
    actions = ["deliver_again"]
    fields: ClassVar[Any] = [
        "message_id", "subscriber", "event_type", "settlement", "state", "attempts", "failures", "next_attempt",
        "give_up_at", "last_status", "last_error", "created_at", "delivered_at", payload,
    ]  # fmt: skip
    readonly_fields = fields

    @admin.display(description="next attempt")
    def next_attempt(self, row: Delivery) -> Any:
        return row.next_attempt_at if row.state == DeliveryState.WAITING else "-"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        word = search_term.strip().replace("\x00", "")
        if not word:
            return queryset, False
        key = number(word)
        if key is None:
            return queryset.filter(message_id=word), False
        return queryset.filter(pk=key) | queryset.filter(settlement=key), False

    def has_manage_permission(self, request: HttpRequest) -> bool:
        """Asked by Django for the actions that want it."""
        return may_manage(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_manage": may_manage(request)}
        return super().change_view(request, object_id, form_url, context)

    @admin.action(description="Deliver again", permissions=["manage"])
    def deliver_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse:
        """First what will happen, then, confirmed, a result for each message."""
        require_manager(request)
        wanted = list(queryset.select_related("subscriber").order_by("pk")[: MOST_AT_ONCE + 1])
        if len(wanted) > MOST_AT_ONCE:
            messages.error(request, f"At most {MOST_AT_ONCE} messages at once; narrow the list down.")
            return HttpResponseRedirect(request.get_full_path())
        if "confirmed" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": "Deliver again",
                "opts": self.model._meta,
                "deliveries": wanted,
                "checkbox": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "admin/settlements/delivery/again.html", context)
        for row in wanted:
            try:
                redelivery.again(row.pk, actor=actor_of(request), now=timezone.now())
            except Refusal as refusal:
                messages.error(request, f"Message {row.message_id} to {row.subscriber}: {refusal.detail}")
            else:
                self.log_change(request, row, "Delivered again")
                messages.success(request, f"Message {row.message_id} to {row.subscriber}: due now, under the same id.")
        return HttpResponseRedirect(request.get_full_path())
