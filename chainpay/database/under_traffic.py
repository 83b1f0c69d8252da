"""Would a migration stop the service? What holds a big table for as long as it is read or written is refused here.

The rules are PostgreSQL's (ALTER TABLE, CREATE INDEX: what takes which lock, what rewrites, what scans).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

# One row and more for each event, settlement, payment or message.
BIG_TABLES: Final = frozenset(
    {
        "rails_achentry",
        "rails_journalentry",
        "rails_posting",
        "rails_railattempt",
        "rails_railnotice",
        "rails_stripeevent",
        "settlements_auditevent",
        "settlements_delivery",
        "settlements_freighttoken",
        "settlements_milestonesettlement",
        "settlements_paymentintent",
        "settlements_paymentschedule",
        "settlements_paymentscheduleitem",
        "settlements_shipment",
        "settlements_shipmentevent",
    }
)
_TABLE: Final = r'(?:ONLY\s+)?(?:public\.)?"?(?P<table>\w+)"?'
_ALTER: Final = re.compile(rf"^ALTER TABLE (?:IF EXISTS )?{_TABLE}\s+(?P<what>.*)$", re.IGNORECASE | re.DOTALL)
_CREATE: Final = re.compile(rf"^CREATE TABLE {_TABLE}", re.IGNORECASE)
_INDEX: Final = re.compile(rf"^CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).*?\sON {_TABLE}", re.IGNORECASE | re.DOTALL)
_WHOLE: Final = re.compile(
    rf"^(?:VACUUM FULL|CLUSTER|REINDEX TABLE|LOCK(?: TABLE)?|UPDATE|DELETE FROM) {_TABLE}", re.IGNORECASE
)
_ALTERATIONS: Final = (
    (r"ALTER COLUMN \S+ (?:SET DATA )?TYPE\b", "changes the type of a column, which may write the table anew"),
    (r"ADD COLUMN .*\bDEFAULT [^,]*\(", "computes a default row by row, which writes the table anew"),
    (r"ADD COLUMN .*\b(?:GENERATED|serial|bigserial)\b", "adds a computed column, which writes the table anew"),
    (r"ALTER COLUMN \S+ SET NOT NULL", "reads the whole table for NOT NULL; validate a CHECK of it before"),
    (
        r"ADD (?:CONSTRAINT \S+ )?(?:CHECK|FOREIGN KEY)\b(?!.*\bNOT VALID)",
        "reads the whole table; add it NOT VALID, and validate it in the next migration",
    ),
    (
        r"ADD (?:CONSTRAINT \S+ )?(?:UNIQUE|PRIMARY KEY|EXCLUDE)\b(?!.*\bUSING INDEX)",
        "builds an index meanwhile; make it CONCURRENTLY, then USING INDEX",
    ),
    (r"SET (?:TABLESPACE|LOGGED|UNLOGGED)\b", "writes the table anew"),
)
_VALIDATES: Final = re.compile(r"VALIDATE CONSTRAINT", re.IGNORECASE)
_NOT_VALID: Final = re.compile(r"\bNOT VALID\b", re.IGNORECASE)
_COMMENT: Final = re.compile(r"^\s*--.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Danger:
    """A statement that holds a big table, and why it does."""

    table: str
    why: str
    statement: str

    def __str__(self) -> str:
        return f"{self.table}: {self.why}: {' '.join(self.statement.split())[:120]}"


def dangers(statements: Iterable[str], *, atomic: bool) -> list[Danger]:
    """What of one migration's statements is unsafe while others write. `atomic`: all of it is one transaction."""
    cleaned = [_COMMENT.sub("", each).strip() for each in statements]
    made_here = {made["table"] for each in cleaned if (made := _CREATE.match(each))}
    named = [danger for each in cleaned for danger in _of(each) if danger.table not in made_here]
    if atomic and any(_NOT_VALID.search(each) for each in cleaned):
        for each in cleaned:
            altered = _ALTER.match(each)
            if altered and altered["table"] in BIG_TABLES and _VALIDATES.search(altered["what"]):
                named.append(
                    Danger(altered["table"], "validates in the transaction that added it, under its lock", each)
                )
    return named


def _of(statement: str) -> Iterator[Danger]:
    altered = _ALTER.match(statement)
    if altered and altered["table"] in BIG_TABLES:
        for pattern, why in _ALTERATIONS:
            if re.search(pattern, altered["what"], re.IGNORECASE | re.DOTALL):
                yield Danger(altered["table"], why, statement)
    index = _INDEX.match(statement)
    if index and index["table"] in BIG_TABLES:
        yield Danger(index["table"], "lets nobody write until the index is built; make it CONCURRENTLY", statement)
    whole = _WHOLE.match(statement)
    if whole and whole["table"] in BIG_TABLES:
        yield Danger(whole["table"], "holds rows or the table until it ends", statement)
