"""Where the bank's files come from: a directory, or a person's upload. Each is read once and put away."""

import hashlib
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User

from rails import pickup, staged_files
from rails.ach import intake
from rails.ach.configuration import AchConfiguration
from rails.ach.corrections import ACTOR
from rails.ach.intake import LARGEST, Arrived
from rails.ach.items import NotHandedOverYet
from rails.models import AchFile, AchInboundFile
from rails.pickup import WHOLE_AFTER_SECONDS, Kept, Later, Picked, PickedUp

_ANSWERED: Final = "a file of the bank answers it"


def read(configuration: AchConfiguration, *, now: datetime, whole_after: float = WHOLE_AFTER_SECONDS) -> PickedUp:
    """Reads what lies in the inbox and moves it out of it. Raises nothing for a file that can not be read."""
    today = configuration.timetable.local(now).date()

    def take_in(picked: Picked) -> Kept:
        arrived = Arrived(name=picked.name, content=picked.content, sha256=picked.sha256, size=picked.size, actor=ACTOR)
        try:
            row, _ = intake.take_in(arrived, now=now, today=today)
        except NotHandedOverYet as waits:
            staged_files.tell_sent(AchFile, waits.files, _ANSWERED, now=now)
            raise Later(str(waits), about=waits.files) from waits
        return _where(row)

    return pickup.pick_up(configuration.inbox, take_in, largest=LARGEST, whole_after=whole_after)


def upload(
    configuration: AchConfiguration, *, name: str, content: bytes, user: User, actor: str, reason: str, now: datetime
) -> tuple[AchInboundFile, bool]:
    """Takes a file in that a person has uploaded, and keeps it beside the others, or applies nothing of it.

    Raises NotHandedOverYet, pickup.InboxUnusable.
    """
    digest = hashlib.sha256(content).hexdigest()
    arrived = Arrived(
        name=name, content=content, sha256=digest, size=len(content), actor=actor, user=user, reason=reason
    )
    with pickup.keeping(configuration.inbox, digest, content) as keep:
        try:
            row, new = intake.take_in(arrived, now=now, today=configuration.timetable.local(now).date())
        except NotHandedOverYet as waits:
            staged_files.tell_sent(AchFile, waits.files, _ANSWERED, now=now)
            raise
        if new:
            keep(_where(row))
    return row, new


def _where(row: AchInboundFile) -> Kept:
    return Kept.QUARANTINE if row.faults else Kept.DONE
