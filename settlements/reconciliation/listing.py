"""What the reconciliation page reads: differences by keys, payments that match, and figures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from django.db import connection, transaction

from rails.base import SettlementProvider
from rails.money import Money
from settlements.models import BooksDifference, Comparison
from settlements.reconciliation import lines
from settlements.reconciliation.lines import Line
from settlements.reconciliation.words import Said
from settlements.statuses import MismatchKind


class View(StrEnum):
    """Which lines are looked at. GONE: nobody resolved it, and it fits by now."""

    OPEN = "open"
    RESOLVED = "resolved"
    GONE = "gone"
    MATCHED = "matched"


# An open difference is there, and nobody has resolved it. Aliases: d the difference, n its resolution.
_OPEN: Final = "d.gone_at IS NULL AND n.id IS NULL"
COUNT: Final = f"""(
    SELECT count(*) FROM settlements_booksdifference d
    LEFT JOIN settlements_differenceresolution n ON n.difference_id = d.id WHERE {_OPEN}
)"""
_VIEWS: Final = {
    View.OPEN: (_OPEN, "d.occurred_at, d.id", ">"),
    View.RESOLVED: ("n.id IS NOT NULL", "n.resolved_at DESC, n.id DESC", "<"),
    View.GONE: ("d.gone_at IS NOT NULL AND n.id IS NULL", "d.gone_at DESC, d.id DESC", "<"),
}
_KEYS: Final = {View.OPEN: "d.occurred_at, d.id", View.RESOLVED: "n.resolved_at, n.id", View.GONE: "d.gone_at, d.id"}
_FILTERS: Final = """
    (%(rail)s::text IS NULL OR d.provider = upper(%(rail)s))
    AND (%(currency)s::text IS NULL OR d.currency = %(currency)s)
    AND (%(kind)s::text IS NULL OR d.kind = %(kind)s)
    AND (%(start)s::timestamptz IS NULL OR d.occurred_at >= %(start)s)
    AND (%(end)s::timestamptz IS NULL OR d.occurred_at < %(end)s)
    AND (%(milestones)s::bigint[] IS NULL OR d.milestone_id = ANY(%(milestones)s) OR d.reference = %(wanted)s)
"""
_FROM: Final = """
    FROM settlements_booksdifference d LEFT JOIN settlements_differenceresolution n ON n.difference_id = d.id
"""
# What was said of the same payment in the same respect, when it differed otherwise.
_BEFORE: Final = """(
    SELECT en.reason FROM settlements_booksdifference e
    JOIN settlements_differenceresolution en ON en.difference_id = e.id
    WHERE e.kind = d.kind AND e.provider = d.provider AND e.milestone_id = d.milestone_id
      AND e.attempt_number IS NOT DISTINCT FROM d.attempt_number AND e.id < d.id ORDER BY e.id DESC LIMIT 1
)"""
_ROWS: Final = f"""
    SELECT d.id, d.kind, d.provider, d.milestone_id, d.attempt_number, d.reference, d.currency, d.expected_minor,
           d.found_minor, d.expected, d.found, d.occurred_at, d.found_at, d.gone_at, n.reason, n.actor, n.resolved_at,
           CASE WHEN n.id IS NULL THEN {_BEFORE} END
"""
_PAGE: Final = {
    view: f"""
        {_ROWS} {_FROM} WHERE {condition} AND {_FILTERS}
          AND (%(after)s::bigint IS NULL
               OR ({_KEYS[view]}) {beyond} (SELECT {_KEYS[view]} {_FROM} WHERE d.id = %(after)s))
        ORDER BY {order} LIMIT %(limit)s
    """
    for view, (condition, order, beyond) in _VIEWS.items()
}
_ONE: Final = f"{_ROWS} {_FROM} WHERE d.id = %(id)s"
_BY_KIND: Final = f"""
    SELECT d.kind, count(*) {_FROM} WHERE {_OPEN} AND {_FILTERS} GROUP BY 1 ORDER BY 2 DESC, 1
