"""How a body travels: announced, small enough, JSON, never read as empty by accident."""

import io
from typing import Any

import pytest
from django.test import Client

from settlements.api.parsing import MAX_BODY_BYTES
from tests.api import probe_urls
from tests.api.conftest import assert_error

pytestmark = pytest.mark.usefixtures("demo")


def send(client: Client, path: str, body: bytes, **extra: Any) -> Any:
    return client.generic("POST", path, body, **{"content_type": "application/json", **extra})


def test_a_small_object_arrives(client: Client) -> None:
    response = send(client, "/probe", b'{"amount": 10000.00}')
    assert (response.status_code, response.json()) == (201, {"actor": "demo", "fields": ["amount"], "bytes": 20})


@pytest.mark.parametrize("path", ["/probe", "/settle"])
@pytest.mark.parametrize("body", [b"{", b'{"a": 1, "a": 2}', b'{"a": "\\u0000"}', b"\xff", b"[" * 60_000, b" "])
def test_malformed_json_is_400_and_reaches_no_handler(client: Client, path: str, body: bytes) -> None:
    assert_error(send(client, path, body), 400, "malformed_json")
    assert probe_urls.calls == []


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"text"'])
def test_another_json_value_than_an_object_is_400(client: Client, body: bytes) -> None:
    assert_error(send(client, "/probe", body), 400, "not_an_object")


def test_exactly_64_kib_are_read_and_one_byte_more_is_413(client: Client) -> None:
    full = b'{"a": "' + b"x" * (MAX_BODY_BYTES - 9) + b'"}'
    assert len(full) == MAX_BODY_BYTES
    assert send(client, "/probe", full).status_code == 201
    assert_error(send(client, "/probe", full + b" "), 413, "body_too_large")


class Unreadable(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


def test_a_body_announced_too_large_is_refused_before_it_is_read(client: Client) -> None:
    for length in ("65537", "99999999999999999999"):
        response = send(client, "/probe", b"{}", CONTENT_LENGTH=length, **{"wsgi.input": Unreadable()})
        assert_error(response, 413, "body_too_large")


def test_a_chunked_body_is_411_and_never_an_empty_object(client: Client) -> None:
    for path in ("/probe", "/settle"):
        response = send(client, path, b"", HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input": io.BytesIO(b'{"a": 1}')})
        assert_error(response, 411, "length_required")
    assert_error(send(client, "/probe", b"{}", HTTP_TRANSFER_ENCODING="gzip, chunked"), 411, "length_required")


def test_a_body_without_a_length_is_411_where_one_is_needed(client: Client) -> None:
    assert_error(send(client, "/probe", b""), 411, "length_required")


def test_an_empty_body_is_400_where_one_is_needed_and_an_empty_object_where_it_is_optional(client: Client) -> None:
    assert_error(send(client, "/probe", b"", CONTENT_LENGTH="0"), 400, "malformed_json")
    assert send(client, "/settle", b"", CONTENT_LENGTH="0").json()["body"] == {}
    assert send(client, "/settle", b"", content_type="").json()["body"] == {}


@pytest.mark.parametrize("length", ["-1", "1e3", "+2", "0x2", "\u0661"])
def test_a_length_that_is_no_number_is_400(client: Client, length: str) -> None:
    assert_error(send(client, "/probe", b"{}", CONTENT_LENGTH=length), 400, "bad_request")


def test_a_body_shorter_than_announced_is_400(client: Client) -> None:
    response = send(client, "/probe", b'{"a": 1}', CONTENT_LENGTH="50", **{"wsgi.input": io.BytesIO(b'{"a": 1}')})
    assert_error(response, 400, "body_incomplete")


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/merge-patch+json",
        "application/json; charset=latin-1",
        "application/json; charset=utf-8; version=1",
        "text/plain, application/json",
        "json",
    ],
)
def test_another_media_type_is_415(client: Client, media_type: str) -> None:
    assert_error(send(client, "/probe", b"{}", content_type=media_type), 415, "unsupported_media_type")
    assert_error(send(client, "/settle", b"{}", content_type=media_type), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
def test_json_in_utf_8_is_accepted_however_it_is_announced(client: Client, media_type: str) -> None:
    assert send(client, "/probe", b"{}", content_type=media_type).status_code == 201


def test_a_compressed_body_is_415(client: Client) -> None:
    assert_error(send(client, "/probe", b"{}", HTTP_CONTENT_ENCODING="gzip"), 415, "unsupported_media_type")


def test_drf_reads_the_same_body(client: Client) -> None:
    response = client.put("/parsed", b'{"a": 0.10}', content_type="application/json")
    assert response.json() == {"same": True}


def test_a_get_needs_no_body_and_ignores_one(client: Client) -> None:
    assert client.get("/probe").status_code == 200
    assert client.generic("GET", "/probe", b"nonsense", content_type="text/plain").status_code == 200
