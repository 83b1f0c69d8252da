"""A message for people to read: every character as it came, but for what must not be shown."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HIDDEN: Final = "[redacted]"
_INDENT: Final = "  "

# Keys are compared without case and punctuation: apiKey, API_KEY and api-key are one.
_SECRET_WORDS: Final = (
    "password", "passwd", "passphrase", "secret", "token", "authorization", "apikey", "signature", "credential",
    "privatekey", "bearer", "cookie", "accountnumber", "accountno", "iban", "routing", "sortcode", "cardnumber", "cvv",
    "cvc",
)  # fmt: skip
# References to freight are no secrets.
_HARMLESS_WORDS: Final = ("freighttoken",)

# Webhook secrets, API keys, Stripe's keys and bearer credentials; account and card numbers keep their last four.
_SECRET_TEXT: Final = re.compile(
    r"(?P<kind>\b(?:whsec|cpk|sk_live|sk_test|rk_live|rk_test)_|\bBearer\s+)[^\s\"'<>,;\\]+", re.ASCII | re.IGNORECASE
)
# An IBAN is two letters, two digits and 11 to 30 letters or digits (ISO 13616); the rest are runs and groups of digits.
_ACCOUNT: Final = re.compile(
    r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?=[A-Z]{0,4}[0-9]{7})[A-Z0-9]{11,30}(?![0-9A-Za-z])"
    r"|(?<![0-9])(?:[0-9]{12,}|[0-9]{4}(?:[ -][0-9]{4}){2,3}(?:[ -][0-9]{1,3})?)(?![0-9])"
)
# What a URL says of who calls it, and name=value pairs whose name sounds secret.
_IN_A_URL: Final = re.compile(
    r"(?P<before>://)[^/\s\"'<>@]{1,200}(?=@)"
    r"|(?P<name>\b[a-z_-]{0,20}(?:password|passwd|secret|token|api[_-]?key|signature|credential)=)[^&\s\"'<>]+",
    re.ASCII | re.IGNORECASE,
)
# Each of them is in whatever those two patterns find.
_MARKS: Final = (
    "whsec_", "cpk_", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "bearer", "://", "password", "passwd", "secret",
    "token", "api", "signature", "credential",
)  # fmt: skip
# What PostgreSQL tells of a refused row: its values, among them names and sums. A line feed may be spelled, as repr()
# does; chained errors follow a blank line.
_LINE: Final = r"(?:\n[ |]*|\\n)"
_ROW: Final = re.compile(
    rf"{_LINE}DETAIL: .*?"
    rf"(?={_LINE}(?:HINT|CONTEXT|QUERY|LINE [0-9]+): |\n[ |]*\n[ |]*(?:The above|During handling) |\Z)",
    re.DOTALL,
)
_TOLD_BESIDE: Final = re.compile(rf"{_LINE}(?:DETAIL|HINT|CONTEXT|QUERY|LINE [0-9]+): .*", re.DOTALL)
_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+) | (?P<string>"(?:[^"\\]|\\.)*") | (?P<scalar>[^\s\[\]{}:,"]+) | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def keys(words: str) -> str:
    """Plain words without what looks like a secret; numbers stay as they are."""
    lower = words.lower()
    if not any(mark in lower for mark in _MARKS):  # most lines, and a pattern takes ten times as long to say so
        return words
    return _IN_A_URL.sub(_hidden, _SECRET_TEXT.sub(rf"\g<kind>{HIDDEN}", words))


def text(words: str) -> str:
    """Plain words without what looks like a secret; account and card numbers keep their last four digits."""
    return _ACCOUNT.sub(_last_four, keys(words))


def rows(words: str) -> str:
    """The words of an error and its traceback without the values of the row that PostgreSQL refused."""
    return _ROW.sub("", words)


def primary(words: str) -> str:
    """Of the words of a database error the first message alone: no row, hint, statement or place in it."""
    return _TOLD_BESIDE.sub("", words)


def as_received(body: str) -> str:
    """JSON in its own layout; values of keys that sound secret, and what looks like one, are not shown."""
    return "".join(token.text for token in _redacted(body))


def pretty(body: str) -> str:
    """The same, one value to a line; numbers and strings are spelled as they came."""
    lines: list[str] = []
    depth, at_start = 0, False
    for token in _redacted(body):
        if token.kind == "space":
            continue
        if token.text in {"}", "]"} and token.kind == "mark":
            depth -= 1
            lines.append("" if at_start else f"\n{_INDENT * depth}")
        elif at_start:
            lines.append(f"\n{_INDENT * depth}")
        at_start = token.kind == "mark" and token.text in {"{", "["}
        lines.append({":": ": ", ",": f",\n{_INDENT * depth}"}.get(token.text, token.text))
        depth += at_start
    return "".join(lines)


def _redacted(body: str) -> Iterator[_Token]:
    """The tokens of a JSON text, space included; of anything else, pieces that may still be joined again."""
    tokens = [_Token(str(found.lastgroup), found[0]) for found in _TOKEN.finditer(body)]
    open_secrets = 0  # how many brackets deep we are in the value of a secret key
    value_is_secret = False
    for position, token in enumerate(tokens):
        if token.kind == "mark":
            if token.text in "{[":
                open_secrets += bool(open_secrets or value_is_secret)
            elif token.text in "}]":
                open_secrets -= bool(open_secrets)
            if token.text != ":":
                value_is_secret = False
            yield token
        elif token.kind == "space":
            yield token
        elif _is_key(tokens, position):
            value_is_secret = _sounds_secret(_decoded(token.text))
            yield _shown(token)
        else:
            yield _Token(token.kind, f'"{HIDDEN}"') if value_is_secret or open_secrets else _shown(token)


def _is_key(tokens: list[_Token], position: int) -> bool:
    following = tokens[position + 1 : position + 3]
    after = next((token.text for token in following if token.kind != "space"), "")
    return tokens[position].kind == "string" and after == ":"


def _sounds_secret(key: str) -> bool:
    plain = "".join(letter for letter in key.casefold() if letter.isalnum())
    for harmless in _HARMLESS_WORDS:
        plain = plain.replace(harmless, "")
    return any(word in plain for word in _SECRET_WORDS)


def _shown(token: _Token) -> _Token:
    """The token as it came unless it holds a secret: then without it, and in quotes."""
    words = _decoded(token.text)
    shown = text(words)
    return token if shown == words else _Token(token.kind, json.dumps(shown, ensure_ascii=False))


def _decoded(literal: str) -> str:
    """What a string says, its escapes resolved; anything else as it stands."""
    if not literal.startswith('"'):
        return literal
    try:
        return str(json.loads(literal, strict=False))
    except ValueError:
        return literal


def _hidden(found: re.Match[str]) -> str:
    return f"{found['before'] or found['name']}{HIDDEN}"


def _last_four(found: re.Match[str]) -> str:
    return f"{'*' * (len(found[0]) - 4)}{found[0][-4:]}"
