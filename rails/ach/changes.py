"""What each notification of change says about an account, and where in the corrected data it stands.

Nacha Operating Rules, Appendix Five (Notification of Change). The originator must heed a notification within six
banking days of receiving it, or before its next entry to the account, whichever is later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from rails.ach.codes import AccountType
from rails.routing.aba import is_routing_number


class Part(StrEnum):
    """What of a destination a notification changes."""

    ROUTING_NUMBER = "routing number"
    ACCOUNT_NUMBER = "account number"
    HOLDER_NAME = "holder name"
    TRANSACTION_CODE = "transaction code"
    INDIVIDUAL_ID = "individual ID number"
    FOREIGN_BANK = "receiving bank's identification"


@dataclass(frozen=True, slots=True)
class ChangeReason:
    """One code: what is to be changed, and where each part stands in the 29 characters of corrected data."""

    code: str
    title: str
    parts: Mapping[Part, slice]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class CorrectionUnreadable(ValueError):
    """The corrected data is not what its code asks for; the message never repeats it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What is to become of a destination; None or empty: stays as it is."""

    routing_number: str = ""
    account_number: str = field(default="", repr=False)
    holder_name: str = field(default="", repr=False)
    account_type: AccountType | None = None

    @property
    def changes_destination(self) -> bool:
        return bool(self.routing_number or self.account_number or self.holder_name or self.account_type)


def _at(first: int, last: int) -> slice:
    """Positions as the rules count them."""
    return slice(first - 1, last)


_P = Part
_ROUTING, _ACCOUNT = {_P.ROUTING_NUMBER: _at(1, 9)}, {_P.ACCOUNT_NUMBER: _at(1, 17)}
_TABLE: Final[tuple[tuple[str, str, dict[Part, slice]], ...]] = (
    ("C01", "Incorrect account number", _ACCOUNT),
    ("C02", "Incorrect routing number", _ROUTING),
    ("C03", "Incorrect routing number and account number", _ROUTING | {_P.ACCOUNT_NUMBER: _at(13, 29)}),
    ("C04", "Incorrect name", {_P.HOLDER_NAME: _at(1, 22)}),
    ("C05", "Incorrect transaction code", {_P.TRANSACTION_CODE: _at(1, 2)}),
    ("C06", "Incorrect account number and transaction code", _ACCOUNT | {_P.TRANSACTION_CODE: _at(21, 22)}),
    (
        "C07",
        "Incorrect routing number, account number and transaction code",
        _ROUTING | {_P.ACCOUNT_NUMBER: _at(10, 26), _P.TRANSACTION_CODE: _at(27, 28)},
    ),
    ("C08", "Incorrect receiving bank (IAT only)", {_P.FOREIGN_BANK: _at(1, 29)}),
    ("C09", "Incorrect individual ID number", {_P.INDIVIDUAL_ID: _at(1, 22)}),
    ("C13", "Addenda format error", {}),
    ("C14", "Incorrect class for an outbound international payment", {}),
)
CHANGES: Final[Mapping[str, ChangeReason]] = MappingProxyType(
    {code: ChangeReason(code, title, MappingProxyType(parts)) for code, title, parts in _TABLE}
)

# What an originating bank answers to a notification that it does not take.
REFUSED_CHANGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "C61": "Misrouted notification of change",
        "C62": "Incorrect trace number",
        "C63": "Incorrect company identification number",
        "C64": "Incorrect individual identification number",
        "C65": "Incorrectly formatted corrected data",
        "C66": "Incorrect discretionary data",
        "C67": "Routing number not from the original entry",
        "C68": "Account number not from the original entry",
        "C69": "Incorrect transaction code",
    }
)

_ACCOUNT_TYPES: Final = {"2": AccountType.CHECKING, "3": AccountType.SAVINGS}


def correction(code: str, data: str) -> Correction:
    """What the corrected data of a known code asks for.

    Raises CorrectionUnreadable when a part is missing or can not be right.
    """
    texts = {part: data.ljust(29)[place].strip(" ") for part, place in CHANGES[code].parts.items()}
    for part, text in texts.items():
        if not text:
            raise CorrectionUnreadable(f"{code} without the {part}")
    routing_number = texts.get(Part.ROUTING_NUMBER, "")
    if routing_number and not is_routing_number(routing_number):
        raise CorrectionUnreadable(f"the routing number of {code} is none")
    return Correction(
        routing_number=routing_number,
        account_number=texts.get(Part.ACCOUNT_NUMBER, ""),
        holder_name=texts.get(Part.HOLDER_NAME, ""),
        account_type=_account_type(code, texts.get(Part.TRANSACTION_CODE, "")),
    )


def _account_type(code: str, transaction_code: str) -> AccountType | None:
    if not transaction_code:
        return None
    if len(transaction_code) != 2 or transaction_code not in {"22", "23", "27", "28", "32", "33", "37", "38"}:
        raise CorrectionUnreadable(f"the transaction code of {code} is none of a checking or savings account")
    return _ACCOUNT_TYPES[transaction_code[0]]
