"""The floor: the least SQL of one event, statement by statement, on plain tables of the same shape without guards.

Two processes of four threads each, one connection per thread, prepared statements: the client side does nothing else.
"""

import hashlib
import multiprocessing
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier

import psycopg

from bench import cpu, figures
from bench.figures import Figures

PROCESSES = 2
THREADS = 4
CLIENTS = PROCESSES * THREADS
_PATIENCE_SECONDS = 300.0

_TABLES = {
    "floor_shipment": "settlements_shipment",
    "floor_token": "settlements_freighttoken",
    "floor_intent": "settlements_paymentintent",
    "floor_item": "settlements_paymentscheduleitem",
    "floor_event": "settlements_shipmentevent",
    "floor_settlement": "settlements_milestonesettlement",
    "floor_entry": "rails_journalentry",
    "floor_posting": "rails_posting",
    "floor_audit": "settlements_auditevent",
}
_FILLED = ("floor_shipment", "floor_token", "floor_intent", "floor_item")
# Only the keys without which the work could not be done: to find by, and to do once.
_KEYS = (
    "CREATE UNIQUE INDEX ON floor_shipment (shipment_id)",
    "CREATE UNIQUE INDEX ON floor_token (id)",
    "CREATE INDEX ON floor_intent (shipment_id)",
    "CREATE UNIQUE INDEX ON floor_item (intent_id, event_type)",
    "CREATE UNIQUE INDEX ON floor_event (source_id, message_id)",
    "CREATE UNIQUE INDEX ON floor_settlement (intent_id, event_type)",
    "CREATE UNIQUE INDEX ON floor_entry (milestone_id, kind, attempt_number)",
    "CREATE INDEX ON floor_posting (entry_id)",
    "CREATE UNIQUE INDEX ON floor_audit (intent_id, sequence)",
)

_INBOX = """
    INSERT INTO floor_event (source_id, message_id, body_hash, shipment_id, event_type, occurred_at,
        occurred_at_was_naive, received_at, received_from, body, state, settlements_created, processed_at, sweeps,
        error)
    VALUES (1, %s, %s, (SELECT id FROM floor_shipment WHERE shipment_id = %s), 'POD_CONFIRMED', %s, false, now(),
        'bench', %s, 'PROCESSED', 1, now(), 0, '')
    ON CONFLICT DO NOTHING RETURNING id
"""
_LOOK_UP = """
    SELECT i.id, item.amount_minor, item.currency, t.risk_score
    FROM floor_shipment p JOIN floor_intent i ON i.shipment_id = p.id JOIN floor_token t ON t.id = i.freight_token_id
    JOIN floor_item item ON item.intent_id = i.id AND item.event_type = 'POD_CONFIRMED'
    WHERE p.shipment_id = %s FOR UPDATE OF p
"""
_SETTLEMENT = """
    INSERT INTO floor_settlement (intent_id, event_type, amount_minor, currency, status, origin, event_id, rail,
        reference, strategy, risk_tier, risk_score, rule, explanation, inputs, policy_version, approvals_required,
        blocked_reason, error, created_at, updated_at, released_at)
    VALUES (%s, 'POD_CONFIRMED', %s, %s, 'APPROVED', 'EVENT', %s, 'internal_ledger', %s, 'IMMEDIATE', 'LOW', %s,
        'matrix/LOW/POD_CONFIRMED', 'LOW risk: release now', '{}', '2025-11', 1, '', '', now(), now(), now())
    RETURNING id
"""
_ENTRY = """
    INSERT INTO floor_entry (reference, kind, milestone_id, attempt_number, currency, amount_minor, description,
        posted_at, created_at)
    VALUES (%s, 'release', %s, 1, %s, %s, '', now(), now()) RETURNING id
"""
_POSTING = """
    INSERT INTO floor_posting (entry_id, debit_account_id, credit_account_id, currency, amount_minor, posted_at)
    VALUES (%s, 1, 2, %s, %s, now())
"""
_AUDIT = """
    INSERT INTO floor_audit (intent_id, sequence, settlement_id, action, from_status, to_status, reason, triggered_by,
        approved_by, data, created_at, prev_hash, hash)
    VALUES (%s, 2, %s, 'settlement_created', '', 'APPROVED', '', 'bench', '', '{}', now(), %s, %s)
"""


@dataclass(frozen=True, slots=True)
class _Stint:
    """What one thread did, by the machine-wide monotonic clock, and the CPU time it took, in seconds."""

    began: float
    ended: float
    latencies: list[float]
    client_cpu: float
    database_cpu: float


