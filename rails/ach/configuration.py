"""What an installation must know to pay by ACH: where files go, who pays, from which account and by when."""

import re
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Final

from rails.ach.calendar import Timetable
from rails.ach.codes import AccountType
from rails.ach.writer import plain
from rails.money import Money
from rails.routing.aba import is_routing_number

SAME_DAY_LIMIT: Final = Money(100_000_000, "USD")  # Nacha's, per entry, since March 2022
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_MOST_CUT_OFFS: Final = 36  # as many files as a day has modifiers


class ConfigurationRefused(ValueError):
    """A setting that is wrong, in words that follow its name and repeat no account number."""

    def __init__(self, setting: str, words: str) -> None:
        super().__init__(f"{setting} {words}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetAccount:
    """Our own account, from which a file's payments are taken."""

    routing_number: str
    account_number: str = field(repr=False)
    account_type: AccountType


@dataclass(frozen=True, slots=True, kw_only=True)
class AchConfiguration:
    """Everything the rail needs; checked when it is made. Raises ConfigurationRefused."""

    outbox: Path
    inbox: Path
    company_name: str
    company_id: str
    odfi: str
    immediate_origin: str
    immediate_origin_name: str
    immediate_destination: str
    immediate_destination_name: str
    offset: OffsetAccount
    timetable: Timetable
    same_day_limit: Money = SAME_DAY_LIMIT
    settled_after_days: int = 3

    def __post_init__(self) -> None:
        self._check_directories()
        self._check_numbers_and_names()
        if self.same_day_limit.currency != "USD" or self.same_day_limit.minor <= 0:
            raise ConfigurationRefused("CHAINPAY_ACH_SAME_DAY_LIMIT", "must be an amount of US dollars")
        if not self.timetable.cut_offs:
            raise ConfigurationRefused("CHAINPAY_ACH_CUT_OFFS", "must name at least one time of day")
        if set(self.timetable.cut_offs) & set(self.timetable.same_day_cut_offs):
            raise ConfigurationRefused("CHAINPAY_ACH_SAME_DAY_CUT_OFFS", "must differ from CHAINPAY_ACH_CUT_OFFS")

    def _check_directories(self) -> None:
        for directory, name in ((self.outbox, "ACH_OUTBOX_DIR"), (self.inbox, "ACH_INBOX_DIR")):
            if not directory.is_absolute():
                raise ConfigurationRefused(name, "must be an absolute path")
        if self.outbox.resolve() == self.inbox.resolve():
            raise ConfigurationRefused("ACH_INBOX_DIR", "must be another directory than ACH_OUTBOX_DIR")

    def _check_numbers_and_names(self) -> None:
        for number, name in ((self.odfi, "ACH_ODFI_ROUTING"), (self.offset.routing_number, "ACH_OFFSET_ROUTING")):
            if not is_routing_number(number):
                raise ConfigurationRefused(name, "must be a routing number: nine digits, the last of them right")
        for text, name, most in (
            (self.company_name, "ACH_COMPANY_NAME", 16),
            (self.company_id, "ACH_COMPANY_ID", 10),
            (self.immediate_origin, "ACH_IMMEDIATE_ORIGIN", 10),
            (self.immediate_origin_name, "ACH_IMMEDIATE_ORIGIN_NAME", 23),
            (self.immediate_destination, "ACH_IMMEDIATE_DESTINATION", 10),
            (self.immediate_destination_name, "ACH_IMMEDIATE_DESTINATION_NAME", 23),
            (self.offset.account_number, "ACH_OFFSET_ACCOUNT", 17),
        ):
            if not text or plain(text) != text or len(text) > most:
                raise ConfigurationRefused(name, f"must be 1 to {most} characters of plain ASCII")


def cut_offs(setting: str, text: str) -> tuple[time, ...]:
    """Times of day written `10:00,14:30`, in order. Raises ConfigurationRefused."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    found = [_TIME.fullmatch(word) for word in words]
    times = sorted({time(int(match[1]), int(match[2])) for match in found if match})
    if len(times) != len(words) or len(times) > _MOST_CUT_OFFS:
        raise ConfigurationRefused(setting, f"must be up to {_MOST_CUT_OFFS} different times of day, like 10:00,14:30")
    return tuple(times)
