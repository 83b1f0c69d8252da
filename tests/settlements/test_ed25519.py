"""The signatures that a dossier's own program checks: RFC 8032's examples, and the same answers as a known library."""

import hashlib
import random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from settlements.dossier import verify

# RFC 8032, section 7.1: public key, message, signature.
EXAMPLES = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246551"
     "41438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d"
     "291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027"
     "beceea1ec40a"),
    ("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf", hashlib.sha512(b"abc").hexdigest(),
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9be"
     "f1177331a704"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "message", "signature"), EXAMPLES)
def test_the_examples_of_the_rfc_hold_and_nothing_near_them(key: str, message: str, signature: str) -> None:
    told, signed, by = bytes.fromhex(message), bytes.fromhex(signature), bytes.fromhex(key)
    assert verify.is_signed(told, signed, by)
    assert not verify.is_signed(told + b"x", signed, by)
    for place in (0, 31, 32, 63):
        flipped = bytes([*signed[:place], signed[place] ^ 1, *signed[place + 1 :]])
        assert not verify.is_signed(told, flipped, by)
        assert not verify.is_signed(told, signed, bytes([*by[: place % 32], by[place % 32] ^ 1, *by[place % 32 + 1 :]]))


def test_it_says_what_a_known_library_says() -> None:
    drawn = random.Random(8032)
    for _ in range(40):
        seed, message = drawn.randbytes(32), drawn.randbytes(drawn.randrange(200))
        private = Ed25519PrivateKey.from_private_bytes(seed)
        signature, key = bytearray(private.sign(message)), private.public_key().public_bytes_raw()
        assert verify.is_signed(message, bytes(signature), key)
        signature[drawn.randrange(64)] ^= 1 << drawn.randrange(8)
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(bytes(signature), message)
            expected = True
        except InvalidSignature:
            expected = False
        assert verify.is_signed(message, bytes(signature), key) is expected


def test_a_signature_is_not_taken_in_another_spelling() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    signature, key = private.sign(b"words"), private.public_key().public_bytes_raw()
    s = int.from_bytes(signature[32:], "little") + verify.ORDER
    assert not verify.is_signed(b"words", signature[:32] + s.to_bytes(32, "little"), key)
    assert not verify.is_signed(b"words", signature + b"\0", key)
    assert not verify.is_signed(b"words", signature[:63], key)
    assert not verify.is_signed(b"words", signature, b"")
    assert not verify.is_signed(b"words", signature, b"\xff" * 32)
    assert not verify.is_signed(b"words", signature, bytes(31) + b"\x80")
