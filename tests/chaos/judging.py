"""Was everything paid, once, and rightly? By the plan and by Stripe's own list; our books are held against both."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tests.chaos.plan import Planned, account_of

PAID: Final = frozenset({"APPROVED", "SETTLED"})


class Wrong(StrEnum):
    """What can be wrong; the worst first."""

    TWICE = "paid twice"
    UNPAID = "taken for paid, and not paid"
    LOST = "lost"
    NOBODYS = "money that nobody ordered"
    OTHERWISE = "paid otherwise than ordered"
    REFUSED = "taken for refused, and paid"
    UNSEEN = "called before the claim was committed"
    UNLEASED = "called after the lease was over"
    BOOKS = "books"
    STUCK = "stuck"


# What stays wrong however long one waits.
FOR_GOOD: Final = frozenset(
    {Wrong.TWICE, Wrong.UNPAID, Wrong.NOBODYS, Wrong.OTHERWISE, Wrong.REFUSED, Wrong.UNSEEN, Wrong.UNLEASED}
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must never be."""

    wrong: Wrong
    sentence: str

    def __str__(self) -> str:
        return f"{self.wrong.value}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Settlement:
    """A milestone settlement as our database has it."""

    id: int
    intent_id: int
    event: str
    minor: int
    currency: str
    status: str
    reference: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is: our settlements, read first, and Stripe's transfers, read after them."""

    settlements: Sequence[Settlement]
    transfers: Sequence[Mapping[str, Any]]
    witness: Sequence[tuple[Wrong, str]] = ()


@dataclass(frozen=True, slots=True)
class Balances:
    """What our books say of one currency, in minor units: taken from our balance at Stripe, and on its way there."""

    currency: str
    sent: int
    on_its_way: int


def judge(planned: Sequence[Planned], intents: Mapping[int, int], found: Found) -> list[Violation]:
    """Everything that is wrong by the plan and by Stripe's list, the worst first."""
    ours = {(each.intent_id, each.event): each for each in found.settlements}
    theirs = _by_settlement(found.transfers)
    owed = {
        key: each
        for each in planned
        if each.number in intents
        for key in ((intents[each.number], e) for e in each.owed)
    }
    violations = [*_not_ours(found.settlements, owed, theirs)]
    for each in planned:
        for event, minor in each.owed.items():
            settlement = ours.get((intents.get(each.number, 0), event))
            violations += _of_one(each, event, minor, settlement, theirs)
    violations += [Violation(*seen) for seen in found.witness]
    order = list(Wrong)
    return sorted(violations, key=lambda violation: order.index(violation.wrong))


def judge_books(found: Found, balances: Iterable[Balances]) -> list[Violation]:
    """Whether our books have what Stripe's list has, currency by currency; Stripe's units are ours in each of these."""
    sent: Counter[str] = Counter()
    for transfer in found.transfers:
        sent[transfer["currency"].upper()] += transfer["amount"] - transfer["amount_reversed"]
    on_its_way: Counter[str] = Counter()
    for settlement in found.settlements:
        on_its_way[settlement.currency] += settlement.minor if settlement.status == "APPROVED" else 0
    violations = []
    known = {each.currency: each for each in balances}
    for currency in sorted(known.keys() | sent.keys()):
        books = known.get(currency, Balances(currency, 0, 0))
        for what, booked, true in (
            ("sent by Stripe", books.sent, sent[books.currency]),
            ("on its way", books.on_its_way, on_its_way[books.currency]),
        ):
            if booked != true:
                violations.append(
                    Violation(Wrong.BOOKS, f"{books.currency} {what}: {true} minor units, {booked} in the books")
                )
    return violations


def _of_one(
    planned: Planned, event: str, minor: int, settlement: Settlement | None, theirs: Mapping[int, list[Any]]
) -> Iterator[Violation]:
    name = f"{event} of {planned.shipment}, {minor} minor units {planned.currency}"
    if settlement is None:
        yield Violation(Wrong.LOST, f"{name}: there is no settlement")
        return
    name = f"settlement {settlement.id} ({name}), {settlement.status}"
    transfers = theirs.get(settlement.id, [])
    out = [each for each in transfers if each["amount_reversed"] < each["amount"]]
    if len(out) > 1:
        yield Violation(Wrong.TWICE, f"{name}: {', '.join(each['id'] for each in out)}")
    for each in transfers:
        wanted = (minor, planned.currency.lower(), account_of(planned.recipient))
        if (each["amount"], each["currency"], each["destination"]) != wanted:
            yield Violation(Wrong.OTHERWISE, f"{name}: {each['id']} is {each['amount']} {each['currency']} "
                            f"to {each['destination']}")  # fmt: skip
    if settlement.status in PAID:
        yield from _paid(name, settlement, transfers)
    elif settlement.status == "FAILED":
        if out:
            yield Violation(Wrong.REFUSED, f"{name}: {out[0]['id']}")
    else:
        yield Violation(Wrong.STUCK, f"{name}: {settlement.why or 'nobody says why'}")


def _paid(name: str, settlement: Settlement, transfers: Sequence[Any]) -> Iterator[Violation]:
    if not transfers:
        yield Violation(Wrong.UNPAID, f"{name}: Stripe has no transfer of it")
        return
    if settlement.status != "SETTLED":
        yield Violation(Wrong.STUCK, f"{name}: Stripe has paid it out")
    if settlement.reference not in {each["id"] for each in transfers}:
        yield Violation(
            Wrong.OTHERWISE, f"{name}: its reference is {settlement.reference}, Stripe's {transfers[0]['id']}"
        )


def _not_ours(
    settlements: Sequence[Settlement], owed: Mapping[tuple[int, str], Planned], theirs: Mapping[int, list[Any]]
) -> Iterator[Violation]:
    """Transfers of what was not to be paid, or of nothing at all."""
    known = {each.id for each in settlements if (each.intent_id, each.event) in owed}
    for settlement_id, transfers in theirs.items():
        if settlement_id not in known:
            yield Violation(Wrong.NOBODYS, f"settlement {settlement_id}: {transfers[0]['id']}")


def _by_settlement(transfers: Sequence[Mapping[str, Any]]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for transfer in transfers:
        found[int(transfer["metadata"].get("chainpay_settlement", 0))].append(transfer)
    return found
