"""A changed destination stops the money, approved or not, until it is confirmed and out of quarantine."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from compliance import reviews, roles
from rails import destinations, recipients
from rails.models import Destination, Recipient
from settlements import release, submitting
from settlements.models import MilestoneSettlement
from settlements.statuses import SettlementStatus as S
from tests.factories import HIGH, POD, a_user, an_intent, approve, log_in, now, settlement_of
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, pretend_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def recipient(provider: PretendProvider) -> Recipient:
    return a_payable_recipient()


@pytest.fixture
def no_quarantine(settings: Any) -> None:
    settings.CHAINPAY_DESTINATION_HOLD_HOURS = 0


def propose(recipient: Recipient, user: User | None = None) -> Destination:
    other = destinations.read("stripe", {"account": "acct_1SomewhereElse"})
    return destinations.propose(recipient.pk, [other], actor="test", user=user, now=now())[0]


def released(risk: Any, recipient: Recipient) -> MilestoneSettlement:
    return settlement_of(an_intent(risk=risk, recipient=recipient, payment_method="stripe"), POD)


def swept(settlement: MilestoneSettlement) -> MilestoneSettlement:
    release.sweep(now=now())
    settlement.refresh_from_db()
    return settlement


def test_an_approved_release_waits_and_says_for_what(provider: PretendProvider, recipient: Recipient) -> None:
    settlement = released(HIGH, recipient)
    change = propose(recipient)
    approve(settlement, a_user())
    settlement.refresh_from_db()
    assert settlement.status == S.PENDING
    assert settlement.blocked_reason == "destination for stripe awaits confirmation by another person"
    destinations.confirm(change.pk, user=a_user(), actor="user:x", now=now())
    assert swept(settlement).status == S.PENDING
    assert provider.taken == {}


@pytest.mark.usefixtures("no_quarantine")
def test_an_approval_from_before_the_confirmation_is_void(provider: PretendProvider, recipient: Recipient) -> None:
    settlement = released(HIGH, recipient)
    change = propose(recipient)
    approve(settlement, a_user())
    destinations.confirm(change.pk, user=a_user(), actor="user:x", now=now())
    assert swept(settlement).status == S.PENDING
    approve(settlement, a_user())
    settlement.refresh_from_db()
    assert settlement.status == S.RELEASING
    submitting.submit(provider, clock=now)
    (instruction,) = provider.calls
    assert instruction.destination_id == change.pk


@pytest.mark.usefixtures("no_quarantine")
def test_who_wrote_or_confirmed_it_approves_no_payment_to_it(provider: PretendProvider, recipient: Recipient) -> None:
    settlement = released(HIGH, recipient)
    wrote, confirmed = a_user(), a_user()
    change = propose(recipient, wrote)
    destinations.confirm(change.pk, user=confirmed, actor="user:x", now=now())
    for user in (wrote, confirmed):
        with pytest.raises(Exception, match="edited"):
            approve(settlement, user)


@pytest.mark.usefixtures("no_quarantine")
def test_one_that_needs_nobody_goes_with_the_sweep_once_it_may(provider: PretendProvider, recipient: Recipient) -> None:
    change = propose(recipient)
    settlement = settlement_of(an_intent(recipient=recipient, payment_method="stripe"), POD)
    assert (settlement.status, swept(settlement).status) == (S.DELAYED, S.DELAYED)
    destinations.reject(change.pk, reason="they know nothing of it", actor="user:x", now=now())
    assert swept(settlement).status == S.RELEASING


def test_switching_the_recipient_on_again_resumes(provider: PretendProvider, recipient: Recipient) -> None:
    recipients.set_payouts(recipient_id=recipient.recipient_id, enabled=False, actor="user:x", now=now())
    settlement = settlement_of(an_intent(recipient=recipient, payment_method="stripe"), POD)
    assert (settlement.status, settlement.blocked_reason) == (S.DELAYED, "payouts to the recipient are switched off")
    recipients.set_payouts(recipient_id=recipient.recipient_id, enabled=True, actor="user:x", now=now())
    assert swept(settlement).status == S.RELEASING


def test_the_officer_sees_where_it_would_go_and_what_it_waits_for(
    provider: PretendProvider, recipient: Recipient
) -> None:
    settlement = released(HIGH, recipient)
    propose(recipient)
    review = reviews.find(settlement.pk, now=now())
    waits = "destination for stripe awaits confirmation by another person"
    assert review.destination_obstacle == waits
    assert f"there were a destination to pay to ({waits})" in review.conditions
    roles.install()
    root = User.objects.create_superuser("root")
    page = (
        log_in(Client(SERVER_NAME="localhost"), root)
        .get(f"/admin/compliance/reviewqueue/{settlement.pk}/")
        .content.decode()
    )
    assert review.paid_to is not None
    assert review.paid_to.in_force is not None
    assert review.paid_to.in_force.details["account"] in page
    assert waits in page
