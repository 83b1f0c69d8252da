"""Secrets at rest: readable again for their own row, under a key that is still there, and not otherwise."""

from typing import Any

import pytest

from rails import sealing

ROW = "source_secret:7"


@pytest.fixture(autouse=True)
def _keys(settings: Any) -> None:
    settings.CHAINPAY_ENCRYPTION_KEYS = {"new": bytes(32), "old": bytes([1] * 32)}


@pytest.mark.parametrize("plain", ["", "whsec_abc", "naïve ☃ \x00", "x" * 10_000])
def test_what_is_sealed_can_be_read_again(plain: str) -> None:
    sealed = sealing.seal(plain, belongs_to=ROW)
    assert sealing.unseal(sealed, belongs_to=ROW) == plain
    assert sealed.startswith("new:")
    assert not plain or plain not in sealed


def test_the_same_text_never_looks_the_same() -> None:
    assert sealing.seal("secret", belongs_to=ROW) != sealing.seal("secret", belongs_to=ROW)


def test_an_older_key_still_opens_and_only_the_first_is_current(settings: Any) -> None:
    sealed = sealing.seal("secret", belongs_to=ROW)
    settings.CHAINPAY_ENCRYPTION_KEYS = {"newest": bytes([2] * 32), **settings.CHAINPAY_ENCRYPTION_KEYS}
    assert sealing.unseal(sealed, belongs_to=ROW) == "secret"
    assert not sealing.is_current(sealed)
    assert sealing.is_current(sealing.seal("secret", belongs_to=ROW))


@pytest.mark.parametrize("row", ["source_secret:8", "subscriber_secret:7", ""])
def test_another_row_can_not_use_it(row: str) -> None:
    with pytest.raises(sealing.CannotUnseal, match="not sealed"):
        sealing.unseal(sealing.seal("secret", belongs_to=ROW), belongs_to=row)


@pytest.mark.parametrize(
    "broken", ["", "new:", "new:AAAA", "new:not base64", "gone:AAAA", "old:{rest}", "new:{flipped}"]
)
def test_what_is_broken_is_refused_and_not_repeated(broken: str) -> None:
    sealed = sealing.seal("secret", belongs_to=ROW)
    rest = sealed.partition(":")[2]
    flipped = ("A" if rest[20] != "A" else "B").join((rest[:20], rest[21:]))
    with pytest.raises(sealing.CannotUnseal) as refusal:
        sealing.unseal(broken.format(rest=rest, flipped=flipped), belongs_to=ROW)
    assert 'secret"' not in str(refusal.value)
    assert rest not in str(refusal.value)
