"""What Stripe has told since: stored events and polls understood, in whatever order they came."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from rails.base import Applied, Notice, RailOutcome, SettlementProvider
from rails.models import RailAttempt, StripeEvent, StripeEventState
from rails.stripe import (
    configuration,
    connected_accounts,
    contents,
    currencies,
    inbox,
    installation,
    listening,
    payouts,
    polling,
)
from rails.stripe.client import Deadline, StripeClient, client_of
from rails.stripe.currencies import NotStripes
from rails.stripe.events import ACCOUNTS, PAYOUTS
from rails.stripe.failures import CallFailed
from rails.stripe.transfers import Transfer

logger = logging.getLogger(__name__)

SOURCE: Final = "stripe event "
MOST_NOTICES: Final = 1_000
_SECONDS: Final = 30.0
_SECONDS_OF_POLLING: Final = 14.0  # for events, and again for payouts
_KNOWN: Final = frozenset({Applied.APPLIED, Applied.ALREADY_PROCESSED})


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
    found = _of_events(client, inbox.waiting(now=now), deadline=deadline, now=now)
    contents.open_payouts(client, deadline=deadline, now=now)
    return found + payouts.notices(most=MOST_NOTICES - len(found))


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
    for turn in {notice.turn for notice, _ in told if notice.turn is not None}:
        listening.end(turn)


def _event_heard(event: StripeEvent, applied: Applied, *, now: datetime) -> None:
    if applied in _KNOWN:
        inbox.settle([event.pk], StripeEventState.DONE, detail=applied.value.lower().replace("_", " "), now=now)
    elif applied is Applied.CONTRADICTED:
        inbox.settle([event.pk], StripeEventState.UNCLEAR, detail="it contradicts what is known", now=now)
    else:
        inbox.put_off(event, detail="its payment is not known here yet", now=now)


def _events_of(notices: Iterable[Notice]) -> Iterable[StripeEvent]:
    numbers = [each.source.removeprefix(SOURCE) for each in notices if each.source.startswith(SOURCE)]
    return StripeEvent.objects.filter(event_id__in=numbers)


def _of_events(
    client: StripeClient, events: Sequence[StripeEvent], *, deadline: Deadline, now: datetime
) -> list[Notice]:
    by_kind: dict[str, list[StripeEvent]] = {"payouts": [], "accounts": [], "transfers": []}
    for event in events:
        kind = "payouts" if event.type in PAYOUTS else "accounts" if event.type in ACCOUNTS else "transfers"
        by_kind[kind].append(event)
    _take_payouts(by_kind["payouts"], now=now)
    _look_at_accounts(client, by_kind["accounts"], deadline=deadline, now=now)
    return _of_transfers(by_kind["transfers"], now=now)


def _take_payouts(events: Sequence[StripeEvent], *, now: datetime) -> None:
    for event in events:
        if not event.account:
            inbox.settle([event.pk], StripeEventState.IGNORED, detail="a payout of the platform's own", now=now)
            continue
        try:
            payouts.save(event.about, account=event.account, at=event.occurred_at, now=now)
        except CallFailed as error:
            inbox.settle([event.pk], StripeEventState.UNCLEAR, detail=error.detail, now=now)
        else:
            inbox.settle([event.pk], StripeEventState.DONE, now=now)


def _look_at_accounts(
    client: StripeClient, events: Sequence[StripeEvent], *, deadline: Deadline, now: datetime
) -> None:
    wanted = {event.account for event in events if event.account}
    failed = connected_accounts.look(client, wanted, deadline=deadline, now=now)
    for event in events:
        if event.account in failed:
            inbox.put_off(event, detail=failed[event.account], now=now)
        else:
            inbox.settle([event.pk], StripeEventState.DONE, now=now)


def _of_transfers(events: Sequence[StripeEvent], *, now: datetime) -> list[Notice]:
    """A transfer with our mark is what its attempt ordered, or for a person."""
    mark = installation.mark() if events else ""
    found: list[Notice] = []
    for event in events:
        try:
            transfer = Transfer.read(event.about)
            settlement = transfer.settlement_of(mark)
            if settlement is None:
                inbox.settle([event.pk], StripeEventState.IGNORED, detail="not of this installation", now=now)
                continue
            attempt = _attempt(*settlement)
            if attempt is None:
                inbox.put_off(event, detail="there is no such attempt here", now=now)
            elif not _is_what_was_ordered(transfer, attempt):
                words = f"it is not what attempt {attempt.number} ordered: {transfer.in_words()}"
                inbox.settle([event.pk], StripeEventState.UNCLEAR, detail=words, now=now)
            else:
                found.append(_notice(event, transfer, *settlement))
        except (CallFailed, NotStripes) as error:
            inbox.settle([event.pk], StripeEventState.UNCLEAR, detail=str(error), now=now)
    return found


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
