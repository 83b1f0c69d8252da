"""Deciding about destinations: confirming and rejecting proposals, blocking what a bank has told us of."""

import logging
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from rails import recipients
from rails.destinations.reading import get, in_words
from rails.destinations.rows import end, field_of, lock_recipient, words_of
from rails.models import Destination, DestinationState, Recipient, RecipientEdit

logger = logging.getLogger(__name__)


class DestinationGone(ValueError):
    """The destination is not, or no longer, in the state that this can be done to."""

    code = "destination_decided"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class AnotherPersonConfirms(ValueError):
    """Who proposed a destination does not confirm it, and who had it blocked does not lift that."""

    code = "another_person_confirms"

    def __init__(self, detail: str = "You proposed this destination; another person confirms it.") -> None:
        self.detail = detail
        super().__init__(self.detail)


def confirm(destination_id: int, *, user: User, actor: str, reason: str = "", now: datetime) -> Destination:
    """Puts a proposal in force in the place of the one before; usable once its quarantine has ended.

    Raises DestinationGone, AnotherPersonConfirms.
    """
    with transaction.atomic():
        destination, recipient = _locked_with_recipient(destination_id)
        _demand(destination, DestinationState.PROPOSED, "confirm")
        if destination.proposed_by_id == user.pk:
            raise AnotherPersonConfirms
        before = Destination.objects.filter(
            recipient=recipient, rail=destination.rail, state=DestinationState.ACTIVE
        ).first()
        changes = {field_of(destination.rail): [words_of(before), in_words(destination)]}
        recipients.edited(recipient, changes, reason=reason, actor=actor, user=user, now=now)
        if before is not None:
            end(before, DestinationState.SUPERSEDED, reason="replaced by a confirmed change", actor=actor, user=user)
        Destination.objects.filter(pk=destination.pk).update(
            state=DestinationState.ACTIVE, confirmed_by=user, confirmed_by_actor=actor, confirmed_at=Now()
        )
    logger.info("Destination %s of recipient %s confirmed by %s", destination.pk, recipient.pk, actor)
    return get(destination_id)


def reject(destination_id: int, *, reason: str, actor: str, user: User | None = None, now: datetime) -> Destination:
    """Refuses a proposal; the destination in force before is usable again. Its proposer may take it back so, too.

    Raises DestinationGone.
    """
    with transaction.atomic():
        destination, recipient = _locked_with_recipient(destination_id)
        _demand(destination, DestinationState.PROPOSED, "reject")
        changes = {field_of(destination.rail, proposed=True): [in_words(destination), None]}
        recipients.edited(recipient, changes, reason=reason, actor=actor, user=user, now=now)
        end(destination, DestinationState.REJECTED, reason=reason, actor=actor, user=user)
    logger.info("Destination %s of recipient %s rejected by %s", destination.pk, recipient.pk, actor)
    return get(destination_id)


def block(destination_id: int, *, notice: str, actor: str, user: User | None = None, now: datetime) -> Destination:
    """Lets nothing more be paid to a destination in force until somebody has looked at a notification of change.

    For a notification that proposes no destination itself; `notice` is its code, like "C04". Raises DestinationGone.
    """
    return _set_block(destination_id, notice, reason="", actor=actor, user=user, now=now)


def unblock(destination_id: int, *, reason: str, actor: str, user: User, now: datetime) -> Destination:
    """Lets a blocked destination be paid to again as it is. Raises DestinationGone, AnotherPersonConfirms."""
    with transaction.atomic():
        destination, _ = _locked_with_recipient(destination_id)
        if destination.blocked and _blocked_by(destination) == user.pk:
            raise AnotherPersonConfirms("You handed in what blocked this destination; another person lifts it.")
        return _set_block(destination_id, "", reason=reason, actor=actor, user=user, now=now)


def _blocked_by(destination: Destination) -> int | None:
    """The person whose file blocked it, if it was a person's."""
    key = f"{field_of(destination.rail)}.blocked"
    edits = RecipientEdit.objects.filter(recipient_id=destination.recipient_id, changes__has_key=key)
    return edits.order_by("-pk").values_list("edited_by_id", flat=True).first()


def _set_block(
    destination_id: int, notice: str, *, reason: str, actor: str, user: User | None, now: datetime
) -> Destination:
    with transaction.atomic():
        destination, recipient = _locked_with_recipient(destination_id)
        _demand(destination, DestinationState.ACTIVE, "block or unblock")
        if destination.blocked == notice:
            return destination
        changes = {f"{field_of(destination.rail)}.blocked": [destination.blocked or None, notice or None]}
        recipients.edited(recipient, changes, reason=reason, actor=actor, user=user, now=now)
        Destination.objects.filter(pk=destination.pk).update(blocked=notice)
    return get(destination_id)


def _locked_with_recipient(destination_id: int) -> tuple[Destination, Recipient]:
    """The recipient is locked first, as by everybody who writes one of its destinations."""
    found = Destination.objects.filter(pk=destination_id).values_list("recipient_id", flat=True).first()
    if found is None:
        raise DestinationGone(f"There is no destination {destination_id}.")
    recipient = lock_recipient(found)
    return Destination.objects.select_related("recipient").get(pk=destination_id), recipient


def _demand(destination: Destination, state: DestinationState, verb: str) -> None:
    if destination.state != state:
        raise DestinationGone(f"The destination is {destination.state.lower()} by now; there is nothing to {verb}.")
