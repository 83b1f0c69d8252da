"""How we call others: against real sockets that answer well, wrongly, slowly, or not at all."""

import contextlib
import errno
import gzip
import logging
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from settlements import calling
from settlements.calling import Answer, CallFailed
from tests.raw_server import RawServer, Script, answering, closed_port, dripping, http, silent

MOST = 1_000
WHOLE = http(b'{"a": 1}')


def call(url: str, *, seconds: float = 10, private_allowed: bool = True, **headers: str) -> Answer:
    return calling.get(url, headers=headers, seconds=seconds, most_bytes=MOST, private_allowed=private_allowed)


def answer_of(script: Script | bytes, *, seconds: float = 10) -> Answer:
    with RawServer(answering(script) if isinstance(script, bytes) else script) as server:
        return call(server.url, seconds=seconds)


def failure_of(script: Script | bytes, *, seconds: float = 10) -> str:
    with pytest.raises(CallFailed) as failed:
        answer_of(script, seconds=seconds)
    return str(failed.value)


def half_an_answer_then_silence(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
    silent(connection)


def test_a_get_brings_status_and_body_and_sends_what_it_should() -> None:
    with RawServer(answering(WHOLE)) as server:
        answer = calling.get(
            f"{server.url}/a/b?c=d", headers={"X-Own": "1"}, seconds=10, most_bytes=MOST, private_allowed=True
        )
    assert answer == Answer(200, b'{"a": 1}')
    line, *headers = server.requests[0].decode().rstrip().split("\r\n")
    assert line == "GET /a/b?c=d HTTP/1.1"
    assert sorted(headers) == [
        "Accept-Encoding: identity",
        "Connection: close",
        f"Host: 127.0.0.1:{server.port}",
        "User-Agent: ChainPay",
        "X-Own: 1",
    ]


def test_a_post_sends_its_body_byte_by_byte() -> None:
    body = bytes(range(256)) * 400
    with RawServer(answering(http(b"", status="204 No Content"))) as server:
        answer = calling.post(
            server.url, body=body, headers={"Content-Type": "a/b"}, seconds=10, most_bytes=0, private_allowed=True
        )
    assert answer == Answer(204, b"")
    head, _, sent = server.requests[0].partition(b"\r\n\r\n")
    assert sent == body
    assert head.startswith(b"POST / HTTP/1.1\r\n")
    assert b"Content-Length: 102400" in head


@pytest.mark.parametrize(
    "status", ["201 Created", "301 Moved", "302 Found", "307 X", "308 X", "404 Y", "500 Z", "503 "]
)
def test_any_status_is_an_answer_and_a_redirect_is_not_followed(status: str) -> None:
    with (
        RawServer(answering(WHOLE)) as other,
        RawServer(answering(http(b"x", status=status, headers=f"Location: {other.url}\r\n"))) as server,
    ):
        assert call(server.url) == Answer(int(status[:3]), b"x")
    assert other.requests == []


def test_chunks_and_an_answer_without_a_length_are_read_to_their_end() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n"
    assert answer_of(chunked) == Answer(200, b"wikipedia")
    assert answer_of(b"HTTP/1.0 200 OK\r\n\r\nall of it") == Answer(200, b"all of it")
    assert answer_of(b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE) == Answer(200, b'{"a": 1}')


def test_the_largest_answer_is_read_and_one_byte_more_is_refused() -> None:
    assert answer_of(http(b"x" * MOST)).body == b"x" * MOST
    assert failure_of(http(b"x" * (MOST + 1))) == "the answer is too large"


ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "script",
    [
        dripping(ENDLESS + b"x" * MOST),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n" + b"x" * MOST),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100_000),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n" + b"x" * 1_000_000),
        answering(b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000),
    ],
)
def test_what_never_ends_is_cut_off(script: Script) -> None:
    assert failure_of(script) == "the answer is too large"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n",
        b"hello\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4, 5\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-7\r\nhalf\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4\r\nhalf\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_a_whole_http_answer_fails(answer: bytes) -> None:
    assert failure_of(answer)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
def test_a_compressed_answer_is_not_unpacked(encoding: str) -> None:
    bomb = gzip.compress(b"x" * 10_000_000)[:MOST]
    said = failure_of(http(bomb, headers=f"Content-Encoding: {encoding}\r\n"))
    assert said == "the answer is compressed though that was not asked for"
    assert answer_of(http(b"x", headers="Content-Encoding: identity\r\n")).body == b"x"


def test_who_wants_the_status_only_gets_it_whatever_comes_with_it() -> None:
    for answer in (http(b"x" * (MOST + 1)), http(b"x", headers="Content-Encoding: gzip\r\n")):
        with RawServer(answering(answer)) as server:
            found = calling.post(server.url, body=b"", headers={}, seconds=5, most_bytes=0, private_allowed=True)
            assert found == Answer(200, b"")


@pytest.mark.parametrize(
    "script",
    [
        silent,
        dripping(b""),
        dripping(b"HTTP/1.1 200 OK\r\nX: "),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n384\r\n"),
        half_an_answer_then_silence,
    ],
)
def test_a_service_that_drips_or_keeps_silent_holds_us_no_longer_than_agreed(script: Script) -> None:
    assert failure_of(script, seconds=0.3) == "no answer in time"


