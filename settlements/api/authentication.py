"""Who is calling: a bearer key, the signature of an event source, or in the demo its client; anybody else gets 401.

Sessions are for the admin: a cookie is no credential here.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from settlements import api_keys, signatures, sources
from settlements.api.callers import Caller, CallerKind
from settlements.api.errors import Refused, unauthenticated
from settlements.models import ApiKey
from settlements.permissions import ALL, DECISIONS, GRANTABLE, Scope
from settlements.rates import Allowance
from settlements.values import NAME

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
DEMO_ACTOR: Final = "demo"
# The demo's own limit: enough for a load test on one machine.
DEMO_REQUESTS_PER_SECOND: Final = 5_000
SOURCE_HEADER: Final = "X-Event-Source"

_BEARER: Final = "bearer "
_LONGEST_USERNAME: Final = 150
_OTHER_SITES: Final = frozenset({"cross-site", "same-site"})
_SIGNATURE_HEADERS: Final = ("HTTP_WEBHOOK_SIGNATURE", "HTTP_WEBHOOK_TIMESTAMP", "HTTP_X_EVENT_SOURCE")
_DEMO_SCOPES: Final = ALL - DECISIONS
_WANTED_KEY: Final = "This request needs a key: Authorization: Bearer cpk_..."
_WANTED_SIGNATURE: Final = (
    f"This request needs a signature: {SOURCE_HEADER}, webhook-id, webhook-timestamp and webhook-signature."
)


def identify(
    request: HttpRequest, *, keyed: bool = True, body: Callable[[], bytes] | None = None, fresh: bool = False
) -> Caller:
    """The caller of a request. Raises Refused: 401 without valid credentials, 403 for a page of another origin.

    `keyed` says whether a key counts; `body` reads what a signature is about, and without it none counts. A source may
    be remembered from an earlier request unless `fresh`; what is stored in its name checks that it has not changed.
    """
    meta = request.META
    signed = any(header in meta for header in _SIGNATURE_HEADERS)
    if "HTTP_AUTHORIZATION" in meta:
        if signed:
            raise unauthenticated("invalid_credentials", "Send either a key or a signature, not both.")
        if not keyed:
            raise unauthenticated("invalid_credentials", f"Keys are not for webhooks. {_WANTED_SIGNATURE}")
        return _of_key(meta["HTTP_AUTHORIZATION"])
    if signed:
        if body is None:
            raise unauthenticated("invalid_credentials", f"Signatures are for webhooks. {_WANTED_KEY}")
        return _of_source(request, body(), fresh=fresh)
    if settings.CHAINPAY_DEMO:
        _refuse_other_origins(request)
        name = meta.get("HTTP_X_DEMO_USER")
        return _demo_client() if name is None else _demo_login(name)
    raise unauthenticated("not_authenticated", _WANTED_KEY if keyed else _WANTED_SIGNATURE)


def _of_key(header: str) -> Caller:
    shown = header[len(_BEARER) :] if header[: len(_BEARER)].lower() == _BEARER else ""
    key = api_keys.find(shown, now=timezone.now())
    if key is None or not _may_log_in(key.user):
        raise unauthenticated("invalid_credentials", "This key is not valid, has expired or was revoked.")
    return Caller(
        kind=CallerKind.KEY,
        name=key.name,
        actor=f"user:{key.user.get_username()}" if key.user else f"service:{key.service}",
        user=key.user,
        scopes=frozenset(Scope(word) for word in key.scopes) & GRANTABLE,
        carrier_id=key.carrier_id,
        expires_at=key.expires_at,
        allowance=_allowance(key),
    )


def _may_log_in(user: User | None) -> bool:
    return user is None or (user.is_active and user.is_staff)


def _allowance(key: ApiKey) -> Allowance:
    return Allowance(f"key:{key.pk}", key.requests_per_second or settings.CHAINPAY_REQUESTS_PER_SECOND)


def _of_source(request: HttpRequest, body: bytes, *, fresh: bool) -> Caller:
    name = request.META.get("HTTP_X_EVENT_SOURCE", "")
    found = sources.known(name, fresh=fresh) if NAME.fullmatch(name) else None
    if found is None:
        raise unauthenticated("invalid_signature", f"{signatures.NOT_SIGNED} Is {SOURCE_HEADER} right?")
    try:
        secret = _verified(request, body, found)
    except signatures.InvalidSignature as error:
        # The memory may be older than the secret.
        if not fresh and sources.has_changed(found):
            return _of_source(request, body, fresh=True)
        raise unauthenticated("invalid_signature", f"{error} Is {SOURCE_HEADER} right?") from None
    sources.note_use(secret, now=timezone.now())
    return Caller(
        kind=CallerKind.SOURCE,
        name=found.name,
        actor=f"source:{found.name}",
        user=None,
        scopes=frozenset({Scope.EVENTS_WRITE}),
        carrier_id=found.source.carrier_id,
        expires_at=secret.expires_at,
        source=replace(found.source, secret=secret.pk),
        allowance=_allowance_of_source(found),
    )


def _verified(request: HttpRequest, body: bytes, found: sources.Known) -> sources.LiveSecret:
    meta, now = request.META, timezone.now()
    live = found.live(now)
    place = signatures.verify(
        [secret.key for secret in live],
        message_id=meta.get("HTTP_WEBHOOK_ID", ""),
        timestamp=meta.get("HTTP_WEBHOOK_TIMESTAMP", ""),
        signatures=meta.get("HTTP_WEBHOOK_SIGNATURE", ""),
        body=body,
        now=now,
    )
    return live[place]


def _allowance_of_source(found: sources.Known) -> Allowance:
    return Allowance(f"source:{found.source.pk}", found.requests_per_second or settings.CHAINPAY_REQUESTS_PER_SECOND)


def _demo_client() -> Caller:
    return Caller(
        kind=CallerKind.DEMO,
        name=DEMO_ACTOR,
        actor=DEMO_ACTOR,
        user=None,
        scopes=_DEMO_SCOPES,
        allowance=Allowance("demo", DEMO_REQUESTS_PER_SECOND),
    )


def _demo_login(username: str) -> Caller:
    user = None
    if len(username) <= _LONGEST_USERNAME and username.isprintable():
        user = get_user_model().objects.filter(username=username, is_active=True, is_staff=True).first()
    if user is None:
        raise unauthenticated("unknown_demo_user", "X-Demo-User names no demo login.")
    return Caller(
        kind=CallerKind.DEMO,
        name=user.get_username(),
        actor=f"user:{user.get_username()}",
        user=user,
        scopes=ALL,
        allowance=Allowance("demo", DEMO_REQUESTS_PER_SECOND),
    )


def _refuse_other_origins(request: HttpRequest) -> None:
    """In the demo any page open in the same browser could post here: browsers say where a request comes from."""
    origin = request.META.get("HTTP_ORIGIN")
    own = f"{request.scheme}://{request.get_host()}" if origin else None
    crossed = request.method not in SAFE_METHODS and request.META.get("HTTP_SEC_FETCH_SITE") in _OTHER_SITES
    if origin != own or crossed:
        raise Refused("foreign_origin", "In the demo, pages of another origin may not call this service.", 403)
