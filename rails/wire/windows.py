"""When a file is made: at a cut-off on a banking day, once, within the window that follows it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from rails.wire import days
from rails.wire.configuration import DebtorAccount, WireConfiguration

_FURTHEST: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time in which one file of a currency is made, to be executed on `day` (of the bank's time zone)."""

    currency: str
    opens: datetime
    closes: datetime
    day: date


def open_window(configuration: WireConfiguration, currency: str, *, now: datetime) -> Window | None:
    """The window that is open for the currency: of two that overlap the later one."""
    account = configuration.accounts[currency]
    today = now.astimezone(account.zone).date()
    windows = [
        window
        for day in (today - timedelta(days=1), today)
        for window in _of_day(configuration, account, day)
        if window.opens <= now < window.closes
    ]
    return windows[-1] if windows else None


def next_window(configuration: WireConfiguration, currency: str, *, now: datetime) -> Window:
    """The first window that opens after this moment."""
    account = configuration.accounts[currency]
    today = now.astimezone(account.zone).date()
    for ahead in range(_FURTHEST):
        for window in _of_day(configuration, account, today + timedelta(days=ahead)):
            if window.opens > now:
                return window
    raise LookupError(f"no window for {currency} within {_FURTHEST} days")


def _of_day(configuration: WireConfiguration, account: DebtorAccount, day: date) -> list[Window]:
    if not configuration.every_day and not days.is_banking_day(account.currency, day):
        return []
    opens = [datetime.combine(day, cut_off, tzinfo=account.zone).astimezone(UTC) for cut_off in account.cut_offs]
    length = timedelta(minutes=configuration.window_minutes)
    return [Window(currency=account.currency, opens=at, closes=at + length, day=day) for at in opens]
