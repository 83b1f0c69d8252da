"""What people decide about events that nobody could understand: that they are dealt with, or understood anew."""

from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from rails.models import StripeEvent, StripeEventDecision, StripeEventState
from rails.stripe.events import WRONG

_Decision: Final = StripeEventDecision.Decision


class EventDecided(ValueError):
    """An event that waits for nobody, or not any more."""

    code = "stripe_event_decided"

    def __init__(self) -> None:
        self.detail = "Nobody has to decide about this event, or somebody has."
        super().__init__(self.detail)


def waits(event: StripeEvent) -> bool:
    """Whether a person has to decide about the event."""
    if event.state != StripeEventState.UNCLEAR or event.done_at is None:
        return False
    return not event.decisions.filter(unclear_since=event.done_at).exists()


def may_be_clear(event: StripeEvent) -> bool:
    """Whether it can come out otherwise: what is wrong with the event itself stays wrong."""
    return waits(event) and WRONG not in event.about


def deal_with(event: StripeEvent, *, reason: str, user: User, actor: str, now: datetime) -> None:
    """Takes down how it was dealt with; nothing follows from it. Raises EventDecided."""
    with transaction.atomic():
        _decide(event, _Decision.DEALT_WITH, reason=reason, user=user, actor=actor, now=now)


def again(event: StripeEvent, *, reason: str, user: User, actor: str, now: datetime) -> None:
    """The next listener understands it as if it had just come. Raises EventDecided."""
    if not may_be_clear(event):
        raise EventDecided
    with transaction.atomic():
        _decide(event, _Decision.PROCESS_AGAIN, reason=reason, user=user, actor=actor, now=now)
        StripeEvent.objects.filter(pk=event.pk).update(
            state=StripeEventState.WAITING, tries=0, next_try_at=now, done_at=None
        )


def _decide(
    event: StripeEvent, decision: StripeEventDecision.Decision, *, reason: str, user: User, actor: str, now: datetime
) -> None:
    if event.state != StripeEventState.UNCLEAR or event.done_at is None:
        raise EventDecided
    try:
        with transaction.atomic():
            StripeEventDecision.objects.create(
                event=event,
                unclear_since=event.done_at,
                detail=event.detail,
                decision=decision,
                decided_by=user,
                actor=actor,
                reason=reason,
                decided_at=now,
            )
    except IntegrityError as error:
        raise EventDecided from error
