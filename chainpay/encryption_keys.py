"""Which keys seal secrets at rest: those of CHAINPAY_ENCRYPTION_KEYS, and after them one made out of SECRET_KEY."""

import base64
import binascii
import re
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.core.exceptions import ImproperlyConfigured

KEY_BYTES: Final = 32
_ID: Final = re.compile(r"[a-z0-9-]{1,32}")
_DERIVED: Final = "secret-key-"


def read(text: str, secret_key: str) -> dict[str, bytes]:
    """`2026:BASE64,2025:BASE64`, 32 bytes each, the first one seals; keys by id in that order.

    The last one is derived from SECRET_KEY and alone when nothing is set; its id tells which SECRET_KEY made it.
    Raises ImproperlyConfigured, which repeats no key.
    """
    keys: dict[str, bytes] = {}
    for place, part in enumerate(filter(None, (piece.strip() for piece in text.split(","))), start=1):
        key_id, _, encoded = part.partition(":")
        key = _decoded(encoded)
        if not _ID.fullmatch(key_id) or key_id.startswith(_DERIVED) or key_id in keys or len(key) != KEY_BYTES:
            raise ImproperlyConfigured(
                f"CHAINPAY_ENCRYPTION_KEYS must be id:key pairs separated by commas, newest first: each id once, of "
                f"a-z, 0-9 and -, each key the base64 of {KEY_BYTES} bytes. Pair {place} is not."
            )
        keys[key_id] = key
    derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"chainpay sealing").derive(
        secret_key.encode()
    )
    return {**keys, _DERIVED + _fingerprint(derived): derived}


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _fingerprint(key: bytes) -> str:
    return HKDF(algorithm=SHA256(), length=4, salt=None, info=b"chainpay key id").derive(key).hex()
