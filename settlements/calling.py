"""How we call others: one request over HTTP to a judged address, inside one deadline, with a bounded answer.

Redirects are answers like any other, nothing is retried, and neither proxies nor passwords come from the environment.
"""

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Any, Final, cast

import urllib3.exceptions
from urllib3.connection import HTTPConnection

from settlements import addresses
from settlements.addresses import Address, CallRefused, Target

# Beside the body's own bytes: status line, headers, and how chunks are framed (at most as much again as the body).
_MOST_HEADER_BYTES: Final = 64 * 1024
_MOST_LOOK_UPS: Final = 32
_look_ups: Final = threading.BoundedSemaphore(_MOST_LOOK_UPS)

# How a failure is told, the first type that fits; words that may be stored and shown.
_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TimeoutError, "no answer in time"),
    (urllib3.exceptions.TimeoutError, "no answer in time"),
    (socket.gaierror, "the host name can not be resolved"),
    (ssl.SSLCertVerificationError, "the TLS certificate is not valid for this host"),
    (ssl.SSLError, "the TLS connection failed"),
    (http.client.RemoteDisconnected, "the connection was closed without an answer"),
    (ConnectionRefusedError, "the connection was refused"),
    (ConnectionError, "the connection was cut"),
    (http.client.HTTPException, "the answer is not valid HTTP"),
    (urllib3.exceptions.HTTPError, "the answer is not valid HTTP or not complete"),
    (OSError, "the host can not be reached"),
)


class CallFailed(Exception):
    """There is no usable answer; the text says why, in words that may be stored and shown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status; the body as it was sent."""

    status: int
    body: bytes


def get(url: str, *, headers: Mapping[str, str], seconds: float, most_bytes: int, private_allowed: bool) -> Answer:
    """The answer to a GET; raises CallFailed.

    `seconds` bounds everything together: looking the name up, connecting, sending, and the last byte of the answer.
    Our own Host, User-Agent, Accept-Encoding and Connection go beside `headers`.
    """
    return _call("GET", url, None, headers, seconds, most_bytes, private_allowed)


def post(
    url: str, *, body: bytes, headers: Mapping[str, str], seconds: float, most_bytes: int, private_allowed: bool
) -> Answer:
    """The same for a POST of `body`; whether a failed one arrived is unknown. With `most_bytes` 0 the status is all."""
    return _call("POST", url, body, headers, seconds, most_bytes, private_allowed)


def check_url(url: str, *, private_allowed: bool) -> None:
    """Raises CallFailed for a URL that would never be called, with a sentence that says why; looks nothing up."""
    try:
        addresses.target(url, private_allowed=private_allowed)
    except CallRefused as refused:
        raise CallFailed(str(refused)) from None


@cache
def trust() -> ssl.SSLContext:
    """Whose certificates we accept: those that the system trusts, for the name we called."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One of the addresses of a host, as the system's calls take it."""

    family: int
    at: tuple[Any, ...]

    @property
    def address(self) -> Address:
        return ip_address(self.at[0])


