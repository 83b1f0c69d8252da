"""Event sources and their webhook secrets: the only writer of both, and what the door remembers of them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, Q

from rails import sealing
from rails.resealing import SealedColumn
from settlements import signatures
from settlements.models import EventSource, SourceSecret
from settlements.models.event_source import MOST_PER_SECOND
from settlements.refusals import Kind, Refusal
from settlements.statuses import EVENT_WORDS, EventType
from settlements.values import NAME, NAME_RULE

logger = logging.getLogger(__name__)

PLATFORM: Final = "platform"
# A payee must not free its own hold-back (SPEC section 4).
DEFAULT_OF_A_CARRIER: Final = tuple(word for word in EVENT_WORDS if word != EventType.CLAIM_WINDOW_CLOSED)
OVERLAP: Final = timedelta(hours=24)
LONGEST_OVERLAP: Final = timedelta(days=30)
MOST_LIVE_SECRETS: Final = 10
_LABEL: Final = "source_secret"
SEALED: Final = SealedColumn("secrets of event sources", table="settlements_sourcesecret", label=_LABEL)
_HINT_CHARACTERS: Final = 4
_USE_NOTED_EVERY: Final = timedelta(minutes=1)
_MOST_REMEMBERED: Final = 10_000


class SourceRefused(Refusal):
    """A source can not be made or changed as asked."""

    code = "event_source_refused"


class SourceNotFound(Refusal):
    """No such event source."""

    code = "event_source_not_found"
    kind = Kind.NOT_FOUND


@dataclass(frozen=True, slots=True)
class Source:
    """Who posts: its row, for a carrier the `carrier_id` that bounds its reach, and the event types it may post.

    `revision` is that of the row when it was read, `secret` the one that signed: who stores something in its name
    demands that both still hold.
    """

    pk: int
    carrier_id: str = ""
    allowed_event_types: frozenset[str] | None = None
    revision: int | None = None
    secret: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSecret:
    """A secret that was neither revoked nor expired when it was read."""

    pk: int
    key: bytes
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A source with what is needed to tell its messages from others."""

    name: str
    source: Source
    active: bool
    secrets: Sequence[LiveSecret]
    requests_per_second: int | None

    def live(self, now: datetime) -> list[LiveSecret]:
        """The secrets that have not expired by now; none of an inactive source."""
        if not self.active:
            return []
        return [secret for secret in self.secrets if secret.expires_at is None or secret.expires_at > now]


_remembered: dict[str, Known] = {}
_noted: dict[int, datetime] = {}


def known(name: str, *, fresh: bool = False) -> Known | None:
    """The source of this name, from memory unless `fresh`. A memory may be stale: its revision tells at the door."""
    found = None if fresh else _remembered.get(name)
    if found is None:
        found = _read(name)
        if found is None:
            _remembered.pop(name, None)
        elif name in _remembered or len(_remembered) < _MOST_REMEMBERED:
            _remembered[name] = found
    return found


def has_changed(remembered: Known) -> bool:
    """Whether the source is no longer what is remembered of it: one look, where reading it anew opens every secret."""
    now_live = SourceSecret.objects.filter(source=OuterRef("pk"), revoked_at__isnull=True).order_by("-pk")
    row = (
        EventSource.objects.filter(name=remembered.name)
        .annotate(live=ArraySubquery(now_live.values("pk")))
        .values_list("revision", "live")
        .first()
    )
    return row != (remembered.source.revision, [secret.pk for secret in remembered.secrets])


def forget() -> None:
    """Empties the memory, for tests that empty the tables."""
    _remembered.clear()
    _noted.clear()


