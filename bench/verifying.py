"""`python -m bench.verifying`: how long `verify_books` takes over a million audit events, and how much memory it holds.

One paid intent is made by the domain; the others are its copies with ids, references and hashes of their own, written
by COPY while the guards sleep, which nothing but a bench should do. Every check passes, and looks at every row.
"""

import argparse
import hashlib
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import django
import orjson

django.setup()

from bench import record  # noqa: E402
from bench.record import Figure, Target  # noqa: E402

COMMAND = 'make bench ARGS="--only verifying"'
TARGET_SECONDS = 60.0
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


def main() -> int:
    """Lays the books where there are none, verifies them in a process of its own, tells what that took."""
    parser = argparse.ArgumentParser(prog="python -m bench.verifying", description=__doc__)
    parser.add_argument("--events", type=int, required=True, help="audit events")
    parser.add_argument("--rounds", type=int, required=True, help="how often they are verified")
    given = parser.parse_args()
    laid = _laid() or _lay(given.events)
    print(f"Verifying the books: {laid:,} audit events", flush=True)
    times, peaks = [], []
    for _ in range(given.rounds):
        began = time.monotonic()
        subprocess.run([sys.executable, "manage.py", "verify_books", "--quiet"], check=True)
        times.append(time.monotonic() - began)
        peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    target = Target(of="median", at_most=TARGET_SECONDS)
    record.told(
        [
            Figure(
                part="verifying", name=f"{laid:,} audit events", unit="s", rounds=times, target=target, command=COMMAND
            ),
            Figure(part="verifying", name="peak memory of the process", unit="MiB", rounds=peaks, command=COMMAND),
        ]
    )
    return 0


def _laid() -> int:
    """How many audit events an earlier run has left here."""
    from settlements.models import AuditEvent

    return AuditEvent.objects.count()


def _lay(events: int) -> int:
    """Writes at least so many audit events; how many."""
    from django.db import connection, transaction

    template = _template()
    per_copy = len(template["settlements_auditevent"])
    copies = -(-events // per_copy) - 1
    steps = {table: max((row["id"] for row in rows), default=0) for table, rows in template.items()}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table in TABLES:
            names = [name for name in template[table][0] if name != "booked_on"]
            with cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
                for number in range(1, copies + 1):
                    for row in _copied(table, template[table], steps, number):
                        copy.write_row([row[name] for name in names])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return (copies + 1) * per_copy


def _template() -> dict[str, list[dict[str, Any]]]:
    """The rows of one intent of which every milestone is paid, by table."""
    from django.db import connection

    from tests.factories import CLAIM, PICKUP, POD, an_intent, platform_source, settlement_of

    platform_source()
    intent = an_intent()
    for event_type in (PICKUP, POD, CLAIM):
        settlement_of(intent, event_type)
    found = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")
            names = [column.name for column in cursor.description or ()]
            found[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return found


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
    from settlements import audit

    facts = {
        name: row[name]
        for name in ("intent_id", "settlement_id", "action", "from_status", "to_status", "reason", "triggered_by",
                     "approved_by", "data")
    }  # fmt: skip
    canonical = audit.canonical(audit.Draft(**facts), sequence=row["sequence"], created_at=row["created_at"])
    return audit.chained(before, canonical)


if __name__ == "__main__":
    sys.exit(main())
