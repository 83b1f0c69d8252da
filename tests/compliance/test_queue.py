"""Which settlements wait in the review queue, and in which order."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from compliance import queries
from rails import recipients, switches
from rails.base import SettlementProvider
from rails.money import Money
from settlements import approvals, holds, intents, requests, tokens
from settlements.approvals import NotEligible, Officer
from settlements.models import EventSource
from settlements.statuses import Channel, EventType, ReleaseStrategy, SettlementStatus
from settlements.tokens import TokenPush
from tests.compliance.conftest import event, freight, intent, recipient, settlement, waiting
from tests.factories import ACTOR

PICKUP, POD, CLAIM = EventType.PICKUP_CONFIRMED, EventType.POD_CONFIRMED, EventType.CLAIM_WINDOW_CLOSED
PICKUP_AND_POD = ((PICKUP, Decimal("0.5")), (POD, Decimal("0.5")))


def queued(**changed: Any) -> list[int]:
    asked: dict[str, Any] = {"skip": 0, "limit": 50, "now": timezone.now(), **changed}
    _, items = queries.queue(**asked)
    return [item.milestone_id for item in items]


def as_officer(user: User) -> Officer:
    return Officer(pk=user.pk, username=user.username, channel=Channel.ITEM)


def version(milestone_id: int) -> str:
    _, (item,) = queries.queue(skip=0, limit=1, milestone_id=milestone_id, now=timezone.now())
    return item.version


def test_a_high_risk_proof_of_delivery_waits_with_all_its_facts():
    recipient()
    one = waiting("1000.00", recipient_id="haulier")
    total, (item,) = queries.queue(skip=0, limit=50, now=timezone.now())
    assert total == 1
    assert (item.milestone_id, item.payment_intent_id, item.event_type) == (one.pk, one.intent_id, POD)
    assert (item.amount, item.strategy, item.status) == (
        Money(80_000, "USD"), ReleaseStrategy.MANUAL_REVIEW, SettlementStatus.PENDING,
    )  # fmt: skip
    assert item.reason == "HIGH risk (0.81 >= 0.67) at POD_CONFIRMED: manual review"
    assert (item.recipient_id, item.recipient_name, item.rail) == ("haulier", "Haulier Ltd", "internal_ledger")
    assert (item.approvals, item.approvals_required, item.held, item.overdue) == (0, 1, False, False)
    assert item.risk_score == Decimal("0.81")
    assert len(item.version) == 32


def test_low_risk_never_waits():
    of = freight("0.15")
    intent(of)
    event(of)
    assert queued() == []


def test_what_is_delayed_does_not_wait_for_people():
    of = freight("0.50")
    intent(of)
    event(of, PICKUP)
    assert queued() == []


def test_nothing_to_release_is_never_queued():
    of = freight("0.81")
    intent_id = intent(of)
    event(of, PICKUP)
    event(of, POD)
    assert settlement(intent_id, PICKUP).amount_minor == 0
    assert queued() == [settlement(intent_id, POD).pk]


def test_a_high_risk_pickup_with_a_share_waits_for_proof_of_delivery(officer):
    of = freight("0.81")
    intent_id = intent(of, items=PICKUP_AND_POD)
    event(of, PICKUP)
    assert queued() == []
    pickup = settlement(intent_id, PICKUP)
    with pytest.raises(NotEligible):
        approvals.approve(pickup.pk, officer=as_officer(officer), reason="ok", version="", now=timezone.now())
    event(of, POD)
    assert sorted(queued()) == sorted([pickup.pk, settlement(intent_id, POD).pk])


def test_a_pickup_joins_when_proof_of_delivery_came_though_its_schedule_has_no_such_item(officer):
    of = freight("0.81")
    intent_id = intent(of, items=((PICKUP, Decimal(1)),))
    event(of, PICKUP)
    assert queued() == []
    event(of, POD)
    pickup = settlement(intent_id, PICKUP)
    assert queued() == [pickup.pk]
    done = approvals.approve(
        pickup.pk, officer=as_officer(officer), reason="ok", version=version(pickup.pk), now=timezone.now()
    )
    assert done.status is SettlementStatus.APPROVED


def test_a_carriers_proof_of_delivery_does_not_reach_another_carriers_intent():
    source = EventSource.objects.create(
        name="other", kind="carrier", carrier_id="other", allowed_event_types=[POD], created_at=timezone.now()
    )
    of = freight("0.81", carrier_id="own")
    intent(of, items=((PICKUP, Decimal(1)),))
    event(of, PICKUP)
    # A second token of the shipment is the other carrier's, so that its source is heard at all.
    second = TokenPush(shipment_id=of.shipment_id, carrier_id="other")
    tokens.put(of.token_id + 500_000, second, actor=ACTOR, now=timezone.now())
    event(of, POD, source=source)
    assert queued() == []


def test_a_pickup_joins_when_it_was_settled_by_request():
    of = freight("0.81")
    intent_id = intent(of, items=PICKUP_AND_POD)
    event(of, PICKUP)
    requests.settle(intent_id, actor="test", now=timezone.now())
    assert len(queued()) == 2


def test_cancelled_rejected_and_approved_ones_are_gone(officer):
    cancelled, rejected, approved = waiting(), waiting(), waiting()
    intents.cancel(cancelled.intent_id, reason="twice", actor="test", now=timezone.now())
    for act, one in ((approvals.reject, rejected), (approvals.approve, approved)):
        act(one.pk, officer=as_officer(officer), reason="so", version=version(one.pk), now=timezone.now())
    assert queued() == []


def test_a_held_one_stays_and_says_so():
    one = waiting()
    holds.place(one.pk, reason="claim", actor="test", now=timezone.now())
    _, (item,) = queries.queue(skip=0, limit=1, now=timezone.now())
    assert item.held


def test_complete_approvals_leave_the_queue_though_the_release_waits_for_its_rail(officer):
    recipient()
    one = waiting(recipient_id="haulier")
    ledger = SettlementProvider.INTERNAL_LEDGER
    switches.turn_off(provider=ledger, reason="audit", actor="test", now=timezone.now())
    approvals.approve(one.pk, officer=as_officer(officer), reason="ok", version=version(one.pk), now=timezone.now())
    assert settlement(one.intent_id).blocked_reason
    assert queued() == []
    # Who is paid was changed after the approval: it is void, and people decide again.
    recipients.put("haulier", "Haulier and Sons", actor="test", now=timezone.now())
    assert queued() == [one.pk]


def test_one_of_two_approvals_keeps_it_in_the_queue(officer):
    one = waiting("100000.00")
    approvals.approve(one.pk, officer=as_officer(officer), reason="ok", version=version(one.pk), now=timezone.now())
    _, (item,) = queries.queue(skip=0, limit=1, now=timezone.now())
    assert (item.approvals, item.approvals_required) == (1, 2)


def test_overdue_come_first_then_the_largest_then_the_oldest():
    small, large, yen, dinar, second_small = (
        waiting("100.00"), waiting("300.00"), waiting("20000", "JPY"), waiting("200.000", "KWD"), waiting("100.00"),
    )  # fmt: skip
    by_size = [yen.pk, large.pk, dinar.pk, small.pk, second_small.pk]
    assert queued() == by_size
    later = timezone.now() + timedelta(hours=settings.CHAINPAY_REVIEW_TARGET_HOURS, minutes=5)
    assert queued(now=later) == by_size
    # At this moment only the small one is beyond the target.
    at = small.created_at + timedelta(hours=settings.CHAINPAY_REVIEW_TARGET_HOURS, microseconds=1)
    _, items = queries.queue(skip=0, limit=50, now=at)
    assert [item.milestone_id for item in items] == [small.pk, yen.pk, large.pk, dinar.pk, second_small.pk]
    assert [item.overdue for item in items] == [True, False, False, False, False]


def test_pages_are_cut_from_one_order_and_the_total_stays_beyond_the_end():
    ids = [waiting(f"{amount}.00").pk for amount in (500, 400, 300)]
    now = timezone.now()
    assert [queued(skip=skip, limit=1, now=now) for skip in (0, 1, 2)] == [[pk] for pk in ids]
    assert queries.queue(skip=50, limit=10, now=now) == (3, [])


def test_one_settlement_can_be_asked_for():
    one, other = waiting(), waiting()
    assert queued(milestone_id=other.pk) == [other.pk]
    assert queries.queue(skip=0, limit=1, milestone_id=one.pk + 10_000, now=timezone.now()) == (0, [])


def test_the_queue_is_one_statement_however_much_waits():
    for count in (1, 5):
        for _ in range(count):
            waiting()
        with CaptureQueriesContext(connection) as seen:
            queued()
        assert len(seen) == 1
