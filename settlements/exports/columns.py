"""What a column of an export is, and the SQL that writes its cells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from rails.money import EXPONENTS
from settlements.exports.cells import inert_sql


class Kind(Enum):
    """How cells are written. TEXT may come from anybody: it is quoted and inert; everything else is ours."""

    TEXT = auto()
    WORD = auto()
    NUMBER = auto()
    AMOUNT = auto()
    TIME = auto()
    HASH = auto()
    BOOLEAN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A documented name, and the SQL expression of its value; an amount's is in minor units.

    `currency` is the expression that an amount's digits come from.
    """

    name: str
    kind: Kind
    sql: str
    says: str
    currency: str = ""

    @property
    def cell(self) -> str:
        """The SQL of the cell, with the column's name. Empty texts become nothing, as missing ones are."""
        return f'{_WRITTEN[self.kind](self)} AS "{self.name}"'


def text(name: str, sql: str, says: str) -> Column:
    """Somebody's text."""
    return Column(name=name, kind=Kind.TEXT, sql=sql, says=says)


def word(name: str, sql: str, says: str) -> Column:
    """A word of our vocabularies, as it is stored."""
    return Column(name=name, kind=Kind.WORD, sql=sql, says=says)


def number(name: str, sql: str, says: str) -> Column:
    """A whole number or a decimal of ours."""
    return Column(name=name, kind=Kind.NUMBER, sql=sql, says=says)


def amount(name: str, sql: str, says: str, *, currency: str) -> Column:
    """Minor units, written in major units with the currency's digits."""
    return Column(name=name, kind=Kind.AMOUNT, sql=sql, says=says, currency=currency)


def time(name: str, sql: str, says: str) -> Column:
    """A moment."""
    return Column(name=name, kind=Kind.TIME, sql=sql, says=says)


def digest(name: str, sql: str, says: str) -> Column:
    """Bytes, written in hexadecimal."""
    return Column(name=name, kind=Kind.HASH, sql=sql, says=says)


def boolean(name: str, sql: str, says: str) -> Column:
    """true or false."""
    return Column(name=name, kind=Kind.BOOLEAN, sql=sql, says=says)


def major_sql(minor: str, currency: str) -> str:
    """Major units with exactly the currency's digits; the statement fails on a currency that has none here."""
    units: dict[int, list[str]] = {}
    for code, digits in EXPONENTS.items():
        units.setdefault(digits, []).append(f"'{code}'")
    cases = " ".join(
        f"WHEN {currency} IN ({', '.join(codes)}) THEN {_unit(digits)}::numeric" for digits, codes in units.items()
    )
    return f"({minor} * CASE {cases} ELSE ('no digits are known for ' || {currency})::numeric END)"


def _unit(digits: int) -> str:
    return f"0.{'1':0>{digits}}" if digits else "1"


def _time(column: Column) -> str:
    # RFC 3339, as UTC with its offset.
    return f"""to_char({column.sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""


_WRITTEN: Final[Mapping[Kind, Callable[[Column], str]]] = {
    Kind.TEXT: lambda column: inert_sql(f"NULLIF({column.sql}, '')"),
    Kind.WORD: lambda column: f"NULLIF({column.sql}, '')",
    Kind.NUMBER: lambda column: column.sql,
    Kind.AMOUNT: lambda column: major_sql(column.sql, column.currency),
    Kind.TIME: _time,
    Kind.HASH: lambda column: f"encode({column.sql}, 'hex')",
    Kind.BOOLEAN: lambda column: f"CASE WHEN {column.sql} THEN 'true' ELSE 'false' END",
}
