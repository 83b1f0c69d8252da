"""What an amount of money is: whole minor units of one ISO 4217 currency, never a float."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Self

# Digits after the decimal point, ISO 4217 (a test compares them with two maintained libraries).
EXPONENTS: Final[Mapping[str, int]] = MappingProxyType(
    {"USD": 2, "EUR": 2, "GBP": 2, "CAD": 2, "MXN": 2, "CHF": 2, "AUD": 2, "SEK": 2, "JPY": 0, "KWD": 3}
)
MAX_MAJOR: Final = Decimal("99999999999.99")

# Every code of a MoneyError, and what it says.
REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "amount_missing": "The amount is null or absent.",
        "amount_not_a_number": "The amount is neither a finite number nor a text in plain digits, like `10000.00`.",
        "amount_not_positive": "The amount is zero or negative.",
        "amount_too_precise": "The amount has more digits than its currency; zeros at the end do not count.",
        "amount_too_large": f"The amount is more than {MAX_MAJOR:,}.",
        "amount_too_long": "The amount has more than 64 digits or characters.",
        "currency_missing": "The currency is null; leave it out for USD.",
        "currency_unknown": "The currency is not supported, or not in upper case.",
    }
)

_MAX_WHOLE: Final = int(MAX_MAJOR)
# The largest amount there is, in minor units.
MAX_MINOR: Final = {currency: int(MAX_MAJOR.scaleb(exponent)) for currency, exponent in EXPONENTS.items()}
_MAX_ADJUSTED: Final = MAX_MAJOR.adjusted()
_MIN_ADJUSTED: Final = -20  # far below any currency's last digit
_MAX_DIGITS: Final = 64  # trailing zeros are welcome, thousands of them are not
_MAX_SHARE_DIGITS: Final = 18
_PLAIN_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)


class MoneyError(ValueError):
    """An amount or currency that is refused; `code` is stable, `field` is "amount" or "currency"."""

    def __init__(self, code: str, detail: str, *, field: str = "amount") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field


class CurrencyMismatch(TypeError):
    """Arithmetic or comparison across two currencies."""


class SharesNotWhole(ValueError):
    """Shares that are negative, not finite, too finely divided, or do not sum to exactly 1."""


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount; `minor` counts minor units (cents, yen, fils) and may be negative in a balance."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are an int, not {type(self.minor).__name__}")
        exponent_of(self.currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        """No money, in a currency."""
        return cls(0, currency)

    @classmethod
    def from_major(cls, amount: Decimal | int | str, currency: str) -> Self:
        """The positive amount written in major units, exactly; TypeError for a float or bool, else MoneyError."""
        if type(amount) is not int and not isinstance(amount, Decimal | str):
            raise TypeError(f"an amount is a Decimal, int or str, not {type(amount).__name__}")
        return cls.parse(amount, currency)

    @classmethod
    def parse(cls, raw: object, currency: object) -> Self:
        """The amount a client sent, as decoded from JSON with Decimals for numbers; raises MoneyError.

        A finite float raises TypeError: it is a decoder's mistake, not a client's.
        """
        code = parse_currency(currency)
        minor = _minor_units(_as_decimal(raw), code)
        return cls(minor, code)

    @property
    def exponent(self) -> int:
        """How many digits the currency has after the point."""
        return EXPONENTS[self.currency]

    @property
    def major(self) -> Decimal:
        """The amount in major units with the currency's digits: Decimal("10000.00")."""
        return Decimal(self.text)

    @property
    def text(self) -> str:
        """The amount in major units with the currency's digits: "10000.00", "10000" JPY, "1.234" KWD."""
        sign, digits = ("-" if self.minor < 0 else ""), self.exponent
        if digits == 0:
            return f"{sign}{abs(self.minor)}"
        whole, rest = divmod(abs(self.minor), 10**digits)
        return f"{sign}{whole}.{rest:0{digits}d}"

    def allocate(self, shares: Sequence[Decimal]) -> "tuple[Money, ...]":
        """This amount cut by shares, largest remainder first, ties by position; the parts sum to it exactly.

        A share of zero gets nothing. Raises SharesNotWhole unless the shares are in 0..1 and sum to exactly 1.
        """
        if self.minor < 0:
            raise ValueError("a negative amount has no shares")
        weights, whole = _weights(shares)
        floors = [divmod(self.minor * weight, whole) for weight in weights]
        parts = [part for part, _ in floors]
        # Fewer units are left over than there are parts with a remainder, so a zero share never gets one.
        by_remainder = sorted(range(len(floors)), key=lambda position: (-floors[position][1], position))
        for position in by_remainder[: self.minor - sum(parts)]:
            parts[position] += 1
        return tuple(Money(part, self.currency) for part in parts)

    def __str__(self) -> str:
        return f"{self.text} {self.currency}"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.minor >= self._same(other)

    def _same(self, other: object) -> int:
        if not isinstance(other, Money):
            raise TypeError(f"money goes with money, not with {type(other).__name__}")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix")
        return other.minor


