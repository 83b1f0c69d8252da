"""JSON read strictly, whoever sent it: numbers exact, nothing ambiguous, nothing that could not be stored."""

import json
import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import orjson

MAX_DEPTH: Final = 32

_STRING_OR_BRACKET: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
# Whole numbers beyond 64 bits stay Decimal: no id is one, orjson writes none, and thousands of digits are slow to turn
# into an int.
_MAX_INT_CHARACTERS: Final = 20
_MAX_INT: Final = 2**63 - 1
_MAX_NAME_IN_DETAIL: Final = 80


class MalformedJSON(ValueError):
    """Not the JSON we read; `detail` is a sentence about the body that repeats little of it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def read(body: bytes) -> object:
    """What the JSON says: whole numbers of 64 bits as int, all others as Decimal. Raises MalformedJSON.

    Stricter than RFC 8259 asks: no byte order mark, no duplicate keys, no NUL, no lone surrogates, depth at most 32.
    """
    _refuse_depth(body)
    try:
        text = body.decode()
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise MalformedJSON("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        detail = f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise MalformedJSON(detail) from None
    except InvalidOperation:
        raise MalformedJSON("A number in the body has an exponent beyond all limits.") from None
    if b"\\u" in body:
        _refuse_unstorable(value)
    return value


def canonical(value: object) -> bytes:
    """What `read` returned without what whitespace and the order of keys add; fractions and long numbers as texts."""
    return orjson.dumps(value, default=_exact, option=orjson.OPT_SORT_KEYS)


def _exact(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not come out of JSON")


def _refuse_depth(body: bytes) -> None:
    """Counts before anything is parsed; brackets inside strings do not count."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(body):
        mark = found[0]
        if mark in (b"[", b"{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedJSON(f"The body is nested more than {MAX_DEPTH} levels deep.")
        elif mark in (b"]", b"}"):
            depth -= 1


def _refuse_unstorable(value: object) -> None:
    """NUL and lone surrogates can only hide behind \\u escapes; PostgreSQL stores neither."""
    if type(value) is str:
        if "\x00" in value:
            raise MalformedJSON("A text in the body contains NUL.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise MalformedJSON("A text in the body contains half of a surrogate pair.") from None
    elif type(value) is dict:
        for key, item in value.items():
            _refuse_unstorable(key)
            _refuse_unstorable(item)
    elif type(value) is list:
        for item in value:
            _refuse_unstorable(item)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        name = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise MalformedJSON(f"The key {name[:_MAX_NAME_IN_DETAIL]!a} appears twice in one object.")
    return made


def _whole(text: str) -> int | Decimal:
    if len(text) <= _MAX_INT_CHARACTERS and -_MAX_INT <= (number := int(text)) <= _MAX_INT:
        return number
    return Decimal(text)


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJSON(f"{name} is not a JSON number.")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=Decimal, parse_int=_whole, parse_constant=_refuse_constant
)
