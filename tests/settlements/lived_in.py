"""A house that was lived in: an intent in every state, each brought there by the domain."""

from dataclasses import dataclass
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from rails import ledger
from rails.models import JournalEntry
from settlements import approvals, holds, intents, lifecycle, requests
from settlements.intents import ScheduleRequest
from settlements.lifecycle import Move
from settlements.models import MilestoneSettlement, PaymentIntent
from settlements.statuses import EventType, ScheduleType
from settlements.statuses import SettlementStatus as S
from tests.factories import (
    ACTOR,
    CLAIM,
    HIGH,
    MEDIUM,
    PICKUP,
    POD,
    a_recipient,
    a_user,
    an_intent,
    approve,
    now,
    officer,
    post_event,
    settlement_of,
    version_of,
)


@dataclass
class World:
    """An intent in every state; each made by the domain."""

    approved: PaymentIntent
    reviewed: MilestoneSettlement
    delayed: PaymentIntent
    cancelled: PaymentIntent
    returned: MilestoneSettlement
    zero: MilestoneSettlement

    @property
    def pod(self) -> MilestoneSettlement:
        """The POD settlement of the approved intent."""
        return settlement_of(self.approved, POD, create=False)


def lived_in() -> World:
    recipient = a_recipient()
    approved = an_intent(recipient=recipient, amount=Decimal("999.99"))
    for event_type in EventType:
        post_event(approved.shipment.shipment_id, event_type)
    delayed = an_intent(risk=MEDIUM, currency="JPY", recipient=recipient)
    for event_type in EventType:
        post_event(delayed.shipment.shipment_id, event_type)
    approve(settlement_of(delayed, CLAIM), a_user(), "released early")
    high = an_intent(risk=HIGH, amount=30_000, creator=a_user())
    zero = settlement_of(high, PICKUP)
    reviewed = settlement_of(high, POD)
    approve(reviewed, a_user())
    approve(reviewed, a_user())
    claim = settlement_of(high, CLAIM)
    holds.place(claim.pk, reason="dispute", actor=ACTOR, now=now())
    rejected = settlement_of(an_intent(risk=None, schedule=ScheduleRequest(type=ScheduleType.FULL_ON_POD)), POD)
    approvals.reject(rejected.pk, officer=officer(a_user()), reason="fraud", version=version_of(rejected.pk), now=now())
    settled = an_intent(currency="KWD")
    requests.settle(settled.pk, actor=ACTOR, now=now())
    requests.complete(settled.pk, actor=ACTOR, now=now())
    cancelled = an_intent(risk=MEDIUM)
    settlement_of(cancelled, POD)
    settlement_of(cancelled, PICKUP)
    intents.cancel(cancelled.pk, reason="mistake", actor=ACTOR, now=now())
    returned = settlement_of(an_intent(), POD)
    move = Move(
        settlement_id=returned.pk, intent_id=returned.intent_id, old=S.APPROVED, new=S.RETURNED, action="returned",
        actor=ACTOR,
    )  # fmt: skip
    with transaction.atomic():
        ledger.reverse(JournalEntry.objects.get(milestone_id=returned.pk).pk, now=now())
        lifecycle.transition([move], now=now())
    return World(approved, reviewed, delayed, cancelled, returned, zero)


def verified(**options: str) -> str:
    """What `verify_books` prints when all is well."""
    out = StringIO()
    call_command("verify_books", stdout=out, **options)
    return out.getvalue()


def difference() -> str:
    """The one line that `verify_books` fails with."""
    with pytest.raises(CommandError) as caught:
        call_command("verify_books", stdout=StringIO())
    words = str(caught.value)
    assert "\n" not in words
    return words
