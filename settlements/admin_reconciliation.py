"""Comparisons of the books, what they found and what was said of it, as staff look them up; nothing is edited here."""

from typing import Any, ClassVar, Final

from django.contrib import admin

from rails.admin_columns import COLUMNS as COLUMNS_OF_RAILS
from rails.admin_columns import Columns, listed
from rails.admin_pages import words
from rails.base import SettlementProvider
from rails.wording import NOTHING, actor
from settlements.admin_columns import COLUMNS, SettlementsAdmin
from settlements.models import BooksDifference, Comparison, DifferenceResolution
from settlements.reconciliation.listing import said_of
from settlements.reconciliation.words import WORDS
from settlements.statuses import MismatchKind

_COLUMNS: Final[Columns] = {
    **COLUMNS_OF_RAILS,
    **COLUMNS,
    "actor": actor,
    "kind": lambda kind: WORDS[kind].title if kind in WORDS else kind,
    "totals": listed,
}


def _is_known(row: BooksDifference) -> bool:
    return row.kind in WORDS and row.provider in list(SettlementProvider)


def _in_words(row: BooksDifference) -> str:
    return said_of(row).sentence if _is_known(row) else row.kind


@admin.display(description="what differs")
def sentence(row: BooksDifference) -> str:
    """The difference in one sentence."""
    return _in_words(row)


@admin.display(description="amount expected")
def expected_amount(row: BooksDifference) -> str:
    """What should be, where that is an amount."""
    return (said_of(row).amounts[0] if _is_known(row) else "") or NOTHING


@admin.display(description="amount found")
def found_amount(row: BooksDifference) -> str:
    """What is, where that is an amount."""
    return (said_of(row).amounts[1] if _is_known(row) else "") or NOTHING


@admin.display(description="what differs")
def sentence_of(row: DifferenceResolution) -> str:
    """What was resolved, in one sentence."""
    return _in_words(row.difference)


@admin.register(Comparison)
class ComparisonAdmin(SettlementsAdmin):
    columns = _COLUMNS
    called = "Comparisons of the books"
    list_display = ["started_at", "payments", "differences", "totals", "actor", "finished_at"]


@admin.register(BooksDifference)
class BooksDifferenceAdmin(SettlementsAdmin):
    columns = _COLUMNS
    called = "Differences in the books"
    list_display = ["id", "kind", sentence, "provider", "milestone_id", "reference", "found_at", "gone_at"]
    list_filter = [words("kind", MismatchKind, written=lambda kind: WORDS[MismatchKind(kind)].title),
                   words("provider", SettlementProvider)]  # fmt: skip
    search_fields = ["=milestone_id", "=reference"]
    search_help_text = "A milestone's number, or a whole reference"
    ordering = ["-pk"]
    fields: ClassVar[Any] = [
        "kind", sentence, "provider", "milestone_id", "attempt_number", "reference", expected_amount, found_amount,
        "occurred_at", "found_at", "gone_at",
    ]  # fmt: skip
    readonly_fields = fields


@admin.register(DifferenceResolution)
class DifferenceResolutionAdmin(SettlementsAdmin):
    columns = _COLUMNS
    called = "Resolutions of differences"
    list_display = ["resolved_at", "actor", sentence_of, "reason", "difference"]
    list_select_related = ["difference"]
    ordering = ["-pk"]
    readonly_fields: ClassVar[Any] = [sentence_of]
