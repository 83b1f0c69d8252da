"""Those who use the service in a run: an upstream that repeats what was not answered, and officers at their queue."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from settlements import signatures
from tests.chaos import plan
from tests.chaos.ground import Credentials
from tests.chaos.plan import Planned

_THREADS: Final = 4
_PATIENCE_SECONDS: Final = 180.0
_SPREAD_SECONDS: Final = 6.0
_OCCURRED_AT: Final = "2025-11-07T15:30:00Z"


class NotServed(Exception):
    """A request that was refused, or not answered for minutes."""


@dataclass(slots=True)
class Caller:
    """One connection to the web process, made anew as often as it breaks."""

    port: int
    repeats: Counter[str] = field(default_factory=Counter)
    _connection: http.client.HTTPConnection | None = None

    def send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        """Status and answer; (0, nothing) when there was none."""
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        ours = {"Host": f"localhost:{self.port}", "Content-Type": "application/json"}
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            self._connection.request(method, path, encoded, ours | headers)
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return 0, None

    def insist(
        self, method: str, path: str, body: Any, headers: Callable[[], dict[str, str]], *, also: frozenset[int]
    ) -> Any:
        """Repeats a request until it is served, also after the refusals of `also`. Raises NotServed."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            status, answer = self.send(method, path, body, headers())
            if 200 <= status < 300:
                return answer
            self.repeats[str(status)] += 1
            if time.monotonic() > end or not (status == 0 or status >= 500 or status in also | {429}):
                raise NotServed(f"{method} {path} was answered {status}: {answer}")
            time.sleep(0.2)


class Feeders:
    """Threads that ask for everything in the plan, spread over some seconds."""

    def __init__(self, planned: Sequence[Planned], *, port: int, as_: Credentials, seconds: float, seed: int) -> None:
        self.intents: dict[int, int] = {}
        self.callers = [Caller(port) for _ in range(_THREADS)]
        self.failed: list[BaseException] = []
        self._as = as_
        self._key = signatures.key_of(as_.source_secret)
        self._jobs = _jobs(planned, seconds=seconds, seed=seed)
        self._next = iter(self._jobs)
        self._lock = threading.Lock()
        self._began = 0.0
        self._threads = [threading.Thread(target=self._run, args=(caller,), daemon=True) for caller in self.callers]

    def start(self) -> None:
        """Begins to ask."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def at_work(self) -> bool:
        """Whether anything is still to be asked. Raises what made a thread fail."""
        if self.failed:
            raise self.failed[0]
        return any(thread.is_alive() for thread in self._threads)

    def repeats(self) -> Counter[str]:
        """How often a request was repeated, by the status it was answered with ("0": not at all)."""
        return sum((caller.repeats for caller in self.callers), Counter())

    def _run(self, caller: Caller) -> None:
        try:
            while True:
                with self._lock:
                    job = next(self._next, None)
                if job is None:
                    return
                at, planned, step = job
                time.sleep(max(0.0, self._began + at - time.monotonic()))
                self._do(caller, planned, step)
        except Exception as error:  # noqa: BLE001 - told to the main thread
            self.failed.append(error)

    def _do(self, caller: Caller, planned: Planned, step: str) -> None:
        bearer = {"Authorization": f"Bearer {self._as.key}"}
        if step == "token":
            body = {"shipment_id": planned.shipment, "risk_score": planned.risk}
            caller.insist("PUT", f"/freight_tokens/{planned.token}", body, lambda: bearer, also=frozenset())
        elif step == "intent":
            request = {
                "freight_token_id": planned.token,
                "amount": planned.amount,
                "currency": planned.currency,
                "payment_method": "stripe",
                "recipient_id": plan.recipient_of(planned.recipient),
            }
            headers = bearer | {"Idempotency-Key": f"chaos-{planned.number}"}
            # 404: the token, which somebody else sends, is not there yet.
            answer = caller.insist("POST", "/payment_intents", request, lambda: headers, also=frozenset({404}))
            self.intents[planned.number] = answer["id"]
        else:
            event = {"shipment_id": planned.shipment, "event_type": step, "occurred_at": _OCCURRED_AT}
            body_ = json.dumps(event).encode()
            message_id = f"msg_{planned.number}_{step}"
            caller.insist(
                "POST", "/webhooks/shipment_event", body_, lambda: self._signed(message_id, body_), also=frozenset()
            )

    def _signed(self, message_id: str, body: bytes) -> dict[str, str]:
        now = datetime.now(UTC)
        return {
            "X-Event-Source": self._as.source,
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signatures.sign(self._key, message_id=message_id, at=now, body=body),
        }


class Officers:
    """A thread that approves whatever stands in the review queue, with a second officer where two are needed."""

    def __init__(self, *, port: int, as_: Credentials) -> None:
        self.approvals = 0
        self._caller = Caller(port)
        self._keys = [{"Authorization": f"Bearer {key}"} for key in as_.officers]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Opens the office."""
        self._thread.start()

    def stop(self) -> None:
        """Closes it."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.5):
            status, answer = self._caller.send("GET", "/compliance/queue?limit=100", None, self._keys[0])
            for item in answer["items"] if status == 200 else []:
                self._approve(item)

    def _approve(self, item: dict[str, Any]) -> None:
        """What is answered 409 or not at all comes again with the next look at the queue."""
        decision = {"reason": "papers are in order", "version": item["version"]}
        for key in self._keys[: max(1, item["approvals_required"])]:
            status, _ = self._caller.send("POST", f"/compliance/approve/{item['milestone_id']}", decision, key)
            self.approvals += status == 200


def _jobs(planned: Sequence[Planned], *, seconds: float, seed: int) -> list[tuple[float, Planned, str]]:
    """When to ask for what: events and intents in no order, as of upstreams that know nothing of each other."""
    chance = random.Random(f"feeding {seed}")
    jobs = []
    for each in planned:
        at = seconds * (each.number - 1) / len(planned)
        jobs += [(at, each, "token"), (at + chance.uniform(0, _SPREAD_SECONDS / 2), each, "intent")]
        jobs += [(at + chance.uniform(0, _SPREAD_SECONDS), each, event) for event in each.events]
    return sorted(jobs, key=lambda job: job[0])
