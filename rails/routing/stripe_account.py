"""Is this a connected account of Stripe?"""

import re
from collections.abc import Mapping
from typing import Any, Final

from rails.routing.details import DestinationRefused, Details, Fault, Rule, read_fields

RULES: Final = {
    "account": Rule(
        accepts=re.compile(r"acct_[0-9A-Za-z]{8,60}").fullmatch,
        says="must be the id of a Stripe connected account, like acct_1032D82eZvKYlo2C",
    )
}


def read(given: Mapping[str, Any]) -> Details:
    """The destination; raises DestinationRefused."""
    faults: list[Fault] = []
    values = read_fields(given, RULES, faults)
    if faults:
        raise DestinationRefused(faults)
    return Details(rail="stripe", shown=values, number=values["account"])


def in_words(shown: Mapping[str, str]) -> str:
    """The destination on one line."""
    return shown["account"]
