"""An event of Stripe's that makes no sense is for a person, with the reason in words; it stops and delays no other."""

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from rails.base import Applied
from rails.models import RailAttempt, Recipient, StripeAccount, StripeEvent, StripeEventState, StripePayout
from rails.stripe import payouts, polling, understanding
from rails.stripe.events import NotAnEvent, read
from rails.stripe.failures import Lost
from settlements import submitting
from settlements.statuses import SettlementStatus as S
from tests.factories import now
from tests.flows.stripe_settling import (
    RAIL,
    arrive,
    claimed,
    events_of,
    hear,
    listened,
    paid,
    pay_out,
    proven,
    status_of,
)
from tests.rails.stripe_world import SECRET, account_of, fake, recipient
from tests.stripe_fake import StripeFake, accounts, signature

__all__ = ["fake", "listened", "proven", "recipient"]

pytestmark = pytest.mark.django_db
GONE = object()
UNSTORABLE = ["\x00", "a\x00b", "\ud800", "\udfff\ud800"]
WRONG: Mapping[str, list[Any]] = {
    "text": ["", " ", "\n", "'; DROP TABLE rails_stripeevent; --", "\u202e", "undefined", "x" * 6_000, *UNSTORABLE],
    "number": ["5", "", -1, 2**63, -(2**63), 10**40, 1.5, 1e300, float("nan"), float("inf"), True],
    "shape": [None, GONE, [], [1], {}, {"id": 5}, {"id": "\x00"}],
}
ANY = [value for values in WRONG.values() for value in values]


def posted(event: Any) -> Any:
    body = json.dumps(event).encode()
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    return client.post(
        "/webhooks/stripe",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": signature(body, SECRET, at=time.time())},
    )


def polled(event: Any) -> None:
    """As the library reads it out of a list, which refuses nothing."""
    polling._take_down([json.loads(json.dumps(event))], now=now())


def changed(event: Any, field: str, value: Any) -> Any:
    """The event, as a new one, with another value in its object."""
    about = {**event["data"]["object"], field: value}
    if value is GONE:
        del about[field]
    number = StripeEvent.objects.count()
    return {**event, "id": f"evt_poison{number:05d}", "data": {"object": about}}


def of_type(fake: StripeFake, kind: str) -> Any:
    return next(event for event in events_of(fake) if event["type"] == kind)


POISON = [
    ("transfer.created", "id", ANY),
    ("transfer.created", "amount", [*ANY, 0, 1]),
    ("transfer.created", "amount_reversed", [*ANY, 700_001]),
    ("transfer.created", "currency", [*ANY, "zzz", "us", "usdollar", "brl"]),
    ("transfer.created", "destination", [*ANY, "acct_of_somebody"]),
    ("transfer.created", "created", [value for value in ANY if value != 5]),
    ("transfer.created", "metadata", ["words", 5, 1.5, [1], {"chainpay_attempt": "\x00"}, {"chainpay_attempt": []}]),
    ("payout.paid", "id", ANY),
    ("payout.paid", "amount", [value for value in ANY if value != -1]),
    ("payout.paid", "currency", [*ANY, "us"]),
    ("payout.paid", "status", [*ANY, "PAID", "reversed"]),
    ("payout.paid", "automatic", [value for value in ANY if value is not True] + ["true", 1, 0]),
    ("payout.paid", "arrival_date", [*ANY, 10**15]),
    ("payout.paid", "created", ANY),
    ("payout.paid", "failure_message", [["closed"], {"why": 1}, 1.5, "\x00", "\ud800"]),
]


@pytest.mark.parametrize(("kind", "field", "values"), POISON, ids=[f"{kind} {field}" for kind, field, _ in POISON])
def test_what_makes_no_sense_is_for_a_person_and_its_neighbours_go_on(
    fake: StripeFake, recipient: Recipient, kind: str, field: str, values: list[Any], proven: None
) -> None:
    settlement = paid(recipient)
    pay_out(fake, recipient, "paid")
    good = of_type(fake, kind)
    bad = []
    for value in values:
        for bring in (posted, polled):
            event = changed(good, field, value)
            answer = bring(event)
            # A body that is no JSON of ours to read is refused; Stripe's list has it as well.
            assert answer is None or answer.status_code in {200, 400}
            bad += [] if answer is not None and answer.status_code == 400 else [(event["id"], value)]
    arrive(*events_of(fake))
    submitting.hear(RAIL, clock=now)
    assert status_of(settlement) == S.SETTLED
    found = dict(StripeEvent.objects.values_list("event_id", "state"))
    assert [value for number, value in bad if found[number] != StripeEventState.UNCLEAR] == []
    assert not StripeEvent.objects.filter(state=StripeEventState.UNCLEAR, detail="").exists()
    assert len(bad) >= len(values)
    assert StripePayout.objects.count() == 1


