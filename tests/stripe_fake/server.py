"""The fake Stripe over HTTP."""

import json
import socket
import struct
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, Self

from tests.stripe_fake import control
from tests.stripe_fake.errors import ApiError
from tests.stripe_fake.faults import Fault
from tests.stripe_fake.keys import Result
from tests.stripe_fake.service import Lost, Service, Spoilt
from tests.stripe_fake.webhooks import Delivery, Webhooks

_RESET: Final = struct.pack("ii", 1, 0)
_NOTHING: Final[Mapping[str, str]] = {}


class StripeFake(Service):
    """One Stripe on a port of 127.0.0.1; use it in a `with`, or `start` and `stop` it."""

    def __init__(
        self, *, port: int = 0, seed: int = 0, fault_rate: float = 0.0, webhooks: Delivery | None = None
    ) -> None:
        super().__init__(seed=seed, fault_rate=fault_rate)
        self.webhooks = Webhooks(webhooks, seed=seed) if webhooks else None
        if self.webhooks:
            self.world.told.append(self.webhooks.send)
        self._server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"fake": self}))
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> Self:
        """Begins to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answers nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self.webhooks:
            self.webhooks.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that go away are what this fake is for."""


class _Handler(BaseHTTPRequestHandler):
    fake: ClassVar[StripeFake]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.path.startswith("/_fake/"):
            self._send(Result(*control.answer(self.fake, method, self.path, body)))
            return
        try:
            result, replayed = self.fake.answer(method, self.path, dict(self.headers.items()), body)
            self._send(result, {"Idempotent-Replayed": "true"} if replayed else _NOTHING)
        except ApiError as error:
            self._send(Result(error.status, error.body))
        except Spoilt as spoilt:
            self._spoil(spoilt)
        except Lost:
            self._break()

    def _send(self, result: Result, headers: Mapping[str, str] = _NOTHING) -> None:
        body = json.dumps(result.body).encode()
        self._head(result.status, len(body), {"Request-Id": self.fake.world.new_id("req"), **headers})
        self.wfile.write(body)

    def _spoil(self, spoilt: Spoilt) -> None:
        if spoilt.fault is Fault.GARBAGE:
            body = b"<html>Bad gateway</html>"
            self._head(200, len(body), _NOTHING)
            self.wfile.write(body)
            return
        if spoilt.fault is Fault.CUT:
            body = json.dumps(spoilt.result.body).encode()
            self._head(200, len(body), _NOTHING)
            self.wfile.write(body[: len(body) // 2])
        self._break()

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        ours = {"Content-Type": "application/json", "Content-Length": str(length)}
        for name, value in {**ours, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _break(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()
        self.close_connection = True
