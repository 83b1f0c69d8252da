"""How the admin writes a column: a stored word as a coloured tag, a moment, a long text cut to its place."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from django.contrib import admin
from django.db import models
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from rails.wording import NOTHING, actor, facts, in_words, yes_or_no

Show = Callable[[Any], str]
Columns = Mapping[str, Show]


def tag(word: str, look: str = "") -> SafeString:
    """A word in the colour of its look (`cp-high`, `cp-medium`, `cp-low`, `cp-alarm`, `cp-held`; none is grey)."""
    return format_html('<span class="cp-tag {}">{}</span>', look, word)


def tags(looks: Mapping[str, str]) -> Callable[[Any], SafeString]:
    """Shows a stored word as a tag; the table gives the words that have a colour."""
    return lambda code: tag(in_words(code), looks.get(code, ""))


def cut(value: Any) -> SafeString:
    """As much of a text as its column has room for; the whole of it when pointed at."""
    return format_html('<span class="cp-cut" title="{}">{}</span>', value, value)


def minute(at: datetime) -> SafeString:
    """A moment in a list, to the minute; to the second when pointed at."""
    at = at.astimezone(UTC)
    written = '<time class="cp-nowrap" title="{}">{}</time>'
    return format_html(written, f"{at:%Y-%m-%d %H:%M:%S} UTC", f"{at:%Y-%m-%d %H:%M}")


def listed(values: Mapping[str, Any], write: Callable[[str], str] = str) -> SafeString:
    """A JSON object, one entry to a line, each value as `write` has it."""
    lines = ((name, write(value)) for name, value in facts(values))
    return format_html_join("", '<span class="cp-line"><span class="cp-quiet">{}:</span> {}</span>', lines)


@admin.display(description="dealt with")
def dealt_with(row: Any) -> str:
    """Who dealt with a quarantined file of a bank, when, and how."""
    dealing = getattr(row, "dealing", None)
    return (
        NOTHING
        if dealing is None
        else f"{actor(dealing.actor)}, {dealing.dealt_at:%Y-%m-%d %H:%M} UTC: {dealing.reason}"
    )


# What rails store as a word.
COLUMNS: Final[Columns] = {
    "kind": in_words,
    "provider": in_words,
    "outcome": in_words,
    "applied": tags({"CONTRADICTED": "cp-alarm"}),
    "code": in_words,
    "rail": in_words,
    "actor": actor,
    "created_by": actor,
    "refused_by_actor": actor,
    "dealt_by_actor": actor,
    "changes": listed,
    "payouts_enabled": lambda on: tag(yes_or_no(on), "" if on else "cp-alarm"),
    "enabled": lambda on: tag("On" if on else "Off", "cp-low" if on else "cp-alarm"),
}


# Columns whose name is no word of people.
_CALLED: Final[Mapping[str, str]] = {
    "sha256": "SHA-256", "sec": "SEC code", "rdfi": "recipient's bank (routing number)",
    "refused_by_actor": "refused by", "dealt_by_actor": "dealt with by",
}  # fmt: skip


def called(name: str) -> str:
    """What a stored column is called."""
    return _CALLED.get(name, name.replace("_", " "))


@cache
def column(name: str, how: Show, title: str = "") -> Callable[[Any], str]:
    """A column of the admin that shows a stored one in this way; what is empty stays empty."""

    @admin.display(description=title or called(name), ordering=name)
    def shown(row: Any) -> str:
        value = getattr(row, name)
        return NOTHING if value is None or value in ("", {}) else how(value)

    shown.__name__ = name
    return shown


def worded(name: Any, model: type[models.Model], columns: Columns) -> Any:
    """The column for a row's own page: in words where there are any, else as Django shows it."""
    if not isinstance(name, str):
        return name
    if name in columns:
        return column(name, columns[name])
    field = _field(name, model)
    if isinstance(field, models.BooleanField):
        return column(name, yes_or_no)
    return column(name, str) if name in _CALLED else name


def fitted(name: Any, model: type[models.Model], columns: Columns) -> Any:
    """The column for a list: in words, and no wider than a list has room for."""
    if not isinstance(name, str):
        return name
    field = _field(name, model)
    if name in columns:
        return column(name, _cut_to_fit(columns[name]))
    if isinstance(field, models.DateTimeField):
        return column(name, minute, f"{called(name)} (UTC)")
    if isinstance(field, models.TextField | models.ForeignKey):
        return column(name, cut)
    return worded(name, model, columns)


@cache
def _cut_to_fit(how: Show) -> Show:
    """The same, cut to its place unless it is markup already."""

    def shown(value: Any) -> str:
        written = how(value)
        return written if isinstance(written, SafeString) else cut(written)

    return shown


def _field(name: str, model: type[models.Model]) -> Any:
    return next((field for field in model._meta.get_fields() if field.name == name), None)
