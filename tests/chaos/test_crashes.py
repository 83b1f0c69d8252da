"""Whoever drives a remote rail dies before, during and after the call, and while it records: paid once all the same.

The file rails are killed before any of their lines in tests/rails/ach and tests/rails/wire; this is the way of every
remote rail from the claim to the record, with Stripe at its end.
"""

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from types import ModuleType
from unittest import mock

import pytest
from django.db import connections

from rails import attempts, books, entries, ledger, notices
from rails.models import AttemptState, JournalEntry, RailAttempt, Recipient
from rails.stripe import client, failures, paying
from rails.stripe import rail as stripe_rail
from rails.stripe.client import StripeClient
from rails.stripe.rail import StripeRail
from settlements import audit, lifecycle, outcomes, provider_words, submitting, verify
from settlements.models import MilestoneSettlement
from settlements.statuses import SettlementStatus
from tests.chaos import points
from tests.factories import POD, an_intent, now, settlement_of
from tests.flows.conftest import Api, live
from tests.rails.killed import killed_before_line
from tests.rails.stripe_world import a_recipient, fake
from tests.stripe_fake import StripeFake

__all__ = ["fake", "live"]

_SPINE: tuple[ModuleType, ...] = (
    submitting, outcomes, provider_words, lifecycle, audit, attempts, books, entries, ledger, notices, client, failures,
    paying, stripe_rail,
)  # fmt: skip
_LINES = 24
_AT = {
    "before the claim is committed": (attempts, "claim", points.after),
    "between claim and call": (StripeRail, "process_settlements", points.before),
    "during the call, before Stripe was asked": (StripeClient, "post", points.before),
    "during the call, after Stripe has answered": (StripeClient, "post", points.after),
    "between call and record": (submitting, "record", points.before),
    "before the record is committed": (notices, "take_down", points.after),
    "after the record": (attempts, "leave", points.before),
}


@pytest.fixture
def recipient(live: Api, fake: StripeFake) -> Recipient:
    return a_recipient(fake)


def releasing(recipient: Recipient) -> MilestoneSettlement:
    settlement = settlement_of(an_intent(recipient=recipient, payment_method="stripe"), POD)
    assert settlement.status == SettlementStatus.RELEASING
    return settlement


def submit() -> None:
    submitting.submit(StripeRail(), clock=now)


def die(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(act: Callable[[], object]) -> bool:
    """Whether the act was killed, in a process that shares no connection with us."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def is_paid_once(settlement: MilestoneSettlement, fake: StripeFake) -> None:
    """After whoever comes next found the lease over, by Stripe's own list and by our books."""
    while RailAttempt.objects.filter(state__in=[AttemptState.PREPARED, AttemptState.SUBMITTED]).exists():
        RailAttempt.objects.filter(leased_until__isnull=False).update(leased_until=None)
        submit()
    (transfer,) = fake.world.transfers.values()
    settlement.refresh_from_db()
    assert (settlement.status, settlement.reference) == (SettlementStatus.APPROVED, transfer["id"])
    assert (transfer["amount"], transfer["metadata"]["chainpay_attempt"]) == (settlement.amount_minor, "1")
    assert JournalEntry.objects.filter(milestone_id=settlement.pk).count() == 2  # released, and on its way
    assert [proven.count for proven in verify.everything()]


@pytest.mark.parametrize("point", _AT)
def test_whoever_dies_at_a_point_leaves_a_payment_that_is_made_once(
    recipient: Recipient, fake: StripeFake, point: str
) -> None:
    settlement = releasing(recipient)
    owner, name, planted = _AT[point]
    with mock.patch.object(owner, name, planted(getattr(owner, name), point, die)):
        assert killed(submit)
    is_paid_once(settlement, fake)


def test_whoever_dies_during_the_call_and_again_during_the_look_up_has_paid_once(
    recipient: Recipient, fake: StripeFake
) -> None:
    settlement = releasing(recipient)
    for name in ("post", "get"):
        with ExitStack() as stack:
            stack.enter_context(
                mock.patch.object(StripeClient, name, points.after(getattr(StripeClient, name), name, die))
            )
            assert killed(submit)
        RailAttempt.objects.update(leased_until=None)
    is_paid_once(settlement, fake)


@pytest.mark.parametrize("part", range(_LINES))
def test_whoever_dies_at_any_line_leaves_a_payment_that_is_made_once(
    recipient: Recipient, fake: StripeFake, part: int
) -> None:
    """Lines from the claim to the record, evenly over all of them; the lines of threads are Stripe's own part."""
    settlement = releasing(recipient)
    connections.close_all()
    killed_before_line(7 + part * 13, _SPINE, partial(submit))
    connections.close_all()
    is_paid_once(settlement, fake)
