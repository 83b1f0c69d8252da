"""How people write an amount into a form: plain digits, and nothing that a number parser would be kind about."""

import re
from typing import Any, Final

from django import forms

_PLAIN: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_MOST_DIGITS: Final = 20
NOT_PLAIN: Final = "Write the amount in plain digits with a point, like 10000.00: no other signs, spaces or separators."


class AmountField(forms.CharField):
    """An amount in major units, as text; `Money.from_major` reads it with its currency. With `or_none` zero is none."""

    def __init__(self, *, or_none: bool = False, **kwargs: Any) -> None:
        self.or_none = or_none
        widget = forms.TextInput(attrs={"inputmode": "decimal"})
        super().__init__(widget=widget, strip=False, max_length=_MOST_DIGITS, empty_value="", **kwargs)

    def clean(self, value: Any) -> str:
        """Plain digits, or nothing. Raises ValidationError."""
        written: str = super().clean(value)
        if not written:
            return ""
        if not _PLAIN.fullmatch(written):
            raise forms.ValidationError(NOT_PLAIN)
        return "" if self.or_none and not written.strip("0.") else written
