"""What staff can look up about wires: files, each wire with the bank's words and evidence, the bank's messages."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rails.admin_columns import COLUMNS, Columns, dealt_with, minute, tag, tags
from rails.admin_lost_files import FileVerdicts, trouble
from rails.admin_pages import BY_CURRENCY, ReadOnlyAdmin, ReadOnlyInline, amount, words
from rails.models import WireAnswer, WireEntry, WireEvidence, WireFile, WireFileState, WireMessage, WireWord
from rails.money import Money
from rails.wording import NOTHING, counted, in_words

_LOOKS: Final = {"CONFIRMED": "cp-low", "REFUSED": "cp-alarm", "RETURNED": "cp-alarm"}
# A wire is executed on its day; what the bank has said nothing of by the end of the next one is looked into.
_LONG: Final = timedelta(hours=36)

_COLUMNS: Final[Columns] = {
    **COLUMNS,
    "word": tags(_LOOKS),
    "proposes": tags(_LOOKS),
    "state": tags(
        {
            WireFileState.STAGED: "cp-medium",
            WireFileState.HANDED_OVER: "cp-low",
            WireFileState.NEVER_SENT: "cp-alarm",
        }
    ),
    "sha256": lambda digest: format_html('<code class="cp-break">{}</code>', digest),
}


def _said(*word: WireWord) -> QuerySet[WireAnswer]:
    return WireAnswer.objects.filter(entry=OuterRef("pk"), word__in=word).order_by()


def standing(wires: QuerySet[Any]) -> QuerySet[Any]:
    """Each wire with what the bank `decided`, what came `back`, and which word its files speak for (`spoken`)."""
    back = _said(WireWord.RETURNED).values("entry").annotate(sum=Sum("amount_minor")).values("sum")
    spoken = WireEvidence.objects.filter(entry=OuterRef("pk")).exclude(proposes="").order_by("-id").values("proposes")
    found: QuerySet[Any] = wires.annotate(
        decided=Subquery(_said(WireWord.CONFIRMED, WireWord.REFUSED).values("word")[:1]),
        back=Coalesce(Subquery(back), 0),
        spoken=Subquery(spoken[:1]),
    )
    return found


class BySaid(admin.SimpleListFilter):
    """Where a wire stands by the bank's word."""

    title = "bank's word"
    parameter_name = "said"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "Waits for it"), *((word.value.lower(), in_words(word)) for word in WireWord)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "waiting":
                return queryset.filter(decided__isnull=True).exclude(file__state=WireFileState.NEVER_SENT)
            case "confirmed" | "refused" as word:
                return queryset.filter(decided=word.upper())
            case "returned":
                return queryset.filter(back__gt=0)
        return queryset


@admin.display(description="bank's word")
def stands(row: Any) -> SafeString:
    """Confirmed, refused, come back, or since when it waits."""
    if row.back:
        whole = row.back == row.amount_minor
        return tag("Returned" if whole else f"Returned: {Money(row.back, row.currency)}", "cp-alarm")
    if row.decided:
        return tag(in_words(row.decided), _LOOKS[row.decided])
    if row.file.state == WireFileState.NEVER_SENT:
        return tag("Never sent", "cp-alarm")
    if row.file.handed_over_at is None:
        return tag("Not at the bank yet", "cp-medium")
    waited = datetime.now(UTC) - row.file.handed_over_at
    return tag(f"Waits {_age(waited)}", "cp-alarm" if waited > _LONG else "cp-held")


@admin.display(description="its files speak for")
def spoken(row: Any) -> SafeString | str:
    """The newest proposal in the bank's files, while it is not answered."""
    answered = row.decided is not None and row.spoken != WireWord.RETURNED
    if not row.spoken or answered or (row.spoken == WireWord.RETURNED and row.back):
        return NOTHING
    return tag(in_words(row.spoken), _LOOKS[row.spoken])


@admin.display(description="to")
def to(row: WireEntry) -> SafeString:
    """The recipient, and the account by its last digits."""
    recipient = row.destination.recipient
    address = reverse("admin:rails_recipient_change", args=[recipient.pk])
    last = row.destination.details.get("last4", "")
    return format_html('<a href="{}">{}</a> <span class="cp-quiet">••{}</span>', address, recipient.name, last)


@admin.display(description="at the bank since")
def at_the_bank(row: WireEntry) -> SafeString | str:
    """When the file was handed over."""
    return minute(row.file.handed_over_at) if row.file.handed_over_at else NOTHING


@admin.display(description="UETR")
def uetr(row: WireEntry) -> str:
    """By which every bank on the way knows it."""
    return str(row.uetr)


@admin.display(description="wires")
def wires_of(row: WireFile) -> SafeString:
    """The way to the payments of a file."""
    address = f"{reverse('admin:rails_wireentry_changelist')}?file__id__exact={row.pk}"
    return format_html('<a href="{}">{}</a>', address, counted(row.entry_count, "wire"))


@admin.display(description="amount")
def amount_if_any(row: Any) -> str:
    """The amount of a row that may have none."""
    currency = row.currency if isinstance(row, WireEvidence) else row.entry.currency
    return NOTHING if row.amount_minor is None else str(Money(row.amount_minor, currency))


@admin.display(description="first fault")
def fault(row: WireMessage) -> SafeString | str:
    """What a broken file is put aside for."""
    if not row.fault:
        return NOTHING
    line = f"line {row.fault_line}: " if row.fault_line else ""
    done = hasattr(row, "dealing")
    standing = tag("Quarantined, dealt with") if done else tag("Quarantined", "cp-alarm")
    return format_html('{} <span class="cp-break">{}{}</span>', standing, line, row.fault)


