"""A subscriber's server, over real HTTP: it keeps what it is sent and answers what it is told to."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from django.utils import timezone
from standardwebhooks import Webhook

from settlements import deliveries, subscribers
from settlements.models import Subscriber


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    def verified(self, secret: str) -> Any:
        """The message as the published library reads it, which raises if the signature is not one of this secret."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass
class Receiver:
    """What arrived; `answers` are the statuses of the next answers, 200 when there are none left."""

    url: str
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.hold.set()

    @property
    def types(self) -> list[str]:
        return [each.json["type"] for each in self.received]


@contextmanager
def listening() -> Iterator[Receiver]:
    """A receiver on a free port of loopback; while `hold` is cleared it answers nobody."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            receiver.arrived.set()
            receiver.hold.wait(30)
            status = receiver.answers.pop(0) if receiver.answers else 200
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def subscribe(url: str, name: str = "tms", **options: Any) -> tuple[Subscriber, str]:
    """A subscriber and its secret."""
    return subscribers.create(name, url, actor="test", now=timezone.now(), **options)


def only_approved(url: str, name: str = "tms", **options: Any) -> tuple[Subscriber, str]:
    """A subscriber that is told of approvals alone, and its secret."""
    return subscribe(url, name, event_types=["settlement.approved"], **options)


def approved(api: Any) -> int:
    """The id of a settlement that is all of its intent and was approved at once: news twice over."""
    number, shipment = api.token()
    intent = api.intent(number, schedule={"type": "full_on_pod"})
    api.event(shipment)
    found: int = api.milestones(intent)["POD_CONFIRMED"]["id"]
    return found


def deliver() -> deliveries.Report:
    """A run of the dispatcher."""
    return deliveries.deliver(clock=timezone.now)


class Clock:
    """The time as it is, until it is told to move on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return timezone.now() + self.ahead

    def forward(self, to: datetime) -> None:
        self.ahead = to - timezone.now() + timedelta(milliseconds=1)
