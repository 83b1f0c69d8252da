"""Taking a payment back by a reversing entry: asked for by a person, only for Nacha's reasons and in its time.

Nacha Operating Rules, section 2.9: to be sent within five banking days after the settlement date of the entry. What it
brings comes later: the payment counts as returned once the reversing entry can not come back any more, or earlier by a
person who has the bank's word.
"""

import logging
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from rails import staged_files
from rails.ach import files
from rails.ach.calendar import Window, add_banking_days, next_banking_day
from rails.ach.configuration import AchConfiguration
from rails.ach.numbers import NumbersUsedUp
from rails.ach.payments import CURRENCY, Payment, payment_of
from rails.base import SettlementProvider
from rails.handover import HandOverError
from rails.models import (
    AchEntry,
    AchEntryKind,
    AchFate,
    AchFilePurpose,
    AchFileState,
    AchOutcome,
    AchReversal,
    RailSwitch,
    ReversalReason,
)
from rails.money import Money
from rails.sealing import CannotUnseal

logger = logging.getLogger(__name__)

PERMITTED_DAYS: Final = 5
ORDINARY_DAYS: Final = 2
LONGEST_REFERENCE: Final = 70


class ReversalRefused(ValueError):
    """A reversal that the rules, or the state of the payment, do not permit; `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def ask(
    configuration: AchConfiguration,
    entry_id: int,
    *,
    permitted_reason: ReversalReason,
    reason: str,
    user: User,
    actor: str,
    now: datetime,
) -> AchReversal:
    """Writes down that an entry is to be reversed; the next window sends it. Raises ReversalRefused."""
    with transaction.atomic():
        entry = AchEntry.objects.select_for_update(of=("self",)).select_related("file").filter(pk=entry_id).first()
        if entry is None or entry.kind != AchEntryKind.PAYMENT:
            raise ReversalRefused("ach_entry_unknown", "There is no such payment.")
        if entry.file.state != AchFileState.HANDED_OVER:
            raise ReversalRefused("ach_entry_not_at_the_bank", "Only a payment that the bank has can be reversed.")
        if entry.outcomes.filter(fate=AchFate.RETURNED).exists():
            raise ReversalRefused("ach_entry_returned", "The payment has come back.")
        if AchReversal.objects.filter(entry=entry).exists():
            raise ReversalRefused("ach_entry_reversed", "The payment is being reversed, or was to be.")
        last_day = add_banking_days(entry.file.effective_entry_date, PERMITTED_DAYS)
        if window_for(configuration, now).day > last_day:
            detail = f"A reversal goes out within {PERMITTED_DAYS} banking days after settlement, by {last_day}."
            raise ReversalRefused("reversal_too_late", detail)
        return AchReversal.objects.create(
            entry=entry, permitted_reason=permitted_reason, reason=reason, last_day=last_day, asked_by=user, actor=actor
        )


def went_through(
    configuration: AchConfiguration,
    entry_id: int,
    *,
    bank_reference: str,
    reason: str,
    user: User,
    actor: str,
    now: datetime,
) -> AchOutcome:
    """Takes down the bank's word that a reversing entry went through: its payment is back. Raises ReversalRefused.

    Not before the days of the ordinary returns are over, which no word of the bank can shorten.
    """
    reference = bank_reference.strip()
    if not reference or not reference.isprintable() or len(reference) > LONGEST_REFERENCE:
        raise ReversalRefused("bank_reference_invalid", "The bank's reference is 1 to 70 printable characters.")
    with transaction.atomic():
        entry = AchEntry.objects.select_for_update(of=("self",)).select_related("file").filter(pk=entry_id).first()
        if entry is None or entry.kind != AchEntryKind.REVERSAL:
            raise ReversalRefused("ach_entry_unknown", "There is no such reversing entry.")
        if entry.file.state != AchFileState.HANDED_OVER:
            raise ReversalRefused("ach_entry_not_at_the_bank", "The bank does not have this reversing entry.")
        if entry.outcomes.exists():
            raise ReversalRefused("ach_reversal_decided", "What became of this reversing entry is known already.")
        earliest = next_banking_day(ordinary_returns_until(entry))
        if configuration.timetable.local(now).date() < earliest:
            detail = f"It may still come back by the ordinary returns; its word is taken down from {earliest} on."
            raise ReversalRefused("ach_reversal_too_early", detail)
        return AchOutcome.objects.create(
            entry=entry,
            fate=AchFate.CONFIRMED,
            source=f"the bank's word, taken down by {actor}",
            reason=reason,
            occurred_at=now,
            said_by=user,
            bank_reference=reference,
        )


def ordinary_returns_until(entry: AchEntry) -> date:
    """The last day of the returns that are no matter of authorization: two banking days (R01 to R04 and the like)."""
    return add_banking_days(entry.file.effective_entry_date, ORDINARY_DAYS)


def window_for(configuration: AchConfiguration, now: datetime) -> Window:
    """The window that a reversal asked for now goes out with."""
    window = configuration.timetable.open_window(now)
    if window is not None and not files.is_made(window, AchFilePurpose.REVERSALS):
        return window
    return configuration.timetable.next_window(now)


def send_due(configuration: AchConfiguration, *, now: datetime) -> None:
    """Makes the file of reversals of the window that is open, if there are any; one that came too late is given up."""
    _give_up(configuration, now=now)
    window = configuration.timetable.open_window(now)
    due = list(
        AchReversal.objects.filter(sent_as__isnull=True, given_up_at__isnull=True)
        .select_related("entry__destination")
        .order_by("pk")
    )
    if window is None or not due or RailSwitch.is_off(SettlementProvider.ACH):
        return
    if files.is_made(window, AchFilePurpose.REVERSALS):
        return
    try:
        payments = [_payment(reversal.entry) for reversal in due]
        file = files.make(
            configuration,
            window,
            payments,
            purpose=AchFilePurpose.REVERSALS,
            with_rows=lambda entries: _sent(due, entries),
            now=now,
        )
        staged_files.finish(file, configuration.outbox, now=now)
    except (HandOverError, NumbersUsedUp, CannotUnseal) as error:
        logger.error("No ACH file of reversals is made: %s", error)
    except IntegrityError:
        logger.warning("Another process made the ACH file of reversals of window %s", window.name)


def _give_up(configuration: AchConfiguration, *, now: datetime) -> None:
    """What came back meanwhile needs no reversal; what missed its last day may not be sent any more."""
    today = configuration.timetable.local(now).date()
    waiting = AchReversal.objects.filter(sent_as__isnull=True, given_up_at__isnull=True)
    back = waiting.filter(entry__outcomes__fate=AchFate.RETURNED)
    for reversals in (waiting.filter(last_day__lt=today), back):
        AchReversal.objects.filter(pk__in=list(reversals.values_list("pk", flat=True))).update(given_up_at=now)


def _sent(due: Sequence[AchReversal], entries: Sequence[AchEntry]) -> None:
    """In the order of the payments; in the transaction of the file."""
    for reversal, entry in zip(due, entries, strict=True):
        AchReversal.objects.filter(pk=reversal.pk).update(sent_as=entry)


def _payment(entry: AchEntry) -> Payment:
    """The payment once more, to be debited from the account that it went to, whatever became of the destination."""
    assert entry.milestone_id is not None
    assert entry.attempt_number is not None
    assert entry.destination is not None
    return payment_of(
        milestone_id=entry.milestone_id,
        attempt_number=entry.attempt_number,
        amount=Money(entry.amount_minor, CURRENCY),
        recipient_id=entry.destination.recipient_id,
        destination=entry.destination,
    )
