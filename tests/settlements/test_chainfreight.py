"""What we make of ChainFreight's answers, whatever they are."""

import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from settlements import chainfreight
from settlements.tokens import TokenNotFound, TokenPush
from tests.raw_server import RawServer, Script, answering, closed_port, dripping, http, silent

TOKEN = {
    "id": 7,
    "shipment_id": "SHIP-7",
    "face_value": 10000.5,
    "currency": "USD",
    "status": "active",
    "risk_score": 0.15,
    "risk_category": "LOW",
}
UNKNOWN = None


@pytest.fixture
def service(settings: Any) -> Iterator[RawServer]:
    with RawServer(silent) as server:
        settings.CHAINFREIGHT_URL = f"{server.url}/base"
        settings.CHAINFREIGHT_TIMEOUT_SECONDS = 20
        yield server


def fetched(service: RawServer, body: Any) -> TokenPush:
    service.script = answering(http(body if isinstance(body, bytes) else json.dumps(body).encode()))
    return chainfreight.fetch(7)


def test_a_token_is_asked_for_by_its_id_and_its_other_fields_are_ignored(service: RawServer) -> None:
    assert fetched(service, {**TOKEN, "carrier_id": 12, "recipient_id": "acme", "colour": ["red"]}) == TokenPush(
        shipment_id="SHIP-7",
        status="active",
        risk_score=Decimal("0.15"),
        risk_category="LOW",
        carrier_id="12",
        recipient_id="acme",
    )
    assert service.requests[0].startswith(b"GET /base/tokens/7 HTTP/1.1\r\n")


def test_only_id_shipment_and_status_are_needed(service: RawServer) -> None:
    assert fetched(service, {"id": "7", "shipment_id": 4711, "status": "LOCKED"}) == TokenPush(
        shipment_id="4711", status="locked", risk_score=None, risk_category="", carrier_id="", recipient_id=None
    )


@pytest.mark.parametrize("status", ["in_dispute", "on hold", "burned!", "loc\u212aed"])
def test_a_status_that_we_do_not_know_stays_as_the_upstream_says_it(service: RawServer, status: str) -> None:
    assert fetched(service, {**TOKEN, "status": status}).status == status


@pytest.mark.parametrize(
    ("given", "score"),
    [
        ("0", "0"),
        ("0.0", "0"),
        ("-0.0", "0"),
        ("1", "1"),
        ("0.33", "0.33"),
        ("0.32999999999999996", "0.32999999999999996"),
        ("1e-3", "0.001"),
        ('"0.5"', "0.5"),
        ('{"score": 0.4, "category": "MEDIUM", "model": {"version": 3}}', "0.4"),
        ('{"risk_score": "0.4", "category": "MEDIUM"}', "0.4"),
        ('{"value": 0}', "0"),
        ('{"score": 0.4, "risk_score": 0.4}', "0.4"),
        ("null", UNKNOWN),
        ("true", UNKNOWN),
        ("false", UNKNOWN),
        ('""', UNKNOWN),
        ('" 0.1"', UNKNOWN),
        ('"low"', UNKNOWN),
        ('"NaN"', UNKNOWN),
        ('"1e-1"', UNKNOWN),
        ("-0.1", UNKNOWN),
        ("1.0001", UNKNOWN),
        ("15", UNKNOWN),
        ("1e400", UNKNOWN),
        ("1e-400", UNKNOWN),
        ("1e-999999999", UNKNOWN),
        ("123456789012345678901234567890", UNKNOWN),
        ("[0.1]", UNKNOWN),
        ("{}", UNKNOWN),
        ('{"level": "low"}', UNKNOWN),
        ('{"score": null}', UNKNOWN),
        ('{"score": true}', UNKNOWN),
        ('{"score": 15}', UNKNOWN),
        ('{"score": {"score": 0.1}}', UNKNOWN),
        ('{"score": 0.1, "risk_score": 0.9}', UNKNOWN),
        ('{"score": 0.1, "risk_score": "high"}', UNKNOWN),
    ],
)
def test_every_form_of_a_risk_score_is_taken_exactly_or_as_unknown(
    service: RawServer, caplog: pytest.LogCaptureFixture, given: str, score: str | None
) -> None:
    body = json.dumps({**TOKEN, "risk_score": "?"}).replace('"?"', given).encode()
    with caplog.at_level(logging.INFO):
        risk = fetched(service, body).risk_score
    assert (None if risk is None else str(risk)) == score
    assert ("risk score of token 7 is of no use and treated as unknown" in caplog.text) == (score is UNKNOWN)


def test_a_missing_risk_score_is_unknown(service: RawServer) -> None:
    assert fetched(service, {"id": 7, "shipment_id": "S", "status": "active"}).risk_score is None


