"""What the environment says of operation: metrics, logs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import environ
from django.core.exceptions import ImproperlyConfigured

from chainpay.embedded import paths

_TOKEN: Final = re.compile(r"[!-~]{16,256}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSettings:
    """`metrics_token` is what `/metrics` wants to be shown, `metrics_dir` where web processes keep their figures."""

    metrics_token: str
    metrics_dir: Path


def read(env: environ.Env, var: Path, *, port: int) -> OperationSettings:
    """CHAINPAY_METRICS_TOKEN and the like.

    Raises ImproperlyConfigured; a wrong token is not repeated.
    """
    token = str(env.str("CHAINPAY_METRICS_TOKEN", default="")).strip()
    if token and not _TOKEN.fullmatch(token):
        raise ImproperlyConfigured("CHAINPAY_METRICS_TOKEN must be 16 to 256 visible ASCII characters without spaces.")
    return OperationSettings(metrics_token=token, metrics_dir=_metrics_dir(env, var, port))


def _metrics_dir(env: environ.Env, var: Path, port: int) -> Path:
    """One for each web server: figures of processes of two hosts must not meet in one file."""
    given = str(env.str("CHAINPAY_METRICS_DIR", default="")).strip()
    if not given:
        return paths.web_figures(var, port)
    if not Path(given).is_absolute():
        raise ImproperlyConfigured(f"CHAINPAY_METRICS_DIR must be an absolute path, not {given!r}.")
    return Path(given)
