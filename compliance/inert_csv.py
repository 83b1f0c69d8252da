"""CSV whose cells stay text in a spreadsheet, written row by row."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

# What makes Excel, LibreOffice or Google Sheets read a cell as a formula (OWASP, CSV injection).
_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
MEDIA_TYPE: Final = "text/csv; charset=utf-8"


def inert(cell: str) -> str:
    """The cell, with an apostrophe before it where a spreadsheet would compute it."""
    return f"'{cell}" if cell.startswith(_STARTS_A_FORMULA) else cell


def lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A line of column names, then one per row (RFC 4180)."""
    writer = csv.writer(_Line())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([inert(cell) for cell in row])


class _Line:
    """Hands each line back to the writer's caller instead of keeping it."""

    def write(self, line: str) -> str:
        return line
