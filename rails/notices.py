"""Every word of a provider about an attempt is kept, once per source: the only writer of notices."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rails.attempts import LONGEST_ERROR
from rails.base import Applied, Notice
from rails.models.notice import RailNotice

Word = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """A notice about an attempt (its row id), and what it changed."""

    attempt_id: int
    notice: Notice
    applied: Applied


def word(attempt_id: int, notice: Notice) -> Word:
    """What makes a word of a provider the same as another: attempt, source, outcome."""
    return (attempt_id, notice.source, notice.outcome.value)


def known(words: Iterable[Word]) -> set[Word]:
    """Those of the words that were taken down before. One statement."""
    wanted = set(words)
    if not wanted:
        return set()
    found = RailNotice.objects.filter(
        attempt_id__in={attempt_id for attempt_id, _, _ in wanted}, source__in={source for _, source, _ in wanted}
    )
    return set(found.values_list("attempt_id", "source", "outcome")) & wanted


def take_down(told: Sequence[Told], *, now: datetime) -> None:
    """Writes the notices, in the caller's transaction, with what they changed."""
    RailNotice.objects.bulk_create(
        RailNotice(
            attempt_id=each.attempt_id,
            source=each.notice.source,
            outcome=each.notice.outcome.value,
            applied=each.applied.value,
            reference=each.notice.reference_id,
            amount_minor=None if each.notice.amount is None else each.notice.amount.minor,
            currency="" if each.notice.amount is None else each.notice.amount.currency,
            reason=each.notice.reason[:LONGEST_ERROR],
            occurred_at=each.notice.occurred_at,
            created_at=now,
        )
        for each in told
    )
