"""Why a call to Stripe gave no result, told apart by what it says of the money.

https://docs.stripe.com/api/errors and https://docs.stripe.com/error-low-level: a definite no comes in Stripe's own
shape with 400, 402 or 404; everything else leaves open what happened, unless the request provably did nothing.
"""

from collections.abc import Mapping
from typing import Any, Final

import requests
import stripe
import urllib3.exceptions

_DEFINITE: Final = frozenset({400, 402, 404})
_KINDS: Final = frozenset({"api_error", "card_error", "idempotency_error", "invalid_request_error"})
_REPLAYED: Final = "idempotent-replayed"


class CallFailed(Exception):
    """No result. `detail` may be stored and shown."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class DefiniteNo(CallFailed):
    """A definite no: nothing moved, and nothing will under this key."""

    def __init__(self, detail: str, *, code: str) -> None:
        super().__init__(detail)
        self.code = code


class KeyReused(CallFailed):
    """The idempotency key was used before with other parameters."""


class DidNothing(CallFailed):
    """Provably nothing was done by this request, and later it may: we were throttled, or let in no further."""


class NotAllowed(DidNothing):
    """Stripe does not take our API key for this: it is wrong, was replaced, or may not do it."""


class NoSuchAccount(NotAllowed):
    """The connected account is none of ours, or no longer."""


class Lost(CallFailed):
    """Whether it was done is not known: no answer in time, a broken connection, Stripe's own fault, no sense in it.

    `replayed` says that this is an earlier request's result, kept under the idempotency key.
    """

    def __init__(self, detail: str, *, replayed: bool = False, worth_another_try: bool = False) -> None:
        super().__init__(detail)
        self.replayed = replayed
        self.worth_another_try = worth_another_try


def of(error: stripe.StripeError) -> CallFailed:
    """What an error of the library means for the money."""
    if isinstance(error, stripe.APIConnectionError):
        return _of_connection(error)
    status, told = error.http_status or 0, _told(error.json_body)
    words = _words(error, status, told)
    if told.get("type") not in _KINDS:
        return Lost(words)
    if status == 429:
        return Lost(words, worth_another_try=True) if told.get("code") == "lock_timeout" else DidNothing(words)
    if told.get("code") == "account_invalid":
        return NoSuchAccount(words)
    if status in (401, 403):
        return NotAllowed(f"Stripe does not accept our API key for this: {words}")
    if status == 409:
        return Lost(words, worth_another_try=True)
    if status in _DEFINITE:
        return KeyReused(words) if told["type"] == "idempotency_error" else DefiniteNo(words, code=_code(told))
    return Lost(words, replayed=_headers(error).get(_REPLAYED) == "true")


def was_replayed(headers: Mapping[str, str]) -> bool:
    """Whether an answer was kept from an earlier request with the same key."""
    return {name.lower(): value for name, value in headers.items()}.get(_REPLAYED) == "true"


def _of_connection(error: stripe.APIConnectionError) -> CallFailed:
    cause = error.__cause__
    reason = getattr(cause.args[0] if cause is not None and cause.args else None, "reason", None)
    if isinstance(cause, requests.exceptions.ConnectTimeout) or isinstance(
        reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
    ):
        return DidNothing("Stripe can not be reached")
    if isinstance(cause, requests.exceptions.Timeout):
        return Lost("no answer from Stripe in time")
    return Lost("the connection to Stripe broke", worth_another_try=True)


def _told(body: object) -> Mapping[str, Any]:
    told = body.get("error") if isinstance(body, dict) else None
    return told if isinstance(told, dict) else {}


def _code(told: Mapping[str, Any]) -> str:
    return str(told.get("decline_code") or told.get("code") or "")


def _words(error: stripe.StripeError, status: int, told: Mapping[str, Any]) -> str:
    """`HTTP 400 balance_insufficient: You have ... (request req_...)`"""
    if not told:
        return f"HTTP {status}: an answer that is not Stripe's"
    request = f" (request {error.request_id})" if error.request_id else ""
    return f"HTTP {status} {_code(told)}: {told.get('message', '')}{request}".replace(" :", ":")


def _headers(error: stripe.StripeError) -> dict[str, str]:
    return {name.lower(): value for name, value in (error.headers or {}).items()}
