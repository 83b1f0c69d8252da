"""What a notification of change does to a destination: it proposes another, or stops the one there is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User

from rails import destinations
from rails.ach.changes import CHANGES, Correction, CorrectionUnreadable, correction
from rails.destinations import DestinationGone, DestinationRefused
from rails.models import AchEntry, Destination, DestinationState

ACTOR: Final = "bank:ach"


@dataclass(frozen=True, slots=True)
class Corrected:
    """What became of a notification, in words without any account number; `waits`: a person must look at it."""

    words: str
    waits: bool
    proposal: Destination | None = None


def apply(entry: AchEntry, code: str, data: str, *, user: User | None, now: datetime) -> Corrected:
    """Proposes what the bank asks for, in the caller's transaction; another person than `user` has to confirm it.

    `user` handed the file in, if a person did.

    What can not be proposed stops the destination instead, so that no further entry goes to it unheeded.
    """
    title = str(CHANGES[code])
    destination = entry.destination
    assert destination is not None
    if destination.state != DestinationState.ACTIVE:
        return Corrected(f"{title}: the destination is {destination.state.lower()} by now", waits=True)
    try:
        wanted = correction(code, data)
        if not wanted.changes_destination:
            return Corrected(f"{title}: it asks for no change of the destination", waits=True)
        details = _corrected(destination, wanted)
    except CorrectionUnreadable as error:
        return _stopped(destination, code, f"{title}: {error}", user=user, now=now)
    except DestinationRefused as error:
        return _stopped(destination, code, f"{title}: {error}", user=user, now=now)
    made = destinations.propose(
        destination.recipient_id,
        [details],
        actor=ACTOR,
        user=user,
        reason=f"Notification of change {title}",
        notice=code,
        now=now,
    )
    if not made:
        return Corrected(f"{title}: the destination says so already", waits=False)
    return Corrected(f"{title}: proposed {destinations.in_words(made[0])}", waits=False, proposal=made[0])


def stop(entry: AchEntry, code: str, *, user: User | None, now: datetime) -> bool:
    """Lets nothing more be paid to the entry's destination after a return that forbids it; whether it was in force."""
    destination = entry.destination
    if destination is None or destination.state != DestinationState.ACTIVE:
        return False
    try:
        destinations.block(destination.pk, notice=code, actor=ACTOR, user=user, now=now)
    except DestinationGone:
        return False
    return True


def _stopped(destination: Destination, code: str, words: str, *, user: User | None, now: datetime) -> Corrected:
    destinations.block(destination.pk, notice=code, actor=ACTOR, user=user, now=now)
    return Corrected(words, waits=True)


def _corrected(destination: Destination, wanted: Correction) -> destinations.Details:
    """The destination with the corrected parts, checked as any other. Raises DestinationRefused."""
    shown = destination.details
    return destinations.read(
        "ach",
        {
            "routing_number": wanted.routing_number or shown["routing_number"],
            "account_number": wanted.account_number or destinations.account_number(destination),
            "account_type": wanted.account_type or shown["account_type"],
            "holder_name": wanted.holder_name or shown["holder_name"],
            "sec_code": shown["sec_code"],
        },
    )
