"""Secrets at rest: AES-256-GCM under keys that have names, bound to the row they belong to.

A sealed text is `key id:base64(nonce, ciphertext, tag)`. The first configured key seals, every configured key opens,
so a new key can be put in front of an old one at any time.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_NONCE_BYTES: Final = 12  # NIST SP 800-38D, 5.2.1.1


class CannotUnseal(RuntimeError):
    """The key is not configured, or the text is not what was sealed for this row."""


def seal(plain: str, *, belongs_to: str) -> str:
    """The text under the current key; `belongs_to` names its row, like "source_secret:7", and is needed to open it."""
    keys = _keys()
    key_id = next(iter(keys))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + AESGCM(keys[key_id]).encrypt(nonce, plain.encode(), belongs_to.encode())
    return f"{key_id}:{base64.b64encode(sealed).decode()}"


def unseal(sealed: str, *, belongs_to: str) -> str:
    """The text again. Raises CannotUnseal, which names the key but nothing of the text."""
    key_id, _, encoded = sealed.partition(":")
    key = _keys().get(key_id)
    if key is None:
        raise CannotUnseal(f"{belongs_to} is sealed under key {key_id!r}, which CHAINPAY_ENCRYPTION_KEYS does not have")
    try:
        data = base64.b64decode(encoded, validate=True)
        return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], belongs_to.encode()).decode()
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise CannotUnseal(f"{belongs_to} was not sealed under key {key_id!r} for this row") from error


def reseal(sealed: str, *, belongs_to: str) -> str:
    """The same text under the current key. Raises CannotUnseal."""
    return seal(unseal(sealed, belongs_to=belongs_to), belongs_to=belongs_to)


def is_current(sealed: str) -> bool:
    """Whether the text is sealed under the key that seals today."""
    return sealed.partition(":")[0] == next(iter(_keys()))


def fingerprint(plain: str) -> str:
    """A keyed hash to find the text by, under the current key: `key id:HMAC-SHA-256`."""
    return next(iter(fingerprints(plain)))


def fingerprints(plain: str) -> list[str]:
    """The same under each configured key, the current one first: what may stand in the database."""
    return [f"{key_id}:{_hash(key, plain)}" for key_id, key in _keys().items()]


def key_id() -> str:
    """The name of the key that seals today."""
    return next(iter(_keys()))


def _hash(key: bytes, plain: str) -> str:
    """Under a key made out of the sealing one: one key is never used for two things."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"chainpay fingerprint").derive(key)
    return hmac.new(derived, plain.encode(), hashlib.sha256).hexdigest()


def _keys() -> Mapping[str, bytes]:
    keys: Mapping[str, bytes] = settings.CHAINPAY_ENCRYPTION_KEYS
    return keys
