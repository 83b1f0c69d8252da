"""What one value of a body means: visible text, ids, fractions, words, moments; refused values raise InvalidValue."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Final, TypeVar

Word = TypeVar("Word", bound=StrEnum)

MAX_ID: Final = 2**63 - 1
MAX_TEXT: Final = 200
# What a source, a key or a subscriber may be called.
NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,50}", re.ASCII)
LONGEST_NAME: Final = 50
NAME_RULE: Final = "A name has 1 to 50 letters, digits, - and _."
MAX_FRACTION_DIGITS: Final = 20

# Control characters, line and paragraph separators, and the marks that turn the reading direction of what follows.
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTION_MARKS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE_CATEGORIES: Final = frozenset({"Cf", "Zs", "Mn", "Me", "Cn"})
# Unicode calls these letters or symbols, yet they leave nothing on a screen: Hangul fillers and the blank Braille cell.
_BLANKS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_PLAIN_NUMBER: Final = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)
_MOMENT: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:([Zz])|([+-])(\d\d):?(\d\d))?", re.ASCII
)


class InvalidValue(Exception):
    """A value that is refused; `code` is stable and comes behind the field's name, `detail` is a sentence's end."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in time in UTC; `was_naive` if it came without an offset and was read as UTC."""

    at: datetime
    was_naive: bool


def visible_text(value: object, *, longest: int = MAX_TEXT, multiline: bool = False) -> str:
    """1 to `longest` characters with something to see, kept as given; tabs and line feeds only where `multiline`."""
    if type(value) is not str:
        raise InvalidValue("not_text", "must be a text")
    if not value:
        raise InvalidValue("empty", "must not be empty")
    if len(value) > longest:
        raise InvalidValue("too_long", f"must not be longer than {longest} characters")
    if value.isascii() and value.isprintable():
        seen = not value.isspace()
    else:
        seen = _something_to_see(value, multiline=multiline)
    if not seen:
        raise InvalidValue("empty", "must contain visible characters")
    if not multiline and value != value.strip():
        raise InvalidValue("not_visible", "must not begin or end with spaces")
    return value


def text_or_integer(value: object, *, longest: int = MAX_TEXT) -> str:
    """An identifier of an upstream system that writes it as text or as a positive whole number."""
    if type(value) is str:
        return visible_text(value, longest=longest)
    if type(value) is int and 0 < value <= MAX_ID:
        return str(value)
    raise InvalidValue("not_text", "must be a text or a positive whole number")


def positive_id(value: object) -> int:
    """A positive whole number that fits a bigint; never a bool, a fraction or a text."""
    if type(value) is not int or not 0 < value <= MAX_ID:
        raise InvalidValue("not_an_id", "must be a positive whole number")
    return value


def boolean(value: object) -> bool:
    """true or false and nothing that resembles them."""
    if type(value) is not bool:
        raise InvalidValue("not_a_boolean", "must be true or false")
    return value


def fraction(value: object) -> Decimal:
    """0 to 1 as JSON number or plain text, at most 20 digits after the point; what a risk score and a share are."""
    if type(value) is str:
        if not _PLAIN_NUMBER.fullmatch(value):
            raise InvalidValue("not_a_number", 'must be written in plain digits like "0.25"')
    elif type(value) is not int and type(value) is not Decimal:
        raise InvalidValue("not_a_number", "must be a number from 0 to 1")
    number = Decimal(value)
    if not number.is_finite() or not 0 <= number <= 1:
        raise InvalidValue("out_of_range", "must be from 0 to 1")
    # At most 1, so the exponent alone bounds how many digits there are.
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -MAX_FRACTION_DIGITS:
        raise InvalidValue("too_precise", f"must not have more than {MAX_FRACTION_DIGITS} digits after the point")
    return Decimal(0) if number.is_zero() else number


def word(value: object, words: type[Word], *, any_case: bool = False) -> Word:
    """One word of a vocabulary; other letter cases only where `any_case`."""
    known: dict[str, Word] = _by_spelling(words, any_case)
    if type(value) is str and value.isascii():
        found = known.get(value.lower() if any_case else value)
        if found is not None:
            return found
    raise InvalidValue("unknown", f"must be one of {', '.join(words)}")


def moment(value: object) -> Moment:
    """ISO 8601 date and time (2025-11-07T15:30:00Z), to the microsecond; without an offset it is read as UTC."""
    found = _MOMENT.fullmatch(value) if type(value) is str else None
    if found is None:
        raise InvalidValue("not_a_time", "must be an ISO 8601 date and time like 2025-11-07T15:30:00Z")
    year, month, day, hour, minute, second, fraction_digits, zulu, sign, offset_hours, offset_minutes = found.groups()
    micros = int((fraction_digits or "0")[:6].ljust(6, "0"))
    try:
        offset = UTC if sign is None else _offset(sign, int(offset_hours), int(offset_minutes))
        local = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), micros, tzinfo=offset
        )
        return Moment(at=local.astimezone(UTC), was_naive=zulu is None and sign is None)
    except (ValueError, OverflowError):
        raise InvalidValue("not_a_time", "must be a date and time that exists, between the years 1 and 9999") from None


def _offset(sign: str, hours: int, minutes: int) -> timezone:
    if hours > 23 or minutes > 59:
        raise ValueError("no such offset")
    distance = timedelta(hours=hours, minutes=minutes)
    return timezone(distance if sign == "+" else -distance)


def _something_to_see(value: str, *, multiline: bool) -> bool:
    """Refuses control characters on the way."""
    allowed = frozenset("\n\r\t") if multiline else frozenset()
    seen = False
    for character in value:
        category = unicodedata.category(character)
        if (category in _REFUSED_CATEGORIES and character not in allowed) or character in _DIRECTION_MARKS:
            raise InvalidValue("not_visible", "must not contain control characters")
        seen = seen or not (category in _INVISIBLE_CATEGORIES or character in _BLANKS or character in allowed)
    return seen


@cache
def _by_spelling(words: type[Word], any_case: bool) -> dict[str, Word]:
    return {str(each).lower() if any_case else str(each): each for each in words}
