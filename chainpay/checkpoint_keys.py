"""Which Ed25519 key signs checkpoints, and which former ones are still believed."""

import base64
import binascii
import secrets
from typing import Final

from django.core.exceptions import ImproperlyConfigured

KEY_BYTES: Final = 32  # RFC 8032, 5.1.5 and 5.1.2: seed and public key are as long


def new() -> str:
    """A new private key: the base64 of 32 random bytes."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def private(text: str) -> bytes:
    """The seed of the key that signs; empty if none is set. Raises ImproperlyConfigured, which repeats no key."""
    if not text:
        return b""
    key = _decoded(text)
    if len(key) != KEY_BYTES:
        raise ImproperlyConfigured(f"CHAINPAY_CHECKPOINT_KEY must be the base64 of {KEY_BYTES} random bytes.")
    return key


def former(text: str) -> list[bytes]:
    """`BASE64,BASE64`: public keys that signed once. Raises ImproperlyConfigured."""
    keys = [_decoded(part.strip()) for part in text.split(",") if part.strip()]
    for place, key in enumerate(keys, start=1):
        if len(key) != KEY_BYTES:
            raise ImproperlyConfigured(
                f"CHAINPAY_CHECKPOINT_FORMER_KEYS must be public keys separated by commas, each the base64 of "
                f"{KEY_BYTES} bytes as `manage.py checkpoint` prints it. Key {place} is not."
            )
    return keys


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