def _read(name: str) -> Known | None:
    row = EventSource.objects.filter(name=name).first()
    if row is None:
        return None
    rows = SourceSecret.objects.filter(source=row, revoked_at__isnull=True).order_by("-pk")
    secrets = [secret for each in rows if (secret := _unsealed(each)) is not None]
    if rows and not secrets:
        raise sealing.CannotUnseal(f"no secret of event source {name} can be read; is an encryption key missing?")
    return Known(
        name=row.name,
        source=as_source(row),
        active=row.active,
        secrets=secrets,
        requests_per_second=row.requests_per_second,
    )


def _unsealed(row: SourceSecret) -> LiveSecret | None:
    """The secret; None when its encryption key is gone, for that must not shut out those that can be read."""
    try:
        key = signatures.key_of(sealing.unseal(row.sealed, belongs_to=_label(row.pk)))
    except sealing.CannotUnseal as error:
        logger.error("A secret of event source %s is left out: %s", row.source_id, error)
        return None
    return LiveSecret(pk=row.pk, key=key, expires_at=row.expires_at, last_used_at=row.last_used_at)


def as_source(row: EventSource) -> Source:
    """What the inbox needs of a source; a platform source without a list may post every type."""
    unbounded = row.kind == EventSource.PLATFORM and not row.allowed_event_types
    allowed = None if unbounded else frozenset(row.allowed_event_types)
    return Source(row.pk, row.carrier_id, allowed, row.revision)


def note_use(secret: LiveSecret, *, now: datetime) -> None:
    """Keeps when a secret was last used, to the minute, so that its owner sees when an old one has served its time."""
    last = _noted.get(secret.pk, secret.last_used_at)
    if last is not None and timedelta(0) <= now - last < _USE_NOTED_EVERY:
        return
    if len(_noted) >= _MOST_REMEMBERED:
        _noted.clear()
    _noted[secret.pk] = now
    long_ago = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - _USE_NOTED_EVERY)
    # The secret may come out of a memory that has outlived it.
    live = SourceSecret.objects.filter(long_ago, pk=secret.pk, revoked_at__isnull=True, source__active=True)
    live.update(last_used_at=now)


def create(
    name: str,
    *,
    carrier_id: str = "",
    allowed_event_types: Sequence[str] | None = None,
    requests_per_second: int | None = None,
    actor: str,
    now: datetime,
) -> tuple[EventSource, str]:
    """A source and its first secret, which is told here and never again; with a `carrier_id` it is that carrier's.

    Raises SourceRefused.
    """
    if not NAME.fullmatch(name):
        raise SourceRefused(NAME_RULE, field="name")
    carrier = bool(carrier_id)
    default = DEFAULT_OF_A_CARRIER if carrier else ()
    allowed = list(default if allowed_event_types is None else allowed_event_types)
    _check(allowed, requests_per_second, carrier=carrier)
    with transaction.atomic():
        try:
            with transaction.atomic():
                row = EventSource.objects.create(
                    name=name,
                    kind=EventSource.CARRIER if carrier else EventSource.PLATFORM,
                    carrier_id=carrier_id,
                    allowed_event_types=allowed,
                    requests_per_second=requests_per_second,
                    created_by=actor,
                    created_at=now,
                )
        except IntegrityError as error:
            raise SourceRefused(f"There is an event source {name} already.", field="name") from error
        secret = _add_secret(row, actor=actor, now=now)
    logger.info("Event source %s created by %s", name, actor)
    return row, secret


def change(
    source_id: int,
    *,
    active: bool,
    allowed_event_types: Sequence[str],
    requests_per_second: int | None,
    revision: int | None = None,
    actor: str,
) -> None:
    """Changes what may change of a source, from the next message on. Raises SourceNotFound, SourceRefused.

    With a `revision` only if that is still the source's: nobody undoes what they have not seen.
    """
    with transaction.atomic():
        row = _locked(source_id, revision=revision)
        _check(list(allowed_event_types), requests_per_second, carrier=row.kind == EventSource.CARRIER)
        _update(
            row, active=active, allowed_event_types=list(allowed_event_types), requests_per_second=requests_per_second
        )
    logger.info("Event source %s changed by %s", row.name, actor)


