"""What staff can look up of reconciliations: each run, and what it found, oldest payment first."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html

from rails.admin_columns import COLUMNS, Columns, tag
from rails.admin_pages import ReadOnlyAdmin, ReadOnlyInline, money, words
from rails.base import SettlementProvider
from rails.models import DifferenceKind, RailDifference, RailReconciliation
from rails.wording import NOTHING

_KINDS: Final[Mapping[str, str]] = dict(DifferenceKind.choices)


def _in_words(kind: str) -> str:
    return _KINDS.get(kind, kind)


@admin.display(description="age", ordering="occurred_at")
def age(row: RailDifference) -> str:
    """How long ago the payment was made: `3 days`."""
    days = (timezone.now() - row.occurred_at).days
    return "today" if days < 1 else f"{days} day{'s' if days > 1 else ''}"


@admin.display(description="kind", ordering="kind")
def kind(row: RailDifference) -> str:
    """How the two sides differ, on one line."""
    return format_html('<span class="cp-nowrap">{}</span>', _in_words(row.kind))


@admin.display(description="their amount", ordering="amount_minor")
def their_amount(row: RailDifference) -> str:
    """What the provider has; nothing where it has no such payment."""
    return NOTHING if row.amount_minor is None else money(row.amount_minor, row.currency)


@admin.display(description="came back", ordering="returned_minor")
def came_back(row: RailDifference) -> str:
    """How much of it came back, by the provider."""
    return NOTHING if row.returned_minor is None else money(row.returned_minor, row.currency)


@admin.display(description="outcome", ordering="differences")
def outcome(row: RailReconciliation) -> str:
    """What came of a run, as a tag."""
    if row.error:
        return tag("Failed", "cp-alarm")
    return tag(f"{row.differences} differences", "cp-alarm") if row.differences else tag("No differences", "cp-low")


class _Items(ReadOnlyInline):
    model = RailDifference
    columns: ClassVar[Columns] = {**COLUMNS, "kind": _in_words}
    fields: ClassVar[Any] = ["kind", "milestone_id", "attempt_number", "ours", "theirs", age, "first_seen_at"]
    readonly_fields = fields
    show_change_link = False


@admin.register(RailReconciliation)
class RailReconciliationAdmin(ReadOnlyAdmin):
    called = "Lists of providers"
    row_called = "Comparison with the list of"
    list_display = ["started_at", "provider", outcome, "ours", "theirs", "since", "actor", "error"]
    list_filter = [words("provider", [each for each in SettlementProvider if each.method != "internal_ledger"])]
    inlines = [_Items]


@admin.register(RailDifference)
class RailDifferenceAdmin(ReadOnlyAdmin):
    columns: ClassVar[Columns] = {**COLUMNS, "kind": _in_words}
    called = "Differences with providers"
    list_display = [kind, "milestone_id", "ours", "theirs", age, "reconciliation"]
    list_filter = [words("kind", DifferenceKind, written=_in_words)]
    list_select_related = ["reconciliation"]
    search_fields = ["=milestone_id", "=reference"]
    search_help_text = "A milestone's number, or a whole reference"
    fields: ClassVar[Any] = [
        "reconciliation", "kind", "milestone_id", "attempt_number", "reference", "ours", "theirs", their_amount,
        came_back, "occurred_at", "first_seen_at",
    ]  # fmt: skip
    readonly_fields = fields
