"""Making a window's file and handing it to the bank: the only writer of ACH files and of the entries in them."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from rails import handover, staged_files
from rails.ach import numbers, reader, writer
from rails.ach.calendar import Window
from rails.ach.codes import AccountType, Direction, ServiceClass, transaction_code
from rails.ach.configuration import AchConfiguration
from rails.ach.payments import Payment
from rails.ach.writer import MAX_ENTRY_MINOR, NewBatch, NewEntry, NewFile
from rails.models import AchEntry, AchEntryKind, AchFile, AchFilePurpose

logger = logging.getLogger(__name__)

_PREFIX: Final = "CPACH-"
# No process that staged a file is still about to write its row after this long: a task is killed far earlier.
_ABANDONED_AFTER: Final = timedelta(hours=2)
_DESCRIPTION: Final = {AchFilePurpose.PAYMENTS: "FREIGHT", AchFilePurpose.REVERSALS: "REVERSAL"}
_BUILDS: Final = {
    AchFilePurpose.PAYMENTS: (AchEntryKind.PAYMENT, Direction.CREDIT, Direction.DEBIT),
    AchFilePurpose.REVERSALS: (AchEntryKind.REVERSAL, Direction.DEBIT, Direction.CREDIT),
}


@dataclass(frozen=True, slots=True)
class _Drawn:
    """An entry as it is written to the file and to the database."""

    written: NewEntry
    row: AchEntry


def of_milestones(milestone_ids: Iterable[int]) -> list[AchEntry]:
    """The payments of these milestones, in the order they were written, with outcomes and files (one object each)."""
    return list(
        AchEntry.objects.filter(milestone_id__in=list(milestone_ids), kind=AchEntryKind.PAYMENT)
        .prefetch_related("file", "outcomes")
        .order_by("pk")
    )


def is_made(window: Window, purpose: AchFilePurpose = AchFilePurpose.PAYMENTS) -> bool:
    """Whether the window has its file."""
    return AchFile.objects.filter(window_day=window.day, window_cut_off=window.cut_off, purpose=purpose).exists()


def make(
    configuration: AchConfiguration,
    window: Window,
    payments: Sequence[Payment],
    *,
    purpose: AchFilePurpose = AchFilePurpose.PAYMENTS,
    with_rows: Callable[[Sequence[AchEntry]], None] = lambda entries: None,
    now: datetime,
) -> AchFile:
    """Writes the file beside the outbox and then its rows; until they are committed nothing has happened.

    `with_rows` writes what belongs to the entries in their transaction; it gets them in the order of the payments. A
    name is never tried twice, so two that make the file of one window disturb neither's bytes: the database takes the
    rows of one. Raises IntegrityError, HandOverError, DoesNotFit, NumbersUsedUp.
    """
    _clear_abandoned(configuration)
    local = configuration.timetable.local(now)
    file = AchFile(
        pk=numbers.next_file_id(),
        purpose=purpose,
        window_day=window.day,
        window_cut_off=window.cut_off,
        same_day=window.same_day,
        effective_entry_date=window.effective_entry_date,
        creation_date=local.date(),
        id_modifier=numbers.next_modifier(local.date()),
        created_at=now,
    )
    batches, rows = _batches(configuration, file, payments)
    written = writer.write(_new_file(configuration, file, batches, local))
    # What we could not read ourselves a bank would not take either.
    assert reader.read(written.content).totals == written.totals
    file.name = f"{_PREFIX}{file.creation_date:%Y%m%d}-{file.id_modifier}-{file.pk}.ach"
    file.entry_count = written.totals.entries_and_addenda
    file.entry_hash = written.totals.entry_hash
    file.debits_minor = written.totals.debits_minor
    file.credits_minor = written.totals.credits_minor
    file.sha256 = handover.stage(configuration.outbox, file.name, written.content)
    with transaction.atomic():
        file.save(force_insert=True)
        made = AchEntry.objects.bulk_create(rows)
        with_rows([entry for entry in made if entry.kind != AchEntryKind.OFFSET])
    logger.info("ACH file %s staged: %s entries, window %s", file.name, file.entry_count, window.name)
    return file


def _clear_abandoned(configuration: AchConfiguration) -> None:
    """Removes what lies staged and is not to be handed over, for it holds account numbers."""
    old = [
        staged.name
        for staged in handover.staged(configuration.outbox)
        if staged.age > _ABANDONED_AFTER and staged.name.removeprefix(".").startswith(_PREFIX)
    ]
    in_use = staged_files.names_in_use(old)
    for name in old:
        if name not in in_use:
            logger.warning("ACH file %s is not to be handed over and is removed", name)
            handover.discard(configuration.outbox, name)


def _new_file(configuration: AchConfiguration, file: AchFile, batches: Sequence[NewBatch], local: datetime) -> NewFile:
    return NewFile(
        immediate_destination=configuration.immediate_destination,
        immediate_destination_name=configuration.immediate_destination_name,
        immediate_origin=configuration.immediate_origin,
        immediate_origin_name=configuration.immediate_origin_name,
        created_at=local,
        id_modifier=file.id_modifier,
        batches=batches,
    )


def _batches(
    configuration: AchConfiguration, file: AchFile, payments: Sequence[Payment]
) -> tuple[list[NewBatch], list[AchEntry]]:
    """A balanced batch for each class, and the rows: those of the payments first, in the payments' order."""
    classes = sorted({payment.sec for payment in payments})
    batch_numbers = dict(zip(classes, numbers.batch_numbers(len(classes)), strict=True))
    offsets = {sec: _offset_amounts(configuration, file, payments, sec) for sec in classes}
    count = len(payments) + sum(map(len, offsets.values()))
    traces = iter(numbers.trace_numbers(configuration.odfi, count))
    by_class: dict[str, list[_Drawn]] = {}
    for sec in classes:
        own = [payment for payment in payments if payment.sec == sec]
        by_class[sec] = [_paying(file, payment, next(traces), batch_numbers[sec]) for payment in own]
        by_class[sec] += [
            _offset(configuration, file, minor, next(traces), batch_numbers[sec], sec) for minor in offsets[sec]
        ]
    drawn = [each for each_class in by_class.values() for each in each_class]
    places = {payment.attempt: place for place, payment in enumerate(payments)}
    rows = sorted(
        (each.row for each in drawn),
        key=lambda row: places.get((row.milestone_id or 0, row.attempt_number or 0), len(places)),
    )
    return [
        NewBatch(
            service_class=ServiceClass.MIXED,
            company_name=configuration.company_name,
            company_identification=configuration.company_id,
            sec=sec,
            description=_DESCRIPTION[AchFilePurpose(file.purpose)],
            descriptive_date=f"{file.window_day:%y%m%d}",
            effective_entry_date=file.effective_entry_date,
            odfi=configuration.odfi,
            number=batch_numbers[sec],
            entries=[each.written for each in by_class[sec]],
        )
        for sec in classes
    ], rows


