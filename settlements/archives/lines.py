"""How an audit event stands in an archive: a line of its row's id, the two hashes and its canonical form.

    8123 <64 digits of prev_hash> <64 digits of hash> {"action":"settlement_created",...}

SHA-256 over the 32 bytes of `prev_hash` and the canonical form, as it stands, is `hash` (settlements/audit.py).
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

# What a row of the table is told of by, in the order of `written` and of `Line.row`.
COLUMNS: Final = (
    "id", "intent_id", "sequence", "settlement_id", "action", "from_status", "to_status", "reason", "triggered_by",
    "approved_by", "data", "created_at", "prev_hash", "hash",
)  # fmt: skip
_LINE: Final = re.compile(rb"([1-9][0-9]{0,18}) ([0-9a-f]{64}) ([0-9a-f]{64}) (\{.*\})\n", re.DOTALL)
# Of the columns, those that the canonical form has.
_FORM: Final = tuple(sorted({*COLUMNS} - {"id", "prev_hash", "hash"}))


class NotALine(ValueError):
    """What stands there is no audit event, or not the one that its hash is of."""


@dataclass(frozen=True, slots=True)
class Line:
    """An audit event as an archive has it; `event` is its canonical form, read."""

    id: int
    prev_hash: bytes
    hash: bytes
    event: dict[str, Any]

    @property
    def intent_id(self) -> int:
        """Whose chain it is in."""
        return int(self.event["intent_id"])

    @property
    def sequence(self) -> int:
        """Its place there."""
        return int(self.event["sequence"])

    @property
    def row(self) -> list[Any]:
        """What the table would hold, in the order of COLUMNS; `data` as JSON, hashes as bytes."""
        known = self.event | {"id": self.id, "prev_hash": self.prev_hash, "hash": self.hash}
        known["data"] = orjson.dumps(known["data"]).decode()
        return [known[column] for column in COLUMNS]


def written(row: Sequence[Any]) -> bytes:
    """The line of a row of the table, whose columns are COLUMNS, `data` as text. Raises NotALine if its hash is not."""
    known = dict(zip(COLUMNS, row, strict=True))
    before, stored = bytes(known["prev_hash"]), bytes(known["hash"])
    moment: datetime = known["created_at"].astimezone(UTC)
    told = {column: known[column] for column in _FORM}
    told["created_at"], told["data"] = moment.isoformat(timespec="microseconds"), orjson.loads(known["data"])
    form = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    if hashlib.sha256(before + form).digest() != stored:
        raise NotALine(
            f"audit event {known['sequence']} of payment intent {known['intent_id']} is not what its hash is"
        )
    return b"%d %s %s %s\n" % (known["id"], before.hex().encode(), stored.hex().encode(), form)


def read(line: bytes) -> Line:
    """What a line says. Raises NotALine."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise NotALine("it is not an id, two hashes and an audit event")
    before, stored, form = bytes.fromhex(found[2].decode()), bytes.fromhex(found[3].decode()), found[4]
    if hashlib.sha256(before + form).digest() != stored:
        raise NotALine("its hash does not match its content")
    event = orjson.loads(form)
    if tuple(sorted(event)) != _FORM or orjson.dumps(event, option=orjson.OPT_SORT_KEYS) != form:
        raise NotALine("it is not in its canonical form")
    return Line(int(found[1]), before, stored, event)
