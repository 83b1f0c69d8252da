"""The statements of an export: its lines, rendered by PostgreSQL, and its figures.

Lines are read in portions by key. One statement for a million rows would sort all of them before the first; this way
the first is there at once, and as portions are looked up by index it is so whatever the planner thinks of the filter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg import ClientCursor, Connection

from settlements.exports.columns import Kind, major_sql
from settlements.exports.datasets import Dataset
from settlements.exports.selections import Selection

# A text is quoted, so that a spreadsheet can be told to leave what is quoted as it is: leading zeros stay.
_COPY: Final = "COPY ({query}) TO STDOUT (FORMAT csv, FORCE_QUOTE ({quoted}))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How many rows there are, and their amounts in major units by currency, as texts."""

    rows: int
    totals: Mapping[str, str]


def header(dataset: Dataset) -> bytes:
    """The names of the columns as the file's first line."""
    return (",".join(column.name for column in dataset.columns) + "\n").encode()


def lines(dataset: Dataset, selection: Selection, *, key: str) -> str:
    """Every line at once; what a bench measures the portions against."""
    return _copied(dataset, f"WHERE {key} IN ({selection.sql})" if selection.sql else "")


def portion(dataset: Dataset, selection: Selection, *, key: str, after: int, skip: int, limit: int) -> str:
    """At most so many lines behind the first `skip` whose keys come after this one, as CSV (RFC 4180, ends in LF)."""
    keys = _keys(dataset, selection, key, after) + f" OFFSET {skip} LIMIT {limit}"
    return _copied(dataset, f"WHERE {dataset.key} = ANY(ARRAY({keys}))")


def figures(dataset: Dataset, selection: Selection, *, key: str) -> str:
    """Rows and, where there are amounts, their sum in major units, per currency."""
    where = f"WHERE {key} IN ({selection.sql})" if selection.sql else ""
    if not dataset.amount:
        return f"SELECT '', count(*), '' FROM {dataset.table} {where}"
    total = major_sql(f"sum({dataset.amount})", dataset.currency)
    return (
        f"SELECT {dataset.currency}, count(*), {total}::text FROM {dataset.table} {where}"
        f" GROUP BY {dataset.currency} ORDER BY {dataset.currency}"
    )


def figured(rows: Iterable[tuple[str, int, str]]) -> Figures:
    """What the statement of the figures answered."""
    found = list(rows)
    return Figures(rows=sum(row[1] for row in found), totals={row[0]: row[2] for row in found if row[0]})


def bound(connection: Connection[Any], statement: str, selection: Selection) -> bytes:
    """The statement with its parameters written in: COPY takes none."""
    return ClientCursor(connection).mogrify(statement, selection.params).encode()


def _keys(dataset: Dataset, selection: Selection, key: str, after: int) -> str:
    if not selection.sql:
        return f"SELECT {dataset.key} FROM {dataset.table} WHERE {dataset.key} > {after} ORDER BY {dataset.key}"
    if key == dataset.key:
        return f"SELECT c.key FROM ({selection.sql}) AS c (key) WHERE c.key > {after} ORDER BY c.key"
    return (
        f"SELECT {dataset.key} FROM {dataset.table} WHERE {dataset.key} > {after} AND {key} IN ({selection.sql})"
        f" ORDER BY {dataset.key}"
    )


def _copied(dataset: Dataset, where: str) -> str:
    cells = ", ".join(column.cell for column in dataset.columns)
    quoted = ", ".join(f'"{column.name}"' for column in dataset.columns if column.kind is Kind.TEXT)
    query = f"SELECT {cells} FROM {dataset.source} {where} ORDER BY {dataset.key}"
    return _COPY.format(query=query, quoted=quoted)
