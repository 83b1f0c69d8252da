"""An upstream that posts signed events at its own pace and repeats each until it is taken; it looks at every answer."""

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from settlements import signatures
from tests.chaos.ground import Credentials

_CALLERS: Final = 8
_REPEATED: Final = 10  # every tenth event is sent once more after it was taken
_PATIENCE_SECONDS: Final = 120.0
_AGAIN_SECONDS: Final = 0.1
_ANSWER_SECONDS: Final = 20.0
_OCCURRED_AT: Final = "2025-11-07T15:30:00Z"
_NO_ANSWER: Final = 0
_FIELDS_OF_AN_ERROR: Final = {"code", "detail", "field", "request_id"}


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a shipment; its message id is made of both."""

    shipment: str
    event_type: str

    @property
    def message_id(self) -> str:
        return f"msg_{self.shipment}_{self.event_type}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and when (monotonic seconds); status 0 is no answer."""

    at: float
    status: int
    body: Any
    retry_after: str


class Upstream:
    """Posts events, so many a second, over connections that are kept.

    `may_refuse` says whether 503 is an honest answer during this fault, `may_break` whether none at all is.
    """

    def __init__(
        self, events: Sequence[Event], *, port: int, as_: Credentials, per_second: float, may_refuse: bool = True,
        may_break: bool = False,
    ) -> None:  # fmt: skip
        self.events = events
        self.taken: set[str] = set()
        self.served_at: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.port, self._source, self._key = port, as_.source, signatures.key_of(as_.source_secret)
        self._per_second, self._may_refuse, self._may_break = per_second, may_refuse, may_break
        self._numbers = iter(range(len(events)))
        self._lock = threading.Lock()
        self._began = self._away = 0.0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(_CALLERS)]

    def start(self) -> None:
        """Begins to post."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def at_work(self) -> bool:
        """Whether anything is still to be posted."""
        return any(thread.is_alive() for thread in self._threads)

    def post_once(self, event: Event) -> Answer:
        """One event, outside of all counts."""
        return self._sent(_Line(self.port), event)

    @property
    def away(self) -> float:
        """The longest time in which nothing was served, in seconds."""
        with self._lock:
            times = sorted([self._began, *self.served_at])
        return max([self._away, *(later - earlier for earlier, later in itertools.pairwise(times))])

    def absorb(self, other: "Upstream") -> None:
        """What another one has seen counts as seen by this one; both are over."""
        self._away = max(self.away, other.away)
        self.served_at.clear()
        self.taken |= other.taken
        self.statuses += other.statuses
        self.wrong += other.wrong

    def _run(self) -> None:
        line = _Line(self.port)
        while True:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            time.sleep(max(0.0, self._began + number / self._per_second - time.monotonic()))
            try:
                self._insist(line, self.events[number], repeated=number % _REPEATED == 0)
            except Exception as error:  # noqa: BLE001 - told in the table
                self._complain(f"the upstream itself failed: {error!r}")

    def _insist(self, line: "_Line", event: Event, *, repeated: bool) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        first = self._post(line, event)
        while first.status not in {200, 202}:
            if time.monotonic() > end:
                return self._complain(f"{event.message_id} was not taken for {_PATIENCE_SECONDS:.0f} s")
            time.sleep(_AGAIN_SECONDS)
            first = self._post(line, event)
        if repeated:
            again = self._post(line, event)
            if again.status == 200 == first.status and again.body != first.body:
                self._complain(f"{event.message_id} repeated: {again.body}, first {first.body}")
        return None

    def _sent(self, line: "_Line", event: Event) -> Answer:
        body = json.dumps(
            {"shipment_id": event.shipment, "event_type": event.event_type, "occurred_at": _OCCURRED_AT}
        ).encode()
        now = datetime.now(UTC)
        return line.post(
            body,
            {
                "X-Event-Source": self._source,
                "webhook-id": event.message_id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signatures.sign(self._key, message_id=event.message_id, at=now, body=body),
            },
        )

    def _post(self, line: "_Line", event: Event) -> Answer:
        answer = self._sent(line, event)
        with self._lock:
            self.statuses[answer.status] += 1
            if answer.status in {200, 202}:
                self.served_at.append(answer.at)
                self.taken.add(event.message_id)
        if complaint := self._looked_at(answer):
            self._complain(f"{event.message_id}: {complaint}")
        return answer

    def _looked_at(self, answer: Answer) -> str:
        """What is wrong with an answer."""
        match answer.status:
            case 200 if answer.body.get("milestone_settlements_created") != 1:
                return f"200 without its settlement: {answer.body}"
            case 200 | 202:
                return ""
            case 503 if self._may_refuse:
                return _refused_wrongly(answer)
            case 0 if self._may_break:
                return ""
        return f"{answer.status or 'no answer'}: {answer.body}"

    def _complain(self, complaint: str) -> None:
        with self._lock:
            self.wrong.append(complaint)


class _Line:
    """One kept connection, made anew as often as it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, headers: dict[str, str]) -> Answer:
        ours = {"Host": f"localhost:{self._port}", "Content-Type": "application/json"}
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_SECONDS)
            self._connection.request("POST", "/webhooks/shipment_event", body, ours | headers)
            answer = self._connection.getresponse()
            told = json.loads(answer.read() or b"null")
            return Answer(time.monotonic(), answer.status, told, answer.headers.get("Retry-After", ""))
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return Answer(time.monotonic(), _NO_ANSWER, repr(error), "")


def _refused_wrongly(answer: Answer) -> str:
    if not answer.retry_after.isdigit():
        return "503 without Retry-After"
    if not isinstance(answer.body, dict) or not answer.body.keys() >= _FIELDS_OF_AN_ERROR:
        return f"503 in another shape than the one of errors: {answer.body}"
    return ""
