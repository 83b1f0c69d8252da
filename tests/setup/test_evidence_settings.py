"""What the environment says of evidence is right, or the service does not start."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chainpay import environment


def read(monkeypatch: pytest.MonkeyPatch, var: Path, **variables: str) -> environment.Environment:
    monkeypatch.setenv("CHAINPAY_VAR", str(var))
    for name in ("CHAINPAY_EVIDENCE_DIR", "CHAINPAY_EVIDENCE_MAX_BYTES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return environment.read(var)


def test_without_a_word_files_of_ten_mebibytes_lie_under_var(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = read(monkeypatch, tmp_path)
    assert (found.evidence_dir, found.evidence_max_bytes) == (tmp_path / "evidence", 10_485_760)


def test_another_place_and_another_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = read(monkeypatch, tmp_path, CHAINPAY_EVIDENCE_DIR="/srv/papers", CHAINPAY_EVIDENCE_MAX_BYTES="1")
    assert (found.evidence_dir, found.evidence_max_bytes) == (Path("/srv/papers"), 1)


@pytest.mark.parametrize("place", ["papers", "./papers", "static", "static/papers", "static/../static/x"])
def test_a_place_that_is_relative_or_served_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    given = place if not place.startswith("static") else str(tmp_path / place)
    with pytest.raises(ImproperlyConfigured, match="CHAINPAY_EVIDENCE_DIR must be an absolute path"):
        read(monkeypatch, tmp_path, CHAINPAY_EVIDENCE_DIR=given)


@pytest.mark.parametrize("size", ["0", "-1", "104857601", "10MB", "1e6"])
def test_a_limit_that_is_no_number_of_bytes_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match="CHAINPAY_EVIDENCE_MAX_BYTES must be a whole number"):
        read(monkeypatch, tmp_path, CHAINPAY_EVIDENCE_MAX_BYTES=size)
