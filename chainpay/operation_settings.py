"""What the environment says of operation: metrics, logs, reports of errors."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import environ
from django.core.exceptions import ImproperlyConfigured
from sentry_sdk.utils import BadDsn, Dsn

from chainpay.embedded import paths

_LOG_FORMATS: Final = ("json", "line")
_TOKEN: Final = re.compile(r"[!-~]{16,256}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSettings:
    """`metrics_token` is what `/metrics` wants to be shown, `metrics_dir` where web processes keep their figures.

    `log_format` is json or line; errors are reported to `sentry_dsn`, as those of `sentry_environment`.
    """

    metrics_token: str
    metrics_dir: Path
    log_format: str
    sentry_dsn: str
    sentry_environment: str


def read(env: environ.Env, var: Path, *, port: int, demo: bool) -> OperationSettings:
    """CHAINPAY_METRICS_TOKEN and the like; people read the demo's log, machines every other.

    Raises ImproperlyConfigured; a wrong token or DSN is not repeated.
    """
    token = str(env.str("CHAINPAY_METRICS_TOKEN", default="")).strip()
    if token and not _TOKEN.fullmatch(token):
        raise ImproperlyConfigured("CHAINPAY_METRICS_TOKEN must be 16 to 256 visible ASCII characters without spaces.")
    log_format = str(env.str("CHAINPAY_LOG_FORMAT", default="")).strip().lower() or ("line" if demo else "json")
    if log_format not in _LOG_FORMATS:
        raise ImproperlyConfigured(f"CHAINPAY_LOG_FORMAT must be json or line, not {log_format!r}.")
    return OperationSettings(
        metrics_token=token,
        metrics_dir=_metrics_dir(env, var, port),
        log_format=log_format,
        sentry_dsn=_sentry_dsn(env),
        sentry_environment=str(env.str("SENTRY_ENVIRONMENT", default="")).strip() or "production",
    )


def _sentry_dsn(env: environ.Env) -> str:
    dsn = str(env.str("SENTRY_DSN", default="")).strip()
    if dsn:
        try:
            Dsn(dsn)
        except BadDsn:
            raise ImproperlyConfigured(
                "SENTRY_DSN must be a DSN as Sentry shows it, https://key@host/number."
            ) from None
    return dsn


def _metrics_dir(env: environ.Env, var: Path, port: int) -> Path:
    """One for each web server: figures of processes of two hosts must not meet in one file."""
    given = str(env.str("CHAINPAY_METRICS_DIR", default="")).strip()
    if not given:
        return paths.web_figures(var, port)
    if not Path(given).is_absolute():
        raise ImproperlyConfigured(f"CHAINPAY_METRICS_DIR must be an absolute path, not {given!r}.")
    return Path(given)
