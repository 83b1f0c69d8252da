"""Standard Webhooks signatures (v1, symmetric): the same for messages that come in and messages that go out.

Source: the Standard Webhooks specification, https://www.standardwebhooks.com; what is signed is
`id.timestamp.body`, by HMAC-SHA256 under the bytes that the secret's base64 stands for.
"""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

PREFIX: Final = "whsec_"
TOLERANCE: Final = timedelta(minutes=5)
LONGEST_ID: Final = 255
NOT_SIGNED: Final = "No signature in webhook-signature is one by a live secret of this source."

_SECRET_BYTES: Final = 32
_FEWEST_SECRET_BYTES, _MOST_SECRET_BYTES = 24, 64
_DIGEST_BYTES: Final = 32
_VERSION: Final = "v1"
_MOST_SIGNATURES: Final = 32
# No dot: the id would end wherever the forger likes, for what is signed is `id.timestamp.body`.
_ID: Final = re.compile(r"[!-\-/-~]{1,255}")
_TIMESTAMP: Final = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)


class InvalidSecret(ValueError):
    """Not `whsec_` and the base64 of 24 to 64 bytes."""


class InvalidSignature(Exception):
    """The message is not known to come, now, from whoever holds a secret; the text says what is wrong with it."""


def new_secret() -> str:
    """A fresh secret: `whsec_` and the base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The signing key that a secret stands for. Raises InvalidSecret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSecret("A webhook secret is whsec_ followed by base64.") from None
    if not _FEWEST_SECRET_BYTES <= len(key) <= _MOST_SECRET_BYTES:
        raise InvalidSecret(f"A webhook secret has {_FEWEST_SECRET_BYTES} to {_MOST_SECRET_BYTES} bytes.")
    return key


def sign(key: bytes, *, message_id: str, at: datetime, body: bytes) -> str:
    """The `webhook-signature` of a message, with its version: "v1,...". `at` is what `webhook-timestamp` says."""
    digest = _digest(key, message_id, str(int(at.timestamp())), body)
    return f"{_VERSION},{base64.b64encode(digest).decode()}"


def verify(
    keys: Iterable[bytes], *, message_id: str, timestamp: str, signatures: str, body: bytes, now: datetime
) -> int:
    """Which of the keys signed the message, by its place. Raises InvalidSignature.

    `signatures` may list several, separated by spaces; those of unknown versions are passed over. The time may lie five
    minutes from ours, either way.
    """
    if not _ID.fullmatch(message_id):
        raise InvalidSignature(f"webhook-id must be 1 to {LONGEST_ID} visible ASCII characters without a dot.")
    _check_time(timestamp, now)
    given = _digests(signatures)
    for place, key in enumerate(keys):
        expected = _digest(key, message_id, timestamp, body)
        # All are compared, in constant time each: how long it takes tells nothing of a digest.
        if sum(hmac.compare_digest(expected, digest) for digest in given):
            return place
    raise InvalidSignature(NOT_SIGNED)


def _check_time(timestamp: str, now: datetime) -> None:
    if not _TIMESTAMP.fullmatch(timestamp):
        raise InvalidSignature("webhook-timestamp must be whole seconds since 1970.")
    if abs(int(timestamp) - int(now.astimezone(UTC).timestamp())) > TOLERANCE.total_seconds():
        raise InvalidSignature("webhook-timestamp lies more than 5 minutes from our clock.")


def _digests(signatures: str) -> list[bytes]:
    """The v1 digests of a `webhook-signature` header; what is none is passed over."""
    digests = []
    for part in signatures.split(" ")[:_MOST_SIGNATURES]:
        version, _, encoded = part.partition(",")
        if version != _VERSION or not encoded.isascii():
            continue
        try:
            digest = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            continue
        if len(digest) == _DIGEST_BYTES:
            digests.append(digest)
    return digests


def _digest(key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
