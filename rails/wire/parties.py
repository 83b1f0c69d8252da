"""Who is party to a wire and which account is meant, as a payment file has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A name and a structured postal address; town and country are always there (CBPR+)."""

    name: str
    town: str
    country: str
    street: str = ""
    building_number: str = ""
    postal_code: str = ""

    @classmethod
    def of(cls, shown: Mapping[str, str]) -> Self:
        """Out of what may be shown of a wire destination."""
        return cls(
            name=shown["creditor_name"],
            town=shown["town"],
            country=shown["country"],
            street=shown.get("street", ""),
            building_number=shown.get("building_number", ""),
            postal_code=shown.get("postal_code", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccount:
    """An account by its number at a bank by its BIC or its ABA routing number; the number is never printed."""

    number: str = field(repr=False)
    is_iban: bool
    bic: str = ""
    routing_number: str = ""

    @classmethod
    def of(cls, shown: Mapping[str, str], number: str) -> Self:
        """Out of what may be shown of a wire destination, and the number that may not."""
        return cls(
            number=number,
            is_iban=shown["number_kind"] == "iban",
            bic=shown.get("bic", ""),
            routing_number=shown.get("routing_number", ""),
        )
