"""Statements and closed days over everything that can happen to money at a provider: they agree with the books."""

import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from rails import ledger
from rails.accounts import AccountCode, AccountKey
from rails.base import RailOutcome
from rails.models import EntryKind, Recipient
from rails.money import Money
from settlements import holds
from settlements.closing import closing, documents
from settlements.closing.figures import RailFigures
from settlements.closing.open_items import OpenKind
from settlements.models import MilestoneSettlement
from settlements.recipient_statements import statement as statements
from settlements.recipient_statements.held import HeldKind
from settlements.recipient_statements.statement import Statement, StatementTooLong
from tests.factories import ACTOR, CLAIM, HIGH, MEDIUM, POD, a_recipient, an_intent, now, post_event, settlement_of
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, notice, pretend_provider
from tests.flows.resolving import as_if_committed, back_twice, failed, kept, overpaid, paid, returned, tell
from tests.settlements.lived_in import verified
from tests.settlements.test_closing import TODAY, days_ago, on

pytestmark = pytest.mark.django_db
YESTERDAY = days_ago(1)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


def arrived(provider: PretendProvider, recipient: Recipient, **others: Any) -> MilestoneSettlement:
    settlement = paid(provider, recipient, **others)
    tell(notice(RailOutcome.CONFIRMED, settlement.reference))
    as_if_committed()
    return settlement


def payout_failed(provider: PretendProvider, recipient: Recipient, **others: Any) -> None:
    settlement = arrived(provider, recipient, **others)
    tell(notice(RailOutcome.PAYOUT_FAILED, settlement.reference))
    as_if_committed()


def partly_back(provider: PretendProvider, recipient: Recipient, **others: Any) -> None:
    settlement = paid(provider, recipient, **others)
    tell(notice(RailOutcome.RETURNED, settlement.reference, amount=Money(100, "USD")))
    as_if_committed()


def back_after_it_arrived(provider: PretendProvider, recipient: Recipient, **others: Any) -> None:
    settlement = arrived(provider, recipient, **others)
    tell(notice(RailOutcome.RETURNED, settlement.reference))
    as_if_committed()


def by_the_ledger(provider: PretendProvider, recipient: Recipient, **others: Any) -> None:
    post_event(an_intent(recipient=recipient, **others).shipment.shipment_id, POD)


HAPPENS: tuple[Callable[..., Any], ...] = (
    paid, arrived, payout_failed, partly_back, back_after_it_arrived, returned, failed, kept, back_twice, by_the_ledger,
)  # fmt: skip


def drawn(recipient: Recipient, first: Any = YESTERDAY, last: Any = TODAY) -> Statement:
    return statements.statement(recipient, first=first, last=last, now=now())


def owed(recipient: Recipient, currency: str) -> Money:
    """What the ledger says that we owe, less what is owed to us."""
    payable = ledger.balance(AccountKey(AccountCode.RECIPIENT_PAYABLE, currency, recipient.pk))
    return payable - ledger.balance(AccountKey(AccountCode.RECIPIENT_RECEIVABLE, currency, recipient.pk))


def check(found: Statement) -> None:
    """Every line and total fits."""
    for each in found.currencies:
        balance = each.opening
        for line in each.lines:
            balance += line.amount
            assert line.balance == balance
        assert balance == each.closing
        assert each.opening + each.earned + each.returned + each.paid + each.other == each.closing


@pytest.mark.parametrize("happens", HAPPENS, ids=lambda happens: happens.__name__)
def test_a_statement_ends_with_what_the_ledger_says_whatever_happened(
    provider: PretendProvider, happens: Callable[..., Any]
) -> None:
    recipient = a_payable_recipient()
    happens(provider, recipient)
    found = drawn(recipient)
    check(found)
    for each in found.currencies:
        assert each.closing == owed(recipient, each.currency)
    verified()


@pytest.mark.parametrize("seed", range(4))
def test_months_of_everything_agree_with_books_settlements_and_closed_days(
    provider: PretendProvider, seed: int
) -> None:
    chance = random.Random(seed)
    recipients = [a_payable_recipient() for _ in range(2)]
    for count in range(4, 0, -1):
        with on(days_ago(count)):
            for happens in chance.choices(HAPPENS, k=4):
                happens(provider, chance.choice(recipients), amount=Decimal(chance.randint(1_000, 5_000_000)) / 100)
    closed = [documents.read(closing.close(days_ago(n), actor=ACTOR, now=now()).row.figures) for n in (4, 3, 2, 1)]
    verified()
    for recipient in recipients:
        _check_one_recipient(recipient, closed)
    for day in closed:
        on_its_way = sum(item.minor for item in day.open_items if item.kind is OpenKind.ON_ITS_WAY)
        clearing = sum(each.closing for each in day.accounts if each.code == AccountCode.STRIPE_CLEARING)
        assert on_its_way == clearing


