"""How events reach a listener: signed, and when they please late, twice, in another order or not at all."""

import hashlib
import heapq
import hmac
import http.client
import itertools
import json
import random
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.stripe_fake.world import Object


def signature(body: bytes, secret: str, *, at: float | None = None) -> str:
    """The `Stripe-Signature` header (https://docs.stripe.com/webhooks#verify-manually)."""
    moment = int(time.time() if at is None else at)
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How events are delivered; rates are probabilities, delays seconds."""

    url: str
    secret: str
    lost_rate: float = 0.0
    doubled_rate: float = 0.0
    most_delay: float = 0.0
    tries: int = 6
    retry_delay: float = 0.5


class Webhooks:
    """Delivers in a thread of its own; whoever does not answer 2xx is tried again."""

    def __init__(self, delivery: Delivery, *, seed: int = 0) -> None:
        self.delivery = delivery
        self.answers: list[tuple[str, int]] = []
        self._random = random.Random(seed)
        self._due: list[tuple[float, int, int, Object]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="stripe-webhooks", daemon=True)
        self._thread.start()

    def send(self, event: Object) -> None:
        """Puts an event among those to deliver, once, twice or never."""
        with self._changed:
            times = 0 if self._random.random() < self.delivery.lost_rate else 1
            times += times and self._random.random() < self.delivery.doubled_rate
            for _ in range(times):
                self._later(self._random.uniform(0, self.delivery.most_delay), 1, event)

    def stop(self) -> None:
        """No more deliveries."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def waiting(self) -> int:
        """How many deliveries are still to come."""
        with self._changed:
            return len(self._due)

    def _later(self, seconds: float, tried: int, event: Object) -> None:
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), tried, event))
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and not (self._due and self._due[0][0] <= time.monotonic()):
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._stopped:
                    return
                _, _, tried, event = heapq.heappop(self._due)
            status = self._post(json.dumps(event).encode())
            self.answers.append((event["id"], status))
            if not 200 <= status < 300 and tried < self.delivery.tries:
                with self._changed:
                    self._later(self.delivery.retry_delay * 2**tried, tried + 1, event)

    def _post(self, body: bytes) -> int:
        url = urlsplit(self.delivery.url)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
        headers: dict[str, Any] = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(body, self.delivery.secret),
        }
        try:
            connection.request("POST", url.path, body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
