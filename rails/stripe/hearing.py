"""What Stripe has told since: stored events and polls understood, in whatever order they came."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from rails.base import Applied, Notice
from rails.models import StripeEvent, StripeEventState
from rails.stripe import configuration, contents, inbox, listening, payouts, polling
from rails.stripe.client import Deadline, client_of
from rails.stripe.failures import CallFailed
from rails.stripe.understanding import SOURCE, understand

logger = logging.getLogger(__name__)

MOST_NOTICES: Final = 1_000
_SECONDS: Final = 30.0
_SECONDS_OF_POLLING: Final = 14.0  # for events, and again for payouts
_KNOWN: Final = frozenset({Applied.APPLIED, Applied.ALREADY_PROCESSED})
_CONTRADICTED: Final = "it contradicts what is known; its payment is in the work list"
_NOT_YET: Final = {
    Applied.NOT_FOUND: "its payment is not known here yet",
    Applied.FAILED: "it could not be taken down; the log says why",
}


def hear(*, now: datetime) -> list[Notice]:
    """The notices that follow from what Stripe has told; none while another process listens."""
    turn = listening.begin()
    if turn is None:
        return []
    try:
        found = _found(now=now)
    except Exception:
        # The next turn need not wait for the end of the lease; whatever it was is for the caller.
        listening.end(turn)
        raise
    if not found:
        listening.end(turn)
    return [replace(notice, turn=turn) for notice in found]


def _found(*, now: datetime) -> list[Notice]:
    configured = configuration.current()
    client, deadline = client_of(configured), Deadline(_SECONDS)
    if listening.poll_is_due(every=configured.poll_seconds, now=now):
        try:
            polling.poll(client, seconds=_SECONDS_OF_POLLING, now=now)
        except CallFailed as error:
            logger.warning("Stripe could not be asked for what it has not told: %s", error.detail)
    found = understand(client, inbox.waiting(now=now), deadline=deadline, now=now)
    contents.open_payouts(client, deadline=deadline, now=now)
    return found + payouts.notices(most=MOST_NOTICES - len(found), now=now)


def hold(told: Sequence[Notice]) -> None:
    """Lets nobody else listen before the caller's transaction ends. Raises Overtaken if somebody has since."""
    for turn in {notice.turn for notice in told if notice.turn is not None}:
        listening.hold(turn)


def heard(told: Sequence[tuple[Notice, Applied]], *, now: datetime) -> None:
    """Takes down what became of the notices of the last `hear`, and lets the next one listen."""
    events = {event.event_id: event for event in _events_of(notice for notice, _ in told)}
    for notice, applied in told:
        event = events.get(notice.source.removeprefix(SOURCE))
        if event is not None:
            _event_heard(event, applied, now=now)
        elif applied in _KNOWN or applied is Applied.CONTRADICTED:
            payouts.was_told(notice)
        else:
            payouts.not_told(notice, now=now)
    for turn in {notice.turn for notice, _ in told if notice.turn is not None}:
        listening.end(turn)


def _event_heard(event: StripeEvent, applied: Applied, *, now: datetime) -> None:
    if applied in _KNOWN:
        inbox.settle([event.pk], StripeEventState.DONE, detail=applied.value.lower().replace("_", " "), now=now)
    elif applied is Applied.CONTRADICTED:
        inbox.settle([event.pk], StripeEventState.DONE, detail=_CONTRADICTED, now=now)
    else:
        inbox.put_off(event, detail=_NOT_YET[applied], now=now)


def _events_of(notices: Iterable[Notice]) -> Iterable[StripeEvent]:
    numbers = [each.source.removeprefix(SOURCE) for each in notices if each.source.startswith(SOURCE)]
    return StripeEvent.objects.filter(event_id__in=numbers)
