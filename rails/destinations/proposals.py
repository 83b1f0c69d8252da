"""Proposing and closing destinations: what becomes of one is for `decisions`."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.functions import Now

from rails import recipients, sealing
from rails.destinations.reading import OPEN, in_words, label
from rails.destinations.rows import end, field_of, lock_recipient, words_of
from rails.models import Account, Destination, DestinationState, Recipient
from rails.routing.details import Details

logger = logging.getLogger(__name__)

_NEXT_IDS: Final = """
    SELECT nextval(pg_get_serial_sequence('rails_destination', 'id')) FROM generate_series(1, %s::integer)
"""


def propose(
    recipient_pk: int,
    wanted: Sequence[Details],
    *,
    actor: str,
    user: User | None = None,
    reason: str = "",
    notice: str = "",
    now: datetime,
) -> list[Destination]:
    """What changes, written as one edit of the recipient; what repeats the destination in force or proposed does not.

    The first destinations of a recipient that nothing was paid to are in force at once; all others are proposals, each
    in the place of the one that was open. `notice` is the code of the notification of change that asks for it.
    Raises RecipientUnknown.
    """
    with transaction.atomic():
        recipient = lock_recipient(recipient_pk)
        open_ones = _open_ones(recipient)
        changed = [details for details in wanted if not _repeats(details, open_ones)]
        if not changed:
            return []
        first = _is_first(recipient)
        superseded = {row.rail: row for row in open_ones if row.state == DestinationState.PROPOSED}
        in_force = {row.rail: row for row in open_ones if row.state == DestinationState.ACTIVE}
        changes = {
            field_of(details.rail, proposed=not first): [
                words_of(superseded.get(details.rail) or in_force.get(details.rail)),
                in_words(details),
            ]
            for details in changed
        }
        recipients.edited(recipient, changes, reason=reason, actor=actor, user=user, now=now)
        made = []
        for details, pk in zip(changed, _next_ids(len(changed)), strict=True):
            before = superseded.get(details.rail)
            if before is not None:
                end(before, DestinationState.SUPERSEDED, reason="replaced by another proposal", actor=actor, user=user)
            made.append(
                _row(
                    pk,
                    recipient,
                    details,
                    first=first,
                    notice=notice or (before.notice if before else ""),
                    reason=reason,
                    actor=actor,
                    user=user,
                )
            )
        Destination.objects.bulk_create(made)
    logger.info(
        "Destinations of recipient %s proposed: rails=%s, in force=%s", recipient.pk, [d.rail for d in changed], first
    )
    return list(Destination.objects.filter(pk__in=[row.pk for row in made]).order_by("pk"))


def close(
    recipient_pk: int, rail: str, *, reason: str, actor: str, user: User | None = None, now: datetime
) -> list[Destination]:
    """Ends what the recipient has for a rail, in force and proposed: nothing is paid there until another is confirmed.

    Returns what was ended, nothing if there was nothing. Raises RecipientUnknown.
    """
    with transaction.atomic():
        recipient = lock_recipient(recipient_pk)
        ending = [row for row in _open_ones(recipient) if row.rail == rail]
        if not ending:
            return []
        changes = {
            field_of(rail, proposed=row.state == DestinationState.PROPOSED): [in_words(row), None] for row in ending
        }
        recipients.edited(recipient, changes, reason=reason, actor=actor, user=user, now=now)
        for row in ending:
            end(row, DestinationState.CLOSED, reason=reason, actor=actor, user=user)
    logger.info("Destinations of recipient %s for %s closed by %s", recipient.pk, rail, actor)
    return ending


def _open_ones(recipient: Recipient) -> list[Destination]:
    return list(Destination.objects.filter(recipient=recipient, state__in=OPEN))


def _is_first(recipient: Recipient) -> bool:
    """Whether no payment can be diverted: none was made, and there was never a place for one (the guard agrees)."""
    return not (
        Destination.objects.filter(recipient=recipient).exists() or Account.objects.filter(recipient=recipient).exists()
    )


def _repeats(details: Details, open_ones: Sequence[Destination]) -> bool:
    prints = sealing.fingerprints(details.number)
    return any(
        row.rail == details.rail and row.details == dict(details.shown) and row.fingerprint in prints
        for row in open_ones
    )


def _row(
    pk: int,
    recipient: Recipient,
    details: Details,
    *,
    first: bool,
    notice: str,
    reason: str,
    actor: str,
    user: User | None,
) -> Destination:
    quarantine = timedelta() if first else timedelta(hours=settings.CHAINPAY_DESTINATION_HOLD_HOURS)
    is_secret = details.rail != "stripe"
    return Destination(
        pk=pk,
        recipient=recipient,
        rail=details.rail,
        state=DestinationState.ACTIVE if first else DestinationState.PROPOSED,
        details=dict(details.shown),
        sealed=sealing.seal(details.number, belongs_to=label(pk)) if is_secret else "",
        fingerprint=sealing.fingerprint(details.number),
        revision=recipient.revision,
        proposed_at=Now(),
        usable_from=Now() + quarantine,
        notice=notice,
        proposed_by=user,
        proposed_by_actor=actor,
        proposed_reason=reason,
    )


def _next_ids(count: int) -> list[int]:
    """The rows' numbers before there are rows: what is sealed is bound to its own."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_IDS, [count])
        return [pk for (pk,) in cursor.fetchall()]
