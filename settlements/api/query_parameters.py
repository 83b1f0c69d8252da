"""What the query string asks for: each parameter known, given once, in plain ASCII."""

import re
from collections.abc import Collection, Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from django.http import QueryDict

from settlements import values
from settlements.api.errors import Fault, RefusedFields

Word = TypeVar("Word", bound=StrEnum)
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_FIGURE: Final = re.compile(r"[0-9]{1,11}(?:\.([0-9]{1,9}))?", re.ASCII)
_FLAGS: Final = {"1": True, "true": True, "0": False, "false": False}
_MAX_NAME: Final = 80
_MAX_FAULTS: Final = 20


class Query:
    """The parameters of one request. Raises RefusedFields for one that is unknown or given twice."""

    def __init__(self, given: QueryDict, *, allowed: Collection[str] = ()) -> None:
        faults = [fault for name, values in given.lists() if (fault := _fault_of(name, values, allowed))]
        if faults:
            raise RefusedFields(faults[:_MAX_FAULTS])
        self._given = given

    def text(self, name: str) -> str | None:
        """The parameter as it came, None if absent."""
        return self._given.get(name)

    def integer(self, name: str, *, default: int, lowest: int, highest: int) -> int:
        """A whole number within bounds, in ASCII digits without a sign."""
        text = self._given.get(name)
        if text is None:
            return default
        if not _DIGITS.fullmatch(text) or not lowest <= int(text) <= highest:
            raise _invalid(name, f"{name} must be a whole number from {lowest} to {highest}.")
        return int(text)

    def maybe_integer(self, name: str, *, lowest: int, highest: int) -> int | None:
        """The same, None if absent."""
        return None if name not in self._given else self.integer(name, default=0, lowest=lowest, highest=highest)

    def visible_text(self, name: str) -> str | None:
        """A text with something to see and without control characters, None if absent."""
        text = self._given.get(name)
        if text is None:
            return None
        try:
            return values.visible_text(text)
        except values.InvalidValue as invalid:
            raise _invalid(name, f"{name} {invalid.detail}.") from None

    def figure(self, name: str, *, digits: int) -> Decimal | None:
        """A number in plain digits, with at most so many after the point, None if absent."""
        text = self._given.get(name)
        if text is None:
            return None
        found = _FIGURE.fullmatch(text)
        if found is None or len(found[1] or "") > digits:
            raise _invalid(name, f"{name} must be a number in plain digits, at most {digits} of them after the point.")
        return Decimal(text)

    def positive_id(self, name: str) -> int | None:
        """A positive whole number of at most 18 digits, None if absent."""
        text = self._given.get(name)
        if text is None:
            return None
        if not _DIGITS.fullmatch(text) or int(text) < 1:
            raise _invalid(name, f"{name} must be a positive whole number.")
        return int(text)

    def flag(self, name: str) -> bool:
        """Whether a switch is on: 1 or true, 0 or false; off if absent."""
        return self.answer(name) or False

    def answer(self, name: str) -> bool | None:
        """A question answered: 1 or true, 0 or false; None if absent."""
        text = self._given.get(name)
        if text is None:
            return None
        if text not in _FLAGS:
            raise _invalid(name, f"{name} must be one of {', '.join(_FLAGS)}.")
        return _FLAGS[text]

    def choice(self, name: str, words: type[Word]) -> Word | None:
        """One word of a vocabulary, None if absent."""
        text = self._given.get(name)
        if text is None:
            return None
        try:
            return words(text)
        except ValueError:
            raise _invalid(name, f"{name} must be one of {_listed(words)}.") from None


def _fault_of(name: str, values: list[str], allowed: Collection[str]) -> Fault | None:
    shown = name[:_MAX_NAME]
    if name not in allowed:
        known = f"known are {', '.join(sorted(allowed))}" if allowed else "there are none here"
        return Fault(code="unknown_parameter", detail=f"There is no query parameter {shown!r}; {known}.", field=shown)
    if len(values) > 1:
        return Fault(code="repeated_parameter", detail=f"{shown} is given more than once.", field=shown)
    return None


def _listed(words: Iterable[StrEnum]) -> str:
    return ", ".join(words)


def _invalid(name: str, detail: str) -> RefusedFields:
    return RefusedFields([Fault(code=f"{name}_invalid", detail=detail, field=name)])
