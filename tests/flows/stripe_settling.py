"""Settlements that Stripe pays, its news, and what the books say of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from rails import ledger
from rails.accounts import AccountCode, AccountKey
from rails.models import (
    RailAttempt,
    Recipient,
    StripeEvent,
    StripeEventState,
    StripeListening,
)
from rails.money import Money
from rails.stripe import inbox
from rails.stripe.events import read
from rails.stripe.inbox import CameBy
from rails.stripe.rail import StripeRail
from settlements import submitting, verify
from settlements.models import MilestoneSettlement
from settlements.statuses import SettlementStatus as S
from tests.factories import POD, an_intent, now, settlement_of
from tests.rails.stripe_world import account_of, settings_of
from tests.stripe_fake import StripeFake
from tests.stripe_fake import payouts as fakes

RAIL = StripeRail()


@pytest.fixture(autouse=True)
def listened(fake: StripeFake, settings: Settings) -> None:
    """Nothing is asked for unless a test wants it: Stripe was asked a moment ago."""
    settings.CHAINPAY_STRIPE = settings_of(fake, poll_seconds=3600)
    StripeListening.objects.create(polled_at=now())


def paid(recipient: Recipient) -> MilestoneSettlement:
    """A settlement whose transfer Stripe has made, and we have recorded."""
    settlement = claimed(recipient)
    assert submitting.submit(RAIL, clock=now).accepted == 1
    settlement.refresh_from_db()
    assert settlement.status == S.APPROVED
    return settlement


def claimed(recipient: Recipient) -> MilestoneSettlement:
    return settlement_of(an_intent(recipient=recipient, payment_method="stripe"), POD)


def transfer_of(settlement: MilestoneSettlement) -> str:
    return RailAttempt.objects.get(milestone_id=settlement.pk).reference


def events_of(fake: StripeFake) -> list[Any]:
    return [event for _, event in fake.world.events.values()]


def arrive(*events: Any) -> None:
    inbox.store([read(json.loads(json.dumps(event))) for event in events], came_by=CameBy.WEBHOOK, now=now())


def hear(times: int = 3) -> None:
    for _ in range(times):
        StripeEvent.objects.filter(state=StripeEventState.WAITING).update(next_try_at=now())
        submitting.hear(RAIL, clock=now)


def status_of(settlement: MilestoneSettlement) -> str:
    settlement.refresh_from_db()
    return settlement.status


def balance(code: AccountCode, recipient: Recipient | None = None) -> Money:
    return ledger.balance(AccountKey(code, "USD", recipient.pk if recipient else None))


def pay_out(fake: StripeFake, recipient: Recipient, *statuses: str) -> str:
    payout = fakes.pay_out(fake.world, account_of(recipient))
    assert payout is not None
    for status in statuses:
        fakes.advance(fake.world, payout["id"], status)
    return str(payout["id"])


@pytest.fixture
def proven() -> Iterator[None]:
    yield
    for _ in verify.everything():
        pass
