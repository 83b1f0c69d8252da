"""Making a window's file and handing it to the bank: the only writer of wire files and of the wires in them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from rails import handover, staged_files
from rails.models import WireEntry, WireFile
from rails.money import Money
from rails.wire import pain001
from rails.wire.configuration import WireConfiguration
from rails.wire.pain001 import Initiation
from rails.wire.transfers import Transfer
from rails.wire.windows import Window

logger = logging.getLogger(__name__)

_PREFIX: Final = "CPWIRE-"
# No process that staged a file is still about to write its row after this long: a task is killed far earlier.
_ABANDONED_AFTER: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Known:
    """A wire there is already, with its file."""

    entry: WireEntry
    file: WireFile
    amount: Money


def of_milestones(milestone_ids: Sequence[int]) -> list[Known]:
    """The wires of these milestones, in the order they were written."""
    entries = (
        WireEntry.objects.filter(milestone_id__in=milestone_ids).prefetch_related("file", "answers").order_by("id")
    )
    return [Known(entry, entry.file, Money(entry.amount_minor, entry.currency)) for entry in entries]


def is_made(window: Window) -> bool:
    """Whether the window has its file."""
    return WireFile.objects.filter(currency=window.currency, window_opens=window.opens).exists()


def make(configuration: WireConfiguration, window: Window, transfers: Sequence[Transfer], *, now: datetime) -> WireFile:
    """Writes the file beside the outbox and then its rows; until they are committed nothing has happened.

    A name is never tried twice, so two that make the file of one window disturb neither's bytes: the database takes
    the rows of one. Raises IntegrityError, HandOverError.
    """
    _clear_abandoned(configuration)
    file = _drafted(configuration, window, transfers, now=now)
    content = pain001.write(
        Initiation(
            message_id=file.message_id,
            created_at=now,
            execution_date=window.day,
            debtor=configuration.debtor,
            account=configuration.accounts[window.currency],
            transfers=transfers,
        )
    )
    file.sha256 = handover.stage(configuration.outbox, file.name, content)
    with transaction.atomic():
        file.save(force_insert=True)
        WireEntry.objects.bulk_create(_entry(file, transfer) for transfer in transfers)
    logger.info("Wire file %s staged: %s payments, %s", file.name, file.entry_count, window.currency)
    return file


def _clear_abandoned(configuration: WireConfiguration) -> None:
    """Removes what lies staged and is not to be handed over, for it holds account numbers."""
    old = [
        staged.name
        for staged in handover.staged(configuration.outbox)
        if staged.age > _ABANDONED_AFTER and staged.name.startswith(_PREFIX)
    ]
    in_use = staged_files.names_in_use(old)
    for name in old:
        if name not in in_use:
            logger.warning("Wire file %s is not to be handed over and is removed", name)
            handover.discard(configuration.outbox, name)


def _drafted(
    configuration: WireConfiguration, window: Window, transfers: Sequence[Transfer], *, now: datetime
) -> WireFile:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('rails_wirefile', 'id'))")
        (number,) = cursor.fetchone()
    message_id = f"{_PREFIX}{window.currency}-{window.day:%Y%m%d}-{number}"
    return WireFile(
        pk=number,
        name=f"{message_id}.xml",
        message_id=message_id,
        currency=window.currency,
        window_opens=window.opens,
        execution_date=window.day,
        entry_count=len(transfers),
        amount_minor=sum(transfer.amount.minor for transfer in transfers),
        created_at=now,
    )


def _entry(file: WireFile, transfer: Transfer) -> WireEntry:
    return WireEntry(
        file=file,
        milestone_id=transfer.milestone_id,
        attempt_number=transfer.attempt_number,
        end_to_end_id=transfer.end_to_end_id,
        uetr=transfer.uetr,
        destination_id=transfer.destination_id,
        currency=transfer.amount.currency,
        amount_minor=transfer.amount.minor,
    )
