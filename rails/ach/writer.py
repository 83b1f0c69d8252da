"""How a NACHA file is written: from values to records, with every hash and total computed from the entries written."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from rails.ach import layouts
from rails.ach.codes import CREDITS, DEBITS, ServiceClass
from rails.ach.fields import Layout
from rails.ach.layouts import BLOCKING_FACTOR, FILLER
from rails.ach.records import Totals

MAX_ENTRY_MINOR: Final = 10**10 - 1  # an entry's amount has ten digits: 99,999,999.99
MAX_FILE_MINOR: Final = 10**12 - 1  # a control's total has twelve: 9,999,999,999.99
MAX_BATCH_ENTRIES: Final = 999_999

# Letters that are no letter of ASCII with a mark.
_LETTERS: Final = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    | {"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH", "ı": "i", "’": "'", "‘": "'", "–": "-", "—": "-"}
)


class DoesNotFit(ValueError):
    """A value that its field can not hold; the message names the field and never the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """One entry to write; amounts in cents."""

    transaction_code: str
    routing_number: str
    account_number: str = field(repr=False)
    amount_minor: int
    identification: str
    name: str = field(repr=False)
    trace_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """Entries of one company and class."""

    service_class: ServiceClass
    company_name: str
    company_identification: str
    sec: str
    description: str
    descriptive_date: str
    effective_entry_date: date
    odfi: str
    number: int
    entries: Sequence[NewEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file to write; `created_at` by the bank's clock."""

    immediate_destination: str
    immediate_destination_name: str
    immediate_origin: str
    immediate_origin_name: str
    created_at: datetime
    id_modifier: str
    batches: Sequence[NewBatch]


@dataclass(frozen=True, slots=True)
class Written:
    """The bytes, and what their control says."""

    content: bytes = field(repr=False)
    totals: Totals


def plain(text: str) -> str:
    """A text in the characters that NACHA knows: marks are taken off, what has no likeness becomes a blank."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    kept = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return " ".join("".join(sign if " " <= sign <= "~" else " " for sign in kept).split())


def write(file: NewFile) -> Written:
    """The whole file, filled up with nines to blocks of ten records. Raises DoesNotFit."""
    records = [_file_header(file)]
    totals = Totals()
    for batch in file.batches:
        lines, sums = _batch(batch)
        records += lines
        totals += sums
    blocks = -(-(len(records) + 1) // BLOCKING_FACTOR)
    records.append(_file_control(len(file.batches), blocks, totals))
    records += [FILLER] * (blocks * BLOCKING_FACTOR - len(records))
    return Written(("\n".join(records) + "\n").encode("ascii"), totals)


def compose(layout: Layout, values: Mapping[str, str | int]) -> str:
    """One record: numbers with zeros in front, texts with blanks behind, fields without a value blank."""
    parts = []
    for place in layout.fields:
        width, value = place.end - place.start, values.get(place.name, "")
        text = str(value).rjust(width, "0") if isinstance(value, int) else value.ljust(width)
        if len(text) != width or not text.isascii() or not text.isprintable():
            raise DoesNotFit(f"{layout.name}: a value does not fit into {place.title}")
        if not place.rule.accepts(text):
            raise DoesNotFit(f"{layout.name}: {place.title} {place.rule.words}")
        parts.append(text)
    return "".join(parts)


def _file_header(file: NewFile) -> str:
    return compose(
        layouts.FILE_HEADER,
        {
            "record_type": "1",
            "priority_code": "01",
            "immediate_destination": file.immediate_destination.rjust(10),
            "immediate_origin": file.immediate_origin.rjust(10),
            "file_creation_date": f"{file.created_at:%y%m%d}",
            "file_creation_time": f"{file.created_at:%H%M}",
            "file_id_modifier": file.id_modifier,
            "record_size": "094",
            "blocking_factor": "10",
            "format_code": "1",
            "immediate_destination_name": plain(file.immediate_destination_name)[:23],
            "immediate_origin_name": plain(file.immediate_origin_name)[:23],
        },
    )


def _batch(batch: NewBatch) -> tuple[list[str], Totals]:
    if not batch.entries or len(batch.entries) > MAX_BATCH_ENTRIES:
        raise DoesNotFit(f"a batch has 1 to {MAX_BATCH_ENTRIES:,} entries, not {len(batch.entries):,}")
    header = compose(
        layouts.BATCH_HEADER,
        {
            "record_type": "5",
            "service_class": batch.service_class,
            "company_name": plain(batch.company_name)[:16],
            "company_identification": batch.company_identification,
            "standard_entry_class": batch.sec,
            "company_entry_description": batch.description,
            "company_descriptive_date": batch.descriptive_date,
            "effective_entry_date": f"{batch.effective_entry_date:%y%m%d}",
            "originator_status_code": "1",
            "odfi_identification": batch.odfi[:8],
            "batch_number": batch.number,
        },
    )
    totals = sum((_sums(entry) for entry in batch.entries), Totals())
    control = compose(
        layouts.BATCH_CONTROL,
        {
            "record_type": "8",
            "service_class": batch.service_class,
            **_control(totals),
            "company_identification": batch.company_identification,
            "odfi_identification": batch.odfi[:8],
            "batch_number": batch.number,
        },
    )
    return [header, *(entry_record(entry) for entry in batch.entries), control], totals


def entry_record(entry: NewEntry) -> str:
    """One entry detail record. Raises DoesNotFit."""
    return compose(
        layouts.ENTRY,
        {
            "record_type": "6",
            "transaction_code": entry.transaction_code,
            "rdfi_identification": entry.routing_number[:8],
            "check_digit": entry.routing_number[8:],
            "account_number": entry.account_number,
            "amount": entry.amount_minor,
            "individual_identification": entry.identification,
            "individual_name": plain(entry.name)[:22],
            "addenda_indicator": "0",
            "trace_number": entry.trace_number,
        },
    )


def _sums(entry: NewEntry) -> Totals:
    code, amount = entry.transaction_code, entry.amount_minor
    if code not in CREDITS | DEBITS or not 0 < amount <= MAX_ENTRY_MINOR:
        raise DoesNotFit("an entry has a known transaction code and an amount of one cent to 99,999,999.99")
    debit, credit = (amount, 0) if code in DEBITS else (0, amount)
    return Totals(1, int(entry.routing_number[:8]), debit, credit)


def _control(totals: Totals) -> dict[str, str | int]:
    return {
        "entry_addenda_count": totals.entries_and_addenda,
        "entry_hash": totals.entry_hash,
        "total_debits": totals.debits_minor,
        "total_credits": totals.credits_minor,
    }


def _file_control(batches: int, blocks: int, totals: Totals) -> str:
    values: dict[str, str | int] = {"record_type": "9", "batch_count": batches, "block_count": blocks}
    return compose(layouts.FILE_CONTROL, values | _control(totals))
