"""Bearer keys of the API: the only writer, and who a shown key belongs to."""

import hashlib
import logging
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q

from settlements.models import ApiKey
from settlements.models.event_source import MOST_PER_SECOND
from settlements.permissions import GRANTABLE, OF_A_CARRIER, PERMISSION_OF_SCOPE, PERSONAL, Scope
from settlements.refusals import Kind, Refusal
from settlements.values import NAME, NAME_RULE

logger = logging.getLogger(__name__)

PREFIX: Final = "cpk_"
_SECRET_BYTES: Final = 32
_SHOWN_CHARACTERS: Final = len(PREFIX) + 6
_KEY: Final = re.compile(r"cpk_[A-Za-z0-9_-]{43}")
_USE_NOTED_EVERY: Final = timedelta(minutes=1)


class KeyRefused(Refusal):
    """A key can not be made as asked."""

    code = "api_key_refused"


class KeyNotFound(Refusal):
    """No such key."""

    code = "api_key_not_found"
    kind = Kind.NOT_FOUND


def find(shown: str, *, now: datetime) -> ApiKey | None:
    """The live key that was shown, with its user; None for anything else. Notes the use, to the minute."""
    if not _KEY.fullmatch(shown):
        return None
    key = ApiKey.objects.select_related("user").filter(digest=_digest(shown), revoked_at__isnull=True).first()
    if key is None or (key.expires_at is not None and key.expires_at <= now):
        return None
    if key.last_used_at is None or now - key.last_used_at >= _USE_NOTED_EVERY:
        long_ago = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - _USE_NOTED_EVERY)
        ApiKey.objects.filter(long_ago, pk=key.pk).update(last_used_at=now)
    return key


def create(
    name: str,
    *,
    scopes: Collection[Scope],
    user: User | None = None,
    service: str = "",
    carrier_id: str = "",
    lives: timedelta | None = None,
    requests_per_second: int | None = None,
    granted_by: User | None = None,
    actor: str,
    now: datetime,
) -> tuple[ApiKey, str]:
    """A key of a staff user or of a service; its text is told here and never again. Raises KeyRefused.

    Nobody grants a service a scope they do not have themselves; None, the operator's shell, may grant any. A person's
    key needs no such bound: it never does more than its person may.
    """
    if not NAME.fullmatch(name):
        raise KeyRefused(NAME_RULE, field="name")
    _check(scopes, user=user, service=service, carrier_id=carrier_id)
    if user is None and granted_by is not None:
        own = {scope for scope in scopes if granted_by.has_perm(PERMISSION_OF_SCOPE[scope].full_name)}
        _refuse_scopes(set(scopes) - own, "You may not do yourself what this key would:")
    if lives is not None and lives <= timedelta(0):
        raise KeyRefused("A key lives at least a day.", field="expires_in_days")
    if requests_per_second is not None and not 1 <= requests_per_second <= MOST_PER_SECOND:
        raise KeyRefused(f"The limit may be 1 to {MOST_PER_SECOND} a second.", field="requests_per_second")
    shown = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    try:
        with transaction.atomic():
            key = ApiKey.objects.create(
                name=name,
                prefix=shown[:_SHOWN_CHARACTERS],
                digest=_digest(shown),
                user=user,
                service=service,
                carrier_id=carrier_id,
                scopes=sorted(scope.value for scope in scopes),
                requests_per_second=requests_per_second,
                created_by=actor,
                created_at=now,
                expires_at=None if lives is None else now + lives,
            )
    except IntegrityError as error:
        raise KeyRefused(f"There is a key {name} already.", field="name") from error
    logger.info("API key %s (%s...) created by %s", name, key.prefix, actor)
    return key, shown


def revoke(name: str, *, actor: str, now: datetime) -> bool:
    """Ends a key from the next request on; whether it had not been ended before. Raises KeyNotFound."""
    ended = ApiKey.objects.filter(name=name, revoked_at__isnull=True).update(revoked_at=now)
    if not ended and not ApiKey.objects.filter(name=name).exists():
        raise KeyNotFound(f"API key {name} not found.", field="name")
    logger.info("API key %s revoked by %s", name, actor)
    return bool(ended)


def _check(scopes: Collection[Scope], *, user: User | None, service: str, carrier_id: str) -> None:
    """Who may hold which scope; the database says the same."""
    if (user is None) == (not service):
        raise KeyRefused("A key belongs either to a staff user or to a service.", field="service")
    if user is not None and not (user.is_staff and user.is_active):
        raise KeyRefused(f"{user.get_username()} is no active staff login.", field="user")
    if not scopes:
        raise KeyRefused("A key needs at least one scope.", field="scopes")
    _refuse_scopes(set(scopes) - GRANTABLE, "No key holds")
    if user is None:
        _refuse_scopes(set(scopes) & PERSONAL, "Only a staff user's key holds")
    if carrier_id and user is not None:
        raise KeyRefused("A carrier's key belongs to a service.", field="carrier_id")
    if carrier_id:
        _refuse_scopes(set(scopes) - OF_A_CARRIER, "A carrier's key only reads; it does not hold")


def _refuse_scopes(scopes: Collection[Scope], words: str) -> None:
    if scopes:
        raise KeyRefused(f"{words} {', '.join(sorted(scopes))}.", field="scopes")


def _digest(shown: str) -> bytes:
    """A plain hash is enough: the key has 256 random bits."""
    return hashlib.sha256(shown.encode()).digest()