"""
_NAMED: Final = """
    SELECT s.id FROM settlements_milestonesettlement s WHERE s.id = %(number)s
    UNION SELECT a.milestone_id FROM rails_railattempt a
    WHERE a.provider = ANY(%(providers)s::text[]) AND a.reference = %(wanted)s
    UNION SELECT e.milestone_id FROM rails_journalentry e WHERE e.reference = %(wanted)s AND e.milestone_id IS NOT NULL
"""
_PAID: Final = """
    FROM settlements_milestonesettlement s
    WHERE s.status IN ('APPROVED', 'SETTLED', 'RETURNED') AND s.released_at >= %(start)s AND s.released_at < %(end)s
      AND (%(rail)s::text IS NULL OR s.rail = %(rail)s) AND (%(currency)s::text IS NULL OR s.currency = %(currency)s)
      AND (%(milestones)s::bigint[] IS NULL OR s.id = ANY(%(milestones)s))
"""
# Of the settlements that differ, few among all: put together once, whatever the planner takes them for.
_DIFFERING: Final = """
    SELECT d.milestone_id FROM settlements_booksdifference d WHERE d.gone_at IS NULL AND d.milestone_id IS NOT NULL
"""
_MATCHED: Final = f"""
    WITH page AS (
        SELECT s.id {_PAID} AND s.released_at < %(compared)s AND s.id NOT IN ({_DIFFERING})
          AND (%(after)s::bigint IS NULL OR s.id < %(after)s) ORDER BY s.id DESC LIMIT %(limit)s
    )
    SELECT page.id, a.number FROM page
    LEFT JOIN rails_railattempt a ON a.milestone_id = page.id AND a.state <> 'PREPARED'
    ORDER BY page.id DESC, a.number DESC
"""
_COUNTED: Final = f"""
    SELECT count(*) FILTER (WHERE s.released_at < %(compared)s), count(*) FILTER (WHERE s.released_at >= %(compared)s),
           (SELECT count(*) {_PAID} AND s.released_at < %(compared)s AND s.id IN ({_DIFFERING}))
    {_PAID}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is looked for; None does not narrow it. Days are of UTC, both included. `wanted`: milestone or reference."""

    rail: str | None = None
    currency: str | None = None
    kind: MismatchKind | None = None
    first_day: date | None = None
    last_day: date | None = None
    wanted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference with its payment's four sides as they are now; `before` is why an earlier one was resolved."""

    id: int
    said: Said
    milestone_id: int | None
    attempt_number: int | None
    reference: str
    occurred_at: datetime
    found_at: datetime
    gone_at: datetime | None
    reason: str
    actor: str
    resolved_at: datetime | None
    before: str
    line: Line

    @property
    def theirs(self) -> str:
        """What the provider has, where that is all that is known of it."""
        return self.said.theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How many payments of a period match, differ, and were released after the last comparison began."""

    matched: int
    differing: int
    not_compared: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """One rail in one currency when it was compared; `clearing` is what its clearing account held (None: no such)."""

    rail: str
    payments: int
    on_their_way: Money
    clearing: Money | None

    @property
    def off(self) -> Money:
        """By how much the account holds more (negative: less) than is on its way."""
        return self.clearing - self.on_their_way if self.clearing else Money.zero(self.on_their_way.currency)


@contextmanager
def reading() -> Iterator[None]:
    """For the statements of a page: each planned for what is asked for, and not one plan for all (docs/adr/0016)."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        yield


def differences(view: View, asked: Asked, *, after: int | None, limit: int) -> list[Difference]:
    """A page of differences; those that are open the oldest payment first, others the latest first."""
    with connection.cursor() as cursor:
        cursor.execute(_PAGE[view], {**_parameters(asked), "after": after, "limit": limit})
        rows = cursor.fetchall()
    return _with_lines(rows)


def find(difference_id: int) -> Difference | None:
    """One difference, whatever became of it."""
    with connection.cursor() as cursor:
        cursor.execute(_ONE, {"id": difference_id})
        rows = cursor.fetchall()
    return next(iter(_with_lines(rows)), None)