def _check_one_recipient(recipient: Recipient, closed: list[Any]) -> None:
    days = [drawn(recipient, day.day, day.day) for day in closed]
    whole = drawn(recipient, closed[0].day, closed[-1].day)
    check(whole)
    for day, mine in zip(closed, days, strict=True):
        check(mine)
        frozen = -sum(each.closing for each in day.accounts if each.recipient_pk == recipient.pk)
        assert sum(each.closing.minor for each in mine.currencies) == frozen
    for before, after in pairwise(days):
        assert [each.closing for each in before.currencies] == [each.opening for each in after.currencies][
            : len(before.currencies)
        ]
    for each in whole.currencies:
        assert each.opening.minor == 0
        assert each.closing == owed(recipient, each.currency)
        assert sum(len(one.lines) for mine in days for one in mine.currencies) == len(each.lines)
        # What is earned and not returned is what settlements that are out come to, less what came back of them.
        out = MilestoneSettlement.objects.filter(intent__recipient=recipient, status__in=["APPROVED", "SETTLED"])
        amounts = sum(row.amount_minor for row in out)
        back = 100 * sum(line.amount.minor == -100 for line in each.lines if line.kind is EntryKind.RETURN)
        assert (each.earned + each.returned).minor == amounts - back


def test_a_closed_day_counts_what_each_rail_did(provider: PretendProvider) -> None:
    recipient = a_payable_recipient()
    with on(YESTERDAY):
        for happens in (paid, arrived, payout_failed, returned, by_the_ledger):
            happens(provider, recipient, amount=Decimal("100"))
    frozen = documents.read(closing.close(YESTERDAY, actor=ACTOR, now=now()).row.figures)
    share = 7_000
    assert frozen.rails == [
        RailFigures(rail="internal_ledger", currency="USD", released=(1, share)),
        RailFigures(
            rail="stripe", currency="USD", released=(4, 4 * share), settled=(2, 2 * share), unsettled=(1, share),
            returned=(1, share),
        ),
    ]  # fmt: skip
    found = {kind: [item for item in frozen.open_items if item.kind is kind] for kind in OpenKind}
    assert [len(found[kind]) for kind in (OpenKind.ON_ITS_WAY, OpenKind.RETURNED)] == [2, 1]


def test_what_moved_between_midnight_and_the_close_is_still_on_its_way_in_the_days_figures(
    provider: PretendProvider,
) -> None:
    with on(YESTERDAY):
        settlement = paid(provider, a_payable_recipient())
    tell(notice(RailOutcome.CONFIRMED, settlement.reference))
    as_if_committed()
    frozen = documents.read(closing.close(YESTERDAY, actor=ACTOR, now=now()).row.figures)
    assert [(item.kind, item.minor) for item in frozen.open_items] == [(OpenKind.ON_ITS_WAY, 700_000)]
    verified()


def test_overpaid_money_is_owed_to_us(provider: PretendProvider) -> None:
    recipient = a_payable_recipient()
    overpaid(provider, recipient)
    (usd,) = drawn(recipient).currencies
    assert usd.closing == owed(recipient, "USD")
    assert usd.other.minor == -700_000


def test_what_waits_is_told_with_why_and_until_when() -> None:
    recipient = a_recipient()
    delayed = settlement_of(an_intent(risk=MEDIUM, recipient=recipient), CLAIM)
    review = settlement_of(an_intent(risk=HIGH, recipient=recipient), POD)
    held = settlement_of(an_intent(risk=HIGH, recipient=recipient), POD)
    holds.place(held.pk, reason="claim filed by phone", actor=ACTOR, now=now())
    settlement_of(an_intent(risk=HIGH, recipient=a_recipient()), POD)
    found = {item.settlement_id: item for item in drawn(recipient).held}
    assert {pk: item.kind for pk, item in found.items()} == {
        delayed.pk: HeldKind.DELAYED,
        review.pk: HeldKind.IN_REVIEW,
        held.pk: HeldKind.HELD,
    }
    assert found[held.pk].why == "claim filed by phone"
    assert found[delayed.pk].until == delayed.settlement_delayed_until
    assert found[review.pk].until is None
    assert found[review.pk].why


def test_a_statement_that_would_be_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    recipient = a_recipient()
    for _ in range(3):
        by_the_ledger(PretendProvider(), recipient)
    monkeypatch.setattr(statements, "MOST_LINES", 3)
    assert len(drawn(recipient).currencies[0].lines) == 3
    monkeypatch.setattr(statements, "MOST_LINES", 2)
    with pytest.raises(StatementTooLong):
        drawn(recipient)
