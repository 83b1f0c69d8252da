"""What people said of a file that its outbox has lost: below the file, and in a list."""

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.utils.safestring import SafeString

from rails.admin_columns import COLUMNS, Columns, tag
from rails.admin_pages import ReadOnlyAdmin, ReadOnlyInline, words
from rails.models import AchFile, FileVerdict, Verdict, WireFile
from rails.wording import NOTHING, actor

_SAYS: Final[dict[str, str]] = {verdict.value: str(verdict.label) for verdict in Verdict}
_COLUMNS: Final[Columns] = {**COLUMNS, "verdict": lambda verdict: tag(_SAYS.get(verdict) or verdict)}


@admin.display(description="file")
def file_of(row: FileVerdict) -> str:
    """The file's name."""
    return row.file.name


@admin.display(description="standing")
def standing(row: FileVerdict) -> SafeString:
    """Whether another person said so too."""
    if row.confirmed_at is not None:
        return tag("Confirmed", "cp-low")
    return tag("Taken back") if row.taken_back_at is not None else tag("Waits for another person", "cp-alarm")


@admin.display(description="said by")
def said_by(row: FileVerdict) -> str:
    """Who proposed it."""
    return actor(row.proposed_actor)


@admin.display(description="confirmed by")
def confirmed_by(row: FileVerdict) -> str:
    """Who said so too, and why."""
    return f"{actor(row.confirmed_actor)}: {row.confirmed_reason}" if row.confirmed_actor else NOTHING


@admin.display(description="taken back by")
def taken_back_by(row: FileVerdict) -> str:
    """Who took it back, and why."""
    return f"{actor(row.taken_back_actor)}: {row.taken_back_reason}" if row.taken_back_actor else NOTHING


@admin.display(description="trouble")
def trouble(row: AchFile | WireFile) -> str:
    """What was found of the file when it was to be handed over."""
    return row.lost_words or NOTHING


class FileVerdicts(ReadOnlyInline):
    """Who said what, and who confirmed it or took it back."""

    model = FileVerdict
    verbose_name_plural = "what people said of it when it was lost"
    columns: ClassVar[Columns] = _COLUMNS
    fields: ClassVar[Any] = [
        "verdict", standing, "bank_reference", said_by, "reason", confirmed_by, taken_back_by,
    ]  # fmt: skip
    readonly_fields = fields


@admin.register(FileVerdict)
class FileVerdictAdmin(ReadOnlyAdmin):
    called = "Verdicts on lost files"
    row_called = "Verdict on"
    columns: ClassVar[Columns] = _COLUMNS
    list_display = ["proposed_at", file_of, "verdict", standing, said_by, confirmed_by]
    list_filter = ["proposed_at", words("verdict", Verdict.values)]
    list_select_related = ["ach_file", "wire_file"]
    search_fields = ["ach_file__name", "wire_file__name"]
    search_help_text = "A part of the file's name"
    fields: ClassVar[Any] = [
        "ach_file", "wire_file", "verdict", standing, "bank_reference", said_by, "reason", "proposed_at",
        confirmed_by, "confirmed_at", taken_back_by, "taken_back_at",
    ]  # fmt: skip
    readonly_fields = fields
