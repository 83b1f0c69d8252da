"""Is this a US bank account that an ACH entry can credit?

Lengths and characters are those of an entry detail record (Nacha Operating Rules, appendix three): 17 characters of
account number, 22 of receiver's name, both printable ASCII.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from rails.routing import aba
from rails.routing.details import DestinationRefused, Details, Fault, Rule, last_digits, read_fields

MOST_NAME_CHARACTERS: Final = 22
MOST_NUMBER_CHARACTERS: Final = 17
ACCOUNT_TYPES: Final = ("checking", "savings")
# CCD pays a company, PPD a person.
SEC_CODES: Final = ("CCD", "PPD")

RULES: Final = {
    "routing_number": Rule(accepts=aba.is_routing_number, says=aba.RULE),
    "account_number": Rule(
        accepts=re.compile(r"(?=.*[1-9])[0-9A-Za-z](?:[0-9A-Za-z-]{0,15}[0-9A-Za-z])?").fullmatch,
        says=f"must be 1 to {MOST_NUMBER_CHARACTERS} digits, letters or hyphens, as the account's bank writes it",
    ),
    "account_type": Rule(accepts=ACCOUNT_TYPES.__contains__, says="must be checking or savings"),
    "holder_name": Rule(
        accepts=re.compile(r"[!-~](?:[ -~]{0,20}[!-~])?").fullmatch,
        says=f"must be 1 to {MOST_NAME_CHARACTERS} characters out of A-Z, a-z, 0-9, spaces and ASCII punctuation",
    ),
    "sec_code": Rule(accepts=SEC_CODES.__contains__, says="must be CCD (a company's account) or PPD (a person's)"),
}


def read(given: Mapping[str, Any]) -> Details:
    """The destination; raises DestinationRefused."""
    faults: list[Fault] = []
    values = read_fields(given, RULES, faults)
    if faults:
        raise DestinationRefused(faults)
    number = values.pop("account_number")
    return Details(rail="ach", shown={**values, "last4": last_digits(number)}, number=number)


def in_words(shown: Mapping[str, str]) -> str:
    """The destination on one line, its number masked."""
    account = f"{shown['account_type']} account ••{shown['last4']} at {shown['routing_number']}"
    return f"{account}, {shown['holder_name']}, {shown['sec_code']}"
