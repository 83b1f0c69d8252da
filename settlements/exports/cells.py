"""When a cell of a CSV would not stay text in a spreadsheet: one rule, for PostgreSQL and for Python.

An apostrophe goes before a cell that Excel, LibreOffice or Google Sheets would compute (OWASP, CSV injection), and
before one that begins with an apostrophe itself: so whoever reads the file takes one leading apostrophe away and has
what is stored.
"""

import re
from typing import Final

# What is not seen before the sign that starts a formula, written out: what `\s` means depends on the locale.
_UNSEEN: Final = (
    " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\xad\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
# The signs as they are, and as wide as an ideograph, which spreadsheets of East Asia read alike.
_STARTS: Final = "=+@\uff1d\uff0b\uff0d\uff20-"
_ALONE: Final = "'\t\r\n"
# Of both languages: brackets with the characters themselves, and nothing that either reads its own way.
_PATTERN: Final = f"^([{_ALONE}]|[{_UNSEEN}]*[{_STARTS}])"
_RUNS: Final = re.compile(_PATTERN)


def inert(cell: str) -> str:
    """The cell as a spreadsheet leaves it alone."""
    return f"'{cell}" if _RUNS.match(cell) else cell


def as_stored(cell: str) -> str:
    """What was stored, from a cell of a file."""
    return cell.removeprefix("'")


def inert_sql(expression: str) -> str:
    """The same as `inert`, of a text expression in SQL; null stays null."""
    return f"CASE WHEN {expression} ~ {_LITERAL} THEN '''' || {expression} ELSE {expression} END"


def _literal(text: str) -> str:
    """The text as a string constant of PostgreSQL, in ASCII; a percent sign would be read as a placeholder."""
    written = "".join(
        character if " " <= character <= "~" and character not in "'\\" else f"\\u{ord(character):04x}"
        for character in text
    )
    return f"E'{written}'"


_LITERAL: Final = _literal(_PATTERN)
