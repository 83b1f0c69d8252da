"""What an export may be narrowed by over the API, and in the files that are made later: words, days, texts, numbers."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from settlements import values
from settlements.exports.selections import EVERYTHING, Selection
from settlements.values import InvalidValue

_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)
_ID: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class FilterInvalid(ValueError):
    """A filter that does not exist, or whose value can not be read; `name` says which, `detail` is a sentence."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name = name
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One parameter: `sql` is a condition on the dataset's rows with one placeholder for what `read` answers.

    `words` is its vocabulary as it is sent, empty for what is no word.
    """

    name: str
    says: str
    sql: str
    read: Callable[[str], Any]
    words: Sequence[str] = ()
    day: bool = False
    number: bool = False


def first_day(column: str) -> Filter:
    """From the beginning of a day, UTC."""
    return Filter(
        name="from",
        says="From this day on (UTC), like `2026-11-01`.",
        sql=f"{column} >= %s",
        read=lambda text: _midnight(_day(text)),
        day=True,
    )


def last_day(column: str) -> Filter:
    """To the end of a day, UTC."""
    return Filter(
        name="to",
        says="To the end of this day (UTC).",
        sql=f"{column} < %s",
        read=lambda text: _midnight(_day(text) + timedelta(days=1)),
        day=True,
    )


def of_words(name: str, column: str, vocabulary: Iterable[str], says: str, *, lower: bool = True) -> Filter:
    """One word of a vocabulary; on the wire in lower case where `lower`."""
    stored = {(word.lower() if lower else word): word for word in map(str, vocabulary)}

    def read(text: str) -> str:
        if text not in stored:
            raise ValueError(f"must be one of {', '.join(stored)}")
        return stored[text]

    return Filter(name=name, says=says, sql=f"{column} = %s", read=read, words=tuple(stored))


def of_text(name: str, condition: str, says: str) -> Filter:
    """A text, taken literally."""
    return Filter(name=name, says=says, sql=condition, read=_visible)


def of_number(name: str, column: str, says: str) -> Filter:
    """The number of a row."""
    return Filter(name=name, says=says, sql=f"{column} = %s", read=_positive, number=True)


def select(filters: Sequence[Filter], asked: Mapping[str, str], *, rows: str, always: str = "") -> Selection:
    """The rows that all these filters let through; `rows` selects the keys of all. Raises FilterInvalid."""
    known = {each.name: each for each in filters}
    conditions, params = [always] if always else [], []
    for name, text in asked.items():
        if name not in known:
            raise FilterInvalid(name, f"There is no filter {name!r}; known are {', '.join(sorted(known))}.")
        try:
            params.append(known[name].read(text))
        except InvalidValue as invalid:
            raise FilterInvalid(name, f"{name} {invalid.detail}.") from None
        except ValueError as invalid:
            raise FilterInvalid(name, f"{name} {invalid}.") from None
        conditions.append(known[name].sql)
    if {"from", "to"} <= asked.keys() and asked["from"] > asked["to"]:
        raise FilterInvalid("to", "to must not be before from.")
    if not conditions:
        return EVERYTHING
    words = ", ".join(f"{name}: {text}" for name, text in asked.items()) or EVERYTHING.words
    return Selection(sql=f"{rows} WHERE {' AND '.join(conditions)}", params=tuple(params), words=words)


def _day(text: str) -> date:
    found = _DAY.fullmatch(text)
    try:
        day = date(*map(int, found.groups())) if found else None
    except ValueError:
        day = None
    if day is None or not date(1970, 1, 1) <= day < date(9999, 12, 31):
        raise ValueError("must be a day like 2026-11-28")
    return day


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _visible(text: str) -> str:
    return values.visible_text(text)


def _positive(text: str) -> int:
    if not _ID.fullmatch(text) or int(text) < 1:
        raise ValueError("must be a positive whole number")
    return int(text)
