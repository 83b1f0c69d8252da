"""Is this an account that a wire can credit: IBAN and BIC, a US account by Fedwire, or an account number and BIC?

Lengths are those of pain.001.001.09 (Max34Text, Max140Text, PostalAddress24); characters are those that SWIFT carries
(character set X), for banks on the way replace or refuse others. Name, town and country of the creditor are demanded
by the travel rule and by the structured addresses of CBPR+.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import pycountry
from schwifty import BIC, IBAN
from schwifty.exceptions import InvalidCountryCode
from schwifty.registry import get_iban_spec

from rails.routing import aba
from rails.routing.details import DestinationRefused, Details, Fault, Rule, last_digits, read_fields

_X: Final = r"[0-9A-Za-z/?:().,'+-]"
_CHARACTERS: Final = "characters out of A-Z, a-z, 0-9, spaces and / - ? : ( ) . , ' +"
# Territories whose banks have BICs of their own country and IBANs of another (EPC409-09, ISO 13616 registry).
_BIC_COUNTRIES_OF_IBANS: Final = {
    "GB": frozenset({"GB", "GG", "IM", "JE"}),
    "FR": frozenset({"FR", "BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT", "MC"}),
    "FI": frozenset({"FI", "AX"}),
    "ES": frozenset({"ES", "IC", "EA"}),
}


def _visible(longest: int) -> Rule:
    pattern = re.compile(rf"{_X}(?:(?:{_X}| ){{0,{longest - 2}}}{_X})?")
    return Rule(accepts=pattern.fullmatch, says=f"must be 1 to {longest} {_CHARACTERS}")


def _optional(rule: Rule, *, compact: bool = False) -> Rule:
    return Rule(accepts=rule.accepts, says=rule.says, required=False, compact=compact)


def _is_bic(text: str) -> bool:
    # The banks' part is letters: SWIFT has given out no digits there.
    return text[:4].isalpha() and text.isascii() and BIC(text, allow_invalid=True).is_valid


def _is_iban(text: str) -> bool:
    return text.isascii() and IBAN(text, allow_invalid=True, validate_bban=False).is_valid


def _is_country(text: str) -> bool:
    return text.isascii() and text.isupper() and pycountry.countries.get(alpha_2=text) is not None


def _has_ibans(country: str) -> bool:
    """Whether the country's banks are in the IBAN registry of ISO 13616."""
    try:
        return not get_iban_spec(country).aspirational
    except InvalidCountryCode:
        return False


RULES: Final = {
    "iban": _optional(
        Rule(accepts=_is_iban, says="must be an IBAN whose length and check digits are right"), compact=True
    ),
    "bic": _optional(Rule(accepts=_is_bic, says="must be a BIC of 8 or 11 characters"), compact=True),
    "routing_number": _optional(Rule(accepts=aba.is_routing_number, says=aba.RULE)),
    "account_number": _optional(
        Rule(
            accepts=re.compile(r"(?=.*[1-9])[0-9A-Za-z](?:[0-9A-Za-z-]{0,32}[0-9A-Za-z])?").fullmatch,
            says="must be 1 to 34 digits, letters or hyphens, as the account's bank writes it",
        )
    ),
    "creditor_name": _visible(140),
    "street": _optional(_visible(70)),
    "building_number": _optional(_visible(16)),
    "postal_code": _optional(_visible(16)),
    "town": _visible(35),
    "country": Rule(accepts=_is_country, says="must be a country's two letters of ISO 3166, like DE"),
}


def read(given: Mapping[str, Any]) -> Details:
    """The destination; raises DestinationRefused."""
    faults: list[Fault] = []
    values = read_fields(given, RULES, faults)
    if not faults:
        faults.extend(_of_the_account(values))
    if faults:
        raise DestinationRefused(faults)
    kind = "iban" if "iban" in values else "account_number"
    number = values.pop(kind)
    return Details(rail="wire", shown={**values, "number_kind": kind, "last4": last_digits(number)}, number=number)


def in_words(shown: Mapping[str, str]) -> str:
    """The destination on one line, its number masked."""
    kind = "IBAN" if shown["number_kind"] == "iban" else "account"
    bank = shown.get("bic") or shown["routing_number"]
    return f"{kind} ••{shown['last4']} at {bank}, {shown['creditor_name']}, {shown['town']} {shown['country']}"


def _of_the_account(values: Mapping[str, str]) -> list[Fault]:
    """How the account's fields go together."""
    given = {name for name in ("iban", "bic", "routing_number", "account_number") if name in values}
    if given not in ({"iban", "bic"}, {"routing_number", "account_number"}, {"bic", "account_number"}):
        together = (
            "A wire names iban and bic, or routing_number and account_number (Fedwire), or bic and account_number"
        )
        return [Fault("iban" if "iban" in given else "account_number", "account_ambiguous", f"{together}.")]
    if "iban" in given:
        country, bank = values["iban"][:2], values["bic"][4:6]
        if bank not in _BIC_COUNTRIES_OF_IBANS.get(country, {country}):
            return [Fault("bic", "bic_invalid", f"bic is of a bank in {bank}, but the IBAN is of {country}.")]
    elif "bic" in given and _has_ibans(values["bic"][4:6]):
        bank = values["bic"][4:6]
        return [Fault("account_number", "account_number_invalid", f"Banks in {bank} are paid by iban, not by number.")]
    return []
