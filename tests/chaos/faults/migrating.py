"""The tables of the hot path are changed while events arrive and a long report reads them."""

import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Final

import psycopg
from psycopg import errors

from tests.chaos.faults.servers_lost import mixed
from tests.chaos.faults.stage import Deed, Stage, do
from tests.chaos.faults.verdict import Verdict

_EVENTS: Final = 1_200
_PER_SECOND: Final = 60.0
_REPORT_SECONDS: Final = 4.0
_LOCK_SECONDS: Final = 1.0
_TRIES: Final = 60
# As a migration would write them: what needs the table for itself is short, what is long needs no such lock.
_CHANGES: Final = (
    "ALTER TABLE settlements_shipmentevent ADD COLUMN chaos_note text",
    "ALTER TABLE settlements_milestonesettlement ADD COLUMN chaos_note text NOT NULL DEFAULT ''",
    "ALTER TABLE settlements_auditevent ADD COLUMN chaos_number bigint DEFAULT 0",
    "ALTER TABLE rails_journalentry ADD COLUMN chaos_number bigint",
    "CREATE INDEX CONCURRENTLY chaos_received ON settlements_shipmentevent (received_at)",
    "CREATE INDEX CONCURRENTLY chaos_amount ON settlements_milestonesettlement (amount_minor)",
    "ALTER TABLE settlements_milestonesettlement ADD CONSTRAINT chaos_positive CHECK (amount_minor >= 0) NOT VALID",
    "ALTER TABLE settlements_milestonesettlement VALIDATE CONSTRAINT chaos_positive",
    "ALTER TABLE settlements_shipmentevent DROP COLUMN chaos_note",
    "ALTER TABLE settlements_milestonesettlement DROP COLUMN chaos_note",
    "DROP INDEX CONCURRENTLY chaos_received",
    "DROP INDEX CONCURRENTLY chaos_amount",
    "ALTER TABLE settlements_milestonesettlement DROP CONSTRAINT chaos_positive",
    # verify_books holds the columns against those of the migrations.
    "ALTER TABLE settlements_auditevent DROP COLUMN chaos_number",
    "ALTER TABLE rails_journalentry DROP COLUMN chaos_number",
)
_READ: Final = "SELECT count(*) FROM settlements_milestonesettlement s JOIN settlements_shipmentevent e ON true LIMIT 1"


def migrated(stage: Stage) -> Verdict:
    """Each change gives up after a second without its lock and tries again; events wait no longer than that."""
    events = mixed(stage.sized(_EVENTS))
    upstream = stage.upstream(events, per_second=_PER_SECOND)
    given_up: Counter[str] = Counter()
    wrong: list[str] = []
    report = threading.Thread(target=_report, args=(stage.database_url,))

    def change(statement: str) -> None:
        tries = _changed(stage.database_url, statement)
        given_up[statement] += tries - 1
        if tries > _TRIES:
            wrong.append(f"never got its lock: {statement}")

    seconds = len(events) / _PER_SECOND
    deeds = [Deed(1.0, "a report begins to read", report.start)]
    deeds += [
        Deed(1.5 + place * seconds / (2 * len(_CHANGES)), statement, lambda statement=statement: change(statement))  # type: ignore[misc]
        for place, statement in enumerate(_CHANGES)
    ]
    with stage.running(stage.web(), stage.worker(1), stage.beat(1)):
        upstream.start()
        do(deeds, upstream)
        report.join()
        stage.rest()
    done = (
        f"{len(events)} events, {upstream.statuses[503]} answered 503; {len(_CHANGES)} changes of 4 tables, "
        f"{given_up.total()} times given up for want of a lock behind a report of {_REPORT_SECONDS:.0f} s"
    )
    wrong += [] if given_up.total() else ["no change ever waited for the report: the fault was not made"]
    return stage.verdict(done, events, upstream, wrong=wrong)


def _report(url: str) -> None:
    """A transaction that has read the tables and is not over: it keeps its locks."""
    with psycopg.connect(url) as connection:
        connection.execute(_READ)
        time.sleep(_REPORT_SECONDS)


def _changed(url: str, statement: str) -> int:
    """Makes the change as soon as its lock is there; the try that did. What is concurrent keeps nobody from writing."""
    patience = 0.0 if "CONCURRENTLY" in statement else _LOCK_SECONDS
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SET lock_timeout = '{patience:.0f}s'".encode())
        for number in range(1, _TRIES + 1):
            with suppress(errors.LockNotAvailable):
                connection.execute(statement.encode())
                return number
            time.sleep(0.3)
    return _TRIES + 1
