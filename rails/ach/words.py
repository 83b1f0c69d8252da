"""What became of entries: the only writer of outcomes, and how they are told to settlements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.models import Q

from rails.ach.calendar import add_banking_days
from rails.ach.configuration import AchConfiguration
from rails.base import Notice, RailOutcome, SettlementProvider
from rails.models import AchEntry, AchEntryKind, AchFate, AchFile, AchFileState, AchOutcome

_SOURCE: Final = "ach outcome "
_OUTCOMES: Final = {AchFate.CONFIRMED: RailOutcome.CONFIRMED, AchFate.RETURNED: RailOutcome.RETURNED}

# What came back is not settled, and what was reversed is only known once the reversal is.
_ASSUME: Final = """
    INSERT INTO rails_achoutcome (entry_id, fate, source, reason, occurred_at)
    SELECT e.id, 'CONFIRMED', %s, '', %s FROM rails_achentry e
    WHERE e.file_id = %s AND e.kind <> 'OFFSET'
      AND NOT EXISTS (SELECT 1 FROM rails_achoutcome o WHERE o.entry_id = e.id AND o.fate = 'RETURNED')
    ON CONFLICT DO NOTHING
    RETURNING entry_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One outcome to write."""

    entry_id: int
    fate: AchFate
    source: str
    reason: str
    occurred_at: datetime


def write(new: Iterable[Word]) -> set[int]:
    """Writes outcomes that are new, in the caller's transaction; the entries that had none of this fate before."""
    rows = [
        AchOutcome(
            entry_id=word.entry_id,
            fate=word.fate,
            source=word.source,
            reason=word.reason,
            occurred_at=word.occurred_at,
        )
        for word in new
    ]
    wanted = {(row.entry_id, row.fate) for row in rows}
    before = set(AchOutcome.objects.filter(entry_id__in=[row.entry_id for row in rows]).values_list("entry_id", "fate"))
    AchOutcome.objects.bulk_create(rows, ignore_conflicts=True)
    return {entry_id for entry_id, _ in wanted - before}


def assume_settled(configuration: AchConfiguration, *, now: datetime) -> int:
    """Counts the entries of each file as settled, some banking days after its effective date; how many files.

    A reversal that went through brings its payment back.
    """
    today = configuration.timetable.local(now).date()
    latest = add_banking_days(today, -configuration.settled_after_days)
    due = AchFile.objects.filter(
        state=AchFileState.HANDED_OVER, settled_at__isnull=True, effective_entry_date__lte=latest
    ).order_by("pk")
    return sum(_assume(file, now=now) for file in due)


def _assume(file: AchFile, *, now: datetime) -> bool:
    with transaction.atomic():
        changed = AchFile.objects.filter(pk=file.pk, state=AchFileState.HANDED_OVER, settled_at__isnull=True).update(
            settled_at=now
        )
        if not changed:
            return False
        with connection.cursor() as cursor:
            cursor.execute(_ASSUME, [f"no return of {file.name}", now, file.pk])
            confirmed = [entry_id for (entry_id,) in cursor.fetchall()]
        went_through = AchEntry.objects.filter(pk__in=confirmed, kind=AchEntryKind.REVERSAL).select_related("reverses")
        write(
            Word(
                entry_id=sent.reverses.entry_id,
                fate=AchFate.RETURNED,
                source=f"reversing entry {sent.trace_number}",
                reason=f"Reversed: {sent.reverses.get_permitted_reason_display()}",
                occurred_at=now,
            )
            for sent in went_through
        )
    return True


def unheard() -> list[Notice]:
    """The outcomes of payments that no settlement was told of yet, in their order."""
    rows = (
        AchOutcome.objects.filter(Q(entry__kind=AchEntryKind.PAYMENT), heard_at__isnull=True)
        .select_related("entry")
        .order_by("pk")
    )
    return [
        Notice(
            provider=SettlementProvider.ACH,
            outcome=_OUTCOMES[AchFate(row.fate)],
            source=f"{_SOURCE}{row.pk}",
            occurred_at=row.occurred_at,
            milestone_id=row.entry.milestone_id,
            attempt_number=row.entry.attempt_number,
            reference_id=row.entry.trace_number,
            reason=row.reason,
        )
        for row in rows
    ]


def mark_heard(notices: Sequence[Notice], *, now: datetime) -> None:
    """Takes down that these outcomes were told, once."""
    ids = [int(notice.source.removeprefix(_SOURCE)) for notice in notices]
    AchOutcome.objects.filter(pk__in=ids, heard_at__isnull=True).update(heard_at=now)
