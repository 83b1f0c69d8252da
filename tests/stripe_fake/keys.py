"""Idempotency keys: the first result of each is kept for a day, whatever it was, and given again."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.stripe_fake.errors import ApiError

KEPT_SECONDS: Final = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Result:
    """An answer's status and body."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class _Kept:
    asked: Any
    result: Result
    at: float


class Keys:
    """The keys of one account, as https://docs.stripe.com/api/idempotent_requests has them.

    With `honoured` off keys are ignored, which shows whether a test would notice.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.honoured = True
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._in_use: set[str] = set()

    def replayed(self, key: str | None, asked: Any) -> Result | None:
        """The result kept under the key; otherwise the key is in use until `done`. Raises ApiError."""
        if key is None or not self.honoured:
            return None
        with self._lock:
            if key in self._in_use:
                raise conflict(key)
            kept = self._kept.get(key)
            if kept is not None and self._now() - kept.at < KEPT_SECONDS:
                if kept.asked != asked:
                    raise ApiError(
                        400,
                        "Keys for idempotent requests can only be used with the same parameters they were first used "
                        f"with. Try using a key other than '{key}' if you meant to execute a different request.",
                        kind="idempotency_error",
                        code=None,
                    )
                return kept.result
            self._in_use.add(key)
            return None

    def done(self, key: str | None, asked: Any, result: Result | None) -> None:
        """Keeps the result, if there is one to keep, and frees the key."""
        if key is None or not self.honoured:
            return
        with self._lock:
            self._in_use.discard(key)
            if result is not None:
                self._kept[key] = _Kept(asked, result, self._now())


def conflict(key: str) -> ApiError:
    """Another request with the same key is under way."""
    return ApiError(
        409,
        f"There is currently another in-progress request using this Idempotent Key: {key}.",
        kind="idempotency_error",
        code="idempotency_key_in_use",
    )
