"""`python -m bench.sweep`: the release of settlements whose hold is over, beside set-based SQL, by turns.

Each turn lays so many due rows, out of the clock. Then the floor works on its own copy of them, and the task of the
product's clock on them, in one process or in two at once, each on a connection of its own.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from multiprocessing.synchronize import Barrier

import psycopg

# Before the settings are read: what the domain delays is due at once.
HOLD_SECONDS = 1
os.environ["CHAINPAY_HOLD_SECONDS"] = str(HOLD_SECONDS)
os.environ["CHAINPAY_LOG_LEVEL"] = "WARNING"

import django  # noqa: E402
from django.db import connection  # noqa: E402

django.setup()

from bench import copies, cpu, record, sweep_floor  # noqa: E402
from bench.figures import Work  # noqa: E402
from bench.record import Figure, Target  # noqa: E402
from settlements import tasks  # noqa: E402

COMMAND = 'make bench ARGS="--only sweep"'
LEAST_OF_FLOOR = 0.65
LEAST_OF_TWO = 1.5
FLOOR, ONE, TWO = "floor, set-based SQL", "sweep, 1 worker", "sweep, 2 workers"
WORKERS = {ONE: 1, TWO: 2}
_PATIENCE_SECONDS = 3_600.0
_ONCE_EACH = """
    SELECT count(*), count(*) FILTER (WHERE s.status = 'APPROVED'),
        (SELECT count(DISTINCT settlement_id) FROM settlements_auditevent WHERE action = 'released'),
        (SELECT count(*) FROM settlements_auditevent WHERE action = 'released'),
        count(*) FILTER (WHERE e.reference = s.reference AND e.amount_minor = s.amount_minor),
        count(*) FILTER (WHERE g.amount_minor = s.amount_minor AND g.currency = s.currency),
        (SELECT count(*) FROM rails_journalentry), (SELECT count(*) FROM rails_posting)
    FROM settlements_milestonesettlement s
    LEFT JOIN rails_journalentry e ON e.milestone_id = s.id AND e.kind = 'release'
    LEFT JOIN rails_posting g ON g.entry_id = e.id
"""


class NotOnce(Exception):
    """Something was released twice or not at all, or the books do not hold it: the figures would be a lie."""


def main() -> int:
    """Measures, verifies, tells; 0 also when a target is missed, for a busy machine is no bug."""
    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description=__doc__)
    parser.add_argument("--due", type=int, required=True, help="settlements due in each turn")
    parser.add_argument("--rounds", type=int, required=True, help="rounds of the floor and both sweeps")
    given, database_url = parser.parse_args(), os.environ["DATABASE_URL"]
    found = _rounds(database_url, given.due, given.rounds)
    _verify(database_url, swept=len(WORKERS) * given.rounds * given.due + 1, floor=given.rounds * given.due)
    _tell(found, given.due)
    return 0


def _rounds(database_url: str, due: int, rounds: int) -> dict[str, list[Work]]:
    template, first = _template(), 1
    sweep_floor.lay_out(database_url)
    found: dict[str, list[Work]] = {FLOOR: [], ONE: [], TWO: []}
    for _ in range(rounds):
        for name, workers in WORKERS.items():
            copies.write(template, first=first, last=first + due - 1)
            first += due
            if name == ONE:
                sweep_floor.fill(database_url)
                _settle_down(database_url)
                _keep(found, FLOOR, sweep_floor.run(database_url), due)
            _settle_down(database_url)
            _keep(found, name, _swept(workers), due)
    return found


def _template() -> copies.Template:
    """The rows of one delayed settlement; afterwards it is released, as the first one."""
    from tests.factories import MEDIUM, PICKUP, a_recipient, an_intent, platform_source, settlement_of

    platform_source()
    settlement_of(an_intent(risk=MEDIUM, recipient=a_recipient()), PICKUP)
    template = copies.template()
    time.sleep(HOLD_SECONDS)
    released = tasks.sweep()["released"]
    if released != 1:
        raise NotOnce(f"of one due settlement {released} were released")
    return template


def _swept(workers: int) -> Work:
    """What so many processes come to that start their sweep together, until none finds anything."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(workers), context.Queue()
    processes = [context.Process(target=_worker, args=(barrier, results), daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    stints = [results.get(timeout=_PATIENCE_SECONDS) for _ in processes]
    for process in processes:
        process.join()
    return Work(
        rows=sum(work.rows for _, work in stints),
        elapsed=max(began + work.elapsed for began, work in stints) - min(began for began, _ in stints),
        client_cpu=sum(work.client_cpu for _, work in stints),
        database_cpu=sum(work.database_cpu for _, work in stints),
    )


def _worker(barrier: Barrier, results: "multiprocessing.Queue[tuple[float, Work]]") -> None:
    """The task as Celery calls it, in a process and on a connection of its own."""
    connection.ensure_connection()
    barrier.wait(timeout=_PATIENCE_SECONDS)
    began, used = time.monotonic(), time.process_time()
    released = tasks.sweep()["released"]
    elapsed, client = time.monotonic() - began, time.process_time() - used
    database = cpu.of_processes([connection.connection.info.backend_pid])
    results.put((began, Work(released, elapsed, client, database)))


def _keep(found: dict[str, list[Work]], name: str, measured: Work, due: int) -> None:
    if measured.rows != due:
        raise NotOnce(f"{name}: {due} settlements were due, {measured.rows} were released")
    found[name].append(measured)
    print(measured.line(name), flush=True)


def _settle_down(database_url: str) -> None:
    """So that no turn pays for what was written before it."""
    with psycopg.connect(database_url, autocommit=True) as cleaning:
        cleaning.execute("VACUUM ANALYZE")
        cleaning.execute("CHECKPOINT")


def _verify(database_url: str, *, swept: int, floor: int) -> None:
    """Each was released once, audited once and booked once, and the books pass all their checks. Raises NotOnce."""
    with psycopg.connect(database_url) as asking:
        found = asking.execute(_ONCE_EACH).fetchone() or ()
    if set(found) != {swept}:
        raise NotOnce(f"{swept} due settlements made {found}")
    if set(sweep_floor.count(database_url)) != {floor}:
        raise NotOnce(f"{floor} due settlements of the floor made {sweep_floor.count(database_url)}")
    if subprocess.run([sys.executable, "manage.py", "verify_books", "--quiet"], check=False).returncode:
        raise NotOnce("the books do not pass")
    print(f"\nVerified: {swept} settlements, each released, audited and booked once; the books pass.", flush=True)


def _tell(found: dict[str, list[Work]], due: int) -> None:
    rates = {name: [each.per_second for each in works] for name, works in found.items()}
    record.told(
        [
            Figure(
                part="sweep",
                name=f"{due:,} due, 1 worker",
                unit="/s",
                rounds=rates[ONE],
                floor=rates[FLOOR],
                target=Target(of="ratio", at_least=LEAST_OF_FLOOR),
                command=COMMAND,
            ),
            Figure(
                part="sweep",
                name=f"{due:,} due, 2 workers, floor: 1 worker",
                unit="/s",
                rounds=rates[TWO],
                floor=rates[ONE],
                target=Target(of="ratio", at_least=LEAST_OF_TWO),
                command=COMMAND,
            ),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