class _Deadline:
    """The moment at which a call is over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, above 0; raises TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Reader(io.RawIOBase):
    """What arrives at a socket, up to a deadline and a number of bytes."""

    def __init__(self, sock: socket.socket, deadline: _Deadline, most_bytes: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._bytes_left = most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.left())
        arrived = self._sock.recv_into(buffer)
        self._bytes_left -= arrived
        if self._bytes_left < 0:
            raise CallFailed("the answer is too large")
        return arrived


class _Wire:
    """A connected socket as `http.client` uses one; each read and write ends with the deadline, however it drips."""

    def __init__(self, sock: socket.socket, deadline: _Deadline, most_bytes: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._most_bytes = most_bytes

    def sendall(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            self._sock.settimeout(self._deadline.left())
            left = left[self._sock.send(left) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock, self._deadline, self._most_bytes))

    def settimeout(self, seconds: float | None) -> None:
        """The deadline decides."""

    def close(self) -> None:
        """Whoever opened the socket closes it."""


def _call(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    seconds: float,
    most_bytes: int,
    private_allowed: bool,
) -> Answer:
    deadline = _Deadline(seconds)
    try:
        target = addresses.target(url, private_allowed=private_allowed)
        found = _look_up(target, deadline)
        addresses.judge([endpoint.address for endpoint in found], private_allowed=private_allowed)
        with closing(_connected(target, found, deadline)) as sock:
            wire = _Wire(sock, deadline, 2 * most_bytes + _MOST_HEADER_BYTES)
            connection = _sent(wire, method, target, body, headers)
            return _answer(connection, most_bytes)
    except CallRefused as refused:
        raise CallFailed(str(refused)) from None
    except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
        raise CallFailed(_in_words(error)) from error


def _look_up(target: Target, deadline: _Deadline) -> list[_Endpoint]:
    """Where the host is, asked once: from here on only addresses count, so another answer later changes nothing."""
    if target.literal is not None:
        family = socket.AF_INET if target.literal.version == 4 else socket.AF_INET6
        return [_Endpoint(family, (str(target.literal), target.port))]
    # The system's look-up knows no deadline: it runs in a thread of its own, which we leave behind when it hangs.
    if not _look_ups.acquire(timeout=deadline.left()):
        raise TimeoutError
    answer: Future[list[_Endpoint]] = Future()
    threading.Thread(target=_resolve, args=(target, answer), name="look-up", daemon=True).start()
    return answer.result(deadline.left())


def _resolve(target: Target, answer: "Future[list[_Endpoint]]") -> None:
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        answer.set_result([_Endpoint(family, at) for family, _, _, _, at in found])
    except OSError as error:
        answer.set_exception(error)
    finally:
        _look_ups.release()


def _connected(target: Target, found: Sequence[_Endpoint], deadline: _Deadline) -> socket.socket:
    """A connection to the first of the addresses that accepts one, each with its part of the time that is left."""
    failed: OSError = socket.gaierror("no address")
    for tried, endpoint in enumerate(found):
        try:
            sock = _opened(endpoint, deadline.left() / (len(found) - tried))
        except OSError as error:
            failed = error
            continue
        return _secured(sock, target, deadline) if target.scheme == "https" else sock
    raise failed


def _opened(endpoint: _Endpoint, seconds: float) -> socket.socket:
    """A connection; a machine without IPv6 can not even make the socket for one."""
    sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.connect(endpoint.at)
    except OSError:
        sock.close()
        raise
    return sock


def _secured(sock: socket.socket, target: Target, deadline: _Deadline) -> socket.socket:
    try:
        sock.settimeout(deadline.left())
        return trust().wrap_socket(sock, server_hostname=target.host, suppress_ragged_eofs=False)
    except OSError:
        sock.close()
        raise


def _sent(wire: _Wire, method: str, target: Target, body: bytes | None, headers: Mapping[str, str]) -> HTTPConnection:
    connection = HTTPConnection(target.host, target.port)
    connection.sock = cast(socket.socket, wire)
    connection.auto_open = 0
    ours = {
        "Host": target.authority,
        "User-Agent": "ChainPay",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    connection.request(method, target.path, body, {**headers, **ours}, preload_content=False, decode_content=False)
    return connection


def _answer(connection: HTTPConnection, most_bytes: int) -> Answer:
    try:
        response = connection.getresponse()
        if not most_bytes:
            return Answer(response.status, b"")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise CallFailed("the answer is compressed though that was not asked for")
        if response.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
            raise CallFailed("the answer has an unknown Transfer-Encoding")
        body = bytearray()
        while piece := response.read(most_bytes + 1 - len(body)):
            body += piece
            if len(body) > most_bytes:
                raise CallFailed("the answer is too large")
        return Answer(response.status, bytes(body))
    except ValueError as error:
        # A chunk's length that is none, as `http.client` reads it.
        raise CallFailed("the answer is not valid HTTP") from error


def _in_words(error: Exception) -> str:
    return next(words for kind, words in _WORDS if isinstance(error, kind))
