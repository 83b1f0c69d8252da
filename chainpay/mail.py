"""What the environment says of mail: through which server, from whom, to whom, and where its links lead."""

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

SCHEMES: Final = ("smtp://", "smtp+tls://", "smtp+ssl://", "consolemail://", "dummymail://")
MOST_RECIPIENTS: Final = 50
_BASE_URL: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[A-Za-z0-9._~/-]*)?", re.ASCII)
_NOWHERE: Final = "dummymail://"
_CONSOLE: Final = "consolemail://"
_DEMO_TEAM: Final = "compliance@localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """`backend` are Django's settings of the mail server; `base_url` has no slash at its end."""

    backend: dict[str, Any]
    sender: str
    to: list[str]
    base_url: str


def read(env: environ.Env, *, port: int, demo: bool) -> Mail:
    """EMAIL_URL, CHAINPAY_MAIL_FROM, CHAINPAY_DIGEST_TO and CHAINPAY_BASE_URL.

    Without EMAIL_URL the demo prints mail into the worker's log, and others send none. Raises ImproperlyConfigured; a
    wrong EMAIL_URL is not repeated, for it may hold a password.
    """
    url = str(env.str("EMAIL_URL", default=""))
    if url and not url.startswith(SCHEMES):
        raise ImproperlyConfigured(f"EMAIL_URL must be a URL that begins with {' or '.join(SCHEMES)}.")
    to = _addresses(env, "CHAINPAY_DIGEST_TO", default=_DEMO_TEAM if demo else "")
    base_url = str(env.str("CHAINPAY_BASE_URL", default="")).strip().rstrip("/")
    if base_url and not _BASE_URL.fullmatch(base_url):
        raise ImproperlyConfigured("CHAINPAY_BASE_URL must look like https://pay.example.com, without a query.")
    if to and not demo and not (url and base_url):
        raise ImproperlyConfigured("CHAINPAY_DIGEST_TO needs EMAIL_URL and CHAINPAY_BASE_URL too.")
    base_url = base_url or f"http://localhost:{port}"
    sender = str(env.str("CHAINPAY_MAIL_FROM", default="")).strip() or f"chainpay@{urlsplit(base_url).hostname}"
    if not sender.isprintable():
        raise ImproperlyConfigured("CHAINPAY_MAIL_FROM must be one line, such as ChainPay <pay@example.com>.")
    return Mail(backend=_backend(url or (_CONSOLE if demo else _NOWHERE)), sender=sender, to=to, base_url=base_url)


def _backend(url: str) -> dict[str, Any]:
    try:
        found = environ.Env.email_url_config(url)
    except ValueError:
        # Without the cause: it would repeat the URL.
        raise ImproperlyConfigured("EMAIL_URL must look like smtp+tls://user:password@mail.example.com:587.") from None
    if url.startswith("smtp") and not found.get("EMAIL_HOST"):
        raise ImproperlyConfigured("EMAIL_URL must name a host, as in smtp+tls://user:password@mail.example.com:587.")
    return {name: value for name, value in found.items() if name.startswith("EMAIL_") and name != "EMAIL_FILE_PATH"}


def _addresses(env: environ.Env, name: str, *, default: str) -> list[str]:
    found = [word.strip() for word in env.str(name, default=default).split(",") if word.strip()]
    for address in found:
        try:
            validate_email(address)
        except ValidationError:
            message = f"{name} must be e-mail addresses with commas between, not {address!r}."
            raise ImproperlyConfigured(message) from None
    if len(found) > MOST_RECIPIENTS:
        raise ImproperlyConfigured(f"{name} may name at most {MOST_RECIPIENTS}; use a mailing list.")
    return found
