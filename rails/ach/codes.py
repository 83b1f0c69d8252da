"""The code tables of the NACHA format: transaction codes, standard entry classes, service classes."""

from enum import IntEnum, StrEnum
from typing import Final

# Transaction codes: account, then direction. Nacha Operating Rules, Appendix Three.
RETURN_OF_CREDIT: Final = frozenset({"21", "31", "41", "51"})
RETURN_OF_DEBIT: Final = frozenset({"26", "36", "46", "56"})
PRENOTES: Final = frozenset({"23", "28", "33", "38", "43", "48", "53"})
ZERO_DOLLAR: Final = frozenset({"24", "29", "34", "39", "44", "49", "54"})
CREDITS: Final = (
    frozenset({"22", "32", "42", "52", "23", "33", "43", "53", "24", "34", "44", "54"})
    | RETURN_OF_CREDIT
    | {"81", "83", "85", "87"}
)
DEBITS: Final = (
    frozenset({"27", "37", "47", "55", "28", "38", "48", "29", "39", "49"}) | RETURN_OF_DEBIT | {"82", "84", "86", "88"}
)
TRANSACTION_CODES: Final = CREDITS | DEBITS

# Entries that a live amount of zero is wrong in; the other classes carry informations.
DOLLAR_CLASSES: Final = frozenset(
    {"ARC", "BOC", "CCD", "CIE", "CTX", "PPD", "POP", "POS", "RCK", "SHR", "TEL", "TRC", "TRX", "WEB", "XCK", "IAT"}
)
STANDARD_ENTRY_CLASSES: Final = DOLLAR_CLASSES | {"ACK", "ADV", "ATX", "COR", "DNE", "ENR", "MTE"}

# How many addenda of type 05 an entry may have; nothing said: 9,999.
MOST_ADDENDA_05: Final = {
    "ACK": 1,
    "ARC": 0,
    "BOC": 0,
    "CCD": 1,
    "CIE": 1,
    "DNE": 1,
    "POP": 0,
    "PPD": 1,
    "RCK": 0,
    "TEL": 0,
    "TRC": 0,
    "WEB": 1,
    "XCK": 0,
}
# Classes whose entry says itself how many addenda follow, in place of the receiver's first letters.
COUNTS_ITS_ADDENDA: Final = frozenset({"CTX", "ATX", "TRX"})
TERMINAL_CLASSES: Final = frozenset({"POS", "SHR", "MTE"})


class ServiceClass(StrEnum):
    """What a batch holds."""

    MIXED = "200"
    CREDITS_ONLY = "220"
    DEBITS_ONLY = "225"
    ADVICES = "280"


class AccountType(StrEnum):
    """Whose transaction codes an entry takes."""

    CHECKING = "checking"
    SAVINGS = "savings"


class Direction(IntEnum):
    """Which way an entry moves money at the receiver's account; the value is a live entry's second digit."""

    CREDIT = 2
    DEBIT = 7


_FIRST_DIGIT: Final = {AccountType.CHECKING: 2, AccountType.SAVINGS: 3}


def transaction_code(account: AccountType, direction: Direction) -> str:
    """The code of a live entry: 22 and 27 for checking, 32 and 37 for savings."""
    return f"{_FIRST_DIGIT[account]}{direction.value}"
