"""Copies of one intent and all that came of it, which agree with one another as the domain would have left them.

Ids, references and hashes are a copy's own, so that every check of `verify_books` passes on it. They are written by
COPY while the guards sleep (`session_replication_role`), which nothing but a bench should do.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson
from django.db import connection, transaction

from settlements import audit

Template = dict[str, list[dict[str, Any]]]

TABLES = (
    "settlements_shipment", "settlements_freighttoken", "settlements_paymentintent", "settlements_paymentschedule",
    "settlements_paymentscheduleitem", "settlements_shipmentevent", "settlements_milestonesettlement",
    "rails_journalentry", "rails_posting", "settlements_auditevent",
)  # fmt: skip
# Which columns name a row of which table; ids of a copy are those of the template and so many rows on.
REFERENCES = {
    "shipment_id": "settlements_shipment", "freight_token_id": "settlements_freighttoken",
    "intent_id": "settlements_paymentintent", "event_id": "settlements_shipmentevent",
    "settlement_id": "settlements_milestonesettlement", "milestone_id": "settlements_milestonesettlement",
    "entry_id": "rails_journalentry",
}  # fmt: skip
# Their ids are a copy's own; those of the others are named by nobody and come from the sequence.
_NAMED = frozenset(REFERENCES.values())


def template() -> Template:
    """All rows that are there now, by table: those of one intent."""
    found = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")
            names = [column.name for column in cursor.description or ()]
            found[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return found


def write(of: Template, *, first: int, last: int) -> None:
    """The copies of these numbers, the first of all being 1."""
    steps = {table: max((row["id"] for row in rows), default=0) for table, rows in of.items()}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, rows in of.items():
            if not rows:
                continue
            names = [name for name in rows[0] if name != "booked_on" and (name != "id" or table in _NAMED)]
            with cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
                for number in range(first, last + 1):
                    for row in _copied(table, rows, steps, number):
                        copy.write_row([row[name] for name in names])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _copied(table: str, rows: list[dict[str, Any]], steps: dict[str, int], number: int) -> Iterator[dict[str, Any]]:
    head = bytes(32)
    for row in rows:
        copy = {**row, "id": row["id"] + number * steps[table]}
        for name, target in REFERENCES.items():
            if isinstance(row.get(name), int):
                copy[name] = row[name] + number * steps[target]
        if table == "settlements_shipment":
            copy["shipment_id"] = f"{row['shipment_id']}-{number}"
        if table == "settlements_shipmentevent":
            body = orjson.loads(row["body"])
            copy["body"] = orjson.dumps(body | {"shipment_id": f"{body['shipment_id']}-{number}"}).decode()
            copy["body_hash"] = hashlib.sha256(copy["body"].encode()).digest()
            copy["message_id"] = f"{row['message_id']}-{number}"
        if "reference" in row:
            copy["reference"] = _moved(row["reference"], steps, number)
        if table == "settlements_auditevent":
            copy["data"] = _told(orjson.loads(row["data"]), steps, number)
            copy["prev_hash"], copy["hash"] = head, _hash(head, copy)
            head = copy["hash"]
            copy["data"] = orjson.dumps(copy["data"]).decode()
        yield copy


def _moved(reference: str, steps: dict[str, int], number: int) -> str:
    """The reference of the ledger ends in the number of its milestone."""
    before, _, milestone = reference.rpartition(":")
    return f"{before}:{int(milestone) + number * steps['settlements_milestonesettlement']}" if before else reference


def _told(data: dict[str, Any], steps: dict[str, int], number: int) -> dict[str, Any]:
    told = dict(data)
    for name, target in REFERENCES.items():
        if isinstance(told.get(name), int):
            told[name] += number * steps[target]
    if "shipment_id" in told:
        told["shipment_id"] = f"{told['shipment_id']}-{number}"
    if told.get("reference"):
        told["reference"] = _moved(told["reference"], steps, number)
    return told


def _hash(before: bytes, row: dict[str, Any]) -> bytes:
    facts = {
        name: row[name]
        for name in ("intent_id", "settlement_id", "action", "from_status", "to_status", "reason", "triggered_by",
                     "approved_by", "data")
    }  # fmt: skip
    canonical = audit.canonical(audit.Draft(**facts), sequence=row["sequence"], created_at=row["created_at"])
    return audit.chained(before, canonical)
