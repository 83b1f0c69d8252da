"""How an answer becomes JSON: exact number literals for money and scores, times in UTC with `Z`, never a float."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import orjson
from django.http import HttpResponse
from rest_framework.renderers import BaseRenderer

from rails.money import Money

JSON: Final = "application/json"
_OPTIONS: Final = orjson.OPT_UTC_Z


def money(amount: Money) -> orjson.Fragment:
    """The amount as a JSON number in major units with the currency's digits: literally 10000.00."""
    return orjson.Fragment(amount.text)


def number(value: Decimal | None) -> orjson.Fragment | None:
    """A finite Decimal as a plain JSON number without trailing zeros, None as null; raises ValueError for NaN."""
    if value is None:
        return None
    if not value.is_finite():
        raise ValueError("JSON has no NaN and no Infinity")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return orjson.Fragment("0" if text == "-0" else text)


def dump(data: object) -> bytes:
    """JSON bytes; raises TypeError for what has no exact form here (a Decimal must come as `money` or `number`)."""
    return orjson.dumps(data, option=_OPTIONS)


def answer(data: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A finished JSON answer; cheaper than DRF's Response, and what endpoints return."""
    return HttpResponse(dump(data), status=status, content_type=JSON, headers=headers)


class OrjsonRenderer(BaseRenderer):
    """The same JSON for a DRF `Response`."""

    media_type = JSON
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else dump(data)
