"""A Stripe event that nobody could understand is work for a person: told in words, decided once, by whom and why."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from compliance import counters
from compliance.roles import Role
from rails.base import SettlementProvider
from rails.models import StripeEvent, StripeEventDecision, StripeEventState
from rails.stripe import deciding, inbox
from rails.stripe.events import WRONG
from settlements import bank_work
from settlements.statuses import BankWorkKind as K
from tests.compliance.conftest import Staff, logged_in
from tests.flows.stripe_settling import RAIL, arrive, events_of, hear, listened, paid
from tests.rails.stripe_world import fake, recipient
from tests.stripe_fake import StripeFake

__all__ = ["fake", "listened", "recipient"]

pytestmark = pytest.mark.django_db
LIST = reverse("admin:compliance_work_list")
REASON = {"reason": "Stripe's support says that it was a test"}


def seen(event: StripeEvent) -> dict[str, str]:
    """A reason, and what stood on the screen."""
    event.refresh_from_db()
    return REASON | {"unclear_since": event.done_at.isoformat() if event.done_at else ""}


def an_event(detail: str = "there is no such attempt here", **changes: Any) -> StripeEvent:
    """One that was given up a moment ago."""
    now = timezone.now()
    return StripeEvent.objects.create(
        **{
            "event_id": f"evt_unclear{StripeEvent.objects.count():04d}",
            "type": "transfer.created",
            "about_id": "tr_1PgqZx2eZvKYlo2C",
            "about": {"id": "tr_1PgqZx2eZvKYlo2C", "object": "transfer"},
            "came_by": "webhook",
            "occurred_at": now - timedelta(hours=3),
            "state": StripeEventState.UNCLEAR,
            "detail": detail,
            "tries": 12,
            "done_at": now,
            **changes,
        }
    )


@pytest.fixture
def event() -> StripeEvent:
    return an_event()


@pytest.fixture
def client(staff: Staff) -> Client:
    return logged_in(staff(Role.COMPLIANCE_OFFICER))


def text(client: Client, address: str = LIST) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return str(answer.content.decode())


def page(event: StripeEvent, name: str = "change") -> str:
    return f"/admin/rails/stripeevent/{event.pk}/{name}/"


def listed() -> list[tuple[K, str, int]]:
    return [(item.kind, item.rail.value, item.row) for item in bank_work.listed()[1]]


def counted(user: User) -> int:
    return counters.counts(user, timezone.now()).work


def test_it_stands_in_the_work_list_until_somebody_dealt_with_it(
    event: StripeEvent, client: Client, officer: User
) -> None:
    an_event(state=StripeEventState.DONE)
    an_event(state=StripeEventState.WAITING, done_at=None)
    assert (listed(), counted(officer)) == ([(K.EVENT, "STRIPE", event.pk)], 1)
    shown = text(client)
    for words in (
        "transfer.created tr_1PgqZx2eZvKYlo2C",
        "there is no such attempt here",
        "compare it with the payment",
        page(event),
    ):
        assert words in shown.replace("&#x27;", "'")
    assert 'data-dialog="dialog-deal"' in text(client, page(event))
    answer = client.post(page(event, "deal"), seen(event), follow=True)
    assert "Dealt with." in answer.content.decode()
    assert (listed(), counted(officer)) == ([], 0)
    shown = text(client, page(event))
    assert "it was a test" in shown
    assert "Unclear, dealt with" in shown
    assert 'data-dialog="dialog-deal"' not in shown
    assert 'data-dialog="dialog-again"' not in shown
    assert client.post(page(event, "deal"), seen(event)).status_code == 409
    assert client.post(page(event, "again"), seen(event)).status_code == 409
    decision = StripeEventDecision.objects.get()
    assert (decision.decision, decision.detail) == ("DEALT_WITH", "there is no such attempt here")
    assert decision.actor.startswith("user:")


def test_the_list_of_events_finds_what_waits(event: StripeEvent, client: Client, officer: User) -> None:
    other = an_event()
    deciding.deal_with(other, reason="?", user=officer, actor="user:olga", now=timezone.now())
    shown = text(client, "/admin/rails/stripeevent/?waits=1")
    assert page(event) in shown
    assert page(other) not in shown


def test_the_rail_filter_finds_it_under_stripe(event: StripeEvent, client: Client) -> None:
    assert bank_work.listed(rail=SettlementProvider.ACH)[0] == 0
    assert page(event) in text(client, f"{LIST}?rail=stripe")
    assert page(event) not in text(client, f"{LIST}?rail=wire")


def test_it_is_processed_again_and_once(fake: StripeFake, recipient: Any, client: Client, officer: User) -> None:
    paid(recipient)
    told = next(event for event in events_of(fake) if event["type"] == "transfer.created")
    told["data"]["object"]["metadata"]["chainpay_attempt"] = "7"
    arrive(told)
    hear(inbox.MOST_TRIES)
    (event,) = StripeEvent.objects.all()
    assert (event.state, counted(officer)) == (StripeEventState.UNCLEAR, 1)
    assert client.post(page(event, "again"), seen(event)).status_code == 302
    event.refresh_from_db()
    assert (event.state, event.tries, event.done_at, counted(officer)) == (StripeEventState.WAITING, 0, None, 0)
    assert client.post(page(event, "again"), seen(event)).status_code == 409
    # Nothing has changed, so it is given up again, and a person decides again.
    hear(inbox.MOST_TRIES)
    event.refresh_from_db()
    assert (event.state, counted(officer)) == (StripeEventState.UNCLEAR, 1)
    assert client.post(page(event, "deal"), seen(event)).status_code == 302
    assert StripeEventDecision.objects.count() == 2
    assert counted(officer) == 0
    assert list(RAIL.hear(now=timezone.now())) == []


def test_what_is_wrong_with_the_event_itself_is_not_processed_again(client: Client, officer: User) -> None:
    event = an_event("its amount is a list", about={"id": "tr_1", WRONG: "its amount is a list"})
    shown = text(client, page(event))
    assert 'data-dialog="dialog-again"' not in shown
    assert 'data-dialog="dialog-deal"' in shown
    assert client.post(page(event, "again"), seen(event)).status_code == 409
    with pytest.raises(deciding.EventDecided):
        deciding.again(event, reason="?", user=officer, actor="user:olga", now=timezone.now())


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("act", ["deal", "again"])
def test_who_may_not_resolve_payments_decides_nothing(event: StripeEvent, staff: Staff, role: Role, act: str) -> None:
    client = logged_in(staff(role))
    allowed = role in {Role.COMPLIANCE_OFFICER, Role.COMPLIANCE_MANAGER}
    assert (f'data-dialog="dialog-{act}"' in text(client, page(event))) is allowed
    assert client.post(page(event, act), seen(event)).status_code == (302 if allowed else 403)
    assert StripeEventDecision.objects.exists() is allowed


@pytest.mark.parametrize("act", ["deal", "again"])
@pytest.mark.parametrize("reason", ["", " ", "\n"])
def test_nothing_is_decided_by_looking_or_without_a_reason(
    event: StripeEvent, client: Client, act: str, reason: str
) -> None:
    text(client, page(event, act))
    assert client.post(page(event, act), {"reason": reason}).status_code == 400
    assert not StripeEventDecision.objects.exists()
    event.refresh_from_db()
    assert event.state == StripeEventState.UNCLEAR


def test_the_database_takes_down_one_decision_on_what_is_unclear_with_who_and_why(
    event: StripeEvent, officer: User
) -> None:
    assert event.done_at is not None
    right = {
        "event": event, "unclear_since": event.done_at, "detail": event.detail, "decision": "DEALT_WITH",
        "decided_by": officer, "actor": "user:olga", "reason": "?",
    }  # fmt: skip
    done = an_event(state=StripeEventState.DONE)
    for wrong in (
        {"actor": ""},
        {"reason": ""},
        {"reason": " \n"},
        {"decided_by": None},
        {"decision": "PERHAPS"},
        {"unclear_since": event.done_at + timedelta(seconds=1)},
        {"event": done, "unclear_since": done.done_at},
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            StripeEventDecision.objects.create(**{**right, **wrong})
    decision = StripeEventDecision.objects.create(**right)
    for change in (
        decision.delete,
        lambda: StripeEventDecision.objects.update(reason="!"),
        lambda: StripeEventDecision.objects.create(**right),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


@pytest.mark.parametrize("state", [StripeEventState.DONE, StripeEventState.IGNORED, StripeEventState.UNCLEAR])
def test_the_database_lets_nothing_come_back_that_no_person_has_processed_again(
    state: StripeEventState, officer: User
) -> None:
    event = an_event(state=state)
    for change in (
        {"state": StripeEventState.WAITING, "done_at": None},
        {"state": StripeEventState.DONE if state != StripeEventState.DONE else StripeEventState.UNCLEAR},
        {"detail": "otherwise"},
        {"done_at": timezone.now()},
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            StripeEvent.objects.filter(pk=event.pk).update(**change)
    if state == StripeEventState.UNCLEAR:
        deciding.deal_with(event, reason="?", user=officer, actor="user:olga", now=timezone.now())
        with pytest.raises(DatabaseError), transaction.atomic():
            StripeEvent.objects.filter(pk=event.pk).update(state=StripeEventState.WAITING, done_at=None)


def test_what_became_unclear_anew_is_not_dealt_with_unseen(event: StripeEvent, client: Client) -> None:
    given, user = seen(event), User.objects.earliest("pk")
    deciding.again(event, reason="perhaps now", user=user, actor="user:x", now=timezone.now())
    inbox.settle([event.pk], StripeEventState.UNCLEAR, detail="for another reason", now=timezone.now())
    assert client.post(page(event, "deal"), given).status_code == 409
    assert client.post(page(event, "deal"), REASON).status_code == 400
    assert client.post(page(event, "deal"), seen(event)).status_code == 302
