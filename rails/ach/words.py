"""What became of entries: the only writer of outcomes, and how they are told to settlements."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import connection, transaction

from rails.ach.calendar import add_banking_days, last_timely_day
from rails.ach.configuration import AchConfiguration
from rails.ach.returns import LONGEST_DEADLINE
from rails.base import Notice, RailOutcome, SettlementProvider
from rails.models import AchEntry, AchEntryKind, AchFate, AchFile, AchFilePurpose, AchFileState, AchOutcome

_SOURCE: Final = "ach outcome "
# What each fate of an entry says of the payment.
_OUTCOMES: Final = {
    (AchEntryKind.PAYMENT, AchFate.CONFIRMED): RailOutcome.CONFIRMED,
    (AchEntryKind.PAYMENT, AchFate.RETURNED): RailOutcome.RETURNED,
    (AchEntryKind.REVERSAL, AchFate.CONFIRMED): RailOutcome.RECLAIMED,
    (AchEntryKind.REVERSAL, AchFate.RETURNED): RailOutcome.RECLAIM_FAILED,
}

# What came back is not settled, and a reversal that came back did not go through. The entries are locked before, so
# that what a file of the bank says of them meanwhile is seen.
_LOCK: Final = "SELECT id FROM rails_achentry WHERE file_id = %s AND kind <> 'OFFSET' ORDER BY id FOR UPDATE"
_ASSUME: Final = """
    INSERT INTO rails_achoutcome (entry_id, fate, source, reason, occurred_at, bank_reference)
    SELECT e.id, 'CONFIRMED', %s, '', %s, '' FROM rails_achentry e
    WHERE e.file_id = %s AND e.kind <> 'OFFSET'
      AND NOT EXISTS (SELECT 1 FROM rails_achoutcome o WHERE o.entry_id = e.id AND o.fate = 'RETURNED')
    ON CONFLICT DO NOTHING
"""
# A reversal that came back before it counted for anything changes nothing.
_CAME_TO_NOTHING: Final = """
    UPDATE rails_achoutcome o SET heard_at = %s FROM rails_achentry e
    WHERE e.id = o.entry_id AND e.kind = 'REVERSAL' AND o.fate = 'RETURNED' AND o.heard_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM rails_achoutcome t WHERE t.entry_id = e.id AND t.fate = 'CONFIRMED')
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


def assumed_on(configuration: AchConfiguration, file: AchFile) -> date:
    """The day on which the silence of the bank counts: payments soon, reversals when none can come back any more.

    A payment that counted too early counts as settled, and a return mends that. One that counts as taken back may be
    paid again, so a reversal, which is a debit, waits for the last day of the receiver's bank.
    """
    since = file.effective_entry_date
    if file.handed_over_at is not None:  # late, as one that people had to judge
        since = max(since, configuration.timetable.local(file.handed_over_at).date())
    if file.purpose == AchFilePurpose.REVERSALS:
        since = last_timely_day(LONGEST_DEADLINE, since) or since
    return add_banking_days(since, configuration.settled_after_days)


def assume_settled(
    configuration: AchConfiguration, *, now: datetime, except_files: Collection[int] = frozenset()
) -> int:
    """Counts the entries of each file as settled, some banking days after its effective date; how many files.

    A reversal that went through brings its payment back. `except_files`: of these the bank may have spoken.
    """
    today = configuration.timetable.local(now).date()
    latest = add_banking_days(today, -configuration.settled_after_days)
    waiting = AchFile.objects.filter(
        state=AchFileState.HANDED_OVER, settled_at__isnull=True, effective_entry_date__lte=latest
    ).exclude(pk__in=except_files)
    due = [file for file in waiting.order_by("pk") if assumed_on(configuration, file) <= today]
    return sum(_assume(file, now=now) for file in due)


def _assume(file: AchFile, *, now: datetime) -> bool:
    with transaction.atomic():
        changed = AchFile.objects.filter(pk=file.pk, state=AchFileState.HANDED_OVER, settled_at__isnull=True).update(
            settled_at=now
        )
        if not changed:
            return False
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, [file.pk])
            cursor.execute(_ASSUME, [f"no return of {file.name}", now, file.pk])
    return True


def take_down_what_was_never_sent(*, now: datetime) -> None:
    """A reversing entry in a file that never reached the bank comes to nothing, as one does that came back."""
    entries = AchEntry.objects.filter(
        kind=AchEntryKind.REVERSAL, file__state=AchFileState.NEVER_SENT, outcomes__isnull=True
    ).select_related("file")
    with transaction.atomic():
        write(
            Word(
                entry_id=entry.pk,
                fate=AchFate.RETURNED,
                source=f"verdict on {entry.file.name}",
                reason="The file never reached the bank",
                occurred_at=now,
            )
            for entry in entries
        )


def unheard(*, now: datetime) -> list[Notice]:
    """The outcomes of payments, and of their reversals, that no settlement was told of yet, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(_CAME_TO_NOTHING, [now])
    rows = AchOutcome.objects.filter(heard_at__isnull=True).select_related("entry__reverses__entry").order_by("pk")
    return [_notice(row) for row in rows if row.entry.kind != AchEntryKind.OFFSET]


def _notice(row: AchOutcome) -> Notice:
    kind, reason, paid = AchEntryKind(row.entry.kind), row.reason, row.entry
    if kind == AchEntryKind.REVERSAL:
        paid = row.entry.reverses.entry
        reason = _of_reversal(row)
    return Notice(
        provider=SettlementProvider.ACH,
        outcome=_OUTCOMES[kind, AchFate(row.fate)],
        source=f"{_SOURCE}{row.pk}",
        occurred_at=row.occurred_at,
        milestone_id=paid.milestone_id,
        attempt_number=paid.attempt_number,
        reference_id=paid.trace_number,
        reason=reason,
    )


def _of_reversal(row: AchOutcome) -> str:
    if row.fate == AchFate.RETURNED:
        return f"Reversing entry {row.entry.trace_number} came back: {row.reason}"
    reason = f"Reversed: {row.entry.reverses.get_permitted_reason_display()}"
    return f"{reason}. Under {row.bank_reference}: {row.reason}" if row.bank_reference else reason


def mark_heard(notices: Sequence[Notice], *, now: datetime) -> None:
    """Takes down that these outcomes were told, once."""
    ids = [int(notice.source.removeprefix(_SOURCE)) for notice in notices]
    AchOutcome.objects.filter(pk__in=ids, heard_at__isnull=True).update(heard_at=now)
