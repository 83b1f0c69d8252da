"""What is reported to Sentry, received by a server of our own: the error and where it happened, and nothing secret."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

ACCOUNT = "000123456789012"
KEY = "sk_live_abcdefghijklmnop"
# A request whose headers, cookies, query, body and local variables hold secrets, and whose view breaks.
PROGRAM = f"""
import django, logging
django.setup()
from django.conf import settings
settings.ROOT_URLCONF = "tests.api.probe_urls"
from django.test import Client
import sentry_sdk
from tests.api import probe_urls
def broken():
    local_secret = "{KEY}-local"
    return ZeroDivisionError("account {ACCOUNT} under {KEY}")
probe_urls.ERRORS["bug"] = broken
client = Client(SERVER_NAME="localhost", raise_request_exception=False)
client.cookies["sessionid"] = "cookie-secret"
answer = client.post("/plain/bug?token=query-secret", b'{{"iban": "body-secret"}}', content_type="application/json",
    headers={{"Authorization": "Bearer header-secret", "X-Request-ID": "met-by"}})
assert answer.status_code == 500, answer.status_code
logging.getLogger("rails").error("The bank refused %s", "{ACCOUNT}")
from django.db import IntegrityError
try:
    raise IntegrityError("refused\\nDETAIL:  Failing row contains (Ada Lovelace, 7654).\\nCONTEXT:  COPY 4711")
except IntegrityError as error:
    logging.getLogger("rails").exception("Not written: %s", error)
logging.getLogger("rails").warning("only a warning")
sentry_sdk.flush(10)
"""


@pytest.fixture
def sentry() -> Iterator[tuple[str, list[bytes]]]:
    """A DSN and what was sent to it."""
    received: list[bytes] = []

    class Sentry(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Sentry)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://public@127.0.0.1:{server.server_port}/42", received
    server.shutdown()
    thread.join()
    server.server_close()


def run(dsn: str) -> None:
    environment = os.environ | {"SENTRY_DSN": dsn, "SENTRY_ENVIRONMENT": "trial", "CHAINPAY_DEMO": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_error_is_reported_with_its_place_and_without_anything_secret(sentry: tuple[str, list[bytes]]) -> None:
    dsn, received = sentry
    run(dsn)
    events = [json.loads(line) for body in received for line in body.splitlines() if b'"exception"' in line]
    (bug,) = [event for event in events if "ZeroDivisionError" in str(event["exception"])]
    (error,) = bug["exception"]["values"]
    assert error["type"] == "ZeroDivisionError"
    assert any(frame["function"] == "plain_failure" for frame in error["stacktrace"]["frames"])
    assert bug["tags"] == {"request_id": "met-by"}
    assert bug["environment"] == "trial"
    whole = b"".join(received).decode()
    assert "The bank refused" in whole
    assert "only a warning" not in whole
    assert "Not written: IntegrityError('refused" in whole
    for secret in (
        ACCOUNT,
        KEY,
        "Lovelace",
        "7654",
        "4711",
        "cookie-secret",
        "query-secret",
        "body-secret",
        "header-secret",
        "local_secret",
    ):
        assert secret not in whole, secret


def test_without_a_dsn_nothing_is_reported(sentry: tuple[str, list[bytes]]) -> None:
    run("")
    assert sentry[1] == []
