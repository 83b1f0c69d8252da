"""Which key signs, and which ones are believed: those of the settings alone, never what the database brings along.

Ed25519 (RFC 8032). A key is named by its fingerprint, the SHA-256 of its 32 public bytes in hexadecimal.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.core import checks


class NoKey(RuntimeError):
    """CHAINPAY_CHECKPOINT_KEY is not set: nothing can be signed."""


def fingerprint(public_key: bytes) -> str:
    """The name of a key."""
    return hashlib.sha256(public_key).hexdigest()


def sign(words: bytes) -> bytes:
    """The signature of the words (64 bytes). Raises NoKey."""
    return _private().sign(words)


def public_key() -> bytes:
    """Of the key that signs today (32 bytes). Raises NoKey."""
    return _private().public_key().public_bytes_raw()


def believed() -> dict[str, bytes]:
    """The public keys whose signatures count, by fingerprint: today's and the former ones of the settings."""
    former: Sequence[bytes] = settings.CHAINPAY_CHECKPOINT_FORMER_KEYS
    known = [*former, public_key()] if settings.CHAINPAY_CHECKPOINT_KEY else former
    return {fingerprint(key): key for key in known}


def is_signed(words: bytes, signature: bytes, key: bytes) -> bool:
    """Whether the holder of the key signed these words."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, words)
    except InvalidSignature:
        return False
    return True


@checks.register
def a_key_is_set(**given: Any) -> list[checks.CheckMessage]:
    """Said at every start and by `check --deploy`: without a key nobody can prove that history was not cut."""
    if settings.CHAINPAY_CHECKPOINT_KEY:
        return []
    words = "CHAINPAY_CHECKPOINT_KEY is not set: no checkpoints are made, and a tail cut off the history is not found."
    return [checks.Warning(words, hint="docs/proof.md says how to make one.", id="settlements.W001")]


def _private() -> Ed25519PrivateKey:
    if not settings.CHAINPAY_CHECKPOINT_KEY:
        raise NoKey("CHAINPAY_CHECKPOINT_KEY is not set; docs/proof.md says how to make one.")
    return Ed25519PrivateKey.from_private_bytes(settings.CHAINPAY_CHECKPOINT_KEY)
