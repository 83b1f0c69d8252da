"""Do we and the provider tell the same of every payment? Both sides' differences, each with its age.

What is younger than the time both sides need to learn of each other is left out: it is on its way and no difference.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from rails import registry
from rails.base import Reconcilable, SettlementProvider, StatementFailed, Theirs
from rails.models import AttemptState, DifferenceKind, RailDifference, RailReconciliation
from rails.money import Money

logger = logging.getLogger(__name__)

DAYS: Final = 90
# What is younger is on its way between the two sides.
SETTLES_WITHIN: Final = timedelta(minutes=15)
IN_DOUBT_AFTER: Final = timedelta(hours=1)
# Theirs are read from a little earlier than ours: neither side's clock, nor a day of retries, makes a difference.
OVERLAP: Final = timedelta(days=2)

_OURS: Final = """
    SELECT a.milestone_id, a.number, a.state, a.reference, a.amount_minor, a.currency, a.returned_minor,
        d.details::text, coalesce(a.answered_at, a.submitted_at, a.prepared_at)
    FROM rails_railattempt a JOIN rails_destination d ON d.id = a.destination_id
    WHERE a.provider = %s AND a.state <> 'PREPARED'
      AND (a.submitted_at >= %s OR a.reference = ANY(%s::text[]) OR a.milestone_id = ANY(%s::bigint[]))
    ORDER BY a.milestone_id, a.number
"""
_MADE: Final = frozenset({AttemptState.ACCEPTED, AttemptState.CONFIRMED, AttemptState.RETURNED})


_NO_LIST: Final[Mapping[SettlementProvider, str]] = {
    SettlementProvider.ACH: (
        "There is nothing to compare ACH with: the bank keeps no list of payments that can be asked for. It tells by "
        "its files, which are taken from its inbox; its silence counts as paid after some banking days. What a person "
        "has to look at stands in the work list, and every entry with its outcome under ACH entries."
    ),
    SettlementProvider.WIRE: (
        "There is nothing to compare wires with: the bank keeps no list of payments that can be asked for. A person "
        "takes down its word on each, with its messages as evidence. Those that wait for it are listed under Wires."
    ),
    SettlementProvider.INTERNAL_LEDGER: (
        "There is nothing to compare the internal ledger with: its payments are our own books. `manage.py "
        "verify_books` checks those."
    ),
}


class NotReconcilable(ValueError):
    """A rail that has no other side to compare with; the detail says why, and where what is known of it stands."""

    code = "rail_not_reconcilable"
    field = "rail"

    def __init__(self, provider: SettlementProvider) -> None:
        self.detail = _NO_LIST[provider]
        super().__init__(self.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """An attempt as we have it; `at` is when it was answered, or first handed over."""

    milestone_id: int
    attempt_number: int
    state: AttemptState
    reference: str
    amount: Money
    returned: Money
    destination: str
    at: datetime

    @property
    def key(self) -> tuple[int, int]:
        """What names the attempt on both sides."""
        return (self.milestone_id, self.attempt_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One payment that the two sides tell differently, in words for both; `payment` is theirs, if they have it."""

    kind: DifferenceKind
    milestone_id: int | None
    attempt_number: int | None
    reference: str
    ours: str
    theirs: str
    payment: Theirs | None
    at: datetime

    @property
    def identity(self) -> tuple[str, int | None, int | None, str]:
        """What makes it the same difference the next time."""
        return (self.kind.value, self.milestone_id, self.attempt_number, self.reference)


def reconcile(*, provider: SettlementProvider, days: int = DAYS, actor: str, now: datetime) -> RailReconciliation:
    """Compares the last days with the provider and keeps what came of it; an `error` if the provider can not be read.

    Outside any transaction. Raises RailNotEnabled, NotReconcilable.
    """
    rail = registry.rail_of(provider=provider)
    if not isinstance(rail, Reconcilable):
        raise NotReconcilable(provider)
    since = now - timedelta(days=days)
    run = RailReconciliation(provider=provider.value, since=since, actor=actor, started_at=now)
    try:
        theirs = list(rail.statement(since=since - OVERLAP, now=now))
    except StatementFailed as failed:
        logger.error("%s could not be reconciled: %s", provider, failed)
        run.error = str(failed)[:2000]
        run.save()
        return run
    ours = _ours(rail, provider, since, theirs)
    found = list(differences(ours, theirs, since=since, now=now))
    run.ours, run.theirs, run.differences = len(ours), len(theirs), len(found)
    if found:
        logger.error("%s differs from us in %s payments", provider, len(found))
    return _kept(run, found, now)


