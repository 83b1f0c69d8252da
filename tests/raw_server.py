"""A service of the outside world on a socket of its own: it answers with whatever bytes a test wants, or not at all."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

Script = Callable[[socket.socket], None]


def answering(answer: bytes) -> Script:
    """Sends these bytes and ends the connection."""

    def script(connection: socket.socket) -> None:
        connection.sendall(answer)

    return script


def dripping(answer: bytes) -> Script:
    """Sends the answer, then goes on with one byte at a time for as long as anybody listens."""

    def script(connection: socket.socket) -> None:
        connection.sendall(answer)
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)

    return script


def silent(connection: socket.socket) -> None:
    """Says nothing until the caller goes away."""
    connection.recv(1)


def http(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole answer, as a decent service would send it."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


class RawServer:
    """Listens on 127.0.0.1; every connection's request is kept in `requests` and answered by `script`.

    With `hears` off it answers without waiting for a request.
    """

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None, hears: bool = True) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self._tls = tls
        self._hears = hears
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._door.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        with contextlib.suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                if self._hears:
                    self.requests.append(_request(connection))
                self.script(connection)


def _request(connection: socket.socket) -> bytes:
    """One request with its body, as it arrived."""
    arrived = b""
    for piece in _pieces(connection):
        arrived += piece
        head, mark, body = arrived.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
        if mark and len(body) >= length:
            break
    return arrived


def _pieces(connection: socket.socket) -> Iterator[bytes]:
    while piece := connection.recv(65_536):
        yield piece


def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
    return port
