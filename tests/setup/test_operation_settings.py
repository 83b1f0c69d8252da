"""What the environment says of operation is right, or the service does not start; what is secret is not repeated."""

from pathlib import Path

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from chainpay import operation_settings
from chainpay.operation_settings import OperationSettings

_NAMES = ("CHAINPAY_METRICS_TOKEN", "CHAINPAY_METRICS_DIR", "CHAINPAY_LOG_FORMAT", "SENTRY_DSN", "SENTRY_ENVIRONMENT")


def read(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str] | None = None, *, demo: bool = False, port: int = 8003
) -> OperationSettings:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in (variables or {}).items():
        monkeypatch.setenv(name, value)
    return operation_settings.read(environ.Env(), Path("/somewhere/var"), port=port, demo=demo)


def test_without_any_nothing_is_told_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch)
    assert (found.metrics_token, found.sentry_dsn) == ("", "")
    assert found.metrics_dir.parent == Path("/tmp")
    assert found.metrics_dir != read(monkeypatch, port=8004).metrics_dir


@pytest.mark.parametrize("token", ["short", "x" * 15, "x" * 257, "with a space in between", "caf\u00e9" * 8])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="CHAINPAY_METRICS_TOKEN") as refused:
        read(monkeypatch, {"CHAINPAY_METRICS_TOKEN": token})
    assert token not in str(refused.value)


def test_a_directory_is_an_absolute_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, {"CHAINPAY_METRICS_DIR": "/run/figures"}).metrics_dir == Path("/run/figures")
    with pytest.raises(ImproperlyConfigured, match="CHAINPAY_METRICS_DIR must be an absolute path"):
        read(monkeypatch, {"CHAINPAY_METRICS_DIR": "figures"})


@pytest.mark.parametrize("dsn", ["hello", "https://sentry.example/1", "https://key@sentry.example", "ftp://k@h/1"])
def test_a_dsn_is_one_of_sentrys(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SENTRY_DSN must be a DSN") as refused:
        read(monkeypatch, {"SENTRY_DSN": dsn})
    assert dsn not in str(refused.value)
