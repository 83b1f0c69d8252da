"""Who gets paid: the only writer of recipients."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from rails.models import Recipient, RecipientEdit

MAX_CHARACTERS = 200


class RecipientError(ValueError):
    """A recipient that is refused; `code` is stable, `field` is the field at fault."""

    def __init__(self, code: str, detail: str, *, field: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field


class RecipientUnknown(LookupError):
    """There is no such recipient."""

    code = "recipient_unknown"
    field = "recipient_id"

    def __init__(self, recipient_id: str) -> None:
        self.detail = f"Recipient {recipient_id} not found"
        super().__init__(self.detail)


def find(*, recipient_id: str) -> Recipient:
    """The recipient of this id; raises RecipientUnknown."""
    try:
        return Recipient.objects.get(recipient_id=check_id(recipient_id))
    except (Recipient.DoesNotExist, RecipientError):
        raise RecipientUnknown(recipient_id) from None


def put(recipient_id: str, name: str, *, actor: str, now: datetime, user: User | None = None) -> tuple[Recipient, bool]:
    """Create the recipient, or rename the one there is; every change leaves a RecipientEdit, a repetition nothing.

    Returns the recipient and whether it is new. Raises RecipientError.
    """
    check_id(recipient_id)
    name = check_name(name)
    with transaction.atomic():
        recipient, created = Recipient.objects.get_or_create(
            recipient_id=recipient_id, defaults={"name": name, "created_at": now, "updated_at": now}
        )
        if created:
            _record(recipient, {"name": [None, name]}, actor=actor, user=user)
            return recipient, True
        recipient = Recipient.objects.select_for_update().get(pk=recipient.pk)
        _edit(recipient, {"name": name}, actor=actor, user=user, now=now)
    return recipient, False


def set_payouts(
    *, recipient_id: str, enabled: bool, actor: str, now: datetime, user: User | None = None, reason: str = ""
) -> Recipient:
    """Allow or stop payments to a recipient; raises RecipientUnknown."""
    with transaction.atomic():
        recipient = Recipient.objects.select_for_update().filter(recipient_id=recipient_id).first()
        if recipient is None:
            raise RecipientUnknown(recipient_id)
        _edit(recipient, {"payouts_enabled": enabled}, actor=actor, user=user, now=now, reason=reason)
    return recipient


def check_id(recipient_id: object) -> str:
    """A recipient's id: 1 to 200 visible characters, kept as written; raises RecipientError."""
    if not isinstance(recipient_id, str) or not 1 <= len(recipient_id) <= MAX_CHARACTERS or not _visible(recipient_id):
        detail = f"A recipient_id is 1 to {MAX_CHARACTERS} visible characters, without spaces."
        raise RecipientError("recipient_id_invalid", detail, field="recipient_id")
    return recipient_id


def check_name(name: object) -> str:
    """A recipient's name without the spaces around it; raises RecipientError."""
    text = name.strip() if isinstance(name, str) else ""
    if not 1 <= len(text) <= MAX_CHARACTERS or not text.isprintable():
        raise RecipientError("name_invalid", f"A name is 1 to {MAX_CHARACTERS} printable characters.", field="name")
    return text


def _visible(text: str) -> bool:
    return text.isprintable() and not any(character.isspace() for character in text)


def edited(
    recipient: Recipient, changes: Mapping[str, Any], *, reason: str, actor: str, user: User | None, now: datetime
) -> None:
    """Records an edit of what belongs to a recipient, which is locked: a new revision voids approvals of the old.

    `changes` is {what: [before, after]}, with every number masked.
    """
    recipient.revision += 1
    recipient.updated_at = now
    recipient.save(update_fields=["revision", "updated_at"])
    _record(recipient, changes, reason=reason, actor=actor, user=user)


def _edit(
    recipient: Recipient, wanted: dict[str, Any], *, actor: str, user: User | None, now: datetime, reason: str = ""
) -> None:
    changes = {
        field: [getattr(recipient, field), value]
        for field, value in wanted.items()
        if getattr(recipient, field) != value
    }
    if not changes:
        return
    for field, (_, value) in changes.items():
        setattr(recipient, field, value)
    recipient.revision += 1
    recipient.updated_at = now
    recipient.save(update_fields=[*changes, "revision", "updated_at"])
    _record(recipient, changes, reason=reason, actor=actor, user=user)


def _record(
    recipient: Recipient, changes: Mapping[str, Any], *, actor: str, user: User | None, reason: str = ""
) -> None:
    """The database says when, now that the recipient is locked: a payment while this edit waited came before it."""
    RecipientEdit.objects.create(
        recipient=recipient,
        edited_by=user,
        actor=actor,
        changes=dict(changes),
        reason=reason,
        revision=recipient.revision,
    )
