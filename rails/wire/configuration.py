"""What an installation must know to pay by wire: where files go, who pays, from which account and by when."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rails.money import EXPONENTS
from rails.routing import wire_account
from rails.routing.details import DestinationRefused
from rails.wire.parties import BankAccount, Party

CHARGES: Final = ("SHAR", "DEBT", "SLEV")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_MOST_CUT_OFFS: Final = 288


class ConfigurationRefused(ValueError):
    """A setting that is wrong, in a sentence that repeats no account number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtorAccount:
    """Our account in one currency, and when the files that pay from it are made.

    `cut_offs` are times of day in `zone`, ascending; `charges` says who pays the banks (ChargeBearerType1Code).
    """

    currency: str
    account: BankAccount
    cut_offs: tuple[time, ...]
    zone: ZoneInfo
    charges: str = "SHAR"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireConfiguration:
    """Everything the rail needs. `every_day` takes weekends and holidays for banking days (a bank of one's own)."""

    outbox: Path
    inbox: Path | None
    debtor: Party
    accounts: Mapping[str, DebtorAccount] = field(repr=False)
    window_minutes: int = 60
    every_day: bool = False

    @classmethod
    def read(
        cls,
        *,
        outbox: Path,
        inbox: Path | None,
        debtor: object,
        accounts: object,
        window_minutes: int,
        every_day: bool,
    ) -> Self:
        """Out of decoded JSON: who pays (name, street, building_number, postal_code, town, country), and by currency
        from where (iban and bic, or account_number and routing_number or bic; cut_offs, time_zone, charges).

        Raises ConfigurationRefused.
        """
        who, where = _object(debtor, "the debtor"), _object(accounts, "the accounts")
        if not where:
            raise ConfigurationRefused("there is no account to pay from")
        read = {currency: _account(currency, _object(given, currency), who) for currency, given in where.items()}
        return cls(
            outbox=outbox,
            inbox=inbox,
            debtor=next(iter(read.values()))[0],
            accounts=MappingProxyType({currency: account for currency, (_, account) in read.items()}),
            window_minutes=window_minutes,
            every_day=every_day,
        )


def _object(given: object, what: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ConfigurationRefused(f"{what} must be a JSON object")
    return given


def _account(currency: str, given: Mapping[str, Any], debtor: Mapping[str, Any]) -> tuple[Party, DebtorAccount]:
    """Held against the same rules as an account that we pay to."""
    if currency not in EXPONENTS:
        raise ConfigurationRefused(f"{currency} is none of {', '.join(EXPONENTS)}")
    of_the_bank = {name: value for name, value in given.items() if name in _OF_THE_BANK}
    unknown = set(given) - _OF_THE_BANK - {"cut_offs", "time_zone", "charges"}
    if unknown:
        raise ConfigurationRefused(f"{currency} has no setting {min(unknown)!r}")
    party = {"creditor_name" if name == "name" else name: value for name, value in debtor.items()}
    try:
        details = wire_account.read({**party, **of_the_bank})
    except DestinationRefused as refused:
        words = "; ".join(fault.detail for fault in refused.faults).replace("creditor_name", "name")
        raise ConfigurationRefused(f"{currency}: {words}") from None
    charges = given.get("charges", "SHAR")
    if charges not in CHARGES:
        raise ConfigurationRefused(f"{currency}: charges must be one of {', '.join(CHARGES)}")
    return Party.of(details.shown), DebtorAccount(
        currency=currency,
        account=BankAccount.of(details.shown, details.number),
        cut_offs=_cut_offs(currency, given.get("cut_offs", ["16:00"])),
        zone=_zone(currency, given.get("time_zone", "America/New_York")),
        charges=charges,
    )


_OF_THE_BANK: Final = frozenset({"iban", "bic", "routing_number", "account_number"})


def _cut_offs(currency: str, given: object) -> tuple[time, ...]:
    words = given if isinstance(given, list) else []
    found = [_TIME.fullmatch(word) if isinstance(word, str) else None for word in words]
    times = sorted({time(int(match[1]), int(match[2])) for match in found if match})
    if not 1 <= len(times) == len(words) <= _MOST_CUT_OFFS:
        raise ConfigurationRefused(f'{currency}: cut_offs must be different times of day, like ["11:00", "16:30"]')
    return tuple(times)


def _zone(currency: str, name: object) -> ZoneInfo:
    try:
        return ZoneInfo(name if isinstance(name, str) else "")
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):
        raise ConfigurationRefused(f"{currency}: time_zone must be like America/New_York") from None
