"""Which fields a body has: read one by one, faults collected and answered together, unknown names refused."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

from rails.money import Money, MoneyError
from settlements import values
from settlements.api.errors import Fault, RefusedFields
from settlements.values import InvalidValue, Moment

Value = TypeVar("Value")
Word = TypeVar("Word", bound=StrEnum)

MAX_FAULTS: Final = 20
_MAX_NAME: Final = 80
_ABSENT: Final = object()


class Fields:
    """The fields of one JSON object; used as a context manager, whose end raises RefusedFields if anything was wrong.

    A reader that met a fault returns None whatever its type says, so use no value before the block has ended.
    `allowed=None` lets unknown fields through: only shipment events do that.
    """

    def __init__(
        self,
        body: Mapping[str, Any],
        *,
        allowed: Collection[str] | None,
        path: str = "",
        faults: list[Fault] | None = None,
    ) -> None:
        self._body = body
        self._path = path
        self.faults: list[Fault] = [] if faults is None else faults
        if allowed is not None:
            self._refuse_unknown(allowed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self.faults:
            raise RefusedFields(self.faults[:MAX_FAULTS])

    def given(self, name: str) -> bool:
        """Whether the field is there, be it null."""
        return name in self._body

    def fault(self, name: str, code: str, detail: str) -> None:
        """Adds a fault of the caller's own finding; `detail` is a whole sentence."""
        self.faults.append(Fault(code=code, detail=detail, field=self._path + name))

    def need(self, name: str, reader: Callable[[object], Value]) -> Value:
        """The value of a required field; null is refused like any other wrong value."""
        value = self._body.get(name, _ABSENT)
        if value is _ABSENT:
            self.fault(name, f"{name}_missing", f"{self._path}{name} is missing.")
            return cast(Value, None)
        return self._read(name, value, reader)

    def maybe(
        self, name: str, reader: Callable[[object], Value], *, default: Value | None = None, nullable: bool = False
    ) -> Value | None:
        """The value of an optional field, `default` if it is absent; null only where `nullable`, and then None."""
        value = self._body.get(name, _ABSENT)
        if value is _ABSENT:
            return default
        if value is None and nullable:
            return None
        return self._read(name, value, reader)

    def text(self, name: str, *, longest: int = values.MAX_TEXT, multiline: bool = False) -> str:
        """A required visible text."""
        return self.need(name, lambda value: values.visible_text(value, longest=longest, multiline=multiline))

    def maybe_text(
        self, name: str, *, longest: int = values.MAX_TEXT, multiline: bool = False, nullable: bool = True
    ) -> str | None:
        """An optional visible text."""
        return self.maybe(
            name, lambda value: values.visible_text(value, longest=longest, multiline=multiline), nullable=nullable
        )

    def text_or_integer(self, name: str) -> str:
        """A required upstream identifier, text or whole number, as text."""
        return self.need(name, values.text_or_integer)

    def positive_id(self, name: str) -> int:
        """A required positive whole number."""
        return self.need(name, values.positive_id)

    def boolean(self, name: str, *, default: bool) -> bool:
        """An optional true or false."""
        return bool(self.maybe(name, values.boolean, default=default))

    def score(self, name: str) -> Decimal | None:
        """An optional risk score, 0..1; None if absent or null (`given` tells them apart). 0 is a score."""
        return self.maybe(name, values.fraction, nullable=True)

    def word(self, name: str, words: type[Word], *, any_case: bool = False) -> Word:
        """A required word of a vocabulary."""
        return self.need(name, lambda value: values.word(value, words, any_case=any_case))

    def maybe_word(
        self, name: str, words: type[Word], *, any_case: bool = False, default: Word | None = None
    ) -> Word | None:
        """An optional word of a vocabulary; null is refused."""
        return self.maybe(name, lambda value: values.word(value, words, any_case=any_case), default=default)

    def moment(self, name: str) -> Moment:
        """A required ISO 8601 time."""
        return self.need(name, values.moment)

    def money(self, name: str = "amount", *, currency: str = "currency", default_currency: str = "USD") -> Money:
        """A required amount together with its optional currency; refusals carry the codes of `rails.money`."""
        try:
            return Money.parse(self._body.get(name), self._body.get(currency, default_currency))
        except MoneyError as error:
            self.fault(currency if error.field == "currency" else name, error.code, str(error))
            return cast(Money, None)

    def nested(self, name: str, *, allowed: Collection[str]) -> "Fields | None":
        """The fields of a nested object, None if it is absent or null; its faults are collected here."""
        value = self._body.get(name)
        if value is None:
            return None
        if type(value) is not dict:
            self.fault(name, f"{name}_not_an_object", f"{self._path}{name} must be an object.")
            return None
        return Fields(value, allowed=allowed, path=f"{self._path}{name}.", faults=self.faults)

    def nested_list(self, name: str, *, allowed: Collection[str], most: int) -> "list[Fields]":
        """The fields of each object in a required array of 1 to `most`; their faults are collected here."""
        value = self._body.get(name)
        if type(value) is not list or not 1 <= len(value) <= most or any(type(item) is not dict for item in value):
            detail = f"{self._path}{name} must be an array of 1 to {most} objects."
            self.fault(name, f"{name}_not_an_array", detail)
            return []
        paths = [f"{self._path}{name}[{position}]." for position in range(len(value))]
        return [
            Fields(item, allowed=allowed, path=path, faults=self.faults)
            for item, path in zip(value, paths, strict=True)
        ]

    def _read(self, name: str, value: object, reader: Callable[[object], Value]) -> Value:
        try:
            return reader(value)
        except InvalidValue as error:
            self.fault(name, f"{name}_{error.code}", f"{self._path}{name} {error.detail}.")
            return cast(Value, None)

    def _refuse_unknown(self, allowed: Collection[str]) -> None:
        for name in self._body:
            if name not in allowed:
                shown = name[:_MAX_NAME]
                known = f"known are {', '.join(sorted(allowed))}" if allowed else "there are none here"
                self.fault(shown, "unknown_field", f"There is no field {self._path}{shown!r}; {known}.")
