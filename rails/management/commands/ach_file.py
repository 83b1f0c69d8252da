"""`manage.py ach_file FILE`: what is in a NACHA file, with account numbers masked, or what is wrong with it."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rails.ach.lines import MAX_BYTES
from rails.ach.reader import read
from rails.ach.records import Batch, Entry, NachaError
from rails.money import Money
from rails.routing.details import last_digits


class Command(BaseCommand):
    help = "Shows a NACHA file, ours or the bank's, without account numbers; tells line and reason if it is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"].open("rb") as opened:
                file = read(opened.read(MAX_BYTES + 1))
        except OSError as error:
            raise CommandError(f"The file can not be read: {error.strerror}") from error
        except NachaError as error:
            raise CommandError("\n".join(["The file is refused.", *map(str, error.faults)])) from error
        totals = file.totals
        if file.header is not None:
            header = file.header
            self.stdout.write(
                f"File of {header['file_creation_date']} {header['file_id_modifier']},"
                f" from {header.trimmed('immediate_origin')} to {header.trimmed('immediate_destination')}"
            )
        else:
            self.stdout.write("A bare list of returns: nothing says whether it is complete")
        for batch in file.batches:
            self.stdout.write(_batch(batch))
            for entry in batch.entries:
                self.stdout.write(_entry(entry))
        self.stdout.write(
            f"Debits {Money(totals.debits_minor, 'USD')}, credits {Money(totals.credits_minor, 'USD')},"
            f" {totals.entries_and_addenda} entries and addenda, hash {totals.entry_hash}"
        )


def _batch(batch: Batch) -> str:
    header = batch.header
    return (
        f"Batch {header['batch_number']} {batch.sec} {header.trimmed('company_entry_description')},"
        f" effective {header.trimmed('effective_entry_date') or 'never'}"
    )


def _entry(entry: Entry) -> str:
    record = entry.record
    account = last_digits(record.trimmed("account_number"))
    trace = record["trace_number"] if record.has("trace_number") else ""
    codes = " ".join(
        addendum["return_code" if addendum["addenda_type"] == "99" else "change_code"]
        + f" of {addendum['original_trace_number']}"
        for addendum in entry.addenda
        if addendum["addenda_type"] in {"98", "99"}
    )
    amount = Money(entry.amount_minor, "USD")
    words = f"  {trace} {entry.transaction_code} {record['rdfi_identification']} ••{account} {amount} {codes}"
    return words.rstrip()