def _paying(file: AchFile, payment: Payment, trace_number: str, batch_number: int) -> _Drawn:
    kind, direction, _ = _BUILDS[AchFilePurpose(file.purpose)]
    written = payment.entry(direction, trace_number)
    return _Drawn(
        written,
        AchEntry(
            file=file,
            kind=kind,
            milestone_id=payment.milestone_id,
            attempt_number=payment.attempt_number,
            trace_number=trace_number,
            batch_number=batch_number,
            sec=payment.sec,
            transaction_code=written.transaction_code,
            rdfi=payment.routing_number,
            destination_id=payment.destination_id,
            amount_minor=payment.amount.minor,
        ),
    )


def _offset_amounts(configuration: AchConfiguration, file: AchFile, payments: Sequence[Payment], sec: str) -> list[int]:
    """What balances a batch, in pieces that the format and the same-day limit take."""
    most = configuration.same_day_limit.minor if file.same_day else MAX_ENTRY_MINOR
    whole, rest = divmod(sum(payment.amount.minor for payment in payments if payment.sec == sec), most)
    return [most] * whole + ([rest] if rest else [])


def _offset(
    configuration: AchConfiguration, file: AchFile, minor: int, trace_number: str, batch_number: int, sec: str
) -> _Drawn:
    _, _, direction = _BUILDS[AchFilePurpose(file.purpose)]
    account = configuration.offset
    code = transaction_code(AccountType(account.account_type), direction)
    written = NewEntry(
        transaction_code=code,
        routing_number=account.routing_number,
        account_number=account.account_number,
        amount_minor=minor,
        identification="OFFSET",
        name=configuration.company_name,
        trace_number=trace_number,
    )
    return _Drawn(
        written,
        AchEntry(
            file=file,
            kind=AchEntryKind.OFFSET,
            trace_number=trace_number,
            batch_number=batch_number,
            sec=sec,
            transaction_code=code,
            rdfi=account.routing_number,
            amount_minor=minor,
        ),
    )