def test_a_service_that_takes_nothing_holds_us_no_longer_than_agreed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door, pytest.raises(CallFailed, match="no answer in time"):
        calling.post(
            f"http://127.0.0.1:{door.getsockname()[1]}",
            body=bytes(50_000_000),
            headers={},
            seconds=0.3,
            most_bytes=MOST,
            private_allowed=True,
        )


def test_a_closed_port_and_a_cut_connection_fail_in_words() -> None:
    with pytest.raises(CallFailed, match="the connection was refused"):
        call(f"http://127.0.0.1:{closed_port()}/?token=hidden")
    assert failure_of(b"") == "the connection was closed without an answer"

    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    assert failure_of(reset) == "the connection was cut"


@pytest.mark.parametrize("script", [answering(WHOLE), dripping(ENDLESS), answering(b"nonsense"), silent])
def test_the_connection_is_closed_whatever_happened(script: Script) -> None:
    gone = threading.Event()

    def listen(connection: socket.socket) -> None:
        try:
            script(connection)
            if connection.recv(1) == b"":
                gone.set()
        except OSError:
            gone.set()

    with RawServer(listen) as server:
        with contextlib.suppress(CallFailed):
            call(server.url, seconds=0.3)
        assert gone.wait(10)


def test_a_name_is_looked_up_once_and_its_judged_address_called(names: dict[str, list[str]]) -> None:
    with RawServer(answering(WHOLE)) as server:
        names["service.test"] = ["127.0.0.1"]
        assert call(f"http://service.test:{server.port}/").status == 200
    assert names["service.test?"] == ["asked"]
    assert f"\r\nHost: service.test:{server.port}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["10.0.0.7"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1%1"]]
)
def test_a_name_that_leads_to_a_private_address_is_refused_before_anything_is_sent(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    monkeypatch.setattr(socket, "socket", lambda *args: pytest.fail("connected"))
    names["rebound.test"] = found
    with pytest.raises(CallFailed, match="is not reachable from everywhere and is not called"):
        call("https://rebound.test/", private_allowed=False)


def test_the_next_address_is_tried_when_one_refuses(names: dict[str, list[str]]) -> None:
    with RawServer(answering(WHOLE)) as server:
        names["service.test"] = ["127.0.0.2", "127.0.0.1"]
        assert call(f"http://service.test:{server.port}/").status == 200


def test_a_host_without_ipv6_reaches_a_service_that_has_both(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = socket.socket

    def without_ipv6(family: int = socket.AF_INET, *args: Any, **options: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return made(family, *args, **options)

    with RawServer(answering(WHOLE)) as server:
        monkeypatch.setattr(socket, "socket", without_ipv6)
        names["service.test"] = ["::1", "127.0.0.1"]
        assert call(f"http://service.test:{server.port}/").status == 200
        names["service.test"] = ["::1"]
        with pytest.raises(CallFailed, match="the host can not be reached"):
            call(f"http://service.test:{server.port}/")


def test_an_unknown_name_fails_in_words(names: dict[str, list[str]]) -> None:
    with pytest.raises(CallFailed, match="the host name can not be resolved"):
        call("http://nowhere.test/")


def test_look_ups_that_hang_hold_neither_us_nor_more_threads_than_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def getaddrinfo(*args: Any, **kwargs: Any) -> list[Any]:
        answered.wait(60)
        raise socket.gaierror(socket.EAI_NONAME, "no")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        for _ in range(40):
            with pytest.raises(CallFailed, match="no answer in time"):
                call("http://hangs.test/", seconds=0.02)
        hanging = [thread for thread in threading.enumerate() if thread.name == "look-up"]
        assert len(hanging) == 32
    finally:
        answered.set()
    for thread in hanging:
        thread.join(10)
    with pytest.raises(CallFailed, match="can not be resolved"):
        call("http://hangs.test/")


def test_nothing_of_the_environment_leads_a_call_astray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password hidden\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    with RawServer(answering(WHOLE)) as server:
        assert call(server.url).status == 200
    assert b"uthorization" not in server.requests[0]


@pytest.mark.parametrize(
    "url",
    [
        "http://somebody:hidden@127.0.0.1/",
        "http://127.0.0.1:1/?token=hidden",
        "http://hidden@[::1/",
        "x://hidden/?hidden",
    ],
)
def test_a_failure_repeats_no_secret_of_the_url(url: str) -> None:
    with pytest.raises(CallFailed) as failed:
        call(url)
    assert "hidden" not in str(failed.value)


def test_broken_headers_bring_no_url_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        RawServer(answering(b"HTTP/1.1 200 OK\r\nno header at all\r\nContent-Length: 0\r\n\r\n")) as server,
    ):
        call(f"{server.url}/?token=hidden")
    assert "hidden" not in caplog.text


def test_check_url_says_what_would_never_be_called() -> None:
    calling.check_url("https://example.com/hook", private_allowed=False)
    calling.check_url("http://localhost:9000/hook", private_allowed=True)
    for url in ("http://example.com/", "https://localhost/", "https://127.0.0.1/", "https://a:b@example.com/"):
        with pytest.raises(CallFailed):
            calling.check_url(url, private_allowed=False)
