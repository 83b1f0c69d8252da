"""What a request's own headers say: ids that get stored, so they are visible ASCII and short."""

import re
from typing import Final

from django.http import HttpRequest

from settlements.api.errors import Refused

_VISIBLE: Final = re.compile(r"[!-~]{1,255}")


def visible_header(request: HttpRequest, name: str) -> str | None:
    """A header of 1 to 255 visible ASCII characters, None if absent. Raises Refused (400) naming the header."""
    value: str | None = request.META.get("HTTP_" + name.upper().replace("-", "_"))
    if value is None:
        return None
    if not _VISIBLE.fullmatch(value):
        detail = f"The header {name} must be 1 to 255 visible ASCII characters."
        raise Refused(f"{name.lower().replace('-', '_')}_invalid", detail, 400, name)
    return value
