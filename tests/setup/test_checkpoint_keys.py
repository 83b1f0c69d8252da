"""The key that signs checkpoints: set, made beside the servers' own data, or missing and said to be."""

import base64
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chainpay import checkpoint_keys, environment

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()


def test_a_key_is_the_base64_of_32_bytes() -> None:
    assert checkpoint_keys.private(f" {KEY} ") == bytes(range(32))
    assert checkpoint_keys.private("") == b""
    assert len(checkpoint_keys.private(checkpoint_keys.new())) == 32
    assert checkpoint_keys.new() != checkpoint_keys.new()
    assert checkpoint_keys.former(f"{KEY}, {OTHER},") == [bytes(range(32)), bytes(32)]
    assert checkpoint_keys.former("") == []


@pytest.mark.parametrize("wrong", ["abc", KEY[:-4], f"{KEY}AAAA", "é", f"{KEY},{KEY}", "2026:" + KEY])
def test_what_is_no_key_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="CHAINPAY_CHECKPOINT_KEY must be the base64 of 32") as refusal:
        checkpoint_keys.private(wrong)
    assert wrong not in str(refusal.value)
    if "," not in wrong:
        with pytest.raises(ImproperlyConfigured, match=r"CHAINPAY_CHECKPOINT_FORMER_KEYS must be .*Key 2 is not"):
            checkpoint_keys.former(f"{KEY},{wrong}")


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment that says nothing of the key."""
    for name in ("CHAINPAY_CHECKPOINT_KEY", "CHAINPAY_DEMO", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHAINPAY_VAR", str(tmp_path))
    monkeypatch.setenv("SECRET_KEY", "secret")
    return tmp_path


def test_with_the_embedded_database_and_in_the_demo_one_is_made_once_and_kept_to_itself(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = environment.read(surroundings).checkpoint_key
    assert len(made) == 32
    assert (surroundings / "checkpoint_key").stat().st_mode & 0o777 == 0o600
    assert environment.read(surroundings).checkpoint_key == made
    monkeypatch.setenv("DATABASE_URL", "postgresql://nowhere/nothing")
    monkeypatch.setenv("CHAINPAY_DEMO", "1")
    assert environment.read(surroundings).checkpoint_key == made
    monkeypatch.setenv("CHAINPAY_CHECKPOINT_KEY", KEY)
    assert environment.read(surroundings).checkpoint_key == bytes(range(32))


def test_with_a_database_of_your_own_none_is_made(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nowhere/nothing")
    assert environment.read(surroundings).checkpoint_key == b""
    assert not (surroundings / "checkpoint_key").exists()