@pytest.mark.parametrize(
    ("fields", "category"),
    [
        ({"risk_score": {"score": 0.4, "category": "MEDIUM"}, "risk_category": None}, "MEDIUM"),
        ({"risk_score": {"score": 0.4, "category": "MEDIUM"}, "risk_category": "own"}, "own"),
        ({"risk_category": ["LOW"]}, ""),
        ({"risk_category": ""}, ""),
        ({"risk_category": "x" * 201}, ""),
    ],
)
def test_a_category_is_for_display_and_may_be_missing(
    service: RawServer, fields: dict[str, Any], category: str
) -> None:
    assert fetched(service, {**TOKEN, **fields}).risk_category == category


@pytest.mark.parametrize("unusable", [["x"], {}, True, -1, 1.5, "", " x", "a\n"])
def test_a_carrier_or_recipient_of_no_use_is_left_out(service: RawServer, unusable: Any) -> None:
    push = fetched(service, {**TOKEN, "carrier_id": unusable, "recipient_id": unusable})
    assert (push.carrier_id, push.recipient_id) == ("", None)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in TOKEN.items() if key != name}


GOOD = json.dumps(TOKEN).encode()


@pytest.mark.parametrize(
    "script",
    [
        *(answering(http(GOOD, status=status)) for status in ("404 Not Found", "401 X", "500 X", "503 X", "201 X")),
        *(answering(http(GOOD, status=status)) for status in ("206 Partial Content", "301 X", "302 X", "304 X")),
        *(
            answering(http(json.dumps(body).encode()))
            for body in (
                {**TOKEN, "id": 8},
                {**TOKEN, "id": True},
                {**TOKEN, "id": "7 "},
                {**TOKEN, "id": 7.0},
                {**TOKEN, "shipment_id": ""},
                {**TOKEN, "shipment_id": "x" * 201},
                {**TOKEN, "shipment_id": "a\x00b"},
                {**TOKEN, "shipment_id": "\u202eSHIP"},
                {**TOKEN, "shipment_id": -1},
                {**TOKEN, "shipment_id": ["S"]},
                {**TOKEN, "status": None},
                {**TOKEN, "status": 1},
                {**TOKEN, "status": ""},
                without("id"),
                without("shipment_id"),
                without("status"),
                [TOKEN],
                {"token": TOKEN},
                {},
                None,
                7,
            )
        ),
        answering(http(b"")),
        answering(http(b"<html>Welcome</html>")),
        answering(http(GOOD.replace(b"0.15", b"NaN"))),
        answering(http(GOOD.replace(b'"id": 7,', b'"id": 7, "id": 7,'))),
        answering(http(GOOD.replace(b"SHIP", b"\xff"))),
        answering(http(b"[" * 10_000)),
        answering(http(b'{"x": "' + b"x" * 70_000 + b'",' + GOOD[1:])),
        answering(http(GOOD)[:-10]),
        answering(http(GOOD, headers="Content-Encoding: gzip\r\n")),
        answering(b"nonsense\r\n\r\n"),
        answering(b""),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 70_000),
    ],
)
def test_any_wrong_answer_is_a_token_not_found(
    service: RawServer, caplog: pytest.LogCaptureFixture, script: Script
) -> None:
    service.script = script
    with caplog.at_level(logging.INFO), pytest.raises(TokenNotFound) as refused:
        chainfreight.fetch(7)
    assert refused.value.detail == "Freight token 7 not found or unreachable"
    assert "ChainFreight" in caplog.text
    assert "token 7" in caplog.text


def test_what_a_redirect_leads_to_is_not_asked(service: RawServer) -> None:
    with RawServer(answering(http(GOOD))) as good:
        service.script = answering(http(b"", status="302 Found", headers=f"Location: {good.url}/tokens/7\r\n"))
        with pytest.raises(TokenNotFound):
            chainfreight.fetch(7)
    assert good.requests == []


@pytest.mark.parametrize("script", [silent, dripping(b""), dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")])
def test_a_service_that_answers_too_slowly_or_never_is_unreachable(
    service: RawServer, settings: Any, caplog: pytest.LogCaptureFixture, script: Script
) -> None:
    settings.CHAINFREIGHT_TIMEOUT_SECONDS = 1
    service.script = script
    with pytest.raises(TokenNotFound):
        chainfreight.fetch(7)
    assert "ChainFreight gave no usable answer for token 7: no answer in time" in caplog.text


def test_a_service_that_is_not_there_is_unreachable(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.CHAINFREIGHT_URL = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(TokenNotFound):
        chainfreight.fetch(7)
    assert "the connection was refused" in caplog.text
