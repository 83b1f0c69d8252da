"""What must fit together in a NACHA file whose records are right one by one: codes, sequences, hashes and totals."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from rails.ach import codes
from rails.ach.changes import CHANGES, REFUSED_CHANGES
from rails.ach.codes import ServiceClass
from rails.ach.layouts import BLOCKING_FACTOR
from rails.ach.records import Batch, Entry, Fault, NachaFile, Record, Totals
from rails.ach.returns import RETURNS
from rails.routing.aba import check_digit

_FORBIDDEN: Final = {
    ServiceClass.CREDITS_ONLY: (codes.DEBITS, "a debit in a batch of credits"),
    ServiceClass.DEBITS_ONLY: (codes.CREDITS, "a credit in a batch of debits"),
}
_IAT_MANDATORY: Final = ("10", "11", "12", "13", "14", "15", "16")


def check(file: NachaFile, broken: AbstractSet[int]) -> list[Fault]:
    """What does not fit together, given the lines that are broken in themselves.

    With such lines only the entries without one are judged: totals and sequences would but repeat what is known.
    """
    if not broken:
        return list(_file_faults(file))
    return [
        fault
        for batch, entry in file.entries()
        if broken.isdisjoint((batch.header.line, entry.record.line, *(addendum.line for addendum in entry.addenda)))
        for fault in _entry_faults(batch, entry)
    ]


def _file_faults(file: NachaFile) -> Iterator[Fault]:
    for batch in file.batches:
        yield from _batch_faults(batch)
    if file.header is None or file.control is None:
        return
    yield from _header_faults(file.header)
    yield from _order_faults(file)
    control = file.control
    yield from _wrong_count(control, "batch_count", len(file.batches))
    yield from _wrong_totals(control, file.totals)
    records = control.line
    blocks = {-(-records // BLOCKING_FACTOR), -(-file.lines // BLOCKING_FACTOR)}
    if control.number("block_count") not in blocks:
        yield Fault(
            control.line,
            f"{control.layout.name}: block count is {control.number('block_count')}, the file has {min(blocks)}",
        )


def _header_faults(header: Record) -> Iterator[Fault]:
    destination = header["immediate_destination"]
    if destination[0] == " " and destination[1:].isdigit() and not _is_checked(destination[1:]):
        yield Fault(header.line, "file header: the immediate destination's check digit is wrong")


def _is_checked(nine_digits: str) -> bool:
    return check_digit(nine_digits[:8]) == int(nine_digits[8])


def _order_faults(file: NachaFile) -> Iterator[Fault]:
    """Forward batches are numbered upwards; a bank numbers the ones of returns as it likes."""
    last = -1
    for batch in file.batches:
        if all(entry.is_forward for entry in batch.entries):
            if batch.header.number("batch_number") <= last:
                yield Fault(batch.header.line, "batch header: the batch number is not above the one before it")
            last = batch.header.number("batch_number")


def _batch_faults(batch: Batch) -> Iterator[Fault]:
    if not batch.entries:
        yield Fault(batch.header.line, "the batch has no entries")
    if (batch.header["service_class"] == ServiceClass.ADVICES) != (batch.sec == "ADV"):
        yield Fault(batch.header.line, "batch header: service class 280 and ADV go together, and with nothing else")
    last = ""
    for entry in batch.entries:
        yield from _entry_faults(batch, entry)
        if entry.record.has("trace_number"):
            trace = entry.record["trace_number"]
            if trace <= last:
                yield Fault(entry.record.line, "entry detail: the trace number is not above the one before it")
            if trace[:8] != batch.header["odfi_identification"]:
                yield Fault(entry.record.line, "entry detail: the trace number does not begin with the batch's ODFI")
            last = trace
    if batch.control is not None:
        yield from _control_faults(batch, batch.control)


def _control_faults(batch: Batch, control: Record) -> Iterator[Fault]:
    for name in ("service_class", "company_identification", "odfi_identification", "batch_number"):
        if batch.sec == "IAT" and name == "company_identification" and not control.trimmed(name):
            continue  # an identification that may be blank there
        if control.has(name) and control.trimmed(name) != batch.header.trimmed(name):
            yield Fault(control.line, f"batch control: {name.replace('_', ' ')} is not the one of the batch header")
    yield from _wrong_totals(control, batch.totals)


def _wrong_totals(control: Record, totals: Totals) -> Iterator[Fault]:
    yield from _wrong_count(control, "entry_addenda_count", totals.entries_and_addenda)
    yield from _wrong_count(control, "entry_hash", totals.entry_hash)
    yield from _wrong_count(control, "total_debits", totals.debits_minor)
    yield from _wrong_count(control, "total_credits", totals.credits_minor)


def _wrong_count(control: Record, name: str, found: int) -> Iterator[Fault]:
    if control.number(name) != found:
        words = name.replace("_", " ")
        yield Fault(
            control.line, f"{control.layout.name}: {words} says {control.number(name)}, the records say {found}"
        )


def _entry_faults(batch: Batch, entry: Entry) -> Iterator[Fault]:
    record, code = entry.record, entry.transaction_code
    if code not in codes.TRANSACTION_CODES:
        yield Fault(record.line, f"entry detail: there is no transaction code {code}")
    forbidden, words = _FORBIDDEN.get(ServiceClass(batch.header["service_class"]), (frozenset(), ""))
    if code in forbidden:
        yield Fault(record.line, f"entry detail: transaction code {code} is {words}")
    if not _is_checked(record["rdfi_identification"] + record["check_digit"]):
        yield Fault(record.line, "entry detail: the routing number's check digit is wrong")
    if (record["addenda_indicator"] == "1") != bool(entry.addenda):
        yield Fault(record.line, "entry detail: the addenda indicator is not what follows")
    yield from _amount_faults(batch, entry)
    yield from _addenda_faults(batch, entry)


def _amount_faults(batch: Batch, entry: Entry) -> Iterator[Fault]:
    code, line = entry.transaction_code, entry.record.line
    if code in codes.PRENOTES | codes.ZERO_DOLLAR and entry.amount_minor:
        yield Fault(line, f"entry detail: transaction code {code} goes with an amount of zero")
    live = code in codes.TRANSACTION_CODES - codes.PRENOTES - codes.ZERO_DOLLAR
    if live and entry.is_forward and batch.sec in codes.DOLLAR_CLASSES and not entry.amount_minor:
        yield Fault(line, f"entry detail: transaction code {code} goes with an amount above zero")


def _addenda_faults(batch: Batch, entry: Entry) -> Iterator[Fault]:
    kinds = [addendum["addenda_type"] for addendum in entry.addenda]
    yield from _reason_faults(entry)
    if batch.sec == "IAT":
        yield from _iat_faults(entry, kinds)
        return
    line = entry.record.line
    if "98" in kinds and batch.sec != "COR":
        yield Fault(line, "a notification of change outside of a batch of class COR")
    if batch.sec == "COR" and kinds != ["98"]:
        yield Fault(line, "an entry of class COR has one addenda, of type 98")
    if "02" in kinds and batch.sec not in codes.TERMINAL_CLASSES:
        yield Fault(line, f"addenda 02 does not belong to class {batch.sec}")
    most = codes.MOST_ADDENDA_05.get(batch.sec, 9_999)
    if kinds.count("05") > most:
        yield Fault(line, f"an entry of class {batch.sec} has at most {most} addenda 05")
    if batch.sec in codes.COUNTS_ITS_ADDENDA and entry.is_forward:
        said = entry.record["individual_name"][:4]
        if not said.isdigit() or int(said) != len(kinds):
            yield Fault(line, "entry detail: the number of addenda (positions 55 to 58) is not what follows")
    yield from _sequence_faults(entry)


def _sequence_faults(entry: Entry) -> Iterator[Fault]:
    counted = (addendum for addendum in entry.addenda if addendum["addenda_type"] in {"05", "17", "18"})
    last: dict[str, int] = {}
    for addendum in counted:
        kind = addendum["addenda_type"]
        last[kind] = last.get(kind, 0) + 1
        if addendum.number("addenda_sequence_number") != last[kind]:
            yield Fault(addendum.line, f"{addendum.layout.name}: the sequence number should be {last[kind]}")
    for addendum in entry.addenda:
        if addendum.has("entry_sequence_number"):
            ours = entry.record["trace_number"][-7:] if entry.record.has("trace_number") else ""
            if ours and addendum["entry_sequence_number"] != ours:
                yield Fault(addendum.line, f"{addendum.layout.name}: it does not end as its entry's trace number does")


def _iat_faults(entry: Entry, kinds: list[str]) -> Iterator[Fault]:
    line = entry.record.line
    if entry.is_forward or "99" in kinds:
        if tuple(kinds[:7]) != _IAT_MANDATORY:
            yield Fault(line, "an IAT entry begins with addenda 10 to 16, one each, in this order")
        if kinds != sorted(kinds):
            yield Fault(line, "the addenda of an IAT entry are not in the order of their types")
    if entry.is_forward and entry.record.number("number_of_addenda") != len(kinds):
        yield Fault(line, "entry detail of IAT: the number of addenda is not what follows")
    yield from _sequence_faults(entry)


def _reason_faults(entry: Entry) -> Iterator[Fault]:
    for addendum in entry.addenda:
        if addendum["addenda_type"] == "99" and addendum["return_code"] not in RETURNS:
            yield Fault(addendum.line, f"there is no return reason code {addendum['return_code']}")
        if addendum["addenda_type"] != "98":
            continue
        if addendum.has("refused_change_code") and addendum["refused_change_code"] not in REFUSED_CHANGES:
            yield Fault(addendum.line, f"there is no code {addendum['refused_change_code']} of a refused change")
        change = CHANGES.get(addendum["change_code"])
        if change is None:
            yield Fault(addendum.line, f"there is no change code {addendum['change_code']}")
        elif change.parts and not addendum.trimmed("corrected_data"):
            yield Fault(addendum.line, f"{change.code} without any corrected data")
    if not entry.is_forward and entry.addenda[-1]["addenda_type"] not in {"98", "99"}:
        yield Fault(entry.record.line, "the addenda of a return or a notification is not the last one")
