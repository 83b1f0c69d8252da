"""What ChainFreight says of a freight token that nobody pushed to us; asked when a payment intent names one.

A token that is known here is never asked for again: keeping it up to date is the push's job.
"""

import logging
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

from django.conf import settings
from django.db import connection

from settlements import calling, strict_json, values
from settlements.calling import Answer, CallFailed
from settlements.models import FreightToken
from settlements.strict_json import MalformedJSON
from settlements.tokens import TokenNotFound, TokenPush
from settlements.values import InvalidValue

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

_MOST_BYTES: Final = 64 * 1024
# Where a score may lie when it comes wrapped in an object.
_SCORES: Final = ("risk_score", "score", "value")
_CATEGORIES: Final = ("risk_category", "category")


class Unusable(Exception):
    """The answer is not one about this token; the text says why and repeats nothing of it."""


def fetch_unknown(token_id: int) -> TokenPush | None:
    """What is to be stored of a token that we do not know; None if we do, or if there is no ChainFreight to ask.

    Runs outside any database transaction, for the answer may take a while. Raises TokenNotFound.
    """
    if not settings.CHAINFREIGHT_URL or FreightToken.objects.filter(pk=token_id).exists():
        return None
    if connection.in_atomic_block:
        raise RuntimeError("ChainFreight is asked outside of database transactions.")
    return fetch(token_id)


def fetch(token_id: int) -> TokenPush:
    """ChainFreight's token; raises TokenNotFound whatever went wrong, and the log says what."""
    try:
        answer = calling.get(
            f"{settings.CHAINFREIGHT_URL}/tokens/{token_id}",
            headers={"Accept": "application/json"},
            seconds=settings.CHAINFREIGHT_TIMEOUT_SECONDS,
            most_bytes=_MOST_BYTES,
            private_allowed=True,
        )
        if answer.status == 404:
            logger.info("ChainFreight has no token %s", token_id)
            raise TokenNotFound(token_id)
        return _push(token_id, answer)
    except (CallFailed, Unusable) as error:
        logger.error("ChainFreight gave no usable answer for token %s: %s", token_id, error)
        raise TokenNotFound(token_id) from error


def _push(token_id: int, answer: Answer) -> TokenPush:
    if answer.status != 200:
        raise Unusable(f"status {answer.status}")
    try:
        body = strict_json.read(answer.body)
    except MalformedJSON:
        raise Unusable("the body is not JSON") from None
    if not isinstance(body, dict):
        raise Unusable("the body is not an object")
    if _needed(body, "id", values.text_or_integer) != str(token_id):
        raise Unusable("id is that of another token")
    return TokenPush(
        shipment_id=_needed(body, "shipment_id", values.text_or_integer),
        status=_needed(body, "status", _status),
        risk_score=_score(token_id, body),
        risk_category=_category(token_id, body),
        carrier_id=_wanted(token_id, body, "carrier_id", values.text_or_integer) or "",
        recipient_id=_wanted(token_id, body, "recipient_id", values.text_or_integer),
    )


def _needed(body: Mapping[str, Any], name: str, reader: Callable[[object], Value]) -> Value:
    try:
        return reader(body.get(name))
    except InvalidValue as error:
        raise Unusable(f"{name} {error.detail}") from None


def _wanted(token_id: int, body: Mapping[str, Any], name: str, reader: Callable[[object], Value]) -> Value | None:
    """A field that may be absent; an unusable one is as good as absent, and logged."""
    value = body.get(name)
    try:
        return None if value is None else reader(value)
    except InvalidValue as error:
        logger.info("ChainFreight's %s of token %s is left out: it %s", name, token_id, error.detail)
        return None


def _status(value: object) -> str:
    """The upstream's own word, in lower case as pushes have it; only active and locked let money go."""
    text = values.visible_text(value)
    return text.lower() if text.isascii() else text


def _score(token_id: int, body: Mapping[str, Any]) -> Decimal | None:
    """The risk score, None (unknown, which is HIGH) unless it is plainly a number from 0 to 1.

    An object counts for the one score in it: two that differ, or one of no use, leave it unknown.
    """
    given = body.get("risk_score")
    found = [given[name] for name in _SCORES if name in given] if isinstance(given, dict) else [given]
    scores = {_fraction(each) for each in found}
    if len(scores) != 1 or None in scores:
        logger.info("ChainFreight's risk score of token %s is of no use and treated as unknown", token_id)
        return None
    return scores.pop()


def _fraction(value: object) -> Decimal | None:
    try:
        return values.fraction(value)
    except InvalidValue:
        return None


def _category(token_id: int, body: Mapping[str, Any]) -> str:
    """For display only: the token's own, else the one beside a score in an object."""
    inner = body.get("risk_score")
    places = [(body, "risk_category")]
    if isinstance(inner, dict):
        places += [(inner, name) for name in _CATEGORIES]
    found = (_wanted(token_id, place, name, values.visible_text) for place, name in places)
    return next((category for category in found if category), "")
