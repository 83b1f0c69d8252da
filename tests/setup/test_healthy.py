"""The container's probe: it asks the server here, under a name that it answers to."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chainpay.deploy import healthy


class Answering(BaseHTTPRequestHandler):
    """200 to those who know its name."""

    def do_GET(self) -> None:
        known = (self.path, self.headers["Host"]) == ("/healthz", "pay.example.com")
        self.send_response(200 if known else 400)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("hosts", "ends_with"),
    [("pay.example.com", 0), (".pay.example.com,other", 0), ("other", 1), ("*", 1), ("", 1)],
)
def test_it_is_well_when_the_server_answers_to_its_name(
    port: int, hosts: str, ends_with: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", hosts)
    assert healthy.main(port) == ends_with


def test_it_is_not_well_when_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert healthy.main(1) == 1
    assert "No answer" in capsys.readouterr().err
