"""A thousand items that two or three people want at one instant: decided once, paid once, and the others are told."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from threading import Barrier

from django.contrib.auth.models import User
from django.db import connections, transaction

from rails import recipients
from rails.models import JournalEntry
from settlements import approvals, holds, intents, tokens
from settlements.approvals import Decided
from settlements.intents import ScheduleRequest
from settlements.models import Approval, MilestoneSettlement, PaymentIntent
from settlements.refusals import Refusal
from settlements.statuses import ScheduleType
from settlements.tokens import TokenPush
from tests.factories import (
    HIGH,
    MEDIUM,
    PICKUP,
    POD,
    a_recipient,
    a_token,
    an_intent,
    now,
    officer,
    post_event,
    settlement_of,
    version_of,
)
from tests.flows.conftest import LOGINS, REASON, Api
from tests.settlements.lived_in import verified

# Long enough for the slowest machine; whoever waits longer has met a deadlock.
PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Item:
    """What is raced for, as everybody had it on the screen."""

    settlement_id: int
    intent_id: int
    token_id: int
    recipient_id: str
    version: str


Act = Callable[[Item], object]
# How each act ended, in the order of the acts: "done", or the code it was refused with; and how often it was paid.
Ending = tuple[tuple[str, ...], int]


def approve(who: str) -> Act:
    return lambda item: approvals.approve(
        item.settlement_id, officer=_officer(who), reason=REASON, version=item.version, now=now()
    )


def reject(who: str) -> Act:
    return lambda item: approvals.reject(
        item.settlement_id, officer=_officer(who), reason=REASON, version=item.version, now=now()
    )


def hold(item: Item) -> object:
    return holds.place(item.settlement_id, reason=REASON, actor="user:manager1", now=now())


def edit_recipient(item: Item) -> object:
    return recipients.put(item.recipient_id, f"Renamed for {item.settlement_id}", actor="test", now=now())


def raise_risk(item: Item) -> object:
    return tokens.put(item.token_id, TokenPush(risk_score=Decimal("0.9")), actor="test", now=now())


def cancel(item: Item) -> object:
    return intents.cancel(item.intent_id, reason=REASON, actor="user:manager1", now=now())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Who does what at once to each of `items` settlements of `amount`, and how that may end."""

    acts: Sequence[Act]
    endings: frozenset[Ending]
    items: int
    amount: int = 1_000
    delayed: bool = False
    apart: bool = False


def _either(first: Ending, *others: Ending) -> frozenset[Ending]:
    return frozenset([first, *others])


_LOST = "settlement_not_waiting"
PAIRINGS: dict[str, Pairing] = {
    "approve and approve": Pairing(
        acts=[approve("officer1"), approve("officer2")],
        endings=_either((("done", _LOST), 1), ((_LOST, "done"), 1)),
        items=250,
    ),
    "the two of three who are needed": Pairing(
        acts=[approve("officer1"), approve("officer2"), approve("manager1")],
        endings=_either((("done", "done", _LOST), 1), (("done", _LOST, "done"), 1), ((_LOST, "done", "done"), 1)),
        items=150,
        amount=50_000,
    ),
    "the same officer in two windows": Pairing(
        acts=[approve("officer1"), approve("officer1")],
        endings=_either((("done", "already_approved_by_you"), 0), (("already_approved_by_you", "done"), 0)),
        items=50,
        amount=50_000,
    ),
    "approve and reject": Pairing(
        acts=[approve("officer1"), reject("officer2")],
        endings=_either((("done", _LOST), 1), ((_LOST, "done"), 0)),
        items=250,
    ),
    "approve and hold": Pairing(
        acts=[approve("officer1"), hold],
        endings=_either((("done", "hold_refused"), 1), (("settlement_on_hold", "done"), 0)),
        items=75,
    ),
    "approve and cancel": Pairing(
        acts=[approve("officer1"), cancel],
        endings=_either((("done", "nothing_to_cancel"), 1), ((_LOST, "done"), 0)),
        items=75,
    ),
    "approve and edit the recipient": Pairing(
        acts=[approve("officer1"), edit_recipient],
        endings=_either((("done", "done"), 1), (("version_stale", "done"), 0)),
        items=75,
        apart=True,
    ),
    "expedite and a risk that rises": Pairing(
        acts=[approve("officer1"), raise_risk],
        endings=_either((("done", "done"), 1), (("settlement_not_eligible", "done"), 0)),
        items=75,
        delayed=True,
        apart=True,
    ),
}


def test_there_are_a_thousand() -> None:
    assert sum(pairing.items for pairing in PAIRINGS.values()) == 1_000


def test_a_thousand_items_are_each_decided_once_and_paid_once(live_staff: Api) -> None:
    _officers.clear()
    for name, pairing in PAIRINGS.items():
        items = make(pairing)
        outcomes = race(pairing.acts, items)
        endings = Counter(
            (outcome, JournalEntry.objects.filter(milestone_id=item.settlement_id).count())
            for item, outcome in zip(items, outcomes, strict=True)
        )
        assert set(endings) <= pairing.endings, (name, endings)
        assert endings.total() == pairing.items
    paid = MilestoneSettlement.objects.filter(status="APPROVED")
    assert paid.count() == JournalEntry.objects.count()
    decided = Approval.objects.filter(decision="APPROVE", settlement__in=paid).count()
    assert decided == sum(paid.values_list("approvals_required", flat=True))
    assert verified()


def make(pairing: Pairing) -> list[Item]:
    """Its items, waiting; each with a token and a recipient of its own where those are changed."""
    event_type = PICKUP if pairing.delayed else POD
    schedule = ScheduleRequest(type=ScheduleType.MILESTONE if pairing.delayed else ScheduleType.FULL_ON_POD)
    together = 1 if pairing.apart else 25
    made: list[PaymentIntent] = []
    while len(made) < pairing.items:
        with transaction.atomic():
            recipient, token = a_recipient(), a_token(risk_score=MEDIUM if pairing.delayed else HIGH)
            made += [
                an_intent(token=token, amount=pairing.amount, recipient=recipient, schedule=schedule)
                for _ in range(together)
            ]
        post_event(made[-1].shipment.shipment_id, event_type)
    return [_item(intent, settlement_of(intent, event_type, create=False)) for intent in made]


def _item(intent: PaymentIntent, settlement: MilestoneSettlement) -> Item:
    assert intent.recipient is not None
    return Item(
        settlement.pk, intent.pk, intent.freight_token_id, intent.recipient.recipient_id, version_of(settlement.pk)
    )


def race(acts: Sequence[Act], items: Sequence[Item]) -> list[tuple[str, ...]]:
    """How each act ended for each item; one thread and one connection per act, that start together on every item."""
    barrier = Barrier(len(acts))

    def run(act: Act) -> list[str]:
        try:
            return [_ending(act, item, barrier) for item in items]
        except BaseException:
            barrier.abort()
            raise
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        columns = [future.result() for future in [pool.submit(run, act) for act in acts]]
    return list(zip(*columns, strict=True))


def _ending(act: Act, item: Item, barrier: Barrier) -> str:
    barrier.wait(PATIENCE_SECONDS)
    try:
        result = act(item)
    except Refusal as refusal:
        return refusal.code
    assert not isinstance(result, Decided) or result.approvals <= result.approvals_required
    return "done"


_officers: dict[str, approvals.Officer] = {}


def _officer(name: str) -> approvals.Officer:
    assert name in LOGINS
    if name not in _officers:
        _officers[name] = officer(User.objects.get(username=name))
    return _officers[name]
