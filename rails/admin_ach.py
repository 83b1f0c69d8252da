"""What staff can look up of ACH: files, entries, what became of them, and the bank's files with their items."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from rails.ach.payments import CURRENCY
from rails.admin_columns import COLUMNS, Columns, dealt_with, tag, tags
from rails.admin_lost_files import FileVerdicts, trouble
from rails.admin_pages import ReadOnlyAdmin, ReadOnlyInline, words
from rails.models import (
    AchEntry,
    AchEntryKind,
    AchFate,
    AchFile,
    AchFilePurpose,
    AchFileState,
    AchInboundFile,
    AchInboundItem,
    AchItemKind,
    AchItemStanding,
    AchOutcome,
    AchReversal,
    ReversalReason,
)
from rails.money import Money
from rails.wording import NOTHING, counted, in_words

_FATES: Final[Mapping[str, str]] = {AchFate.CONFIRMED: "cp-low", AchFate.RETURNED: "cp-alarm"}
_STANDINGS: Final[Mapping[str, str]] = {
    AchItemStanding.APPLIED: "cp-low",
    AchItemStanding.UNKNOWN: "cp-alarm",
    AchItemStanding.UNFIT: "cp-alarm",
    AchItemStanding.NOTED: "cp-held",
}
_PERMITTED: Final[Mapping[str, str]] = {reason.value: str(reason.label) for reason in ReversalReason}
_LABELS: Final[Mapping[str, str]] = {standing.value: str(standing.label) for standing in AchItemStanding}
_COLUMNS: Final[Columns] = {
    **COLUMNS,
    "state": tags(
        {
            AchFileState.STAGED: "cp-held",
            AchFileState.HANDED_OVER: "cp-low",
            AchFileState.REFUSED: "cp-alarm",
            AchFileState.NEVER_SENT: "cp-alarm",
        }
    ),
    "purpose": tags({AchFilePurpose.REVERSALS: "cp-held"}),
    "fate": tags(_FATES),
    "code": lambda code: tag(code, "cp-held" if code.startswith("C") else "cp-alarm"),
    "sec": str,
    "transaction_code": str,
    "standing": lambda standing: tag(_LABELS.get(standing, standing).capitalize(), _STANDINGS.get(standing, "")),
    "kind": lambda kind: tag(in_words(kind)),
    "permitted_reason": lambda reason: _PERMITTED.get(reason, reason),
    "waits": lambda waits: tag("Waits for a person", "cp-alarm") if waits else NOTHING,
    "sha256": lambda digest: format_html('<code class="cp-break">{}</code>', digest),
}


def _dollars(minor: int) -> str:
    return f"{Money(minor, CURRENCY).major:,} {CURRENCY}"


@admin.display(description="amount", ordering="amount_minor")
def amount(row: AchEntry | AchInboundItem) -> str:
    """In dollars, thousands apart."""
    return _dollars(row.amount_minor)


@admin.display(description="credits", ordering="credits_minor")
def credits_of(row: AchFile | AchInboundFile) -> str:
    """What the file pays out, or brings back of what was paid."""
    return _dollars(row.credits_minor)


@admin.display(description="debits", ordering="debits_minor")
def debits_of(row: AchFile | AchInboundFile) -> str:
    """What the file takes."""
    return _dollars(row.debits_minor)


def _zone() -> str:
    """The bank's time zone, as this installation is told it."""
    return f" {settings.ACH.timetable.zone}" if settings.ACH is not None else " by the bank's clock"


@admin.display(description="window", ordering="window_day")
def window(row: AchFile) -> SafeString:
    """The cut-off, by the bank's clock."""
    same_day = " same day" if row.same_day else ""
    cut_off = f"{row.window_day} {row.window_cut_off:%H:%M}"
    return format_html('<span class="cp-nowrap">{}</span>{}{}', cut_off, _zone(), same_day)


@admin.display(description="became", ordering=None)
def fate(row: AchEntry) -> SafeString | str:
    """What is known of the entry."""
    found = [outcome.fate for outcome in row.outcomes.all()]
    written = ((tag(in_words(each), _FATES.get(each, "")),) for each in found)
    return format_html_join(" ", "{}", written) or NOTHING


def _link(name: str, count: int, what: str, **query: Any) -> SafeString:
    address = reverse(f"admin:rails_{name}_changelist")
    asked = "&".join(f"{key}={value}" for key, value in query.items())
    return format_html('<a href="{}?{}">{}</a>', address, asked, counted(count, what))


