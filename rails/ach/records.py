"""What a NACHA file consists of, once it was read: records with their line, entries, batches, the file."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from rails.ach.codes import CREDITS, DEBITS
from rails.ach.fields import Layout

_HASH_MODULUS: Final = 10**10


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a file, and where; the reason never repeats what may be an account number or a name."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class NachaError(Exception):
    """The file is not what the NACHA format asks for; it is refused whole."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Record:
    """One line, read by its layout."""

    line: int
    text: str
    layout: Layout

    def __getitem__(self, name: str) -> str:
        """The field's text as it stands in the file."""
        place = self.layout.by_name[name]
        return self.text[place.start : place.end]

    def has(self, name: str) -> bool:
        """Whether records of this kind have such a field."""
        return name in self.layout.by_name

    def trimmed(self, name: str) -> str:
        """The field's text without the blanks around it."""
        return self[name].strip(" ")

    def number(self, name: str) -> int:
        """The field of digits as a number."""
        return int(self[name])

    def faults(self) -> Iterator[Fault]:
        """What stands in a field and may not."""
        for place in self.layout.fields:
            if not place.rule.accepts(self.text[place.start : place.end]):
                yield Fault(self.line, f"{self.layout.name}: {place.title} {place.rule.words}")


@dataclass(slots=True)
class Entry:
    """One payment, return or notification, with its addenda."""

    record: Record
    addenda: list[Record] = field(default_factory=list)

    @property
    def transaction_code(self) -> str:
        return self.record["transaction_code"]

    @property
    def amount_minor(self) -> int:
        """In cents."""
        return self.record.number("amount")

    @property
    def credit_minor(self) -> int:
        return self.amount_minor if self.transaction_code in CREDITS else 0

    @property
    def debit_minor(self) -> int:
        return self.amount_minor if self.transaction_code in DEBITS else 0

    @property
    def is_forward(self) -> bool:
        """Neither a return nor a notification of change."""
        return not any(addendum["addenda_type"] in {"98", "99"} for addendum in self.addenda)


@dataclass(frozen=True, slots=True)
class Totals:
    """What control records sum up; amounts in cents."""

    entries_and_addenda: int = 0
    entry_hash: int = 0
    debits_minor: int = 0
    credits_minor: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.entries_and_addenda + other.entries_and_addenda,
            (self.entry_hash + other.entry_hash) % _HASH_MODULUS,
            self.debits_minor + other.debits_minor,
            self.credits_minor + other.credits_minor,
        )


@dataclass(slots=True)
class Batch:
    """Entries of one company and one standard entry class."""

    header: Record
    entries: list[Entry] = field(default_factory=list)
    control: Record | None = None

    @property
    def sec(self) -> str:
        return self.header["standard_entry_class"]

    @property
    def totals(self) -> Totals:
        """What the control record must say, by the entries themselves."""
        return Totals(
            sum(1 + len(entry.addenda) for entry in self.entries),
            sum(entry.record.number("rdfi_identification") for entry in self.entries) % _HASH_MODULUS,
            sum(entry.debit_minor for entry in self.entries),
            sum(entry.credit_minor for entry in self.entries),
        )


@dataclass(slots=True)
class NachaFile:
    """A whole file. Header and control are missing only from a bare list of returns (`is_bare`)."""

    header: Record | None = None
    batches: list[Batch] = field(default_factory=list)
    control: Record | None = None
    lines: int = 0

    @property
    def is_bare(self) -> bool:
        """Batches without any control record: nothing in the file says whether it is complete."""
        return self.header is None

    @property
    def totals(self) -> Totals:
        return sum((batch.totals for batch in self.batches), Totals())

    def entries(self) -> Iterator[tuple[Batch, Entry]]:
        """Every entry with its batch, in the file's order."""
        for batch in self.batches:
            for entry in batch.entries:
                yield batch, entry
