"""The published libraries work unchanged: what they sign we take, and what we sign they take."""

import json
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
import standardwebhooks
import svix.webhooks
import time_machine

from settlements import signatures
from tests.signing.conftest import NewSource
from tests.signing.messages import EVENT, Message

JAVASCRIPT = json.loads((Path(__file__).parents[1] / "data/standard-webhooks/javascript.json").read_text())
PYTHON: dict[str, Any] = {"standardwebhooks": standardwebhooks.Webhook, "svix": svix.webhooks.Webhook}
BODIES = {
    "ascii": EVENT.decode(),
    "unicode": json.dumps(json.loads(EVENT) | {"note": "Žofia 東京 👍🏽 \u2028"}, ensure_ascii=False),
    "spaces": "\n\t" + json.dumps(json.loads(EVENT), indent=4) + "  \r\n",
    "large": orjson.dumps({**json.loads(EVENT), "note": "Größe " * 7_000}).decode(),
}
_numbers = count(1)


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
@pytest.mark.parametrize("library", PYTHON)
def test_what_a_python_library_signs_is_taken(library: str, body: str, source_with: NewSource) -> None:
    secret, at, message_id = signatures.new_secret(), datetime.now(UTC), f"msg_{next(_numbers)}"
    signature = PYTHON[library](secret).sign(message_id, at, body)
    message = Message(
        source=source_with(secret),
        id=message_id,
        timestamp=str(int(at.timestamp())),
        signature=signature,
        body=body.encode(),
    )
    assert message.post().status_code == 200
    assert signatures.sign(signatures.key_of(secret), message_id=message_id, at=at, body=message.body) == signature


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
@pytest.mark.parametrize("library", PYTHON)
def test_what_we_sign_is_taken_by_a_python_library(library: str, body: str) -> None:
    secret, now = signatures.new_secret(), datetime.now(UTC)
    signature = signatures.sign(signatures.key_of(secret), message_id="msg_ours", at=now, body=body.encode())
    headers = {"webhook-id": "msg_ours", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    verifier = PYTHON[library](secret)
    verifier.verify(body, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier.verify(body + " ", headers)
    with time_machine.travel(now + timedelta(minutes=6)), pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier.verify(body, headers)


@pytest.mark.parametrize("made", JAVASCRIPT["cases"], ids=lambda made: f"{made['package']}, {made['name']}")
def test_what_a_javascript_library_signed_is_taken(made: dict[str, Any], source_with: NewSource) -> None:
    with time_machine.travel(made["timestamp"], tick=False):
        message = Message(
            source=source_with(made["secret"]),
            id=made["id"],
            timestamp=str(int(time.time())),
            signature=made["signature"],
            body=made["body"].encode(),
        )
        # Known by its signature: a body that is no event gets 400 for what it says, one without a length 411.
        expected = 200 if b"shipment_id" in message.body else 400 if message.body else 411
        assert message.post().status_code == expected
    at = datetime.fromtimestamp(made["timestamp"], UTC)
    key = signatures.key_of(made["secret"])
    assert signatures.sign(key, message_id=made["id"], at=at, body=message.body) == made["signature"]


def test_both_javascript_libraries_made_vectors() -> None:
    assert (
        {made["package"] for made in JAVASCRIPT["cases"]} == {"standardwebhooks", "svix"} < set(JAVASCRIPT["made_by"])
    )
