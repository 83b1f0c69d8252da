"""What may stand in a path: ids that fit the database, identifiers as upstream wrote them."""

import re
from typing import Final

from django.urls import register_converter
from django.urls.converters import get_converters

from settlements import values

_ID: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


class IdConverter:
    """`<id:...>`: a positive whole number up to 2**63 - 1, without leading zeros; anything else is no such address."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        """Raises ValueError, which Django reads as "no match"."""
        if not _ID.fullmatch(value) or int(value) > values.MAX_ID:
            raise ValueError("not an id")
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class VisibleConverter:
    """`<visible:...>`: 1 to 200 visible characters, slashes too, so it comes last in a path."""

    regex = ".{1,200}"

    def to_python(self, value: str) -> str:
        """Raises ValueError, which Django reads as "no match"."""
        try:
            return values.visible_text(value)
        except values.InvalidValue as error:
            raise ValueError("not visible") from error

    def to_url(self, value: str) -> str:
        return value


def register() -> None:
    """Makes both known to URL patterns; every `urls.py` that uses them calls it first, again does nothing."""
    for name, converter in (("id", IdConverter), ("visible", VisibleConverter)):
        if name not in get_converters():
            register_converter(converter, name)
