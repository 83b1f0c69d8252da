"""Destinations and default payment methods in the admin, to read: numbers are masked, sealed texts are not shown."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from rails import choosing, destinations
from rails.admin_columns import COLUMNS, Columns, tag
from rails.admin_pages import BY_CURRENCY, ReadOnlyAdmin, ReadOnlyInline, words
from rails.destinations import Standing
from rails.models import Destination, DestinationState, MethodRule, Recipient
from rails.wording import NOTHING, actor, in_words

# A return has a code that begins with R, a notification of change one that begins with C.
_TOLD: Final = {"R": "Return", "C": "Notification of change"}
LOOKS: Final = {"PROPOSED": "cp-held", "ACTIVE": "cp-low", "REJECTED": "cp-high"}
_STANDINGS: Final = {
    Standing.USABLE: "cp-low",
    Standing.AWAITING_CONFIRMATION: "cp-held",
    Standing.QUARANTINED: "cp-blue",
    Standing.BLOCKED: "cp-alarm",
}
_COLUMNS: Final[Columns] = {
    **COLUMNS,
    "method": in_words,
    "notice": lambda code: told(code),
}


def told(code: str) -> str:
    """What the bank told, by its code: `Return R03`, `Notification of change C01`."""
    return f"{_TOLD.get(code[:1], 'Code')} {code}"


@admin.display(description="state", ordering="state")
def standing(row: Destination) -> SafeString:
    """Where the version stands; one in force that is not paid to now is not called active."""
    if row.state == DestinationState.ACTIVE and row.blocked:
        return tag(f"Blocked: {told(row.blocked)}", "cp-alarm")
    if row.state == DestinationState.ACTIVE and row.usable_from > timezone.now():
        return tag("In quarantine", "cp-blue")
    return tag(in_words(row.state), LOOKS.get(row.state, ""))


@admin.display(description="where")
def where(row: Destination) -> str:
    """The destination on one line, its number masked."""
    return destinations.in_words(row)


@admin.display(description="details")
def details(row: Destination) -> SafeString:
    """Field by field, the number masked."""
    lines = ((in_words(name), value) for name, value in destinations.masked(row).items())
    return format_html_join("", '<span class="cp-line"><span class="cp-quiet">{}:</span> {}</span>', lines)


@admin.display(description="proposed by", ordering="proposed_by_actor")
def proposed_by(row: Destination) -> str:
    """Who wrote it."""
    return actor(row.proposed_by_actor)


@admin.display(description="confirmed by", ordering="confirmed_by_actor")
def confirmed_by(row: Destination) -> str:
    """Which other person agreed; the first destinations need none."""
    return actor(row.confirmed_by_actor) or NOTHING


@admin.display(description="ended by")
def ended_by(row: Destination | MethodRule) -> str:
    """Who took it out of force."""
    return actor(row.ended_by_actor) or NOTHING


@admin.display(description="because")
def proposed_because(row: Destination) -> str:
    """The reason of who wrote it."""
    return row.proposed_reason


@admin.display(description="it ended because")
def ended_because(row: Destination | MethodRule) -> str:
    """The reason of who took it out of force."""
    return row.ended_reason


@admin.display(description="made by", ordering="made_by_actor")
def made_by(row: MethodRule) -> str:
    """Who made the rule."""
    return actor(row.made_by_actor)


@admin.display(description="also of")
def also_of(row: Destination) -> SafeString | str:
    """Other recipients with the same account: sometimes a factor, sometimes a fraud."""
    others = Destination.objects.filter(fingerprint=row.fingerprint).exclude(recipient_id=row.recipient_id)
    names = sorted(set(others.values_list("recipient__recipient_id", flat=True)[:100]))
    return format_html_join(" ", "{}", ((tag(name, "cp-alarm"),) for name in names)) or NOTHING


@admin.display(description="paid by")
def paid_by(row: Recipient) -> SafeString | str:
    """By which rails the recipient can be paid just now, and what stands in the way of the others."""
    lines = (
        (in_words(found.rail), tag(in_words(found.standing), _STANDINGS[found.standing]), found.obstacle)
        for found in destinations.by_rail(row.pk)
    )
    written = '<span class="cp-line">{} {} <span class="cp-small">{}</span></span>'
    return format_html_join("", written, lines) or "the internal ledger alone"


class DestinationsOfRecipient(ReadOnlyInline):
    """The latest versions of every rail."""

    model = Destination
    verbose_name_plural = "destinations"
    columns: ClassVar[Columns] = _COLUMNS
    fields: ClassVar[Any] = ["rail", where, standing, "usable_from", proposed_by, "proposed_at", confirmed_by]
    readonly_fields = fields
    ordering = ["-pk"]


class DestinationAdmin(ReadOnlyAdmin):
    """Every version there was."""

    row_called = "Destination"
    columns: ClassVar[Columns] = _COLUMNS
    list_display = ["rail", "recipient", where, standing, "notice", proposed_by, "proposed_at", "usable_from"]
    list_filter = [words("state", DestinationState.values), words("rail", destinations.RAILS)]
    list_select_related = ["recipient"]
    search_fields = ["recipient__recipient_id", "recipient__name"]
    search_help_text = "A part of the recipient's id or name"
    fields: ClassVar[Any] = [
        "recipient", "rail", standing, details, also_of, "usable_from", proposed_by, "proposed_at", proposed_because,
        confirmed_by, "confirmed_at", "notice", ended_by, "ended_at", ended_because,
    ]  # fmt: skip
    readonly_fields = fields
    # What there is nothing to say about yet is not on the page; shown is what the second of each pair tells.
    shown_if: ClassVar[Mapping[Any, str]] = {
        proposed_because: "proposed_reason", confirmed_by: "confirmed_at", "confirmed_at": "confirmed_at",
        "notice": "notice", ended_by: "ended_at", "ended_at": "ended_at",
        ended_because: "ended_reason",
    }  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [field for field in self.fields if obj is None or getattr(obj, self.shown_if.get(field, "pk"))]

    def row_title(self, row: Any) -> str:
        return f"{in_words(row.rail)} destination of {row.recipient.recipient_id}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Destination]:
        found: QuerySet[Destination] = super().get_queryset(request)
        return found.select_related("recipient")


@admin.display(description="payments")
def payments(row: MethodRule) -> str:
    """Which payments the rule is for."""
    return choosing.payments_of(row)


@admin.display(description="state")
def state(row: MethodRule) -> SafeString:
    """Whether it still chooses."""
    return tag("Holds", "cp-low") if row.ended_at is None else tag("Ended")


class Holding(admin.SimpleListFilter):
    """Rules that still choose, or those that do no more."""

    title = "state"
    parameter_name = "holds"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Holds"), ("no", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(ended_at__isnull=self.value() == "yes") if self.value() in {"yes", "no"} else queryset


class MethodRuleAdmin(ReadOnlyAdmin):
    """The table of defaults, and its history."""

    row_called = "Rule"
    columns: ClassVar[Columns] = _COLUMNS
    list_display = [payments, "method", state, "reason", made_by, "made_at", "ended_at"]
    list_filter = [Holding, BY_CURRENCY]
    list_select_related = ["recipient"]
    search_fields = ["recipient__recipient_id"]
    search_help_text = "A part of the recipient's id"
    fields: ClassVar[Any] = [
        payments, "method", state, "reason", made_by, "made_at", ended_by, "ended_at", ended_because,
    ]  # fmt: skip
    readonly_fields = fields

    def row_title(self, row: Any) -> str:
        return f"Rule {row.pk}: {choosing.in_words(row)}"
