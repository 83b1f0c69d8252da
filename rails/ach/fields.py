"""What a field of a record is, and what may stand in it."""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

RECORD_LENGTH: Final = 94


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field's text must be; `words` complete the sentence "the field ..."."""

    pattern: re.Pattern[str]
    words: str

    def accepts(self, text: str) -> bool:
        return self.pattern.fullmatch(text) is not None


class DateRule(Rule):
    """A date of this century, written YYMMDD; zeros and blanks where the pattern takes them."""

    def accepts(self, text: str) -> bool:
        if not Rule.accepts(self, text):
            return False
        return not text.strip(" 0") or int(text[4:]) <= monthrange(2000 + int(text[:2]), int(text[2:4]))[1]


def _rule(pattern: str, words: str) -> Rule:
    return Rule(re.compile(pattern, re.ASCII), words)


def one_of(*words: str) -> Rule:
    return _rule("|".join(re.escape(word) for word in words), f"must be {' or '.join(words)}")


ANY: Final = _rule(r".*", "may be anything")
REQUIRED: Final = _rule(r".*\S.*", "must not be blank")
BLANK: Final = _rule(r" *", "must be blank")
DIGITS: Final = _rule(r"[0-9]+", "must be digits")
DIGITS_OR_BLANK: Final = _rule(r"[0-9]+| +", "must be digits or blank")
_DATE = r"[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
DATE: Final = DateRule(re.compile(_DATE), "must be a date written YYMMDD")
DATE_OR_NONE: Final = DateRule(re.compile(rf"{_DATE}|0{{6}}| {{6}}"), "must be a date written YYMMDD, zeros or blank")
TIME_OR_BLANK: Final = _rule(r"(?:[01][0-9]|2[0-3])[0-5][0-9]| {4}", "must be a time written HHMM, or blank")
JULIAN_OR_BLANK: Final = _rule(r"[0-2][0-9]{2}|3[0-5][0-9]|36[0-6]| {3}", "must be a day of the year, or blank")
MODIFIER: Final = _rule(r"[A-Z0-9]", "must be A to Z or 0 to 9")
REASON: Final = _rule(r"[RC][0-9]{2}", "must be a letter R or C and two digits")


@dataclass(frozen=True, slots=True)
class Field:
    """One field; `start` and `end` are places in the text as Python slices them."""

    name: str
    start: int
    end: int
    rule: Rule

    @property
    def title(self) -> str:
        """The name as a person reads it, with the places as the rules count them."""
        return f"{self.name.replace('_', ' ')} (positions {self.start + 1} to {self.end})"


@dataclass(frozen=True, slots=True)
class Layout:
    """All the fields of one kind of record, in order, without gaps."""

    name: str
    fields: tuple[Field, ...]
    by_name: Mapping[str, Field]


def layout(name: str, *fields: tuple[str, int, Rule]) -> Layout:
    found, start = [], 0
    for field, width, rule in fields:
        found.append(Field(field, start, start + width, rule))
        start += width
    if start != RECORD_LENGTH:
        raise ValueError(f"the {name} has {start} characters")
    return Layout(name, tuple(found), MappingProxyType({field.name: field for field in found}))