WRONG_FRAMES: Mapping[str, list[Any]] = {
    "created": ["1762529400", -1, 10**20, 1.5, True, None],
    "data": [None, {}, {"object": []}, {"object": None}, []],
    "account": ["acct one", {"id": "acct_1032D82eZvKYlo2C"}, 5, True, "acct_" + "1" * 90],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, of in WRONG_FRAMES.items() for value in of])
def test_an_event_whose_frame_makes_no_sense_is_stored_once_and_for_a_person(
    fake: StripeFake, recipient: Recipient, field: str, value: Any
) -> None:
    paid(recipient)
    pay_out(fake, recipient, "paid")
    event = {**of_type(fake, "payout.paid"), field: value}
    assert [posted(event).status_code for _ in range(2)] == [200, 200]
    hear(1)
    stored = StripeEvent.objects.get()
    assert (stored.state, stored.tries) == (StripeEventState.UNCLEAR, 1)
    assert stored.detail


@pytest.mark.parametrize("shown", [None, [], "evt_1", {}, {"object": "event"}, {"object": "event", "id": "\x00"}, 5])
def test_what_has_no_id_is_no_event_and_keeps_no_other_of_the_list_away(
    fake: StripeFake, recipient: Recipient, shown: Any
) -> None:
    paid(recipient)
    with pytest.raises(NotAnEvent):
        read(shown)
    polling._take_down([shown, of_type(fake, "transfer.created"), shown], now=now())
    assert StripeEvent.objects.count() == 1


def test_an_account_is_looked_at_whatever_its_event_says_of_it(fake: StripeFake, recipient: Recipient) -> None:
    accounts.change(fake.world, account_of(recipient), payouts_enabled=False)
    event = of_type(fake, "account.updated")
    assert posted({**event, "data": {"object": {"id": 5.5, "object": []}}, "created": -1}).status_code == 200
    hear(1)
    assert StripeEvent.objects.get().state == StripeEventState.DONE
    assert "switched its payouts off" in StripeAccount.objects.get().trouble


def test_a_payout_that_was_another_one_before_changes_nothing(fake: StripeFake, recipient: Recipient) -> None:
    shown = {
        "id": "po_12", "status": "paid", "amount": 5, "currency": "usd", "automatic": True,
        "arrival_date": 1_762_473_600, "created": 1_762_387_200,
    }  # fmt: skip
    payouts.save(shown, account="acct_1", at=now(), now=now())
    for account, changes in (("acct_2", {}), ("acct_1", {"amount": 6}), ("acct_1", {"currency": "eur"})):
        with pytest.raises(Lost, match="another one"):
            payouts.save({**shown, "status": "failed", **changes}, account=account, at=now(), now=now())
    assert StripePayout.objects.get().status == "paid"


def test_a_fault_of_ours_is_raised_after_the_others_had_their_turn_and_is_tried_again(
    fake: StripeFake, recipient: Recipient, monkeypatch: pytest.MonkeyPatch, proven: None
) -> None:
    settlement = paid(recipient)
    pay_out(fake, recipient, "paid")
    arrive(*events_of(fake))
    faulty = StripeEvent.objects.get(type="transfer.created")

    def broken(*_: Any, **__: Any) -> Any:
        raise AttributeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(understanding, "_attempt", broken)
        with pytest.raises(AttributeError, match="a bug"):
            submitting.hear(RAIL, clock=now)
        assert not StripeEvent.objects.filter(state=StripeEventState.WAITING).exclude(pk=faulty.pk).exists()
        faulty.refresh_from_db()
        assert (faulty.state, faulty.tries) == (StripeEventState.WAITING, 1)
        assert "a fault of this service" in faulty.detail
        assert "AttributeError" in faulty.detail
        # It is put off, so the next turn is the others'.
        submitting.hear(RAIL, clock=now)
        assert status_of(settlement) == S.SETTLED
    hear()
    assert StripeEvent.objects.get(pk=faulty.pk).state == StripeEventState.DONE


def test_a_transfer_in_a_payout_whose_payment_nobody_knows_is_asked_for_less_and_less_often(
    fake: StripeFake, recipient: Recipient
) -> None:
    paid(recipient)
    pay_out(fake, recipient, "paid")
    arrive(*[event for event in events_of(fake) if event["type"].startswith("payout.")])
    found = RAIL.hear(now=now())
    assert len(found) == 1
    RAIL.heard([(found[0], Applied.NOT_FOUND)], now=now())
    assert list(RAIL.hear(now=now())) == []
    later = now() + timedelta(seconds=6)
    assert len(RAIL.hear(now=later)) == 1


def test_what_a_transfer_came_back_by_is_refused_beyond_what_it_was(fake: StripeFake, recipient: Recipient) -> None:
    settlement = claimed(recipient)
    submitting.submit(RAIL, clock=now)
    arrive(changed(of_type(fake, "transfer.created"), "amount_reversed", 700_001))
    hear(1)
    assert "700001 of 700000 came back" in StripeEvent.objects.get().detail
    assert RailAttempt.objects.get(milestone_id=settlement.pk).returned_minor == 0