def exponent_of(currency: str) -> int:
    """How many digits a currency has after the point; raises MoneyError for one that is not supported."""
    return EXPONENTS[parse_currency(currency)]


def parse_currency(raw: object) -> str:
    """The supported currency code a client sent, upper case as ISO 4217 writes it; raises MoneyError."""
    if raw is None:
        raise MoneyError("currency_missing", "The currency is missing.", field="currency")
    if isinstance(raw, str) and raw in EXPONENTS:
        return raw
    known = ", ".join(EXPONENTS)
    if isinstance(raw, str) and raw.isascii() and raw.upper() in EXPONENTS:
        detail = f"Currency codes are upper case: write {raw.upper()}."
    else:
        detail = f"The currency is not supported; the supported ones are {known}."
    raise MoneyError("currency_unknown", detail, field="currency")


def _as_decimal(raw: object) -> Decimal:
    if raw is None:
        raise MoneyError("amount_missing", "The amount is missing.")
    if isinstance(raw, float) and raw - raw == 0:
        raise TypeError("amounts are decoded as Decimal, never as float")
    if isinstance(raw, Decimal):
        return raw
    if type(raw) is int:
        # Compared before it is converted: turning thousands of digits into decimal is quadratic.
        if abs(raw) > _MAX_WHOLE:
            raise _not_positive() if raw < 0 else _too_large()
        return Decimal(raw)
    if not isinstance(raw, str):
        raise MoneyError("amount_not_a_number", "The amount must be a number.")
    if len(raw) > _MAX_DIGITS:
        raise MoneyError("amount_too_long", f"The amount has more than {_MAX_DIGITS} characters.")
    if raw.startswith("-") and _PLAIN_NUMBER.fullmatch(raw[1:]):
        raise _not_positive()
    if not _PLAIN_NUMBER.fullmatch(raw):
        raise MoneyError("amount_not_a_number", 'The amount must be written in plain digits, like "10000.00".')
    return Decimal(raw)


def _minor_units(value: Decimal, currency: str) -> int:
    """Exact minor units; size is judged by the exponent first, so 1e999999999 costs nothing."""
    if not value.is_finite():
        raise MoneyError("amount_not_a_number", "The amount must be a finite number.")
    if value.is_zero() or value.is_signed():
        raise _not_positive()
    if value.adjusted() > _MAX_ADJUSTED:
        raise _too_large()
    exponent = EXPONENTS[currency]
    if value.adjusted() < _MIN_ADJUSTED:
        raise _too_precise(currency, exponent)
    digits, scale = _digits_and_scale(value)
    shift = scale + exponent
    multiplier: int = 10 ** max(shift, 0)
    divisor: int = 10 ** max(-shift, 0)
    minor, rest = divmod(digits * multiplier, divisor)
    if rest:
        raise _too_precise(currency, exponent)
    if minor > MAX_MINOR[currency]:
        raise _too_large()
    return minor


def _digits_and_scale(value: Decimal) -> tuple[int, int]:
    """A finite, unsigned Decimal as (digits, scale): digits * 10 ** scale."""
    parts = value.as_tuple()
    if len(parts.digits) > _MAX_DIGITS:
        raise MoneyError("amount_too_long", f"The amount has more than {_MAX_DIGITS} digits.")
    scale = parts.exponent
    if not isinstance(scale, int):
        raise MoneyError("amount_not_a_number", "The amount must be a finite number.")
    digits = 0
    for digit in parts.digits:
        digits = digits * 10 + digit
    return digits, scale


def _weights(shares: Sequence[Decimal]) -> tuple[list[int], int]:
    """Shares as integers over one common denominator; refuses what does not sum to exactly 1."""
    pairs = [_digits_and_scale(_checked_share(share)) for share in shares]
    places = max((-scale for _, scale in pairs), default=0)
    places = max(places, 0)
    weights, whole = [digits * 10 ** (places + scale) for digits, scale in pairs], 10**places
    if sum(weights) != whole:
        raise SharesNotWhole("the shares must sum to exactly 1")
    return weights, whole


def _checked_share(share: Decimal) -> Decimal:
    if not isinstance(share, Decimal):
        raise TypeError(f"a share is a Decimal, not {type(share).__name__}")
    if not share.is_finite() or share.is_signed() or share > 1:
        raise SharesNotWhole("a share must be between 0 and 1")
    if share.is_zero():
        return Decimal(0)
    if share.adjusted() < -_MAX_SHARE_DIGITS or len(share.as_tuple().digits) > _MAX_SHARE_DIGITS:
        raise SharesNotWhole(f"a share has at most {_MAX_SHARE_DIGITS} digits")
    return share


def _not_positive() -> MoneyError:
    return MoneyError("amount_not_positive", "The amount must be greater than zero.")


def _too_large() -> MoneyError:
    return MoneyError("amount_too_large", f"The amount must not be more than {MAX_MAJOR:,}.")


def _too_precise(currency: str, exponent: int) -> MoneyError:
    most = f"at most {exponent}" if exponent else "no"
    return MoneyError("amount_too_precise", f"{currency} amounts have {most} digits after the point.")
