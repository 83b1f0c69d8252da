"""What a value looks like: the JSON schemas that bodies, answers and parameters are put together from."""

from collections.abc import Iterable
from typing import Any, Final

from rails.money import EXPONENTS, MAX_MAJOR
from settlements.statuses import EventType, IntentStatus, ReleaseStrategy, RiskTier, SettlementStatus
from settlements.values import MAX_FRACTION_DIGITS, MAX_ID, MAX_TEXT

Schema = dict[str, Any]

LONGEST_LINES: Final = 2_000
_SHOWN_ID: Final = 7731


def answered(**properties: Schema) -> Schema:
    """An object of an answer: every field is there, and no other."""
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


def sent(*, required: Iterable[str] = (), open_ended: bool = False, **properties: Schema) -> Schema:
    """An object of a request; other fields are refused by name unless it is open-ended."""
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": open_ended}
    return {**schema, "required": list(required)} if required else schema


def ref(name: str) -> Schema:
    """A schema among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, **others: Any) -> Schema:
    """An array of one kind."""
    return {"type": "array", "items": items, **others}


def words(vocabulary: Iterable[str], says: str = "") -> Schema:
    """One word of a vocabulary."""
    return _said({"type": "string", "enum": list(vocabulary)}, says)


def text(says: str = "", *, longest: int = MAX_TEXT) -> Schema:
    """A text that a request sends: something to see, kept as given."""
    return _said({"type": "string", "minLength": 1, "maxLength": longest, "pattern": "\\S"}, says)


def shown(says: str = "") -> Schema:
    """A text of an answer."""
    return _said({"type": "string"}, says)


def whole(says: str = "", *, lowest: int = 0, highest: int | None = None) -> Schema:
    """A whole number."""
    limits = {"minimum": lowest} if highest is None else {"minimum": lowest, "maximum": highest}
    return _said({"type": "integer", **limits}, says)


def identity(says: str = "") -> Schema:
    """A positive whole number that fits 64 bits."""
    return whole(says, lowest=1, highest=MAX_ID)


def boolean(says: str = "") -> Schema:
    """true or false."""
    return _said({"type": "boolean"}, says)


def moment(says: str = "") -> Schema:
    """A time of an answer: ISO 8601 in UTC."""
    return _said({"type": "string", "format": "date-time"}, says)


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if "$ref" in schema or "anyOf" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    made = {**schema, "type": [schema["type"], "null"]}
    return {**made, "enum": [*schema["enum"], None]} if "enum" in schema else made


def upstream_id(says: str) -> Schema:
    """An identifier of an upstream system, that writes it as text or as a positive whole number."""
    return _said({"anyOf": [text(), identity()]}, says)


def lower(vocabulary: Iterable[str]) -> list[str]:
    """A vocabulary as it stands on the wire where status words are in lower case."""
    return [word.lower() for word in vocabulary]


def _said(schema: Schema, says: str) -> Schema:
    return {**schema, "description": says} if says else schema


AMOUNT: Final[Schema] = {
    "type": "number",
    "minimum": 0,
    "description": "Major units, as a JSON number with exactly the currency's digits: `10000.00` USD, `10000` JPY, "
    "`1.234` KWD. Read it with a decimal parser, not as a float.",
}
AMOUNT_SENT: Final[Schema] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": int(MAX_MAJOR)},
        {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$", "maxLength": 64},
    ],
    "description": "Major units, as a number or as a text in plain digits. More digits than the currency has are "
    f"refused unless they are zeros; the most is {MAX_MAJOR:,}.",
}
CURRENCY: Final[Schema] = words(EXPONENTS, "ISO 4217, upper case.")
SCORE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
SCORE_SENT: Final[Schema] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "string", "pattern": f"^(0{{1,40}}(\\.[0-9]{{1,{MAX_FRACTION_DIGITS}}})?|0{{0,39}}1(\\.0{{1,40}})?)$"},
    ]
}
SHARE: Final[Schema] = {"type": "string", "pattern": "^[01]\\.[0-9]{2,20}$", "description": "A share of the amount."}
TIER: Final[Schema] = words(lower(RiskTier), "low < 0.33 <= medium < 0.67 <= high; an unknown score counts as high.")
RELEASING_EVENT: Final[Schema] = words(EventType)
INTENT_STATUS: Final[Schema] = words(lower(IntentStatus))
SETTLEMENT_STATUS: Final[Schema] = words(lower(SettlementStatus))
STRATEGY: Final[Schema] = words(lower(ReleaseStrategy))
VERSION: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9a-f]{32}$",
    "description": "Stands for what a decision is about; it changes with amount, recipient, rail or decision.",
}
HASH: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
