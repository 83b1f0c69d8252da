"""Signatures as the Standard Webhooks specification has them: every published vector, and every way to be wrong."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine

from settlements import signatures
from settlements.models import ShipmentEvent
from settlements.signatures import InvalidSignature
from tests.factories import platform_source
from tests.signing.conftest import NewSource
from tests.signing.messages import EVENT, Message, everything

VECTORS = json.loads((Path(__file__).parents[1] / "data/standard-webhooks/vectors.json").read_text())
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
KEY = signatures.key_of(SECRET)
ACCEPT, EITHER = "accept", "accept or 401, never 500"

# What the words of the vectors mean, by the place in the list; each is signed as it stands.
TIMESTAMPS = {"-301 s": -301, "+301 s": 301, "-299 s": -299, "+299 s": 299}
IDS = {"256+ chars": "m" * 256, "CRLF": "msg_1\r\nX-Event-Source: other", "non-ascii": "msg_é"}


@pytest.fixture(autouse=True)
def clock() -> Any:
    """Stands still, so that a second more or less is one."""
    with time_machine.travel(datetime.now(UTC).replace(microsecond=0), tick=False):
        yield


@pytest.fixture
def message(source_with: NewSource) -> Message:
    """One that is right in everything."""
    return Message(source=source_with(SECRET), id="msg_1", timestamp=str(int(time.time()))).signed(SECRET)


def by_hand(message: Message) -> int:
    """The place of the key, without HTTP."""
    return signatures.verify(
        [signatures.key_of(OTHER), KEY],
        message_id=message.id,
        timestamp=message.timestamp,
        signatures=message.signature,
        body=message.body,
        now=datetime.now(UTC),
    )


def accepted(message: Message, status: int = 200) -> None:
    assert by_hand(message) == 1
    answer = message.post()
    assert answer.status_code == status, answer.content


def refused(message: Message, code: str = "invalid_signature") -> None:
    """401 in our one shape, and not a row has changed."""
    before = everything()
    answer = message.post()
    assert (answer.status_code, answer.json()["code"]) == (401, code), answer.content
    assert answer.headers["WWW-Authenticate"]
    assert everything() == before


def refused_by_hand_too(message: Message) -> None:
    with pytest.raises(InvalidSignature):
        by_hand(message)
    refused(message)


@pytest.mark.parametrize("vector", VECTORS["positive"], ids=lambda vector: vector["name"])
def test_a_published_vector_is_made_and_taken_alike(vector: dict[str, Any], source_with: NewSource) -> None:
    at, body = datetime.fromtimestamp(vector["timestamp"], UTC), vector["body"].encode()
    key = signatures.key_of(vector["secret"])
    assert signatures.sign(key, message_id=vector["id"], at=at, body=body) == vector["signature"]
    with time_machine.travel(at, tick=False):
        message = Message(
            source=source_with(vector["secret"]),
            id=vector["id"],
            timestamp=str(vector["timestamp"]),
            signature=vector["signature"],
            body=body,
        )
        # They are no shipment events: known by their signature, refused for what they say.
        answer = message.post()
        assert (answer.status_code, answer.json()["code"]) == (400, "shipment_id_missing"), answer.content
        refused(replace(message, body=body[:-1] + b" "))


@pytest.mark.parametrize("case", VECTORS["signature_header_cases"], ids=lambda case: case[0])
def test_signature_headers(case: tuple[str, str, Any], message: Message) -> None:
    _, header, outcome = case
    good = message.signature
    given = replace(message, signature=header.replace("{good:8}", good[:8]).replace("{good}", good))
    if outcome in (ACCEPT, EITHER):
        accepted(given)
    else:
        assert outcome == 401
        refused_by_hand_too(given)


@pytest.mark.parametrize("case", VECTORS["timestamp_cases"], ids=lambda case: case[0])
def test_timestamps(case: tuple[str, Any], message: Message) -> None:
    words, outcome = case
    now = int(time.time())
    said = str(now + TIMESTAMPS[words]) if words in TIMESTAMPS else words.replace("{now}", str(now))
    given = replace(message, timestamp=said).signed(SECRET)
    if outcome == ACCEPT:
        accepted(given)
    else:
        refused_by_hand_too(given)


@pytest.mark.parametrize(
    "said", ["{now}.0", "+{now}", "0{now}", "{now}\n", "{now}_0", "١٧٦٣٦٤٠٠٠٠", "9" * 400, "-{now}"]
)
def test_a_timestamp_is_whole_seconds_in_plain_digits(said: str, message: Message) -> None:
    refused_by_hand_too(replace(message, timestamp=said.replace("{now}", str(int(time.time())))).signed(SECRET))


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_are_still_allowed(seconds: int, message: Message) -> None:
    accepted(replace(message, timestamp=str(int(time.time()) + seconds)).signed(SECRET))


@pytest.mark.parametrize("case", VECTORS["id_cases"], ids=lambda case: case[0])
def test_ids(case: tuple[str, int], message: Message) -> None:
    words, outcome = case
    assert outcome == 401
    if words in IDS:
        refused_by_hand_too(replace(message, id=IDS[words]).signed(SECRET))
        return
    # Signed was msg_1 with a body that begins with a time: the same bytes, cut elsewhere, are another message.
    longer = replace(message, body=message.timestamp.encode() + b"." + EVENT).signed(SECRET)
    shifted = replace(longer, id=f"msg_1.{longer.timestamp}", body=EVENT)
    assert shifted.signed(SECRET).signature == longer.signature
    refused_by_hand_too(shifted)


@pytest.mark.parametrize("said", ["", " ", "msg 1", "msg_1\t", "msg_\x7f"])
def test_an_id_is_visible_ascii(said: str, message: Message) -> None:
    refused_by_hand_too(replace(message, id=said).signed(SECRET))


def test_an_id_has_255_characters_at_most(message: Message) -> None:
    accepted(replace(message, id="m" * 255).signed(SECRET))
    refused_by_hand_too(replace(message, id="m" * 256).signed(SECRET))


NOT_JSON = {
    "non-UTF-8 bytes, correctly signed -> 400": b'{"shipment_id": "\xff\xfe"}',
    "signed 'not json' -> 400": b"not json",
    'signed {"a":NaN} -> 400': b'{"a":NaN}',
}


@pytest.mark.parametrize("case", VECTORS["body_cases"])
def test_bodies(case: str, message: Message) -> None:
    if case in NOT_JSON:
        accepted(replace(message, body=NOT_JSON[case]).signed(SECRET), 400)
    elif case.startswith("one byte changed"):
        for place in range(len(EVENT)):
            changed = bytearray(EVENT)
            changed[place] ^= 1
            with pytest.raises(InvalidSignature):
                by_hand(replace(message, body=bytes(changed)))
        refused(replace(message, body=bytes(changed)))
    else:
        assert case == "signed over re-serialised JSON -> 401"
        refused_by_hand_too(replace(message, body=json.dumps(json.loads(EVENT), indent=1).encode()))
    assert not ShipmentEvent.objects.exists()


def test_an_unknown_source_is_401(message: Message) -> None:
    for name in ("nobody", "", " ", "é", "n" * 51, f"{message.source} ", "' OR 1=1 --"):
        refused(replace(message, source=name))


def test_the_source_of_another_secret_is_401(message: Message, source_with: NewSource) -> None:
    refused(replace(message, source=source_with(OTHER)))


@pytest.mark.parametrize("name", ["X-Event-Source", "webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_is_needed(name: str, message: Message) -> None:
    refused(replace(message, without=frozenset({name})))


def test_without_any_of_them_only_the_demo_listens(message: Message, demo: bool) -> None:
    anonymous = replace(message, without=frozenset(message.headers()))
    if demo:
        platform_source()
        assert anonymous.post().status_code == 200
    else:
        refused(anonymous, "not_authenticated")
        refused(replace(anonymous, without=anonymous.without - {"webhook-id"}), "not_authenticated")


@pytest.mark.parametrize(
    "header",
    ["{good} {good}", "v1,AAAA {good}", "{good} v9,AAAA", "{good}  ", "v1,é {good}", "v1a,AAAA {good} v1,{zeros}"],
)
def test_one_good_signature_among_several_is_enough(header: str, message: Message) -> None:
    zeros = "A" * 43 + "="
    accepted(replace(message, signature=header.replace("{good}", message.signature).replace("{zeros}", zeros)))


@pytest.mark.parametrize(
    "header",
    ["{digest}", "V1,{digest}", "v1, {digest}", "v2,{digest}", "v1a,{digest}", "v1,{digest},", "v1,{short}",
     "v1={digest}", "v1,{digest}\t", "v1,{digest}é", "{good};{good}", "{good},{good}", "v1,x " * 40 + "{good}"],
)  # fmt: skip
def test_what_resembles_a_signature_is_none(header: str, message: Message) -> None:
    good = message.signature
    values = {"{good}": good, "{digest}": good[3:], "{short}": good[3:-5]}
    for mark, value in values.items():
        header = header.replace(mark, value)
    refused_by_hand_too(replace(message, signature=header))


def test_a_key_beside_a_signature_is_401(message: Message) -> None:
    class Keyed(Message):
        def headers(self) -> dict[str, str]:
            return {**super().headers(), "Authorization": "Bearer cpk_x"}

    refused(Keyed(**vars(message)), "invalid_credentials")
