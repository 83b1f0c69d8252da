"""What the environment says about paying by ACH; nothing unless `ACH_OUTBOX_DIR` is set, or in the demo."""

from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured

from rails.ach.calendar import Timetable
from rails.ach.codes import AccountType
from rails.ach.configuration import AchConfiguration, ConfigurationRefused, OffsetAccount, cut_offs
from rails.money import Money, MoneyError

_EVERY_HOUR: Final = ",".join(f"{hour:02}:00" for hour in range(24))
# A company and a bank that do not exist, with a file every hour of every day: for the demo.
_DEMO: Final = {
    "ACH_COMPANY_NAME": "ChainPay Demo",
    "ACH_COMPANY_ID": "1999999999",
    "ACH_ODFI_ROUTING": "021000021",
    "ACH_IMMEDIATE_DESTINATION_NAME": "Demo Bank",
    "ACH_OFFSET_ACCOUNT": "4412345678",
    "CHAINPAY_ACH_CUT_OFFS": _EVERY_HOUR,
    "CHAINPAY_ACH_WINDOW_MINUTES": "60",
    "CHAINPAY_ACH_CALENDAR": "every-day",
}


def read(env: environ.Env, var: Path, *, demo: bool) -> AchConfiguration | None:
    """Raises ImproperlyConfigured, naming the variable; account numbers are not repeated."""
    set_up = bool(_text(env, "ACH_OUTBOX_DIR"))
    if not set_up and not demo:
        return None
    given = _Given(env, {} if set_up else _DEMO)
    try:
        return _configuration(given, _directories(given, var, set_up=set_up))
    except ConfigurationRefused as error:
        raise ImproperlyConfigured(f"{error}.") from None


class _Given:
    """What the environment says, and where it is silent the demo."""

    def __init__(self, env: environ.Env, otherwise: dict[str, str]) -> None:
        self._env = env
        self._otherwise = otherwise

    def text(self, name: str, default: str = "") -> str:
        return _text(self._env, name) or self._otherwise.get(name, default)

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        word = self.text(name, str(default))
        if not (word.isascii() and word.isdigit() and len(word) <= 6 and lowest <= int(word) <= highest):
            raise ConfigurationRefused(name, f"must be a whole number from {lowest} to {highest}, not {word!r}")
        return int(word)

    def choice(self, name: str, default: str, words: tuple[str, ...]) -> str:
        word = self.text(name, default).lower()
        if word not in words:
            raise ConfigurationRefused(name, f"must be {' or '.join(words)}, not {word!r}")
        return word


def _text(env: environ.Env, name: str) -> str:
    return str(env.str(name, default="")).strip()


def _directories(given: _Given, var: Path, *, set_up: bool) -> tuple[Path, Path]:
    """Those of the demo are made here: they are nobody's mount."""
    if set_up:
        return Path(given.text("ACH_OUTBOX_DIR")), Path(given.text("ACH_INBOX_DIR"))
    outbox, inbox = var / "ach" / "outbox", var / "ach" / "inbox"
    for place in (outbox, inbox):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return outbox, inbox


def _configuration(given: _Given, directories: tuple[Path, Path]) -> AchConfiguration:
    outbox, inbox = directories
    company_name, company_id = given.text("ACH_COMPANY_NAME"), given.text("ACH_COMPANY_ID")
    odfi = given.text("ACH_ODFI_ROUTING")
    account_type = given.choice("ACH_OFFSET_ACCOUNT_TYPE", "checking", tuple(AccountType))
    return AchConfiguration(
        outbox=outbox,
        inbox=inbox,
        company_name=company_name,
        company_id=company_id,
        odfi=odfi,
        immediate_origin=given.text("ACH_IMMEDIATE_ORIGIN", company_id),
        immediate_origin_name=given.text("ACH_IMMEDIATE_ORIGIN_NAME", company_name),
        immediate_destination=given.text("ACH_IMMEDIATE_DESTINATION", odfi),
        immediate_destination_name=given.text("ACH_IMMEDIATE_DESTINATION_NAME"),
        offset=OffsetAccount(
            routing_number=given.text("ACH_OFFSET_ROUTING", odfi),
            account_number=given.text("ACH_OFFSET_ACCOUNT"),
            account_type=AccountType(account_type),
        ),
        timetable=Timetable(
            zone=_zone(given.text("CHAINPAY_ACH_TIME_ZONE", "America/New_York")),
            cut_offs=_times(given, "CHAINPAY_ACH_CUT_OFFS", "17:00"),
            same_day_cut_offs=_times(given, "CHAINPAY_ACH_SAME_DAY_CUT_OFFS", ""),
            open_for=timedelta(minutes=given.number("CHAINPAY_ACH_WINDOW_MINUTES", 120, 1, 720)),
            every_day=given.choice("CHAINPAY_ACH_CALENDAR", "banking", ("banking", "every-day")) == "every-day",
        ),
        same_day_limit=_limit(given.text("CHAINPAY_ACH_SAME_DAY_LIMIT", "1000000.00")),
        settled_after_days=given.number("CHAINPAY_ACH_SETTLED_AFTER_DAYS", 3, 1, 60),
    )


def _times(given: _Given, name: str, default: str) -> tuple[time, ...]:
    return cut_offs(name, given.text(name, default))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):
        raise ConfigurationRefused("CHAINPAY_ACH_TIME_ZONE", f"must be like America/New_York, not {name!r}") from None


def _limit(text: str) -> Money:
    try:
        return Money.from_major(Decimal(text), "USD")
    except (MoneyError, ArithmeticError):
        words = f"must be an amount of US dollars like 1000000.00, not {text!r}"
        raise ConfigurationRefused("CHAINPAY_ACH_SAME_DAY_LIMIT", words) from None
