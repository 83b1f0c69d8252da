"""Which characters a bank on the way carries, and how ours are written with them.

SWIFT's character set X, which every bank reads whatever its own format: A-Z, a-z, 0-9, space and / - ? : ( ) . , ' +.
Letters of other Latin alphabets lose their marks. What can not be written so is refused and never guessed at: a payee's
name with question marks in it is stopped at the other end, days later.
"""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_X: Final = re.compile(r"[0-9A-Za-z/?:().,'+ -]*", re.ASCII)

# Letters that do not come apart into a plain one and a mark, and signs that have a customary way of writing.
_WRITTEN: Final[Mapping[int, str]] = MappingProxyType(
    str.maketrans(
        {
            "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D",
            "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ł": "l", "Ł": "L", "ı": "i", "ħ": "h", "Ħ": "H", "&": "+",
            "\u2018": "'", "\u2019": "'", "\u02bc": "'", "`": "'", "´": "'", '"': "'", "\u201c": "'", "\u201d": "'",
            "\u2010": "-", "\u2011": "-", "\u2013": "-", "\u2014": "-", "_": "-", "\u00a0": " ",
        }
    )
)  # fmt: skip


class CannotBeWritten(ValueError):
    """A text that a bank does not carry; says which one without repeating it."""


def written(text: str, *, what: str, longest: int) -> str:
    """The text in character set X, spaces in a row as one. Raises CannotBeWritten, also for one that is too long."""
    apart = unicodedata.normalize("NFKD", text.translate(_WRITTEN))
    plain = "".join(character for character in apart if not unicodedata.combining(character))
    if not _X.fullmatch(plain):
        raise CannotBeWritten(f"{what} has characters that banks do not carry")
    plain = " ".join(plain.split())
    if not any(character.isalnum() for character in plain):
        raise CannotBeWritten(f"{what} has no letter and no digit")
    if len(plain) > longest:
        raise CannotBeWritten(f"{what} has more than {longest} characters")
    return plain
