"""How often a caller may ask: so many requests per second, counted for all processes together in Redis.

The generic cell rate algorithm (ITU-T I.371): each request moves the caller's theoretical arrival time on by one
interval; who is more than a second ahead of the clock waits. So a second's worth may come at once, and no more than the
limit in the long run. The clock is that of Redis.

Asking Redis costs an event a tenth of its time, so a process takes a hundredth of a high limit at once and spends it
within a tenth of a second; what it does not spend is lost to the caller. Limits below 200 a second are counted singly.
"""

import logging
import re
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Final

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

# A second without Redis is better than a tenth of one lost by each request.
_TIMEOUT_SECONDS: Final = 0.1
_LEAVE_ALONE_SECONDS: Final = 1.0
_PORTIONS: Final = 100
_KEPT_SECONDS: Final = 0.1
_MOST_PORTIONS: Final = 10_000
_MICROSECONDS: Final = 1_000_000
_CERT_FLAG: Final = re.compile(r"(ssl_cert_reqs=)CERT_([A-Z]+)")
_SPEND: Final = """
    local clock = redis.call('TIME')
    local now = clock[1] * 1000000 + clock[2]
    local interval = 1000000 / ARGV[1]
    local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + interval * ARGV[2]
    if arrival - now > 1000000 then
        return {0, 0, math.ceil(arrival - now - 1000000)}
    end
    redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', 2000)
    return {1, math.floor((1000000 - (arrival - now)) / interval), math.ceil(arrival - now)}
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whose requests are counted together, and how many there may be in a second."""

    name: str
    per_second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one more request means: whether it may pass, how many more may come at once, and seconds until that is
    the whole allowance again (or, if it may not pass, until the next one may)."""

    allowance: Allowance
    passed: bool
    remaining: int
    seconds: float


def spend(allowance: Allowance) -> Spent:
    """Counts one request. Without Redis everything passes: a payment that waits is worse than a limit not kept."""
    answer = _counter(settings.CELERY_BROKER_URL).ask(allowance)
    if answer is None:
        return Spent(allowance=allowance, passed=True, remaining=allowance.per_second, seconds=0.0)
    passed, remaining, microseconds = answer
    return Spent(allowance=allowance, passed=passed, remaining=remaining, seconds=microseconds / _MICROSECONDS)


@dataclass(slots=True)
class _Portion:
    """Requests that were counted in Redis before they came."""

    left: int
    remaining: int
    microseconds: int
    until: float


class _Counter:
    """The script in Redis, left alone for a moment whenever it does not answer."""

    def __init__(self, url: str) -> None:
        client = redis.Redis.from_url(
            plain_url(url),
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        client.connection_pool.make_connection()  # a URL that makes none is a wrong setting, not Redis being away
        self._script = client.register_script(_SPEND)
        self._away_until = 0.0
        self._portions: dict[str, _Portion] = {}
        self._lock = threading.Lock()

    def ask(self, allowance: Allowance) -> tuple[bool, int, int] | None:
        """Whether one more may pass, how many are left, microseconds; None while Redis is away."""
        held = self._held(allowance.name)
        if held is not None:
            return held
        if time.monotonic() < self._away_until:
            return None
        try:
            return self._taken(allowance, max(1, allowance.per_second // _PORTIONS))
        except redis.RedisError as error:
            self._away_until = time.monotonic() + _LEAVE_ALONE_SECONDS
            logger.error("Rate limits are not kept while Redis is away: %s", type(error).__name__)
            return None

    def _held(self, name: str) -> tuple[bool, int, int] | None:
        with self._lock:
            portion = self._portions.get(name)
            if portion is None or not portion.left or time.monotonic() >= portion.until:
                return None
            portion.left -= 1
            return True, portion.remaining + portion.left, portion.microseconds

    def _taken(self, allowance: Allowance, number: int) -> tuple[bool, int, int]:
        passed, remaining, microseconds = self._script(
            keys=[f"chainpay:rate:{allowance.name}"], args=[allowance.per_second, number]
        )
        if number > 1 and not passed:
            return self._taken(allowance, 1)
        if number > 1:
            self._keep(allowance.name, _Portion(number - 1, remaining, microseconds, time.monotonic() + _KEPT_SECONDS))
        return bool(passed), remaining + number - 1, microseconds

    def _keep(self, name: str, portion: _Portion) -> None:
        with self._lock:
            if len(self._portions) >= _MOST_PORTIONS:
                self._portions.clear()
            present = self._portions.get(name)
            if present is not None and time.monotonic() < present.until:
                portion.left += present.left  # another thread's, taken at the same time
            self._portions[name] = portion


@cache
def _counter(url: str) -> _Counter:
    return _Counter(url)


def plain_url(url: str) -> str:
    """Celery's URL as redis-py reads it: sockets have another scheme there, and numbers and flags other words."""
    scheme, separator, rest = url.partition("redis+socket://")
    if separator and not scheme:
        url = f"unix://{rest.replace('virtual_host=', 'db=')}"
    return _CERT_FLAG.sub(lambda found: found[1] + found[2].lower(), url)
