"""Calls over TLS: an address is called, a name is proven."""

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from settlements import calling
from settlements.calling import Answer, CallFailed
from tests.certificates import an_authority
from tests.raw_server import RawServer, answering, dripping, http

WHOLE = http(b'{"a": 1}')


def call(url: str, *, seconds: float = 10) -> Answer:
    return calling.get(url, headers={}, seconds=seconds, most_bytes=1_000, private_allowed=True)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ssl.SSLContext]]:
    """Makes a server's side of TLS for a host, by an authority that we trust."""
    made = an_authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    calling.trust.cache_clear()
    yield made.server
    calling.trust.cache_clear()


def test_over_tls_the_certificate_is_checked_against_the_name_though_an_address_is_called(
    tls: Callable[[str], ssl.SSLContext], names: dict[str, list[str]]
) -> None:
    asked: list[str] = []
    context = tls("service.test")
    context.sni_callback = lambda sock, name, own: asked.append(name)
    names["service.test"] = names["other.test"] = ["127.0.0.1"]
    with RawServer(answering(WHOLE), tls=context) as server:
        assert call(f"https://service.test:{server.port}/") == Answer(200, b'{"a": 1}')
        assert asked == ["service.test"]
        with pytest.raises(CallFailed, match="the TLS certificate is not valid for this host"):
            call(f"https://other.test:{server.port}/")
        with pytest.raises(CallFailed, match="the TLS certificate is not valid for this host"):
            call(f"https://127.0.0.1:{server.port}/")
        assert len(server.requests) == 1


def test_an_authority_of_an_authority_that_nobody_trusts_is_refused(
    tls: Callable[[str], ssl.SSLContext], names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    names["service.test"] = ["127.0.0.1"]
    with RawServer(answering(WHOLE), tls=tls("service.test")) as server:
        with pytest.raises(CallFailed, match="the TLS certificate is not valid for this host"):
            call(f"https://service.test:{server.port}/")
        assert server.requests == []


def test_tls_that_is_none_or_never_begins_fails(tls: Callable[[str], ssl.SSLContext]) -> None:
    plain = answering(b"HTTP/1.1 400 Bad\r\n\r\n" * 9)
    with RawServer(plain, hears=False) as server, pytest.raises(CallFailed, match="connection"):
        call(f"https://127.0.0.1:{server.port}/")
    with socket.create_server(("127.0.0.1", 0)) as door, pytest.raises(CallFailed, match="no answer in time"):
        call(f"https://127.0.0.1:{door.getsockname()[1]}/", seconds=0.3)


def test_over_tls_too_a_dripping_service_holds_us_no_longer_than_agreed(
    tls: Callable[[str], ssl.SSLContext], names: dict[str, list[str]]
) -> None:
    names["service.test"] = ["127.0.0.1"]
    drip = RawServer(dripping(b"HTTP/1.1 200 OK\r\nX: "), tls=tls("service.test"))
    with drip as server, pytest.raises(CallFailed, match="no answer in time"):
        call(f"https://service.test:{server.port}/", seconds=0.5)


def test_an_answer_cut_off_inside_tls_is_not_taken_for_whole(
    tls: Callable[[str], ssl.SSLContext], names: dict[str, list[str]]
) -> None:
    names["service.test"] = ["127.0.0.1"]

    def cut(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_RDWR)

    with RawServer(cut, tls=tls("service.test")) as server, pytest.raises(CallFailed):
        call(f"https://service.test:{server.port}/")
