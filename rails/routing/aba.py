"""Is this an ABA routing number that takes payments?

Nine digits: the first two name a Federal Reserve district, the last one checks the others (ABA Key to Routing Numbers;
the check digit's weights 3, 7, 1 are in Nacha's rules, appendix three).
"""

from typing import Final

# Federal Reserve districts of banks, of thrifts (district + 20), and of electronic transactions (district + 60).
# 00 is the US Treasury and 80 traveller's cheques: neither keeps an account that a payee could have.
_PREFIXES: Final = frozenset(f"{district:02}" for first in (1, 21, 61) for district in range(first, first + 12))
_WEIGHTS: Final = (3, 7, 1, 3, 7, 1, 3, 7)

RULE: Final = "must be an ABA routing number: nine digits, of a Federal Reserve district, whose check digit is right"


def check_digit(first_eight: str) -> int:
    """The ninth digit that belongs to eight digits."""
    return -sum(int(digit) * weight for digit, weight in zip(first_eight, _WEIGHTS, strict=True)) % 10


def is_routing_number(text: str) -> bool:
    """Whether the number can be one of a bank that takes payments for its customers."""
    if len(text) != 9 or not (text.isascii() and text.isdigit()) or text[:2] not in _PREFIXES:
        return False
    return check_digit(text[:8]) == int(text[8])
