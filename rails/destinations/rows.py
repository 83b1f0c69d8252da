"""What proposing and deciding share: the recipient is locked first, and a version ends in one way."""

from django.contrib.auth.models import User
from django.db.models.functions import Now

from rails.destinations.reading import in_words
from rails.models import Destination, DestinationState, Recipient
from rails.recipients import RecipientUnknown


def lock_recipient(recipient_pk: int) -> Recipient:
    """The recipient, locked. Raises RecipientUnknown."""
    recipient = Recipient.objects.select_for_update().filter(pk=recipient_pk).first()
    if recipient is None:
        raise RecipientUnknown(str(recipient_pk))
    return recipient


def end(row: Destination, state: DestinationState, *, reason: str, actor: str, user: User | None) -> None:
    """Takes a version out of force, or off the table."""
    Destination.objects.filter(pk=row.pk).update(
        state=state, ended_by=user, ended_by_actor=actor, ended_at=Now(), ended_reason=reason
    )


def field_of(rail: str, *, proposed: bool = False) -> str:
    """What an edit of the recipient calls a change there."""
    return f"destinations.{rail}.proposed" if proposed else f"destinations.{rail}"


def words_of(row: Destination | None) -> str | None:
    """A version as an edit of the recipient tells of it, its number masked; nothing if there is none."""
    return None if row is None else in_words(row)
