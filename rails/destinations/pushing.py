"""A recipient as an upstream has it: its name and its destinations, written together or not at all."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from rails import recipients
from rails.destinations.proposals import close, propose
from rails.models import Recipient
from rails.routing.details import Details

_CLOSED: Final = "closed by the upstream"


def push(
    recipient_id: str,
    name: str,
    destinations: Mapping[str, Details | None],
    *,
    actor: str,
    now: datetime,
    user: User | None = None,
) -> tuple[Recipient, bool]:
    """Creates or renames the recipient and proposes its destinations; None closes that of a rail, others stay.

    Returns the recipient and whether it is new. A repetition writes nothing. Raises RecipientError.
    """
    with transaction.atomic():
        recipient, created = recipients.put(recipient_id, name, actor=actor, user=user, now=now)
        wanted = [details for details in destinations.values() if details is not None]
        for rail, details in destinations.items():
            if details is None:
                close(recipient.pk, rail, reason=_CLOSED, actor=actor, user=user, now=now)
        if wanted:
            propose(recipient.pk, wanted, actor=actor, user=user, now=now)
        recipient.refresh_from_db()
    return recipient, created
