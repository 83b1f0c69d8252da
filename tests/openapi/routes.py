"""The routes of the running service, in the words of the document."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from settlements.api.endpoint import Endpoint

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
# Ids of intents and tokens are just {id} in the document.
_NAMES = {"intent_id": "id", "token_id": "id"}


def endpoints() -> Iterator[tuple[str, type[Endpoint]]]:
    """Every path of the API with its endpoint."""
    for pattern in _patterns(get_resolver("chainpay.urls")):
        view: Any = getattr(pattern.callback, "cls", None)
        if view is not None and issubclass(view, Endpoint):
            yield "/" + _PARAMETER.sub(_named, str(pattern.pattern)), view


def _patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern) if str(pattern.pattern) == "" else ()
        else:
            yield pattern


def _named(found: re.Match[str]) -> str:
    return "{" + _NAMES.get(found[1], found[1]) + "}"
