"""What the environment says: every setting read once, typed, and refused here when it is wrong."""

import secrets
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from chainpay import ach, checkpoint_keys, encryption_keys, mail, operation_settings, stripe_settings, wire
from chainpay.embedded import paths
from chainpay.operation_settings import OperationSettings
from chainpay.secret_files import SecretFiles
from rails.ach.configuration import AchConfiguration
from rails.money import EXPONENTS, Money, MoneyError
from rails.stripe.configuration import StripeSettings
from rails.wire.configuration import WireConfiguration
from settlements import addresses
from settlements.addresses import CallRefused

DATABASE_SCHEMES = ("postgresql://", "postgres://")
REDIS_SCHEMES = ("redis://", "rediss://", "redis+socket://")
MIB = 1024 * 1024
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# About ten thousand US dollars in each currency; one that is missing here needs two approvers from the first unit.
FOUR_EYES_ABOVE = "USD:10000,EUR:9000,GBP:8000,CAD:14000,MXN:180000,JPY:1500000,KWD:3000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The settings of one process; durations in seconds unless the name says otherwise."""

    var: Path
    database_url: str
    database_owner_url: str
    redis_url: str
    embedded_database: bool
    embedded_redis: bool
    demo: bool
    secret_key: str
    encryption_keys: dict[str, bytes]
    allowed_hosts: list[str]
    csrf_trusted_origins: list[str]
    port: int
    hold_seconds: int
    sweep_seconds: int
    destination_hold_hours: int
    submit_seconds: int
    reconcile_seconds: int
    compare_seconds: int
    delivery_seconds: int
    digest_seconds: int
    digest_to: list[str]
    base_url: str
    mail: dict[str, Any]
    mail_from: str
    review_target_hours: int
    requests_per_second: int
    four_eyes_above: dict[str, Money]
    evidence_dir: Path
    evidence_max_bytes: int
    exports_dir: Path
    export_streams: int
    checkpoint_key: bytes
    checkpoint_former_keys: list[bytes]
    checkpoint_seconds: int
    checkpoints_dir: Path
    archives_dir: Path
    archive_after_days: int
    chainfreight_url: str
    chainfreight_timeout_seconds: int
    idle_minutes: int
    session_hours: int
    recent_login_minutes: int
    login_failures: int
    lockout_minutes: int
    trusted_proxies: int
    ach: AchConfiguration | None
    wire: WireConfiguration | None
    stripe: StripeSettings
    operation: OperationSettings
    log_level: str


