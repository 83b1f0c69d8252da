"""Who is told of settlements, and by which secrets it knows us: the only writer of both."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from rails import sealing
from rails.resealing import SealedColumn
from settlements import calling, signatures
from settlements.models import Subscriber, SubscriberSecret
from settlements.refusals import Kind, Refusal
from settlements.statuses import PLATFORM_NEWS, SETTLEMENT_NEWS, TO_SUBSCRIBE
from settlements.values import NAME, NAME_RULE

logger = logging.getLogger(__name__)

OVERLAP: Final = timedelta(hours=24)
LONGEST_OVERLAP: Final = timedelta(days=30)
MOST_LIVE_SECRETS: Final = 10
_LABEL: Final = "subscriber_secret"
SEALED: Final = SealedColumn("secrets of subscribers", table="settlements_subscribersecret", label=_LABEL)
_HINT_CHARACTERS: Final = 4


class SubscriberRefused(Refusal):
    """A subscriber can not be made or changed as asked."""

    code = "subscriber_refused"


class SubscriberNotFound(Refusal):
    """No such subscriber."""

    code = "subscriber_not_found"
    kind = Kind.NOT_FOUND


def create(
    name: str,
    url: str,
    *,
    event_types: Sequence[str] = tuple(SETTLEMENT_NEWS),
    carrier_id: str = "",
    actor: str,
    now: datetime,
) -> tuple[Subscriber, str]:
    """A subscriber and its first secret, which is told here and never again; with a `carrier_id` it is told of that
    carrier's settlements alone. Raises SubscriberRefused.
    """
    if not NAME.fullmatch(name):
        raise SubscriberRefused(NAME_RULE, field="name")
    _check(url, event_types, carrier_id)
    with transaction.atomic():
        try:
            with transaction.atomic():
                row = Subscriber.objects.create(
                    name=name,
                    url=url,
                    event_types=_in_order(event_types),
                    carrier_id=carrier_id,
                    created_by=actor,
                    created_at=now,
                )
        except IntegrityError as error:
            raise SubscriberRefused(f"There is a subscriber {name} already.", field="name") from error
        secret = _add_secret(row, actor=actor, now=now)
    logger.info("Subscriber %s created by %s", name, actor)
    return row, secret


def find(subscriber_id: int) -> Subscriber:
    """The subscriber; raises SubscriberNotFound."""
    row = Subscriber.objects.filter(pk=subscriber_id).first()
    if row is None:
        raise SubscriberNotFound(f"Subscriber {subscriber_id} not found.")
    return row


def change(subscriber_id: int, *, url: str, event_types: Sequence[str], active: bool, actor: str) -> None:
    """Changes what may change, also for what waits to be sent. Raises SubscriberNotFound, SubscriberRefused."""
    _check(url, event_types, find(subscriber_id).carrier_id)
    with transaction.atomic():
        row = _locked(subscriber_id)
        row.url, row.event_types, row.active = url, _in_order(event_types), active
        row.save(update_fields=["url", "event_types", "active"])
    logger.info("Subscriber %s changed by %s", row.name, actor)


def rotate(subscriber_id: int, *, overlap: timedelta = OVERLAP, actor: str, now: datetime) -> str:
    """A new secret beside the live ones, which expire when the overlap is over; until then each message is signed by
    all. An overlap of nothing ends the others at once. Raises SubscriberNotFound, SubscriberRefused.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise SubscriberRefused(f"The overlap may last 0 to {LONGEST_OVERLAP.days} days.", field="overlap_hours")
    with transaction.atomic():
        row = _locked(subscriber_id)
        live = live_secrets(subscriber_id, now=now)
        if live.count() >= MOST_LIVE_SECRETS:
            raise SubscriberRefused(f"{row.name} has {MOST_LIVE_SECRETS} live secrets; revoke one first.")
        ending = now + overlap
        live.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=ending)).update(expires_at=ending)
        secret = _add_secret(row, actor=actor, now=now)
    logger.info("Secret of subscriber %s rotated by %s", row.name, actor)
    return secret


def revoke(subscriber_id: int, secret_id: int, *, actor: str, now: datetime) -> bool:
    """Ends a secret, from the next message on; False when it was revoked before. Raises SubscriberNotFound."""
    with transaction.atomic():
        row = _locked(subscriber_id)
        ended = SubscriberSecret.objects.filter(pk=secret_id, subscriber=row, revoked_at__isnull=True).update(
            revoked_at=now
        )
    logger.info("Secret %s of subscriber %s revoked by %s", secret_id, row.name, actor)
    return bool(ended)


def live_secrets(subscriber_id: int, *, now: datetime) -> QuerySet[SubscriberSecret]:
    """The secrets that sign, newest first."""
    found = SubscriberSecret.objects.filter(subscriber_id=subscriber_id, revoked_at__isnull=True)
    return found.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now)).order_by("-pk")


def signing_keys(subscriber_id: int, *, now: datetime) -> list[bytes]:
    """The keys that a message of this moment is signed by, the newest first.

    Raises sealing.CannotUnseal when there are secrets and none of them can be read.
    """
    rows = live_secrets(subscriber_id, now=now)
    keys = [key for row in rows if (key := _unsealed(row)) is not None]
    if rows and not keys:
        raise sealing.CannotUnseal("none of the subscriber's secrets can be read; is an encryption key missing?")
    return keys


def _unsealed(row: SubscriberSecret) -> bytes | None:
    """The key; None when its encryption key is gone, for that must not silence those that can be read."""
    try:
        return signatures.key_of(sealing.unseal(row.sealed, belongs_to=_label(row.pk)))
    except sealing.CannotUnseal as error:
        logger.error("A secret of subscriber %s is left out: %s", row.subscriber_id, error)
        return None


def _add_secret(row: Subscriber, *, actor: str, now: datetime) -> str:
    secret = signatures.new_secret()
    # The text is bound to its row, so the row comes first.
    made = SubscriberSecret.objects.create(
        subscriber=row, sealed="", hint=secret[-_HINT_CHARACTERS:], created_by=actor, created_at=now
    )
    SubscriberSecret.objects.filter(pk=made.pk).update(sealed=sealing.seal(secret, belongs_to=_label(made.pk)))
    return secret


def _label(secret_id: int) -> str:
    return f"{_LABEL}:{secret_id}"


def _locked(subscriber_id: int) -> Subscriber:
    row = Subscriber.objects.select_for_update().filter(pk=subscriber_id).first()
    if row is None:
        raise SubscriberNotFound(f"Subscriber {subscriber_id} not found.")
    return row


def _in_order(event_types: Sequence[str]) -> list[str]:
    return [news.value for news in TO_SUBSCRIBE if news in event_types]


def _check(url: str, event_types: Sequence[str], carrier_id: str) -> None:
    try:
        calling.check_url(url, private_allowed=settings.CHAINPAY_DEMO)
    except calling.CallFailed as failed:
        raise SubscriberRefused(str(failed), field="url") from failed
    unknown = sorted(set(event_types) - set(TO_SUBSCRIBE))
    if unknown:
        raise SubscriberRefused(
            f"{', '.join(unknown)} is nothing we tell of; known are {', '.join(TO_SUBSCRIBE)}.", field="event_types"
        )
    of_the_platform = [news for news in PLATFORM_NEWS if news in event_types]
    if carrier_id and of_the_platform:
        raise SubscriberRefused(
            f"A carrier's subscriber is told of its own settlements alone, not of {', '.join(of_the_platform)}.",
            field="event_types",
        )
    if not event_types:
        raise SubscriberRefused("A subscriber is told of at least one kind of event.", field="event_types")
