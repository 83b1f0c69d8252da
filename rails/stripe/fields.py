"""The fields of an object of Stripe's, read strictly: what is not as Stripe's API has it is said so in words."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,249}", re.ASCII)
_WITH_PREFIX: Final = re.compile(r"[a-z]{2,20}_[A-Za-z0-9_]{1,228}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}", re.ASCII)
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999
_MOST: Final = 2**63  # what a bigint holds
_LONGEST: Final = 5_000
_UNSTORABLE: Final = re.compile("[\\x00\\ud800-\\udfff]")
_KINDS: Final = {"Decimal": "no whole number", "float": "no whole number", "list": "a list", "dict": "an object"}


class Nonsense(ValueError):
    """A field is missing, or holds what Stripe never writes there; the text says which and what."""


def identity(shown: Mapping[str, Any], name: str = "id") -> str:
    """An id of Stripe's, with what it is before the rest: "tr_1Pgq...". Raises Nonsense."""
    value = shown.get(name)
    if not isinstance(value, str) or not _WITH_PREFIX.fullmatch(value):
        raise _nonsense(shown, name, "no id")
    return value


def currency(shown: Mapping[str, Any]) -> str:
    """Three letters. Raises Nonsense."""
    value = shown.get("currency")
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise _nonsense(shown, "currency", "no currency")
    return value


def whole(shown: Mapping[str, Any], name: str) -> int:
    """A whole number that the database can hold, of either sign. Raises Nonsense."""
    value = shown.get(name)
    if type(value) is not int:
        raise _nonsense(shown, name, "no whole number")
    if not abs(value) < _MOST:
        raise Nonsense(f"its {name} is more than there is")
    return value


def moment(shown: Mapping[str, Any], name: str) -> datetime:
    """Seconds since 1970 as a time. Raises Nonsense."""
    value = shown.get(name)
    if type(value) is not int or not 0 <= value <= _LAST_SECOND:
        raise _nonsense(shown, name, "no time")
    return datetime.fromtimestamp(value, UTC)


def truth(shown: Mapping[str, Any], name: str) -> bool:
    """Yes or no. Raises Nonsense."""
    value = shown.get(name)
    if type(value) is not bool:
        raise _nonsense(shown, name, "neither true nor false")
    return value


def printable(value: object) -> str:
    """Words of Stripe's, on one line and without what the database can not keep; "" for what are no words."""
    return "".join(sign if sign.isprintable() else "?" for sign in value) if isinstance(value, str) else ""


def unkeepable(value: object) -> str:
    """Why a plain value of an event can not be kept, as the end of a sentence; empty when it can."""
    if value is None or type(value) is bool:
        return ""
    if isinstance(value, str):
        if len(value) > _LONGEST:
            return f"a text of more than {_LONGEST:,} characters"
        return "a text with NUL or half a character in it" if _UNSTORABLE.search(value) else ""
    if type(value) is int:
        return "" if abs(value) < _MOST else "a number beyond all amounts"
    return _KINDS.get(type(value).__name__, "something else than Stripe writes there")


def _nonsense(shown: Mapping[str, Any], name: str, what: str) -> Nonsense:
    return Nonsense(f"its {name} is {what if shown.get(name) is not None else 'missing'}")