def read(base_dir: Path) -> Environment:
    """Reads the process environment; each value may lie in the file that `NAME_FILE` names.

    Raises ImproperlyConfigured, naming the variable and what it may be.
    """
    env = environ.Env()
    env.ENVIRON = SecretFiles(env.ENVIRON)
    var = Path(env.str("CHAINPAY_VAR", default="") or base_dir / "var").absolute()
    database_url = _url(env, "DATABASE_URL", DATABASE_SCHEMES)
    redis_url = _url(env, "REDIS_URL", REDIS_SCHEMES)
    demo = _boolean(env, "CHAINPAY_DEMO")
    secret_key = _secret_key(env, var, embedded=not database_url)
    port = _integer(env, "PORT", 8003, 1, 65535)
    post = mail.read(env, port=port, demo=demo)
    return Environment(
        var=var,
        database_url=database_url or paths.postgres_url(var, user=paths.SERVICE),
        database_owner_url=_owner_url(env, database_url) if database_url else paths.postgres_url(var),
        redis_url=redis_url or paths.redis_url(var),
        embedded_database=not database_url,
        embedded_redis=not redis_url,
        demo=demo,
        secret_key=secret_key,
        encryption_keys=encryption_keys.read(env.str("CHAINPAY_ENCRYPTION_KEYS", default=""), secret_key),
        allowed_hosts=["localhost", "127.0.0.1"]
        if demo
        else env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1"]),
        csrf_trusted_origins=env.list("CSRF_TRUSTED_ORIGINS", default=[]),
        port=port,
        hold_seconds=_integer(env, "CHAINPAY_HOLD_SECONDS", 86_400, 1, 31 * 86_400),
        sweep_seconds=_integer(env, "CHAINPAY_SWEEP_SECONDS", 300, 1, 86_400),
        # Without any quarantine a stolen login and one that looks away are enough: in the demo only.
        destination_hold_hours=_integer(env, "CHAINPAY_DESTINATION_HOLD_HOURS", 72, 0 if demo else 1, 31 * 24),
        submit_seconds=_integer(env, "CHAINPAY_SUBMIT_SECONDS", 5, 1, 3_600),
        reconcile_seconds=_integer(env, "CHAINPAY_RECONCILE_SECONDS", 86_400, 60, 31 * 86_400),
        compare_seconds=_integer(env, "CHAINPAY_COMPARE_SECONDS", 900, 60, 86_400),
        delivery_seconds=_integer(env, "CHAINPAY_DELIVERY_SECONDS", 10, 1, 86_400),
        digest_seconds=_integer(env, "CHAINPAY_DIGEST_SECONDS", 900, 1, 86_400),
        digest_to=post.to,
        base_url=post.base_url,
        mail=post.backend,
        mail_from=post.sender,
        review_target_hours=_integer(env, "CHAINPAY_REVIEW_TARGET_HOURS", 4, 1, 24 * 31),
        requests_per_second=_integer(env, "CHAINPAY_REQUESTS_PER_SECOND", 1_000, 1, 100_000),
        four_eyes_above=_four_eyes(env.str("CHAINPAY_FOUR_EYES_ABOVE", default=FOUR_EYES_ABOVE)),
        evidence_dir=_private_dir(env, "CHAINPAY_EVIDENCE_DIR", var, "evidence"),
        evidence_max_bytes=_integer(env, "CHAINPAY_EVIDENCE_MAX_BYTES", 10 * MIB, 1, 100 * MIB),
        exports_dir=_private_dir(env, "CHAINPAY_EXPORTS_DIR", var, "exports"),
        # Each holds a thread of the web process until its client has taken it; the server has two (ADR 0061).
        export_streams=_integer(env, "CHAINPAY_EXPORT_STREAMS", 1, 1, 64),
        # Beside the servers' own data a key of their own is made; with a database of yours the key is yours too.
        checkpoint_key=checkpoint_keys.private(
            env.str("CHAINPAY_CHECKPOINT_KEY", default="") or _made_key(var, made=demo or not database_url)
        ),
        checkpoint_former_keys=checkpoint_keys.former(env.str("CHAINPAY_CHECKPOINT_FORMER_KEYS", default="")),
        checkpoint_seconds=_integer(env, "CHAINPAY_CHECKPOINT_SECONDS", 3_600, 10, 86_400),
        checkpoints_dir=_private_dir(env, "CHAINPAY_CHECKPOINTS_DIR", var, "checkpoints"),
        archives_dir=_private_dir(env, "CHAINPAY_ARCHIVES_DIR", var, "archives"),
        # Longer than any rail can return money; claims over ACH debits and credits may be made for two years.
        archive_after_days=_integer(env, "CHAINPAY_ARCHIVE_AFTER_DAYS", 800, 400, 36_500),
        chainfreight_url=_service(env, "CHAINFREIGHT_URL"),
        chainfreight_timeout_seconds=_integer(env, "CHAINFREIGHT_TIMEOUT_SECONDS", 3, 1, 30),
        idle_minutes=_integer(env, "CHAINPAY_IDLE_MINUTES", 30, 1, 24 * 60),
        session_hours=_integer(env, "CHAINPAY_SESSION_HOURS", 10, 1, 7 * 24),
        recent_login_minutes=_integer(env, "CHAINPAY_RECENT_LOGIN_MINUTES", 30, 1, 24 * 60),
        login_failures=_integer(env, "CHAINPAY_LOGIN_FAILURES", 5, 1, 100),
        lockout_minutes=_integer(env, "CHAINPAY_LOCKOUT_MINUTES", 15, 1, 24 * 60),
        trusted_proxies=_integer(env, "CHAINPAY_TRUSTED_PROXIES", 0, 0, 10),
        ach=ach.read(env, var, demo=demo),
        wire=wire.read(env, var, demo=demo),
        stripe=stripe_settings.read(env),
        operation=operation_settings.read(env, var, port=port, demo=demo),
        log_level=_choice(env, "CHAINPAY_LOG_LEVEL", "INFO", LOG_LEVELS),
    )