def lay_out(database_url: str) -> None:
    """Makes the plain tables anew and fills those an event only reads."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for plain, real in _TABLES.items():
            connection.execute(f"DROP TABLE IF EXISTS {plain}")
            connection.execute(f"CREATE TABLE {plain} (LIKE {real} INCLUDING DEFAULTS INCLUDING IDENTITY)")
            connection.execute(f"ALTER TABLE {plain} ADD PRIMARY KEY (id)")
            if plain in _FILLED:
                connection.execute(f"INSERT INTO {plain} OVERRIDING SYSTEM VALUE SELECT * FROM {real}")
        for key in _KEYS:
            connection.execute(key)


def run(database_url: str, shipments: Sequence[str], *, processes: int = PROCESSES, threads: int = THREADS) -> Figures:
    """One event for each of these shipments, by all clients at once."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    parts = [(database_url, shipments[place::processes], threads, barrier) for place in range(processes)]
    results: multiprocessing.Queue[list[_Stint]] = context.Queue()
    workers = [context.Process(target=_process, args=(*part, results), daemon=True) for part in parts]
    for worker in workers:
        worker.start()
    stints = [stint for _ in workers for stint in results.get(timeout=_PATIENCE_SECONDS)]
    for worker in workers:
        worker.join()
    elapsed = max(stint.ended for stint in stints) - min(stint.began for stint in stints)
    return figures.of(
        [latency for stint in stints for latency in stint.latencies],
        elapsed=elapsed,
        client_cpu=sum(stint.client_cpu for stint in stints),
        database_cpu=sum(stint.database_cpu for stint in stints),
    )


def count(database_url: str) -> tuple[int, int, int]:
    """How many settlements, postings and audit events the floor has written."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM floor_settlement), (SELECT count(*) FROM floor_posting),"
            " (SELECT count(*) FROM floor_audit)"
        ).fetchone()
    assert row is not None
    return row


def _meet(barrier: Barrier) -> None:
    barrier.wait(timeout=_PATIENCE_SECONDS)


def _process(
    database_url: str,
    shipments: Sequence[str],
    threads: int,
    barrier: Barrier,
    results: "multiprocessing.Queue[list[_Stint]]",
) -> None:
    stints: list[_Stint] = []
    ready = threading.Barrier(threads, action=lambda: _meet(barrier))
    parts = [shipments[place::threads] for place in range(threads)]
    clients = [threading.Thread(target=_client, args=(database_url, part, ready, stints)) for part in parts]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    results.put(stints)


def _client(database_url: str, shipments: Sequence[str], ready: threading.Barrier, stints: list[_Stint]) -> None:
    latencies = []
    with psycopg.connect(database_url, autocommit=True, prepare_threshold=0) as connection:
        cursor = connection.cursor()
        ready.wait(timeout=_PATIENCE_SECONDS)
        began = last = time.monotonic()
        used = time.thread_time()
        for shipment in shipments:
            _event(cursor, shipment)
            now = time.monotonic()
            latencies.append(now - last)
            last = now
        database_cpu = cpu.of_processes([connection.info.backend_pid])
    stints.append(_Stint(began, last, latencies, time.thread_time() - used, database_cpu))


def _event(cursor: psycopg.Cursor[tuple[object, ...]], shipment: str) -> None:
    """Eight statements, each waiting for the answer of the one before."""
    now = datetime.now(UTC)
    body = f'{{"shipment_id": "{shipment}", "event_type": "POD_CONFIRMED", "occurred_at": "2025-11-07T15:30:00Z"}}'
    digest = hashlib.sha256(body.encode()).digest()
    cursor.execute("BEGIN")
    cursor.execute(_INBOX, [f"body:{digest.hex()}", digest, shipment, now, body])
    (event_id,) = _row(cursor)
    cursor.execute(_LOOK_UP, [shipment])
    intent_id, amount_minor, currency, score = _row(cursor)
    reference = f"INTERNAL_LEDGER:{now:%Y%m%dT%H%M%S%fZ}:{event_id}"
    cursor.execute(_SETTLEMENT, [intent_id, amount_minor, currency, event_id, reference, score])
    (settlement_id,) = _row(cursor)
    cursor.execute(_ENTRY, [reference, settlement_id, currency, amount_minor])
    (entry_id,) = _row(cursor)
    cursor.execute(_POSTING, [entry_id, currency, amount_minor])
    cursor.execute(_AUDIT, [intent_id, settlement_id, digest, digest])
    cursor.execute("COMMIT")


def _row(cursor: psycopg.Cursor[tuple[object, ...]]) -> tuple[object, ...]:
    row = cursor.fetchone()
    assert row is not None, "the floor lost a row"
    return row
