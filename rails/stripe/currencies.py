"""How Stripe counts an amount: in its own smallest unit, which is not always the last digit of the currency.

https://docs.stripe.com/currencies#zero-decimal, #three-decimal and #special-case. Three-decimal currencies take
amounts whose last digit is 0. HUF, TWD, UGX and ISK are special as well; whoever supports one of them adds its line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rails.money import EXPONENTS, Money


@dataclass(frozen=True, slots=True)
class Unit:
    """Digits after the point of Stripe's integer, and of what that integer has to be a multiple."""

    digits: int
    multiple_of: int = 1


UNITS: Final[Mapping[str, Unit]] = {
    "USD": Unit(2),
    "EUR": Unit(2),
    "GBP": Unit(2),
    "CAD": Unit(2),
    "MXN": Unit(2),
    "CHF": Unit(2),
    "AUD": Unit(2),
    "SEK": Unit(2),
    "JPY": Unit(0),
    "KWD": Unit(3, multiple_of=10),
}


class NotStripes(ValueError):
    """An amount, or a currency, that Stripe can not express."""


def cannot_pay(amount: Money) -> str:
    """Why Stripe can never pay the amount, as the end of a sentence; empty when it can."""
    if never := cannot_pay_in(amount.currency):
        return never
    scaled, rest = _scaled(amount, UNITS[amount.currency])
    if rest or scaled % UNITS[amount.currency].multiple_of:
        return f"Stripe pays {amount.currency} in steps of {step(amount.currency)}"
    return ""


def cannot_pay_in(currency: str) -> str:
    """Why Stripe never pays the currency, as the end of a sentence; empty when it does."""
    return "" if currency in UNITS else f"Stripe does not pay {currency}"


def step(currency: str) -> Money:
    """The least amount of a currency of Stripe's; all others that it pays are multiples of it."""
    unit = UNITS[currency]
    return Money(unit.multiple_of * int(10 ** max(EXPONENTS[currency] - unit.digits, 0)), currency)


def to_stripe(amount: Money) -> tuple[int, str]:
    """Stripe's integer and its word for the currency. Raises NotStripes."""
    obstacle = cannot_pay(amount)
    if obstacle:
        raise NotStripes(f"{amount}: {obstacle}")
    return _scaled(amount, UNITS[amount.currency])[0], amount.currency.lower()


def from_stripe(integer: int, currency: str) -> Money:
    """The amount behind Stripe's integer. Raises NotStripes for a currency that we do not keep."""
    code = currency.upper()
    if code not in UNITS:
        raise NotStripes(f"{currency!r} is no currency of ours")
    lacking = EXPONENTS[code] - UNITS[code].digits
    minor, rest = divmod(integer * int(10 ** max(lacking, 0)), int(10 ** max(-lacking, 0)))
    if rest:
        raise NotStripes(f"{integer} {currency} is a fraction of our unit")
    return Money(minor, code)


def _scaled(amount: Money, unit: Unit) -> tuple[int, int]:
    surplus = amount.exponent - unit.digits
    return divmod(amount.minor * int(10 ** max(-surplus, 0)), int(10 ** max(surplus, 0)))