class Answers(ReadOnlyInline):
    model = WireAnswer
    verbose_name_plural = "the bank's words, taken down"
    columns = _COLUMNS
    fields: ClassVar[Any] = ["word", "bank_reference", amount_if_any, "reason", "actor", "said_at"]
    readonly_fields = fields
    show_change_link = False


class Evidence(ReadOnlyInline):
    model = WireEvidence
    verbose_name_plural = "what the bank's files say"
    columns = _COLUMNS
    fields: ClassVar[Any] = ["message", "status", "proposes", "bank_reference", amount_if_any, "reason", "booked_on"]
    readonly_fields = fields
    show_change_link = False


class EvidenceOfMessage(Evidence):
    verbose_name_plural = "what it says"
    fields: ClassVar[Any] = ["end_to_end_id", "entry", *Evidence.fields[1:]]
    readonly_fields = fields


@admin.register(WireEntry)
class WireAdmin(ReadOnlyAdmin):
    """A wire with everything the bank has said of it."""

    called = "Wires"
    row_called = "Wire"
    columns = _COLUMNS
    linked_by = frozenset({"file__id__exact"})
    list_display = ["end_to_end_id", to, amount, stands, spoken, at_the_bank]
    list_filter = [BySaid, BY_CURRENCY]
    list_select_related = ["file", "destination__recipient"]
    search_fields = ["=end_to_end_id", "=milestone_id", "answers__bank_reference"]
    search_help_text = "A whole reference of ours or the bank's, or a milestone's number"
    fields: ClassVar[Any] = [
        "end_to_end_id", to, amount, stands, spoken, at_the_bank, "file", "milestone_id", "attempt_number", uetr,
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [Answers, Evidence]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return standing(super().get_queryset(request))


@admin.register(WireFile)
class WireFileAdmin(ReadOnlyAdmin):
    called = "Wire files"
    row_called = "Wire file"
    columns = _COLUMNS
    list_display = ["name", "state", wires_of, amount, "execution_date", "created_at", "handed_over_at"]
    list_filter = [words("state", WireFileState), BY_CURRENCY]
    search_fields = ["=name", "=message_id"]
    search_help_text = "A whole file name or message id"
    fields: ClassVar[Any] = [
        "name", "message_id", "state", wires_of, amount, "execution_date", "window_opens", "created_at",
        "handed_over_at", "lost_at", trouble, "sha256",
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [FileVerdicts]


class Quarantined(admin.SimpleListFilter):
    """Whether the message was read, or put aside."""

    title = "standing"
    parameter_name = "quarantined"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waits", "Quarantined, waits for a person"), ("1", "Quarantined"), ("0", "Read")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WireMessage]) -> QuerySet[WireMessage]:
        match self.value():
            case "waits":
                return queryset.exclude(fault="").filter(dealing__isnull=True)
            case "1":
                return queryset.exclude(fault="")
            case "0":
                return queryset.filter(fault="")
        return queryset


@admin.register(WireMessage)
class WireMessageAdmin(ReadOnlyAdmin):
    called = "Bank messages"
    row_called = "Bank message"
    columns = _COLUMNS
    list_display = ["read_at", "name", "kind", "message_id", fault]
    list_select_related = ["dealing"]
    list_filter = [
        Quarantined,
        words("kind", ["pain.002.001.10", "camt.053.001.08", "camt.054.001.08", "pacs.004.001.09"], written=str),
    ]
    search_fields = ["=message_id", "=name", "=sha256"]
    search_help_text = "A whole message id, file name or SHA-256"
    fields: ClassVar[Any] = ["name", "kind", "message_id", fault, "size", "read_at", "sha256", dealt_with]
    readonly_fields = fields
    inlines = [EvidenceOfMessage]


@admin.register(WireAnswer)
class WireAnswerAdmin(ReadOnlyAdmin):
    called = "Bank's words on wires"
    row_called = "Bank's word"
    columns = _COLUMNS
    list_display = ["said_at", "entry", "word", "bank_reference", amount_if_any, "actor", "reason"]
    list_filter = [words("word", WireWord)]
    list_select_related = ["entry"]
    search_fields = ["=bank_reference", "=entry__end_to_end_id"]
    search_help_text = "A whole reference of the bank's or of ours"
    fields: ClassVar[Any] = ["entry", "word", "bank_reference", amount_if_any, "reason", "actor", "said_at", "heard_at"]
    readonly_fields = fields


@admin.register(WireEvidence)
class WireEvidenceAdmin(ReadOnlyAdmin):
    called = "Evidence on wires"
    row_called = "Evidence:"
    columns = _COLUMNS
    list_display = ["message", "entry", "status", "proposes", "bank_reference", amount_if_any, "reason"]
    list_filter = [words("proposes", WireWord)]
    list_select_related = ["message", "entry"]
    search_fields = ["=end_to_end_id", "=bank_reference"]
    search_help_text = "A whole reference of ours or of the bank's"
    fields: ClassVar[Any] = [
        "message", "entry", "end_to_end_id", "status", "proposes", "bank_reference", amount_if_any, "reason",
        "booked_on",
    ]  # fmt: skip
    readonly_fields = fields


def _age(waited: timedelta) -> str:
    hours = max(waited, timedelta()) // timedelta(hours=1)
    if hours < 1:
        return f"{max(waited, timedelta()) // timedelta(minutes=1)} min"
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"