@admin.display(description="entries")
def entries_of(row: AchFile) -> SafeString:
    """The way to the entries of the file; those that balance it at our own account pay nobody, and are not counted."""
    of = "reversal" if row.purpose == AchFilePurpose.REVERSALS else "payment"
    count = row.entries.exclude(kind=AchEntryKind.OFFSET).count()
    return _link("achentry", count, of, file__id__exact=row.pk)


@admin.display(description="items")
def items_of(row: AchInboundFile) -> SafeString | str:
    """The way to what the file says."""
    if not row.item_count:
        return NOTHING
    return _link("achinbounditem", row.item_count, "item", file__id__exact=row.pk)


@admin.display(description="standing")
def reading(row: AchInboundFile) -> SafeString:
    """Whether the file was applied."""
    if row.faults:
        return tag("Quarantined, dealt with") if hasattr(row, "dealing") else tag("Quarantined", "cp-alarm")
    return tag("Applied, a bare list", "cp-held") if row.is_bare else tag("Applied", "cp-low")


@admin.display(description="first fault")
def first_fault(row: AchInboundFile) -> SafeString | str:
    """Line and reason."""
    if not row.faults:
        return NOTHING
    return _line_and_reason(row.faults[:1]) if isinstance(row.faults, list) else NOTHING


@admin.display(description="faults")
def faults(row: AchInboundFile) -> SafeString | str:
    """All of them, a line each."""
    return (_line_and_reason(row.faults) if isinstance(row.faults, list) else "") or NOTHING


def _line_and_reason(found: Sequence[Mapping[str, Any]]) -> SafeString:
    lines = ((fault["line"], fault["reason"]) for fault in found)
    return format_html_join("", '<span class="cp-line"><strong>Line {}</strong>: {}</span>', lines)


@admin.display(description="milestone", ordering="milestone_id")
def milestone(row: AchEntry) -> str:
    """Milestone and attempt."""
    return NOTHING if row.milestone_id is None else f"{row.milestone_id}, attempt {row.attempt_number}"


class _Outcomes(ReadOnlyInline):
    model = AchOutcome
    columns: ClassVar[Columns] = _COLUMNS
    fields: ClassVar[Any] = ["fate", "reason", "source", "occurred_at", "heard_at"]
    readonly_fields = fields
    show_change_link = False


class _Items(ReadOnlyInline):
    model = AchInboundItem
    fk_name = "entry"
    verbose_name_plural = "what the bank says of it"
    columns: ClassVar[Columns] = _COLUMNS
    fields: ClassVar[Any] = ["code", "standing", "words", "file"]
    readonly_fields = fields


class AchFileAdmin(ReadOnlyAdmin):
    """Files that were handed to the bank."""

    called = "ACH files"
    row_called = "ACH file"
    columns: ClassVar[Columns] = _COLUMNS
    list_display = ["name", "purpose", "state", window, "effective_entry_date", credits_of, "handed_over_at"]
    list_filter = [words("state", AchFileState.values), words("purpose", AchFilePurpose.values), "window_day"]
    search_fields = ["name", "=sha256"]
    search_help_text = "A part of the name, or a whole SHA-256"
    fields: ClassVar[Any] = [
        "name", "state", "purpose", window, "effective_entry_date", "id_modifier", entries_of, "entry_hash",
        debits_of, credits_of, "sha256", "created_at", "lost_at", trouble, "handed_over_at",
        "settled_at", "refused_at", "refused_by_actor", "refused_reason",
    ]  # fmt: skip
    readonly_fields = fields
    inlines: ClassVar[Any] = [FileVerdicts]


class AchEntryAdmin(ReadOnlyAdmin):
    """Entries by trace number."""

    called = "ACH entries"
    row_called = "ACH entry"
    columns: ClassVar[Columns] = _COLUMNS
    list_display = ["trace_number", "kind", milestone, amount, "sec", fate, "file"]
    list_filter = [words("kind", AchEntryKind.values), words("sec", ["CCD", "PPD"], written=str)]
    list_select_related = ["file"]
    linked_by: ClassVar[frozenset[str]] = frozenset({"file__id__exact"})
    search_fields = ["=trace_number", "=milestone_id"]
    search_help_text = "A whole trace number, or a milestone's number"
    fields: ClassVar[Any] = [
        "trace_number", "kind", milestone, amount, "transaction_code", "sec", "rdfi", "destination", "batch_number",
        "file",
    ]  # fmt: skip
    readonly_fields = fields
    inlines: ClassVar[Any] = [_Outcomes, _Items]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AchEntry]:
        found: QuerySet[AchEntry] = super().get_queryset(request)
        return found.prefetch_related("outcomes")


