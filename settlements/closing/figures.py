"""The figures of a day: what is frozen when it is closed, and shown before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from rails import days
from rails.ach import returnable
from rails.ach.returnable import Returnable, Reversible
from rails.days import AccountDay
from rails.models import EntryKind
from settlements.closing import confirmed, open_items
from settlements.closing.confirmed import Seen
from settlements.closing.open_items import OpenItem

# Count and minor units.
Sum = tuple[int, int]
NONE: Final[Sum] = (0, 0)
INTERNAL: Final = "internal_ledger"
_COLUMN: Final = {
    EntryKind.RELEASE: "released",
    EntryKind.PAYOUT: "settled",
    EntryKind.PAYOUT_RETURN: "unsettled",
    EntryKind.RETURN: "returned",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RailFigures:
    """What a rail did in a currency. `unsettled`: had arrived, and is on its way again or came back."""

    rail: str
    currency: str
    released: Sum = NONE
    settled: Sum = NONE
    unsettled: Sum = NONE
    returned: Sum = NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """All that a day's close freezes; `as_of` is when it was looked at. Amounts in minor units."""

    day: date
    as_of: datetime
    entries: int
    accounts: Sequence[AccountDay]
    rails: Sequence[RailFigures]
    open_items: Sequence[OpenItem]
    returnable: Sequence[Returnable]
    reversible: Sequence[Reversible]
    confirmed: Seen


def read(
    day: date, *, carried: dict[int, int], after: date | None, confirmed_before: Seen, now: datetime
) -> DayFigures:
    """The figures as the database has them; `carried` are the balances by account in the evening of day `after`."""
    seen = confirmed.seen(day)
    return DayFigures(
        day=day,
        as_of=now,
        entries=days.entries_on(day),
        accounts=days.balances(day, carried=carried, after=after),
        rails=_rails(day, confirmed.new(seen, confirmed_before)),
        open_items=open_items.listed(day),
        returnable=returnable.returnable(day),
        reversible=returnable.reversible(day),
        confirmed=seen,
    )


def _rails(day: date, confirmed_now: dict[str, Sum]) -> list[RailFigures]:
    sums: dict[tuple[str, str], dict[str, Sum]] = {}
    for each in days.by_rail(day):
        sums.setdefault((each.rail, each.currency), {})[_COLUMN[each.kind]] = (each.count, each.minor)
    for currency, sum_ in confirmed_now.items():
        sums.setdefault((INTERNAL, currency), {})["settled"] = sum_
    return [RailFigures(rail=rail, currency=currency, **columns) for (rail, currency), columns in sorted(sums.items())]
