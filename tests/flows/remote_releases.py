"""Settlements that go by a pretended provider, and what the books say of them."""

from collections.abc import Iterator

import pytest
from django.db import connection

from rails import ledger
from rails.accounts import AccountCode, AccountKey
from rails.base import Applied, SettlementProvider
from rails.models import RailAttempt, Recipient
from rails.money import Money
from settlements import outcomes, submitting, verify
from settlements.models import MilestoneSettlement
from tests.factories import (
    POD,
    an_intent,
    now,
    settlement_of,
)
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, pretend_provider

STRIPE = SettlementProvider.STRIPE


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def recipient(provider: PretendProvider) -> Recipient:
    return a_payable_recipient()


def releasing(recipient: Recipient, event_type: str = POD) -> MilestoneSettlement:
    return settlement_of(an_intent(recipient=recipient, payment_method="stripe"), event_type)


def attempt_of(settlement: MilestoneSettlement) -> RailAttempt:
    return RailAttempt.objects.filter(milestone_id=settlement.pk).latest("number")


def submit(provider: PretendProvider) -> submitting.Report:
    return submitting.submit(provider, clock=now)


def at_rest() -> None:
    """What was handed in without an answer may be handed in again."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rails_railattempt SET leased_until = now() - interval '1 second'")


def told(*words: object) -> list[Applied]:
    return outcomes.apply(list(words), actor="rail:stripe", now=now())  # type: ignore[arg-type]


def balance(code: AccountCode, recipient: Recipient | None = None) -> Money:
    return ledger.balance(AccountKey(code, "USD", recipient.pk if recipient else None))


def proven() -> None:
    for _ in verify.everything():
        pass
