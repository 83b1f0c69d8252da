"""On which days banks move a currency."""

from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import holidays


def _country(code: str, *categories: str, subdivision: str | None = None) -> Callable[[], Any]:
    return lambda: holidays.country_holidays(code, subdiv=subdivision, categories=categories or None)


# Whose calendar the large payments of a currency keep: Fedwire, T2, CHAPS, Lynx and their like.
_CALENDARS: Final[Mapping[str, Callable[[], Any]]] = MappingProxyType(
    {
        "USD": lambda: holidays.financial_holidays("XFED"),
        "EUR": lambda: holidays.financial_holidays("XECB"),
        "GBP": _country("GB", subdivision="ENG"),
        "CAD": _country("CA", "public", "government"),
        "MXN": _country("MX"),
        "CHF": _country("CH", subdivision="ZH"),
        "AUD": _country("AU", "public", "bank", subdivision="NSW"),
        "SEK": _country("SE", "public", "bank"),
        "JPY": _country("JP", "public", "bank"),
        "KWD": _country("KW"),
    }
)


@cache
def _calendar(currency: str) -> Any:
    return _CALENDARS[currency]()


def is_banking_day(currency: str, day: date) -> bool:
    """Whether large payments in the currency are settled on this day."""
    calendar = _calendar(currency)
    return day.weekday() not in calendar.weekend and day not in calendar
