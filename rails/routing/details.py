"""What a destination is: what of it may be shown, and the number that may not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_MAX_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field; neither code nor detail repeats its value."""

    field: str
    code: str
    detail: str


class DestinationRefused(ValueError):
    """A destination that no bank would take: every fault that was found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.detail for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """A destination for one rail that passed its checks.

    `shown` may be seen by anybody who sees the recipient; `number` is the account number, IBAN or Stripe account.
    """

    rail: str
    shown: Mapping[str, str]
    number: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One field: whether a text can stand in it, and that rule in words ("must be ...")."""

    accepts: Callable[[str], object]
    says: str
    required: bool = True
    compact: bool = False  # people write spaces into it, and small letters


def read_fields(given: Mapping[str, Any], rules: Mapping[str, Rule], faults: list[Fault]) -> dict[str, str]:
    """The fields that are there and right, by name; what is wrong with the others is added to `faults`."""
    for name in given:
        if name not in rules:
            known = ", ".join(sorted(rules))
            faults.append(
                Fault(name[:_MAX_NAME], "unknown_field", f"There is no field {name[:_MAX_NAME]!r}; known are {known}.")
            )
    values: dict[str, str] = {}
    for name, rule in rules.items():
        value = given.get(name)
        if value is None:
            if rule.required:
                faults.append(Fault(name, f"{name}_missing", f"{name} is missing: it {rule.says}."))
            continue
        text = "".join(value.split()).upper() if rule.compact and isinstance(value, str) else value
        if isinstance(text, str) and rule.accepts(text):
            values[name] = text
        else:
            faults.append(Fault(name, f"{name}_invalid", f"{name} {rule.says}."))
    return values


def last_digits(number: str) -> str:
    """The end of a number by which its owner knows it: four characters, fewer of a number that is hardly longer."""
    return number[-4:] if len(number) >= 8 else number[-2:] if len(number) >= 4 else ""