def said_of(row: BooksDifference) -> Said:
    """What a stored difference says."""
    return Said(
        kind=MismatchKind(row.kind),
        provider=SettlementProvider(row.provider),
        currency=row.currency,
        expected_minor=row.expected_minor,
        found_minor=row.found_minor,
        expected=row.expected,
        found=row.found,
    )


def by_kind(asked: Asked) -> list[tuple[MismatchKind, int]]:
    """How many open differences there are of each kind, the most first."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_KIND, _parameters(asked))
        return [(MismatchKind(kind), number) for kind, number in cursor.fetchall()]


def matched(asked: Asked, comparison: Comparison, *, after: int | None, limit: int) -> tuple[list[Line], int | None]:
    """A page of payments that fit, one line per attempt, the latest first; and after which one the next page begins."""
    with connection.cursor() as cursor:
        cursor.execute(
            _MATCHED, {**_parameters(asked), "compared": comparison.started_at, "after": after, "limit": limit + 1}
        )
        rows = cursor.fetchall()
    payments = list(dict.fromkeys(milestone for milestone, _ in rows))
    shown = set(payments[:limit])
    found = lines.read([row for row in rows if row[0] in shown])
    return found, payments[limit - 1] if len(payments) > limit else None


def figures(asked: Asked, comparison: Comparison) -> Figures:
    """How the payments of the period stand."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, {**_parameters(asked), "compared": comparison.started_at})
        compared, later, differing = cursor.fetchone()
    return Figures(matched=compared - differing, differing=differing, not_compared=later)


def totals(comparison: Comparison) -> list[Total]:
    """What was compared, by rail and currency."""
    found = []
    for name, each in sorted(comparison.totals.items()):
        rail, currency = name.split(" ")
        on_their_way, clearing = each["on_their_way"], each["clearing"]
        found.append(
            Total(
                rail=rail,
                payments=each["payments"],
                on_their_way=Money(on_their_way, currency),
                clearing=None if clearing is None else Money(clearing, currency),
            )
        )
    return found


def _parameters(asked: Asked) -> dict[str, Any]:
    first, last = asked.first_day, asked.last_day
    return {
        "rail": asked.rail,
        "currency": asked.currency,
        "kind": asked.kind and asked.kind.value,
        "start": f"{first.isoformat()}T00:00:00Z" if first else None,
        "end": f"{(last + timedelta(days=1)).isoformat()}T00:00:00Z" if last else None,
        "milestones": _named(asked.wanted) if asked.wanted else None,
        "wanted": asked.wanted,
    }


def _named(wanted: str) -> list[int]:
    """The milestones that a number or a whole reference names."""
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, {"number": number, "wanted": wanted, "providers": list(SettlementProvider)})
        return [row[0] for row in cursor.fetchall()]


def _with_lines(rows: Sequence[Sequence[Any]]) -> list[Difference]:
    found = lines.read([(row[3], row[4]) for row in rows])
    return [_difference(row, line) for row, line in zip(rows, found, strict=True)]


def _difference(row: Sequence[Any], line: Line) -> Difference:
    (
        difference_id, kind, provider, milestone, number, reference, currency, expected_minor, found_minor, expected,
        found, occurred_at, found_at, gone_at, reason, actor, resolved_at, before,
    ) = row  # fmt: skip
    return Difference(
        id=difference_id,
        said=Said(
            kind=MismatchKind(kind),
            provider=SettlementProvider(provider),
            currency=currency,
            expected_minor=expected_minor,
            found_minor=found_minor,
            expected=expected,
            found=found,
        ),
        milestone_id=milestone,
        attempt_number=number,
        reference=reference,
        occurred_at=occurred_at,
        found_at=found_at,
        gone_at=gone_at,
        reason=reason or "",
        actor=actor or "",
        resolved_at=resolved_at,
        before=before or "",
        line=line,
    )
