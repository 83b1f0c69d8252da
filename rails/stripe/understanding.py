"""What stored events say, each for itself: one that makes no sense, or meets a fault of ours, stops no other."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from django.db import DataError, transaction

from rails.base import Notice, RailOutcome, SettlementProvider
from rails.models import RailAttempt, StripeEvent, StripeEventState
from rails.stripe import connected_accounts, currencies, inbox, installation, payouts
from rails.stripe.client import Deadline, StripeClient
from rails.stripe.currencies import NotStripes
from rails.stripe.events import ACCOUNTS, PAYOUTS, WRONG
from rails.stripe.failures import CallFailed
from rails.stripe.transfers import Transfer

logger = logging.getLogger(__name__)

SOURCE: Final = "stripe event "


def understand(
    client: StripeClient, events: Sequence[StripeEvent], *, deadline: Deadline, now: datetime
) -> list[Notice]:
    """What settlements are to be told of these events; what else follows from them is taken down.

    An event that makes no sense is for a person. One that meets a fault of ours is put off, and the fault is raised
    when the others have had their turn.
    """
    faults: list[Exception] = []
    readable = []
    for event in events:
        if WRONG in event.about:
            inbox.settle([event.pk], StripeEventState.UNCLEAR, detail=event.about[WRONG], now=now)
        else:
            readable.append(event)
    accounts = {event.account for event in readable if event.type in ACCOUNTS and event.account}
    failed = connected_accounts.look(client, accounts, deadline=deadline, now=now)
    mark = installation.mark() if readable else ""
    found: list[Notice] = []
    for event in readable:
        with _alone(event, faults, now=now):
            if event.type in PAYOUTS:
                _take_payout(event, now=now)
            elif event.type not in ACCOUNTS:
                found += _of_transfer(event, mark, now=now)
            elif event.account in failed:
                inbox.put_off(event, detail=failed[event.account], now=now)
            else:
                inbox.settle([event.pk], StripeEventState.DONE, now=now)
    if faults:
        raise faults[0]
    return found


@contextmanager
def _alone(event: StripeEvent, faults: list[Exception], *, now: datetime) -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except (CallFailed, NotStripes, DataError) as nonsense:
        inbox.settle([event.pk], StripeEventState.UNCLEAR, detail=_in_words(nonsense), now=now)
    except Exception as fault:  # not swallowed: raised when the other events have had their turn
        logger.exception("Stripe event %s could not be understood", event.event_id)
        inbox.put_off(event, detail=f"a fault of this service, which is in its log: {type(fault).__name__}", now=now)
        faults.append(fault)


def _in_words(nonsense: Exception) -> str:
    if isinstance(nonsense, DataError):
        return f"the database can not keep it: {str(nonsense).partition(chr(10))[0]}"
    return str(nonsense)


def _take_payout(event: StripeEvent, *, now: datetime) -> None:
    if not event.account:
        inbox.settle([event.pk], StripeEventState.IGNORED, detail="a payout of the platform's own", now=now)
        return
    payouts.save(event.about, account=event.account, at=event.occurred_at, now=now)
    inbox.settle([event.pk], StripeEventState.DONE, now=now)


def _of_transfer(event: StripeEvent, mark: str, *, now: datetime) -> list[Notice]:
    """A transfer with our mark is what its attempt ordered, or for a person."""
    transfer = Transfer.read(event.about)
    settlement = transfer.settlement_of(mark)
    if settlement is None:
        inbox.settle([event.pk], StripeEventState.IGNORED, detail="not of this installation", now=now)
        return []
    attempt = _attempt(*settlement)
    if attempt is None:
        inbox.put_off(event, detail="there is no such attempt here", now=now)
        return []
    if not _is_what_was_ordered(transfer, attempt):
        words = f"it is not what attempt {attempt.number} ordered: {transfer.in_words()}"
        inbox.settle([event.pk], StripeEventState.UNCLEAR, detail=words, now=now)
        return []
    return [_notice(event, transfer, *settlement)]


def _notice(event: StripeEvent, transfer: Transfer, milestone_id: int, attempt_number: int) -> Notice:
    back = transfer.reversed > 0
    return Notice(
        provider=SettlementProvider.STRIPE,
        outcome=RailOutcome.RETURNED if back else RailOutcome.ACCEPTED,
        source=f"{SOURCE}{event.event_id}",
        occurred_at=event.occurred_at,
        milestone_id=milestone_id,
        attempt_number=attempt_number,
        reference_id=transfer.id,
        amount=currencies.from_stripe(transfer.reversed, transfer.currency) if back else None,
        reason=f"Stripe's transfer {transfer.id} was reversed" if back else "",
    )


def _attempt(milestone_id: int, number: int) -> RailAttempt | None:
    return (
        RailAttempt.objects.filter(provider=SettlementProvider.STRIPE, milestone_id=milestone_id, number=number)
        .select_related("destination")
        .first()
    )


def _is_what_was_ordered(transfer: Transfer, attempt: RailAttempt) -> bool:
    amount = currencies.from_stripe(transfer.integer, transfer.currency)
    return (amount.minor, amount.currency, transfer.account) == (
        attempt.amount_minor,
        attempt.currency,
        attempt.destination.details["account"],
    )