def differences(
    ours: Sequence[Ours], theirs: Sequence[Theirs], *, since: datetime, now: datetime
) -> Iterator[Difference]:
    """How the two sides differ, as far as both had time to learn of each other."""
    by_reference = {each.reference: each for each in ours if each.reference}
    by_key: dict[tuple[int | None, int | None], Ours] = {each.key: each for each in ours}
    met: set[tuple[int, int]] = set()
    for payment in theirs:
        own = by_reference.get(payment.reference) or by_key.get(_key(payment))
        if own is not None:
            met.add(own.key)
            yield from _compared(own, payment, now)
        elif payment.returned < payment.amount and since <= payment.made_at <= now - SETTLES_WITHIN:
            yield _difference(DifferenceKind.MISSING_HERE, None, payment)
    for own in ours:
        if own.key in met or own.at < since:
            continue
        if own.state in _MADE and own.at <= now - SETTLES_WITHIN:
            yield _difference(DifferenceKind.MISSING_THERE, own, None)
        elif own.state is AttemptState.SUBMITTED and own.at <= now - IN_DOUBT_AFTER:
            yield _difference(DifferenceKind.IN_DOUBT, own, None)


def _compared(own: Ours, payment: Theirs, now: datetime) -> Iterator[Difference]:
    """What differs between two that are the same payment."""
    if max(own.at, payment.made_at) > now - SETTLES_WITHIN:
        return
    if own.state not in _MADE:
        if payment.returned < payment.amount:
            yield _difference(DifferenceKind.NOT_TAKEN_DOWN, own, payment)
        return
    if own.reference != payment.reference:
        yield _difference(DifferenceKind.REFERENCE, own, payment)
    if own.amount != payment.amount:
        yield _difference(DifferenceKind.AMOUNT, own, payment)
    if own.returned != payment.returned:
        yield _difference(DifferenceKind.RETURNED, own, payment)
    if payment.destination and own.destination != payment.destination:
        yield _difference(DifferenceKind.DESTINATION, own, payment)


def _difference(kind: DifferenceKind, own: Ours | None, payment: Theirs | None) -> Difference:
    """At least one of the two is there."""
    known = own or payment
    at = payment.made_at if payment else own.at if own else None
    assert known is not None
    assert at is not None
    return Difference(
        kind=kind,
        milestone_id=known.milestone_id,
        attempt_number=known.attempt_number,
        reference=known.reference or (payment.reference if payment else ""),
        ours=_in_words(own.reference, own.amount, own.returned, own.destination, own.state.lower()) if own else "",
        theirs=_in_words(payment.reference, payment.amount, payment.returned, payment.destination) if payment else "",
        payment=payment,
        at=at,
    )


def _in_words(reference: str, amount: Money, returned: Money, destination: str, state: str = "") -> str:
    """`tr_1: 70.00 USD to acct_1, 10.00 USD came back, confirmed`"""
    parts = [f"{reference}: {amount}" if reference else str(amount)]
    parts[0] += f" to {destination}" if destination else ""
    parts += [f"{returned} came back"] if returned.minor else []
    return ", ".join([*parts, *([state] if state else [])])


def _key(payment: Theirs) -> tuple[int | None, int | None]:
    return (payment.milestone_id, payment.attempt_number)


def _ours(rail: Reconcilable, provider: SettlementProvider, since: datetime, theirs: Iterable[Theirs]) -> list[Ours]:
    """What we handed over since then, and whatever the provider names, however old."""
    named = list(theirs)
    references = [each.reference for each in named]
    milestones = sorted({each.milestone_id for each in named if each.milestone_id is not None})
    with connection.cursor() as cursor:
        cursor.execute(_OURS, [provider.value, since, references, milestones])
        return [
            Ours(
                milestone_id=milestone_id,
                attempt_number=number,
                state=AttemptState(state),
                reference=reference,
                amount=Money(minor, currency),
                returned=Money(returned, currency),
                destination=rail.destination_in_their_words(json.loads(details)),
                at=at,
            )
            for milestone_id, number, state, reference, minor, currency, returned, details, at in cursor.fetchall()
        ]


def _kept(run: RailReconciliation, found: Sequence[Difference], now: datetime) -> RailReconciliation:
    """Writes the run with its differences; what the run before found as well keeps the time of its first sight."""
    before = RailReconciliation.objects.filter(provider=run.provider, error="").order_by("-id").first()
    seen = {
        (kind, milestone_id, number, reference): first
        for kind, milestone_id, number, reference, first in (
            before.items.values_list("kind", "milestone_id", "attempt_number", "reference", "first_seen_at")
            if before
            else ()
        )
    }
    with transaction.atomic():
        run.save()
        RailDifference.objects.bulk_create(
            RailDifference(
                reconciliation=run,
                kind=each.kind.value,
                milestone_id=each.milestone_id,
                attempt_number=each.attempt_number,
                reference=each.reference,
                ours=each.ours,
                theirs=each.theirs,
                amount_minor=each.payment.amount.minor if each.payment else None,
                returned_minor=each.payment.returned.minor if each.payment else None,
                currency=each.payment.amount.currency if each.payment else "",
                occurred_at=each.at,
                first_seen_at=seen.get(each.identity, now),
            )
            for each in found
        )
    return run
