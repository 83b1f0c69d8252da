"""What becomes of one request to the API: who asks, what goes wrong, the key, and the endpoint."""

import json
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from tests.stripe_fake import routes, spec
from tests.stripe_fake.accounts import known
from tests.stripe_fake.errors import ApiError, internal
from tests.stripe_fake.faults import Fault, Faults
from tests.stripe_fake.forms import decoded
from tests.stripe_fake.keys import Keys, Result, conflict
from tests.stripe_fake.world import World

API_KEY: Final = "sk_test_chainpay"

# Refused before anything is done or kept.
_AT_THE_DOOR: Final[Mapping[Fault | None, ApiError]] = {
    Fault.UNAVAILABLE: ApiError(503, "Service unavailable", kind="api_error", code=None),
    Fault.RATE_LIMITED: ApiError(429, "Request rate limit exceeded.", code="rate_limit"),
    Fault.LOCK_TIMEOUT: ApiError(
        429,
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it.",
        code="lock_timeout",
    ),
    Fault.UNAUTHORIZED: ApiError(401, "Expired API Key provided: sk_test_********pay", code="api_key_expired"),
    Fault.FORBIDDEN: ApiError(403, "The provided key does not have the required permissions.", code=None),
}
_SPOILS: Final = frozenset({Fault.DROP_AFTER, Fault.GARBAGE, Fault.CUT})


class Lost(Exception):
    """The connection breaks, and nothing was done."""


class Spoilt(Exception):
    """It was done, and the answer does not arrive as it should."""

    def __init__(self, fault: Fault, result: Result) -> None:
        super().__init__(fault)
        self.fault = fault
        self.result = result


class Service:
    """One Stripe without a network."""

    def __init__(self, *, seed: int = 0, fault_rate: float = 0.0) -> None:
        self.world: World = World(seed=seed)
        self.faults: Faults = Faults(rate=fault_rate, seed=seed)
        self.keys: Keys = Keys(self.world.now)
        self.api_keys = {API_KEY}
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: str) -> tuple[Result, bool]:
        """The result, and whether it was kept from an earlier request; raises ApiError, Lost or Spoilt."""
        url = urlsplit(target)
        self.requests.append((method, target, dict(headers)))
        fault = self.faults.for_request(method)
        if headers.get("Authorization", "").removeprefix("Bearer ") not in self.api_keys:
            raise ApiError(401, "Invalid API Key provided", code=None)
        if fault in _AT_THE_DOOR:
            raise _AT_THE_DOOR[fault]
        if fault is Fault.CONFLICT:
            raise conflict(headers.get("Idempotency-Key", ""))
        if fault is Fault.DROP_BEFORE:
            raise Lost
        account = headers.get("Stripe-Account", "")
        params = decoded(body if method == "POST" else url.query)
        if method == "POST":
            result, replayed = self._once(headers.get("Idempotency-Key"), url.path, account, params, fault)
        else:
            result, replayed = self._done(method, url.path, account, params, fault), False
        if fault in _SPOILS:
            assert fault is not None
            raise Spoilt(fault, result)
        return result, replayed

    def _once(
        self, key: str | None, path: str, account: str, params: dict[str, Any], fault: Fault | None
    ) -> tuple[Result, bool]:
        """Does it, or gives the result that is kept under the key."""
        key = f"{account}:{key}" if key else None
        asked = (path, params)
        kept = self.keys.replayed(key, asked)
        if kept is not None:
            return kept, True
        result = None
        try:
            result = self._done("POST", path, account, params, fault)
            return result, False
        except ApiError as error:
            result = Result(error.status, error.body) if error.stored else None
            raise
        finally:
            self.keys.done(key, asked, result)

    def _done(self, method: str, path: str, account: str, params: dict[str, Any], fault: Fault | None) -> Result:
        operation = spec.operation(method, path)
        checked = spec.check(operation, params)
        if fault is Fault.ERROR_BEFORE:
            raise internal()
        if fault is Fault.SLOW:
            time.sleep(self.faults.slow_seconds)
        with self.world.lock:
            if account:
                known(self.world, account)
            shown = routes.handle(self.world, account, operation, checked)
            if fault is Fault.LAG:
                self.world.shown_from[shown["id"]] = self.world.now() + self.faults.lag_seconds
            result = Result(200, json.loads(json.dumps(shown)))
        if fault is Fault.ERROR_AFTER:
            raise internal()
        return result
