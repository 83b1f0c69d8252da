"""Which rows of a dataset are asked for: SQL that yields their keys, and the same in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """`sql` yields one column of keys, with placeholders for `params`, all of them named or none; empty: every row."""

    sql: str = ""
    params: tuple[Any, ...] | Mapping[str, Any] = ()
    words: str = "everything"


EVERYTHING: Final = Selection()
