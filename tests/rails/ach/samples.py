"""NACHA files to read: built record by record, so that a test can spoil one of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from rails.ach import layouts
from rails.ach.codes import CREDITS, ServiceClass
from rails.ach.fields import Layout
from rails.ach.layouts import FILLER
from rails.ach.returns import CONTESTED, DISHONORED
from rails.ach.writer import NewBatch, NewEntry, NewFile, compose

DATA = Path(__file__).parents[2] / "data" / "ach"
BANK = "121042882"
RDFI = "231380104"
COMPANY = "1234567890"


def entry(number: int = 1, **changes: object) -> NewEntry:
    """A credit of one dollar to a checking account."""
    plain = NewEntry(
        transaction_code="22",
        routing_number=RDFI,
        account_number=f"{number:09}",
        amount_minor=100,
        identification=f"M{number}",
        name="Ann Smith",
        trace_number=f"{BANK[:8]}{number:07}",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def batch(entries: Sequence[NewEntry], **changes: object) -> NewBatch:
    plain = NewBatch(
        service_class=ServiceClass.MIXED,
        company_name="ChainPay",
        company_identification=COMPANY,
        sec="PPD",
        description="FREIGHT",
        descriptive_date="251107",
        effective_entry_date=date(2025, 11, 10),
        odfi=BANK,
        number=1,
        entries=entries,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def file(batches: Sequence[NewBatch], **changes: object) -> NewFile:
    plain = NewFile(
        immediate_destination=BANK,
        immediate_destination_name="First Bank",
        immediate_origin=COMPANY,
        immediate_origin_name="ChainPay",
        created_at=datetime(2025, 11, 7, 17, 0, tzinfo=UTC),
        id_modifier="A",
        batches=batches,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def returned(
    code: str, *, trace: str, number: int = 1, amount_minor: int = 100, transaction_code: str = "21"
) -> list[str]:
    """The two records by which a bank returns an entry of ours."""
    return [
        _detail(transaction_code, amount_minor, number),
        compose(
            _layout_of_return(code),
            {
                "record_type": "7",
                "addenda_type": "99",
                "return_code": code,
                "original_trace_number": trace,
                "original_rdfi_identification": RDFI[:8],
                "return_trace_number": f"{RDFI[:8]}0000099",
                "return_reason": "03",
                "trace_number": _bank_trace(number),
            },
        ),
    ]


def changed(code: str, data: str, *, trace: str, number: int = 1) -> list[str]:
    """The two records of a notification of change."""
    return [
        _detail("21", 0, number),
        compose(
            layouts.ADDENDA_98,
            {
                "record_type": "7",
                "addenda_type": "98",
                "change_code": code,
                "original_trace_number": trace,
                "original_rdfi_identification": RDFI[:8],
                "corrected_data": data,
                "trace_number": _bank_trace(number),
            },
        ),
    ]


def bank_file(*batches: tuple[str, Sequence[list[str]]], created: str = "251112", modifier: str = "A") -> bytes:
    """A file of the bank: for each batch its class and its entries with their addenda."""
    lines = [_header(created, modifier)]
    counts, hashes, debits, credits_ = 0, 0, 0, 0
    for number, (sec, items) in enumerate(batches, 1):
        records = [record for item in items for record in item]
        details = [record for record in records if record[0] == "6"]
        sums = {
            "entry_addenda_count": len(records),
            "entry_hash": sum(int(record[3:11]) for record in details),
            "total_debits": sum(int(record[29:39]) for record in details if record[1:3] not in CREDITS),
            "total_credits": sum(int(record[29:39]) for record in details if record[1:3] in CREDITS),
        }
        lines += [_batch_header(sec, number), *records, _batch_control(number, sums)]
        counts, hashes = counts + sums["entry_addenda_count"], hashes + sums["entry_hash"]
        debits, credits_ = debits + sums["total_debits"], credits_ + sums["total_credits"]
    blocks = -(-(len(lines) + 1) // 10)
    lines.append(
        compose(
            layouts.FILE_CONTROL,
            {
                "record_type": "9",
                "batch_count": len(batches),
                "block_count": blocks,
                "entry_addenda_count": counts,
                "entry_hash": hashes,
                "total_debits": debits,
                "total_credits": credits_,
            },
        )
    )
    lines += [FILLER] * (blocks * 10 - len(lines))
    return ("\n".join(lines) + "\n").encode()


def spoil(content: bytes, line: int, first: int, text: str) -> bytes:
    """The file with other characters from a position on; lines and positions are counted from one."""
    lines = content.decode().split("\n")
    old = lines[line - 1]
    lines[line - 1] = old[: first - 1] + text + old[first - 1 + len(text) :]
    return "\n".join(lines).encode()


def _layout_of_return(code: str) -> Layout:
    if code in DISHONORED:
        return layouts.ADDENDA_99_DISHONORED
    return layouts.ADDENDA_99_CONTESTED if code in CONTESTED else layouts.ADDENDA_99


def _bank_trace(number: int) -> str:
    return f"{RDFI[:8]}{number:07}"


def _detail(transaction_code: str, amount_minor: int, number: int) -> str:
    return compose(
        layouts.ENTRY,
        {
            "record_type": "6",
            "transaction_code": transaction_code,
            "rdfi_identification": BANK[:8],
            "check_digit": BANK[8],
            "account_number": "744-5678-99",
            "amount": amount_minor,
            "individual_name": "Ann Smith",
            "addenda_indicator": "1",
            "trace_number": _bank_trace(number),
        },
    )


def _header(created: str, modifier: str) -> str:
    return compose(
        layouts.FILE_HEADER,
        {
            "record_type": "1",
            "priority_code": "01",
            "immediate_destination": COMPANY,
            "immediate_origin": f" {BANK}",
            "file_creation_date": created,
            "file_creation_time": "0800",
            "file_id_modifier": modifier,
            "record_size": "094",
            "blocking_factor": "10",
            "format_code": "1",
        },
    )


def _batch_header(sec: str, number: int) -> str:
    return compose(
        layouts.BATCH_HEADER,
        {
            "record_type": "5",
            "service_class": "200",
            "company_name": "ChainPay",
            "company_identification": COMPANY,
            "standard_entry_class": sec,
            "company_entry_description": "FREIGHT",
            "effective_entry_date": "251112",
            "settlement_date": "316",
            "originator_status_code": "1",
            "odfi_identification": RDFI[:8],
            "batch_number": number,
        },
    )


def _batch_control(number: int, sums: dict[str, int]) -> str:
    return compose(
        layouts.BATCH_CONTROL,
        {
            "record_type": "8",
            "service_class": "200",
            "company_identification": COMPANY,
            "odfi_identification": RDFI[:8],
            "batch_number": number,
            **sums,
        },
    )
