"""Signatures as others make and check them: published vectors, and the libraries of Python and JavaScript."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import svix

from settlements import signatures

DATA = Path(__file__).parents[1] / "data/standard-webhooks"
PUBLISHED = json.loads((DATA / "vectors.json").read_text())
JAVASCRIPT = json.loads((DATA / "javascript.json").read_text())
VECTORS = [*PUBLISHED["positive"], *JAVASCRIPT["cases"]]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = signatures.new_secret()
KEY = signatures.key_of(SECRET)
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
NOW = datetime(2025, 11, 7, 15, 30, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
BODIES = [b"", b"{}", b'{"shipment_id":"SHIP-1"}', '{"shipment_id":"東京 🚚"}'.encode(), b"x" * 60_000]
GOOD = signatures.sign(KEY, message_id=ID, at=NOW, body=b"{}")


def accepted(*keys: bytes, **changed: Any) -> int:
    """The place of the key that signed; a message that is right unless something of it is changed."""
    message = {"message_id": ID, "timestamp": str(SECONDS), "signatures": GOOD, "body": b"{}", "now": NOW}
    return signatures.verify(keys or (KEY,), **{**message, **changed})


def filled(text: str) -> str:
    return text.replace("{good:8}", GOOD[:8]).replace("{good}", GOOD)


@pytest.mark.parametrize(
    "vector", VECTORS, ids=lambda vector: f"{vector.get('package', 'published')}: {vector['name']}"
)
def test_a_message_signed_by_another_library_is_accepted_and_ours_is_the_same(vector: dict[str, Any]) -> None:
    key, body = signatures.key_of(vector["secret"]), vector["body"].encode()
    at = datetime.fromtimestamp(vector["timestamp"], UTC)
    given = {"timestamp": str(vector["timestamp"]), "message_id": vector["id"], "signatures": vector["signature"]}
    assert accepted(key, body=body, now=at, **given) == 0
    assert signatures.sign(key, message_id=vector["id"], at=at, body=body) == vector["signature"]
    with pytest.raises(signatures.InvalidSignature):
        accepted(key, body=body + b" ", now=at, **given)


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.Webhook], ids=["standardwebhooks", "svix"])
@pytest.mark.parametrize("body", BODIES, ids=len)
def test_the_libraries_of_python_and_we_take_each_others_messages(library: Any, body: bytes) -> None:
    theirs = library(SECRET).sign(ID, NOW, body.decode())
    assert accepted(signatures=theirs, body=body) == 0
    assert theirs == signatures.sign(KEY, message_id=ID, at=NOW, body=body)


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.Webhook], ids=["standardwebhooks", "svix"])
def test_the_libraries_of_python_verify_what_we_sign(library: Any) -> None:
    now, body = datetime.now(UTC), b'{"type":"settlement.approved"}'
    headers = {
        "webhook-id": ID,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signatures.sign(KEY, message_id=ID, at=now, body=body),
    }
    library(SECRET).verify(body, headers)
    with pytest.raises((standardwebhooks.WebhookVerificationError, svix.WebhookVerificationError)):
        library(OTHER).verify(body, headers)


@pytest.mark.parametrize(
    ("name", "header", "expected"), PUBLISHED["signature_header_cases"], ids=lambda case: str(case)
)
def test_a_signature_header_is_accepted_if_it_holds_a_good_signature(name: str, header: str, expected: Any) -> None:
    if expected == 401:
        with pytest.raises(signatures.InvalidSignature):
            accepted(signatures=filled(header))
    else:
        assert accepted(signatures=filled(header)) == 0


@pytest.mark.parametrize("seconds", [-301, 301, -86_400, 86_400])
def test_a_stale_or_future_message_is_refused_although_it_is_signed(seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds)
    stale = {"timestamp": str(SECONDS + seconds), "signatures": signatures.sign(KEY, message_id=ID, at=at, body=b"{}")}
    with pytest.raises(signatures.InvalidSignature, match="5 minutes"):
        accepted(**stale)


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_five_minutes_either_way_are_tolerated(seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds)
    late = {"timestamp": str(SECONDS + seconds), "signatures": signatures.sign(KEY, message_id=ID, at=at, body=b"{}")}
    assert accepted(**late) == 0


@pytest.mark.parametrize(
    "timestamp",
    ["nan", "1e400", f"{SECONDS}.7", f" {SECONDS} ", f"{SECONDS}\n", "-1", "0x65", "", "0", f"0{SECONDS}",
     f"+{SECONDS}", "١٧٦٢٥٢٩٤٠٠", "9" * 5_000],
)  # fmt: skip
def test_a_timestamp_that_is_no_whole_number_of_seconds_is_refused(timestamp: str) -> None:
    with pytest.raises(signatures.InvalidSignature):
        accepted(timestamp=timestamp, signatures=_signed(ID, timestamp, b"{}"))


@pytest.mark.parametrize(
    "message_id", ["", "msg.1", f"msg_1.{SECONDS}", "m" * 256, "msg\r\n1", "msg 1", "msgé", "m\x00"]
)
def test_an_id_that_is_not_visible_ascii_without_a_dot_is_refused(message_id: str) -> None:
    with pytest.raises(signatures.InvalidSignature, match="webhook-id"):
        accepted(message_id=message_id, signatures=_signed(message_id, str(SECONDS), b"{}"))


def test_a_signature_does_not_move_its_boundary_into_the_id() -> None:
    """What was signed as id `msg_1` is not taken for id `msg_1.<ts>`, whose text to sign reads the same."""
    body = f"{SECONDS}.{{}}".encode()
    stolen = signatures.sign(KEY, message_id="msg_1", at=NOW, body=body)
    with pytest.raises(signatures.InvalidSignature):
        accepted(message_id=f"msg_1.{SECONDS}", signatures=stolen)


def test_the_key_that_signed_is_told_by_its_place_and_another_key_is_refused() -> None:
    other = signatures.key_of(OTHER)
    assert accepted(other, KEY) == 1
    with pytest.raises(signatures.InvalidSignature):
        accepted(other)
    with pytest.raises(signatures.InvalidSignature):
        signatures.verify([], message_id=ID, timestamp=str(SECONDS), signatures=GOOD, body=b"{}", now=NOW)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", "whsec_é", "whsec_" + "A" * 92, "whsec_not base64!"])
def test_what_is_no_secret_is_refused(text: str) -> None:
    with pytest.raises(signatures.InvalidSecret):
        signatures.key_of(text)


def _signed(message_id: str, timestamp: str, body: bytes) -> str:
    """A signature over a text that `sign` would never make, as a holder of the secret could."""
    digest = hmac.digest(KEY, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"