class Quarantined(admin.SimpleListFilter):
    """Whether the file was applied."""

    title = "standing"
    parameter_name = "quarantined"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waits", "Quarantined, waits for a person"), ("1", "Quarantined"), ("0", "Applied")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AchInboundFile]) -> QuerySet[AchInboundFile]:
        if self.value() == "waits":
            return queryset.exclude(faults=[]).filter(dealing__isnull=True)
        if self.value() == "1":
            return queryset.exclude(faults=[])
        return queryset.filter(faults=[]) if self.value() == "0" else queryset


class AchInboundFileAdmin(ReadOnlyAdmin):
    """The bank's files, each once."""

    called = "Files of the bank"
    row_called = "File of the bank"
    columns: ClassVar[Columns] = _COLUMNS
    list_display = ["name", reading, items_of, first_fault, "actor", "read_at"]
    list_filter = [Quarantined, "read_at"]
    list_select_related = ["dealing"]
    search_fields = ["name", "=sha256"]
    search_help_text = "A part of the name, or a whole SHA-256"
    fields: ClassVar[Any] = [
        "name", reading, faults, items_of, credits_of, debits_of, "size", "sha256", "actor", "reason", "read_at",
        dealt_with,
    ]  # fmt: skip
    readonly_fields = fields


class AchInboundItemAdmin(ReadOnlyAdmin):
    """Returns, notifications of change and disputes, one by one."""

    called = "Items of the bank"
    row_called = "Item of the bank"
    columns: ClassVar[Columns] = _COLUMNS
    list_display = ["code", "kind", "standing", "waits", "words", amount, "entry"]
    list_filter = ["waits", words("kind", AchItemKind.values), words("standing", AchItemStanding.values), "code"]
    list_select_related = ["entry", "file"]
    linked_by: ClassVar[frozenset[str]] = frozenset({"file__id__exact"})
    search_fields = ["=trace_number", "=code"]
    search_help_text = "A whole trace number, or a code like R03"
    fields: ClassVar[Any] = [
        "code", "kind", "standing", "words", "waits", "is_late", amount, "trace_number", "entry", "destination",
        "file", "line", "dealt_by_actor", "dealt_at", "dealt_reason",
    ]  # fmt: skip
    readonly_fields = fields


@admin.display(description="stands")
def standing_of_reversal(row: AchReversal) -> SafeString:
    """How far the taking back has come."""
    if row.sent_as is None:
        return tag("Given up" if row.given_up_at else "Waits for its window", "" if row.given_up_at else "cp-held")
    known = {outcome.fate for outcome in row.sent_as.outcomes.all()}
    if AchFate.RETURNED in known:
        return tag("Came back after it had counted" if AchFate.CONFIRMED in known else "Came back", "cp-alarm")
    return tag("Went through", "cp-low") if AchFate.CONFIRMED in known else tag("May come back", "cp-held")


class AchReversalAdmin(ReadOnlyAdmin):
    """What was to be taken back."""

    called = "ACH reversals"
    columns: ClassVar[Columns] = _COLUMNS
    list_display = ["entry", standing_of_reversal, "permitted_reason", "reason", "actor", "asked_at", "sent_as"]
    list_select_related = ["entry", "sent_as"]
    search_fields = ["=entry__trace_number", "=sent_as__trace_number"]
    search_help_text = "A whole trace number"
    fields: ClassVar[Any] = [
        "entry", standing_of_reversal, "permitted_reason", "reason", "actor", "asked_at", "last_day", "sent_as",
        "given_up_at",
    ]  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[AchReversal]:
        found: QuerySet[AchReversal] = super().get_queryset(request)
        return found.prefetch_related("sent_as__outcomes")


class AchOutcomeAdmin(ReadOnlyAdmin):
    """What became of entries."""

    called = "ACH outcomes"
    columns: ClassVar[Columns] = _COLUMNS
    list_display = ["entry", "fate", "reason", "source", "occurred_at", "heard_at"]
    exclude = ["said_by"]
    list_filter = [words("fate", AchFate.values)]
    list_select_related = ["entry"]
    search_fields = ["=entry__trace_number"]
    search_help_text = "A whole trace number"
