"""A day's figures as the page of the day shows them: sums by code, accounts that moved, open items with their age."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Final

from rails.days import AccountDay
from rails.money import Money
from settlements.closing.figures import DayFigures, RailFigures
from settlements.closing.open_items import OpenItem, OpenKind

# What a page shows of a long list; the file with the figures has all of it.
MOST_ROWS: Final = 200

KIND_WORDS: Final = {
    OpenKind.UNANSWERED: "Unanswered by the provider",
    OpenKind.KEPT: "Kept by the recipient after a return",
    OpenKind.RETURNED: "Came back, to be resolved",
    OpenKind.FAILED: "Failed, to be resolved",
    OpenKind.ON_ITS_WAY: "On its way",
    OpenKind.HELD: "On hold",
    OpenKind.IN_REVIEW: "In review",
    OpenKind.DELAYED: "Delayed",
    OpenKind.WAITING: "Waiting to be handed over",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a trial balance. Balances are debits less credits; `accounts` is how many it sums up."""

    currency: str
    code: str
    name: str
    accounts: int
    opening: Money
    debits: Money
    credits: Money
    closing: Money

    @property
    def moved(self) -> bool:
        """Whether anything was booked."""
        return bool(self.debits.minor or self.credits.minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """One currency: a line per code, the accounts that moved, and the sums of both sides, which are equal."""

    currency: str
    lines: Sequence[Line]
    moved: Sequence[Line]
    more_moved: int
    opening: Money
    debits: Money
    credits: Money
    closing: Money
    balanced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An open item with its age in days, as of the day's end."""

    kind: str
    rail: str
    amount: Money
    settlement_id: int
    since: datetime
    until: datetime | None
    days: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGroup:
    """All open items of a kind: how many, how much in each currency, the oldest's age, and the first of them."""

    words: str
    count: int
    amounts: Sequence[Money]
    oldest_days: int
    items: Sequence[Item]

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class RailLine:
    """What a rail did in a currency: counts and amounts."""

    rail: str
    currency: str
    cells: Sequence[tuple[str, int, Money]]


def trial_balances(figures: DayFigures) -> list[TrialBalance]:
    """One for each currency that has accounts."""
    by_currency = groupby(figures.accounts, key=lambda each: each.currency)
    return [_trial_balance(currency, list(accounts)) for currency, accounts in by_currency]


def rail_lines(figures: DayFigures) -> list[RailLine]:
    """One for each rail and currency."""
    return [RailLine(rail=each.rail, currency=each.currency, cells=_cells(each)) for each in figures.rails]


def open_groups(figures: DayFigures) -> list[OpenGroup]:
    """The open items by kind, the most pressing kind first."""
    return [
        _group(kind, list(items), figures.day)
        for kind, items in groupby(figures.open_items, key=lambda item: item.kind)
    ]


def sums(amounts: Iterable[Money]) -> list[Money]:
    """One sum per currency."""
    found: dict[str, Money] = {}
    for amount in amounts:
        found[amount.currency] = found.get(amount.currency, Money.zero(amount.currency)) + amount
    return [found[currency] for currency in sorted(found)]


def _trial_balance(currency: str, accounts: list[AccountDay]) -> TrialBalance:
    codes = [list(own) for _, own in groupby(accounts, key=lambda each: each.code)]
    moved = [_line(currency, [each]) for each in accounts if each.debits or each.credits]
    positive = sum(each.opening for each in accounts if each.opening > 0)
    closing = sum(each.closing for each in accounts if each.closing > 0)
    debits, credits = sum(each.debits for each in accounts), sum(each.credits for each in accounts)
    zero = sum(each.opening for each in accounts) or sum(each.closing for each in accounts) or debits - credits
    return TrialBalance(
        currency=currency,
        lines=[_line(currency, own) for own in codes],
        moved=moved[:MOST_ROWS],
        more_moved=max(len(moved) - MOST_ROWS, 0),
        opening=Money(positive, currency),
        debits=Money(debits, currency),
        credits=Money(credits, currency),
        closing=Money(closing, currency),
        balanced=zero == 0,
    )


def _line(currency: str, accounts: Sequence[AccountDay]) -> Line:
    first = accounts[0]
    return Line(
        currency=currency,
        code=first.code,
        name=first.recipient_name if len(accounts) == 1 else "",
        accounts=len(accounts),
        opening=Money(sum(each.opening for each in accounts), currency),
        debits=Money(sum(each.debits for each in accounts), currency),
        credits=Money(sum(each.credits for each in accounts), currency),
        closing=Money(sum(each.closing for each in accounts), currency),
    )


def _cells(each: RailFigures) -> list[tuple[str, int, Money]]:
    named = (
        ("Released", each.released),
        ("Settled", each.settled),
        ("Settlement undone", each.unsettled),
        ("Returned", each.returned),
    )
    return [(name, count, Money(minor, each.currency)) for name, (count, minor) in named]


def _group(kind: OpenKind, items: list[OpenItem], day: date) -> OpenGroup:
    return OpenGroup(
        words=KIND_WORDS[kind],
        count=len(items),
        amounts=sums(Money(item.minor, item.currency) for item in items),
        oldest_days=max(_days(item, day) for item in items),
        items=[
            Item(
                kind=KIND_WORDS[kind],
                rail=item.rail,
                amount=Money(item.minor, item.currency),
                settlement_id=item.settlement_id,
                since=item.since,
                until=item.until,
                days=_days(item, day),
                words=item.words,
            )
            for item in items[:MOST_ROWS]
        ],
    )


def _days(item: OpenItem, day: date) -> int:
    return (day - item.since.astimezone(UTC).date()).days
