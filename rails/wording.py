"""How stored words are written for people: vocabularies, names of actors, yes and no."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

# Words that are written in capitals; every other word is written small.
_ABBREVIATIONS: Final = frozenset({"POD", "API", "ACH", "IBAN", "BIC", "SEC"})
_SPELLED: Final = {"sha256": "SHA-256"}
_BOOLEANS: Final = {True: "Yes", False: "No"}
NOTHING: Final = "-"


def in_words(code: str) -> str:
    """A stored word for reading: `POD_CONFIRMED` becomes `POD confirmed`, `settlement.created` `Settlement created`."""
    written = " ".join(_written(word) for word in code.replace(".", "_").split("_"))
    return written[:1].upper() + written[1:]


def actor(name: str) -> str:
    """Who acted: the login alone for a person, and what else it was in brackets: `tms (service)`."""
    kind, separator, rest = name.partition(":")
    if not separator:
        return name
    return rest if kind == "user" else f"{rest} ({kind})"


def counted(number: int, what: str) -> str:
    """`1 item`, `2 items`, `1,000 items`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def yes_or_no(value: bool) -> str:
    """A boolean in a word."""
    return _BOOLEANS[value]


def fact(value: Any) -> str:
    """A value out of JSON: words for booleans and nothing, a pair as what was and what is, an object in brackets."""
    if isinstance(value, bool):
        return yes_or_no(value)
    if isinstance(value, dict):
        return f"({', '.join(f'{name}: {written}' for name, written in facts(value))})"
    if isinstance(value, list):
        return " → ".join(fact(each) for each in value) or NOTHING
    return NOTHING if value is None or value == "" else str(value)


def facts(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The name and the value of each entry of a JSON object, for reading."""
    return ((in_words(name), fact(value)) for name, value in values.items())


def _written(word: str) -> str:
    return word.upper() if word.upper() in _ABBREVIATIONS else _SPELLED.get(word, word.lower())
