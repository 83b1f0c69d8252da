"""How we call Stripe: the one place that does, with its deadlines and its bounded retries.

The library retries nothing by itself. What may be tried again is tried here, under the same idempotency key, until the
deadline of the batch. Keys are never logged.
"""

import logging
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import requests
import stripe
from requests.adapters import HTTPAdapter

from rails.stripe import failures
from rails.stripe.configuration import StripeSettings
from rails.stripe.failures import CallFailed, DidNothing, Lost, NotAllowed

logger = logging.getLogger(__name__)

THREADS: Final = 8
PAGE: Final = 100
MOST_PAGES: Final = 1_000
_TRIES: Final = 3
_FIRST_PAUSE: Final = 0.4


class Deadline:
    """The moment by which a batch is over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds; below 0 when it is over."""
        return self._end - time.monotonic()


@dataclass(frozen=True, slots=True)
class Done:
    """A result of Stripe's, and whether it was kept from an earlier request with the same key."""

    body: Mapping[str, Any]
    replayed: bool


class OutOfTime(DidNothing):
    """The call was not begun, for it could have ended after the deadline."""


class TooMuch(CallFailed):
    """A list of Stripe's that does not end."""


class StripeClient:
    """Calls Stripe with one set of settings; any number of threads may share it."""

    def __init__(self, configured: StripeSettings) -> None:
        self._configured = configured
        session = requests.Session()
        # Neither proxies nor the passwords of a .netrc come from the environment.
        session.trust_env = False
        session.mount("http://", HTTPAdapter(pool_maxsize=THREADS))
        session.mount("https://", HTTPAdapter(pool_maxsize=THREADS))
        http = stripe.RequestsClient(timeout=(configured.connect_seconds, configured.read_seconds), session=session)
        self._stripe = stripe.StripeClient(
            configured.api_key, base_addresses={"api": configured.api_base}, max_network_retries=0, http_client=http
        )

    def post(self, path: str, params: Mapping[str, Any], *, key: str, deadline: Deadline) -> Done:
        """One write under one idempotency key. Raises CallFailed.

        DidNothing is raised only when that is so of every try; else an unknown outcome stays unknown.
        """
        doubt: Lost | None = None
        for pause in _pauses():
            try:
                return self._once("post", path, params, key=key, account="", deadline=deadline)
            except Lost as failed:
                doubt = failed
                if not failed.worth_another_try or not _slept(pause, deadline):
                    raise
            except DidNothing as failed:
                if isinstance(failed, NotAllowed | OutOfTime) or not _slept(pause, deadline):
                    raise doubt or failed from failed
        raise AssertionError("the last pause ends the loop")

    def get(self, path: str, params: Mapping[str, Any], *, deadline: Deadline, account: str = "") -> Mapping[str, Any]:
        """One read, of the platform's own objects or those of a connected account. Raises CallFailed."""
        for pause in _pauses():
            try:
                return self._once("get", path, params, key="", account=account, deadline=deadline).body
            except (Lost, DidNothing) as failed:
                if isinstance(failed, NotAllowed | OutOfTime) or not _slept(pause, deadline):
                    raise
        raise AssertionError("the last pause ends the loop")

    def all(
        self, path: str, params: Mapping[str, Any], *, deadline: Deadline, account: str = ""
    ) -> Iterator[Mapping[str, Any]]:
        """Every row of a list, newest first, page by page. Raises CallFailed."""
        asked = {"limit": PAGE, **params}
        for _ in range(MOST_PAGES):
            page = self.get(path, asked, deadline=deadline, account=account)
            rows = page.get("data")
            if not isinstance(rows, list):
                raise Lost("a list of Stripe's without rows")
            yield from rows
            if not (rows and page.get("has_more")):
                return
            asked = {**asked, "starting_after": rows[-1]["id"]}
        raise TooMuch(f"{path} has more than {MOST_PAGES * PAGE} rows")

    def _once(
        self, method: str, path: str, params: Mapping[str, Any], *, key: str, account: str, deadline: Deadline
    ) -> Done:
        if deadline.left() < self._configured.call_seconds:
            raise OutOfTime("there was no time left to ask Stripe")
        options = {name: value for name, value in (("idempotency_key", key), ("stripe_account", account)) if value}
        try:
            response = self._stripe.raw_request(method, path, **params, **options)
        except stripe.StripeError as error:
            failed = failures.of(error)
            logger.warning("Stripe: %s %s failed: %s", method.upper(), path, failed.detail)
            raise failed from error
        if not isinstance(response.data, dict):
            raise Lost("an answer that is not Stripe's")
        return Done(response.data, failures.was_replayed(response.headers))


@lru_cache(maxsize=4)
def client_of(configured: StripeSettings) -> StripeClient:
    """The client of these settings; connections are kept from call to call."""
    return StripeClient(configured)


def _pauses() -> Iterator[float | None]:
    """How long to wait after each try, growing and never quite the same; None after the last."""
    for tried in range(_TRIES - 1):
        yield _FIRST_PAUSE * 2**tried * (0.5 + random.random())
    yield None


def _slept(pause: float | None, deadline: Deadline) -> bool:
    """Waits before another try, if there is to be one."""
    if pause is None or deadline.left() <= pause:
        return False
    time.sleep(pause)
    return True