def _url(env: environ.Env, name: str, schemes: tuple[str, ...]) -> str:
    """The URL, or nothing for the embedded server; a wrong one is not repeated, for it may hold a password."""
    url = str(env.str(name, default=""))
    if url and not url.startswith(schemes):
        raise ImproperlyConfigured(f"{name} must be a URL that begins with {' or '.join(schemes)}.")
    return url


def _owner_url(env: environ.Env, database_url: str) -> str:
    """The URL of the same database as its owner; nothing where the service itself owns it."""
    name = "DATABASE_OWNER_URL"
    owner_url = _url(env, name, DATABASE_SCHEMES)
    if not owner_url:
        return ""
    owner, service = (environ.Env.db_url_config(url) for url in (owner_url, database_url))
    if owner["NAME"] != service["NAME"] or owner["USER"] == service["USER"]:
        raise ImproperlyConfigured(f"{name} must name the database of DATABASE_URL, and another user.")
    return owner_url


def _service(env: environ.Env, name: str) -> str:
    """The URL of a service that we call, without a slash at its end; nothing if there is none to call.

    A wrong one is not repeated, for it may hold a password.
    """
    url = str(env.str(name, default="")).strip()
    if not url:
        return ""
    try:
        if "?" in url:
            raise CallRefused("The URL must not have a query.")
        addresses.target(url, private_allowed=True)
    except CallRefused as error:
        raise ImproperlyConfigured(f"{name} must be the http or https URL of a service. {error}") from None
    return url.rstrip("/")


def _private_dir(env: environ.Env, name: str, var: Path, usual: str) -> Path:
    """Where files lie that are nobody else's: never where the web server looks for static files."""
    given = str(env.str(name, default="")).strip()
    if not given:
        return var / usual
    place = Path(given)
    if not place.is_absolute() or place.resolve().is_relative_to((var / "static").resolve()):
        raise ImproperlyConfigured(f"{name} must be an absolute path outside of the static files, not {given!r}.")
    return place


def _boolean(env: environ.Env, name: str) -> bool:
    word = env.str(name, default="0").strip().lower()
    if word not in {"0", "1", "true", "false", ""}:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {word!r}.")
    return word in {"1", "true"}


def _integer(env: environ.Env, name: str, default: int, lowest: int, highest: int) -> int:
    word = env.str(name, default=str(default)).strip()
    if not (word.isascii() and word.isdigit() and len(word) <= 9 and lowest <= int(word) <= highest):
        raise ImproperlyConfigured(f"{name} must be a whole number from {lowest} to {highest}, not {word!r}.")
    return int(word)


def _choice(env: environ.Env, name: str, default: str, words: tuple[str, ...]) -> str:
    word = str(env.str(name, default=default)).strip().upper()
    if word not in words:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(words)}, not {word!r}.")
    return word


def _four_eyes(text: str) -> dict[str, Money]:
    """`USD:10000,JPY:1500000` in major units; above these amounts a settlement needs two approvers."""
    limits: dict[str, Money] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        currency, _, amount = part.partition(":")
        try:
            limits[currency] = Money.from_major(Decimal(amount), currency) if amount != "0" else Money.zero(currency)
        except (MoneyError, ArithmeticError) as error:
            raise ImproperlyConfigured(
                f"CHAINPAY_FOUR_EYES_ABOVE must look like USD:10000,EUR:9000 with currencies out of "
                f"{', '.join(sorted(EXPONENTS))}; {part!r} is not."
            ) from error
    return limits


def _secret_key(env: environ.Env, var: Path, *, embedded: bool) -> str:
    """SECRET_KEY; with the embedded database a key is made once and kept under var/."""
    key = str(env.str("SECRET_KEY", default=""))
    if key:
        return key
    if not embedded:
        raise ImproperlyConfigured("SECRET_KEY must be set when DATABASE_URL is.")
    return _kept_key(var / "secret_key", secrets.token_urlsafe(50))


def _made_key(var: Path, *, made: bool) -> str:
    """The key that signs checkpoints, made once and kept under var/; nothing where none is to be made."""
    return _kept_key(var / "checkpoint_key", checkpoint_keys.new()) if made else ""


def _kept_key(file: Path, new_key: str) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(file, "x", opener=_private) as new:
            new.write(new_key)
    except FileExistsError:
        pass
    return file.read_text()


def _private(path: str, flags: int) -> int:
    import os

    return os.open(path, flags, 0o600)
