"""Every setting may lie in a file that NAME_FILE names; what is wrong with it is told, what is in it never."""

import os
import subprocess
import sys
from pathlib import Path

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from chainpay import environment
from chainpay.environment import read

KEY = "a-secret-of-more-than-fifty-letters-that-nobody-may-read-anywhere"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The whole environment of the settings that are read next."""
    everything: dict[str, str] = {}
    monkeypatch.setattr(environ.Env, "ENVIRON", everything)
    return everything


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "secret"
    place.write_text(KEY + "\n")
    return place


def settings(tmp_path: Path) -> environment.Environment:
    return read(tmp_path)


def test_a_secret_is_read_from_its_file_without_the_line_break(
    given: dict[str, str], file: Path, tmp_path: Path
) -> None:
    given["SECRET_KEY_FILE"] = str(file)
    assert settings(tmp_path).secret_key == KEY


def test_so_is_every_other_setting(given: dict[str, str], file: Path, tmp_path: Path) -> None:
    file.write_text("postgresql://somebody:hidden@db/chainpay\r\n")
    given.update({"SECRET_KEY": KEY, "DATABASE_URL_FILE": str(file), "CHAINPAY_CHECKPOINT_KEY": ""})
    assert settings(tmp_path).database_url == "postgresql://somebody:hidden@db/chainpay"
    file.write_text("12")
    given["CHAINPAY_HOLD_SECONDS_FILE"] = str(file)
    del given["DATABASE_URL_FILE"]
    assert settings(tmp_path).hold_seconds == 12


def test_an_empty_variable_beside_the_file_is_not_set(given: dict[str, str], file: Path, tmp_path: Path) -> None:
    given.update({"SECRET_KEY": "", "SECRET_KEY_FILE": str(file)})
    assert settings(tmp_path).secret_key == KEY


def test_an_empty_name_of_a_file_is_no_file(given: dict[str, str], tmp_path: Path) -> None:
    given.update({"SECRET_KEY": KEY, "SECRET_KEY_FILE": ""})
    assert settings(tmp_path).secret_key == KEY


def test_both_are_refused_even_when_they_say_the_same(given: dict[str, str], file: Path, tmp_path: Path) -> None:
    given.update({"SECRET_KEY": KEY, "SECRET_KEY_FILE": str(file)})
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY and SECRET_KEY_FILE are both set") as refusal:
        settings(tmp_path)
    assert KEY not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfehidden", "is not a text in UTF-8"),
        (b"x" * (64 * 1024 + 1), "is larger than 64 KiB"),
    ],
)
def test_a_file_without_a_value_is_refused(
    given: dict[str, str], file: Path, tmp_path: Path, content: bytes, complaint: str
) -> None:
    file.write_bytes(content)
    given["SECRET_KEY_FILE"] = str(file)
    with pytest.raises(ImproperlyConfigured) as refusal:
        settings(tmp_path)
    assert str(refusal.value) == f"SECRET_KEY_FILE names {file}, which {complaint}."


@pytest.mark.parametrize(("name", "why"), [("missing", "No such file or directory"), ("", "Is a directory")])
def test_a_file_that_can_not_be_read_is_refused(given: dict[str, str], tmp_path: Path, name: str, why: str) -> None:
    given["SECRET_KEY_FILE"] = str(tmp_path / name)
    with pytest.raises(ImproperlyConfigured, match=f"which can not be read: {why}"):
        settings(tmp_path)


def test_a_wrong_value_of_a_file_is_not_repeated(given: dict[str, str], file: Path, tmp_path: Path) -> None:
    file.write_text("mysql://somebody:hidden@db/chainpay")
    given.update({"SECRET_KEY": KEY, "DATABASE_URL_FILE": str(file)})
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL must be a URL") as refusal:
        settings(tmp_path)
    assert "hidden" not in str(refusal.value)


def test_a_command_that_starts_with_both_ends_with_one_sentence(file: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=os.environ | {"SECRET_KEY_FILE": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert "SECRET_KEY and SECRET_KEY_FILE are both set" in ended.stderr
    assert KEY not in ended.stderr + ended.stdout