def rotate(
    source_id: int, *, overlap: timedelta = OVERLAP, revision: int | None = None, actor: str, now: datetime
) -> str:
    """A new secret beside the live ones, which expire when the overlap is over. Raises SourceNotFound, SourceRefused.

    An overlap of nothing ends the others at once. With a `revision` only if that is still the source's, so that a
    request that comes twice rotates once.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise SourceRefused(f"The overlap may last 0 to {LONGEST_OVERLAP.days} days.", field="overlap_hours")
    with transaction.atomic():
        row = _locked(source_id, revision=revision)
        live = SourceSecret.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), revoked_at__isnull=True)
        if live.filter(source=row).count() >= MOST_LIVE_SECRETS:
            raise SourceRefused(f"{row.name} has {MOST_LIVE_SECRETS} live secrets; revoke one first.")
        ending = now + overlap
        live.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=ending), source=row).update(expires_at=ending)
        secret = _add_secret(row, actor=actor, now=now)
        _update(row)
    logger.info("Secret of event source %s rotated by %s", row.name, actor)
    return secret


def revoke(source_id: int, secret_ids: Sequence[int], *, actor: str, now: datetime) -> int:
    """Ends these secrets of a source, from the next message on; how many were live. Raises SourceNotFound."""
    with transaction.atomic():
        row = _locked(source_id)
        ended = SourceSecret.objects.filter(source=row, pk__in=secret_ids, revoked_at__isnull=True).update(
            revoked_at=now
        )
        _update(row)
    logger.info("%s secret(s) of event source %s revoked by %s", ended, row.name, actor)
    return ended


def secret_for_sending(name: str, *, now: datetime) -> bytes:
    """The newest live signing key of a source, for our own test messages. Raises SourceNotFound, SourceRefused."""
    found = known(name, fresh=True)
    if found is None:
        raise SourceNotFound(f"Event source {name} not found.", field="source")
    live = found.live(now)
    if not live:
        raise SourceRefused(f"Event source {name} is inactive or has no live secret.", field="source")
    return live[0].key


def _add_secret(row: EventSource, *, actor: str, now: datetime) -> str:
    secret = signatures.new_secret()
    # The text is bound to its row, so the row comes first.
    made = SourceSecret.objects.create(
        source=row, sealed="", hint=secret[-_HINT_CHARACTERS:], created_by=actor, created_at=now
    )
    SourceSecret.objects.filter(pk=made.pk).update(sealed=sealing.seal(secret, belongs_to=_label(made.pk)))
    return secret


def _label(secret_id: int) -> str:
    return f"{_LABEL}:{secret_id}"


def _locked(source_id: int, *, revision: int | None = None) -> EventSource:
    row = EventSource.objects.select_for_update().filter(pk=source_id).first()
    if row is None:
        raise SourceNotFound(f"Event source {source_id} not found.")
    if revision not in {None, row.revision}:
        raise SourceRefused(f"{row.name} has changed since you looked; nothing was done. Look again.")
    return row


def _update(row: EventSource, **values: Any) -> None:
    EventSource.objects.filter(pk=row.pk).update(revision=F("revision") + 1, **values)


def _check(allowed: Sequence[str], requests_per_second: int | None, *, carrier: bool) -> None:
    unknown = sorted(set(allowed) - set(EVENT_WORDS))
    if unknown:
        raise SourceRefused(
            f"{', '.join(unknown)} is no event type; known are {', '.join(EVENT_WORDS)}.", field="allowed_event_types"
        )
    if carrier and not allowed:
        raise SourceRefused("A carrier's source needs at least one event type.", field="allowed_event_types")
    if requests_per_second is not None and not 1 <= requests_per_second <= MOST_PER_SECOND:
        raise SourceRefused(
            f"The limit may be 1 to {MOST_PER_SECOND} requests per second.", field="requests_per_second"
        )
