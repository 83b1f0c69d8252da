"""`python -m bench.load PORT CONNECTIONS [CREATED]`: posts the bodies on stdin, one a line.

Over so many persistent connections; CREATED is how many settlements each message makes, one unless told otherwise.

The first two lines are the event source's name and secret; every message is signed before the clock starts.

A process of its own on bare sockets, so that it takes as little of the machine as it can from the server it measures.
Prints one line of JSON: elapsed seconds, latencies in seconds, and how many answers were not what they should be.
"""

import json
import selectors
import socket
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

from settlements import signatures

# What every answer must hold: how many settlements its message has made, and that for one.
_CREATED = b'"milestone_settlements_created":%d,'
WANTED = _CREATED % 1
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_PATIENCE_SECONDS = 30.0


@dataclass(slots=True)
class Line:
    """One persistent connection with one request under way."""

    socket: socket.socket
    sent_at: float = 0.0
    received: bytes = b""


@dataclass(slots=True)
class Outcome:
    """What came of all requests; times in seconds."""

    elapsed: float = 0.0
    latencies: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def post_all(port: int, requests: Iterable[bytes], *, connections: int, created: int = 1) -> Outcome:
    """Sends each request once, in their order; a connection sends its next one when the last one is answered.

    A request is taken from `requests` as it is sent, so it may be signed then: a signature holds five minutes.
    Raises TimeoutError when the server stops answering.
    """
    waiting = iter(requests)
    outcome, wanted = Outcome(), _CREATED % created
    with selectors.DefaultSelector() as selector:
        firsts = list(islice(waiting, connections))
        lines = [Line(socket.create_connection(("127.0.0.1", port))) for _ in firsts]
        for line in lines:
            line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(line.socket, selectors.EVENT_READ, line)
        began = time.monotonic()
        open_lines = sum(_send(line, first) for line, first in zip(lines, firsts, strict=True))
        while open_lines:
            ready = selector.select(_PATIENCE_SECONDS)
            if not ready:
                raise TimeoutError("the server does not answer")
            for key, _ in ready:
                line = key.data
                if _answered(line, outcome, wanted) and not _send(line, next(waiting, None)):
                    selector.unregister(line.socket)
                    line.socket.close()
                    open_lines -= 1
        outcome.elapsed = time.monotonic() - began
    return outcome


def complete_length(received: bytes) -> int | None:
    """How long the whole answer is, in bytes; None while its head is not complete."""
    end = received.find(_HEAD_END)
    if end < 0:
        return None
    head = received[:end].lower()
    start = head.find(_LENGTH)
    length = int(head[start + len(_LENGTH) :].split(b"\r\n", 1)[0]) if start >= 0 else 0
    return end + len(_HEAD_END) + length


def signed_requests(
    port: int, source: str, secret: str, bodies: Iterable[bytes], *, copies: int = 1
) -> Iterator[bytes]:
    """What goes over the wire: each body as a message of its own, so often, each copy signed as it is taken."""
    key = signatures.key_of(secret)
    for body in bodies:
        message_id = f"msg_{uuid.uuid4().hex}"
        for _ in range(copies):
            yield _request(port, source, key, message_id, body)


def _request(port: int, source: str, key: bytes, message_id: str, body: bytes) -> bytes:
    now = datetime.now(UTC)
    head = (
        f"POST /webhooks/shipment_event HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-Event-Source: {source}\r\nwebhook-id: {message_id}\r\n"
        f"webhook-timestamp: {int(now.timestamp())}\r\n"
        f"webhook-signature: {signatures.sign(key, message_id=message_id, at=now, body=body)}\r\n\r\n"
    )
    return head.encode() + body


def _send(line: Line, request: bytes | None) -> bool:
    if request is None:
        return False
    line.received = b""
    line.sent_at = time.monotonic()
    line.socket.sendall(request)
    return True


def _answered(line: Line, outcome: Outcome, wanted: bytes) -> bool:
    part = line.socket.recv(65536)
    if not part:
        raise ConnectionError("the server closed a connection")
    line.received += part
    length = complete_length(line.received)
    if length is None or len(line.received) < length:
        return False
    outcome.latencies.append(time.monotonic() - line.sent_at)
    if not line.received.startswith(b"HTTP/1.1 200 ") or wanted not in line.received:
        outcome.wrong.append(line.received.decode(errors="replace"))
    return True


def main() -> None:
    """Reads, posts, prints."""
    port, connections, created = (int(word) for word in [*sys.argv[1:], "1"][:3])
    source, secret, *bodies = sys.stdin.buffer.read().splitlines()
    requests = list(signed_requests(port, source.decode(), secret.decode(), bodies))
    outcome = post_all(port, requests, connections=connections, created=created)
    json.dump({"elapsed": outcome.elapsed, "latencies": outcome.latencies, "wrong": outcome.wrong[:3]}, sys.stdout)


if __name__ == "__main__":
    main()
