"""Whoever listens to Stripe beyond their lease, while another does, swallows nothing and undoes nothing."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from rails.base import Applied, Notice, RailOutcome, SettlementProvider
from rails.models import RailAttempt, RailNotice, Recipient, StripeListening, StripePayout, StripePayoutPart
from rails.stripe import listening
from rails.stripe.rail import StripeRail
from settlements import outcomes, submitting
from settlements.models import MilestoneSettlement
from settlements.statuses import SettlementStatus as S
from tests.factories import now
from tests.flows.stripe_settling import RAIL, arrive, events_of, hear, listened, paid, pay_out, proven, status_of
from tests.rails.stripe_world import fake, recipient
from tests.stripe_fake import StripeFake
from tests.stripe_fake import payouts as fakes

__all__ = ["fake", "listened", "proven", "recipient"]

pytestmark = pytest.mark.django_db


class Slow(StripeRail):
    """A listener that stands still once it knows what it will tell, and again while it takes that down."""

    def __init__(self, meanwhile: Callable[[], Any], while_holding: Callable[[], Any] = list) -> None:
        self.meanwhile, self.while_holding = meanwhile, while_holding
        self.found: list[Notice] = []

    def hear(self, *, now: datetime) -> Sequence[Notice]:
        self.found = list(super().hear(now=now))
        self.meanwhile()
        return self.found

    def hold(self, told: Sequence[Notice]) -> None:
        super().hold(told)
        self.while_holding()


def overdue() -> None:
    """The lease of whoever listens is over."""
    StripeListening.objects.update(leased_until=now() - timedelta(seconds=1))


def test_a_payout_that_fails_while_another_tells_that_it_was_paid_is_heard(
    fake: StripeFake, recipient: Recipient, proven: None
) -> None:
    settlement = paid(recipient)
    payout = pay_out(fake, recipient, "paid")
    arrive(*events_of(fake))

    def meanwhile() -> None:
        overdue()
        fakes.advance(fake.world, payout, "failed")
        arrive(*events_of(fake))
        hear()

    slow = Slow(meanwhile)
    submitting.hear(slow, clock=now)
    assert slow.found[-1].outcome is RailOutcome.CONFIRMED
    hear()
    assert status_of(settlement) == S.APPROVED
    assert StripePayoutPart.objects.get().told == RailOutcome.PAYOUT_FAILED


def test_a_payout_that_is_paid_while_another_tells_that_one_before_it_failed_is_heard(
    fake: StripeFake, recipient: Recipient, proven: None
) -> None:
    settlement = paid(recipient)
    first = pay_out(fake, recipient, "paid")
    arrive(*events_of(fake))
    hear()
    assert status_of(settlement) == S.SETTLED
    fakes.advance(fake.world, first, "failed")
    arrive(*events_of(fake))

    def meanwhile() -> None:
        overdue()
        pay_out(fake, recipient, "paid")
        arrive(*events_of(fake))
        hear()

    slow = Slow(meanwhile)
    submitting.hear(slow, clock=now)
    assert slow.found[-1].outcome is RailOutcome.PAYOUT_FAILED
    hear()
    assert status_of(settlement) == S.SETTLED


def test_what_was_overtaken_is_told_once_and_by_the_other(fake: StripeFake, recipient: Recipient, proven: None) -> None:
    settlement = paid(recipient)
    pay_out(fake, recipient, "paid")
    arrive(*events_of(fake))

    def meanwhile() -> None:
        overdue()
        hear()

    assert submitting.hear(Slow(meanwhile), clock=now) == {}
    assert status_of(settlement) == S.SETTLED
    assert list(RailNotice.objects.filter(outcome=RailOutcome.CONFIRMED).values_list("applied", flat=True)) == [
        "APPLIED"
    ]


def test_who_is_late_and_was_not_overtaken_tells_what_it_knows(
    fake: StripeFake, recipient: Recipient, proven: None
) -> None:
    settlement = paid(recipient)
    pay_out(fake, recipient, "paid")
    arrive(*events_of(fake))
    submitting.hear(Slow(overdue), clock=now)
    assert status_of(settlement) == S.SETTLED


def test_who_was_overtaken_does_not_end_the_turn_of_the_next(fake: StripeFake) -> None:
    first = listening.begin()
    assert first is not None
    overdue()
    second = listening.begin()
    assert second is not None
    assert second > first
    listening.end(first)
    assert listening.begin() is None
    listening.end(second)
    assert listening.begin() is not None


def test_who_fails_lets_the_next_listen_at_once(fake: StripeFake, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> list[Any]:
        raise AttributeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr("rails.stripe.inbox.waiting", broken)
        with pytest.raises(AttributeError):
            submitting.hear(RAIL, clock=now)
    assert listening.begin() is not None


def test_the_database_takes_down_of_a_payout_only_what_it_says_now(
    fake: StripeFake, recipient: Recipient, proven: None
) -> None:
    """Past every lease: the words of a listener that knows of no turn at all."""
    settlement = paid(recipient)
    payout = pay_out(fake, recipient, "paid")
    arrive(*events_of(fake))
    confirmed = RAIL.hear(now=now())[-1]
    overdue()
    fakes.advance(fake.world, payout, "failed")
    arrive(*events_of(fake))
    hear()
    assert outcomes.apply([confirmed], actor="rail:stripe", now=now()) == [Applied.FAILED]
    RAIL.heard([(confirmed, Applied.APPLIED)], now=now())
    assert status_of(settlement) == S.APPROVED
    assert StripePayoutPart.objects.get().told == RailOutcome.PAYOUT_FAILED


@pytest.mark.parametrize(
    ("source", "outcome"),
    [("po_failed", "CONFIRMED"), ("po_paid", "PAYOUT_FAILED"), ("po_failed", "PAYOUT_FAILED"), ("po_no", "CONFIRMED")],
)
def test_the_database_refuses_a_word_that_no_payout_says(
    fake: StripeFake, recipient: Recipient, source: str, outcome: str
) -> None:
    settlement = paid(recipient)
    attempt = RailAttempt.objects.get(milestone_id=settlement.pk)
    at = now()
    for status in ("paid", "failed"):
        payout = StripePayout.objects.create(
            payout_id=f"po_{status}", account="acct_1", status=status, amount=5, currency="usd", automatic=True,
            arrives_on=at.date(), contents_known=True, made_at=at, status_at=at,
        )  # fmt: skip
        StripePayoutPart.objects.create(
            payout=payout, transfer_id=attempt.reference, milestone_id=settlement.pk, attempt_number=1
        )
    said = Notice(
        provider=SettlementProvider.STRIPE,
        outcome=RailOutcome(outcome),
        source=f"stripe payout {source}",
        occurred_at=at,
        milestone_id=settlement.pk,
        attempt_number=1,
        reference_id=attempt.reference,
    )
    assert outcomes.apply([said], actor="rail:stripe", now=at) == [Applied.FAILED]
    assert status_of(settlement) == S.APPROVED


def test_the_database_gives_each_lease_a_turn_of_its_own_and_none_twice(fake: StripeFake) -> None:
    turn = listening.begin()
    assert turn is not None
    for change in (
        {"turn": turn - 1},
        {"leased_until": now() + timedelta(hours=1)},
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            StripeListening.objects.update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        StripeListening.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_the_next_turn_begins_when_what_was_heard_in_the_last_is_taken_down(
    fake: StripeFake, recipient: Recipient
) -> None:
    settlement = paid(recipient)
    pay_out(fake, recipient, "paid")
    arrive(*events_of(fake))
    seen: list[Any] = []

    def other() -> None:
        try:
            seen.extend([listening.begin(), MilestoneSettlement.objects.get(pk=settlement.pk).status])
        finally:
            connection.close()

    def someone_waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            return bool(cursor.fetchone()[0])

    def meanwhile() -> None:
        thread.start()
        for _ in range(6_000):
            if someone_waits() or not thread.is_alive():
                break
            time.sleep(0.01)
        assert someone_waits()

    thread = threading.Thread(target=other)
    slow = Slow(overdue, meanwhile)
    assert submitting.hear(slow, clock=now)
    thread.join()
    assert seen == [StripeListening.objects.get().turn, S.SETTLED]
    assert slow.found[-1].turn == seen[0] - 1
