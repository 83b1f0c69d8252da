"""What stands in the database at this moment, for `/metrics`: one cheap statement per part, none over the history.

Each part is read by itself, in a transaction that only reads and ends after a second: one that fails or takes longer is
told as missing, and takes nothing else with it. docs/operation.md says what each figure means.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from time import monotonic
from types import MappingProxyType
from typing import Any, Final

import psycopg
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from chainpay.operation import readiness, tally, task_runs
from compliance import queue_sql
from compliance.queries import overdue_before
from rails import registry
from settlements import bank_work, release, work
from settlements.reconciliation import listing

logger = logging.getLogger(__name__)

_STATEMENT_MILLISECONDS: Final = 1_000
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One statement, and what its rows mean; `asks` makes its parameters."""

    statement: str
    means: Callable[[Rows], Iterator[Metric]]
    asks: Callable[[], Mapping[str, Any]] = dict


def read() -> Iterator[Metric]:
    """Every figure that could be read, and whether the database and each part answered."""
    began = monotonic()
    up, found, answered = False, list[Metric](), dict[str, bool]()
    try:
        with closing(_connection()) as conn:
            up = True
            for name, part in _PARTS.items():
                metrics = _read_part(conn, name, part)
                answered[name] = metrics is not None
                found += metrics or []
    except psycopg.Error as error:
        logger.error("Metrics: database unreachable: %s", type(error).__name__)
    yield _gauge("chainpay_database_up", "Whether the database answered this scrape.", [((), int(up))])
    yield _gauge(
        "chainpay_scrape_part_up",
        "Whether a part of the figures could be read within a second.",
        [((name,), int(answered.get(name, False))) for name in _PARTS],
        ("part",),
    )
    yield _gauge("chainpay_scrape_seconds", "How long reading the database took.", [((), monotonic() - began)])
    yield from found


def _connection() -> psycopg.Connection[tuple[Any, ...]]:
    """A connection of its own that only reads, with short timeouts, so that no request waits for a scrape."""
    conn = readiness.connect(application_name="chainpay metrics")
    conn.execute(f"SET statement_timeout = {_STATEMENT_MILLISECONDS}")
    conn.execute("SET default_transaction_read_only = on")
    return conn


def _read_part(conn: psycopg.Connection[tuple[Any, ...]], name: str, part: Part) -> list[Metric] | None:
    try:
        # A text of its own in front: not prepared, for each is asked once per connection.
        return list(part.means(conn.execute(part.statement, part.asks(), prepare=False).fetchall()))
    except psycopg.Error as error:
        if conn.closed:
            raise
        logger.warning("Metrics: part %s could not be read: %s", name, type(error).__name__)
        return None


def _gauge(name: str, says: str, values: Iterable[tuple[tuple[str, ...], Any]], labels: tuple[str, ...] = ()) -> Metric:
    metric = GaugeMetricFamily(name, says, labels=labels)
    for of, value in values:
        metric.add_metric(of, float(value))
    return metric


def _counter(name: str, says: str, values: Iterable[tuple[tuple[str, ...], Any]], labels: tuple[str, ...]) -> Metric:
    metric = CounterMetricFamily(name, says, labels=labels)
    for of, value in values:
        metric.add_metric(of, float(value))
    return metric


def _counted(rows: Rows) -> Iterator[Metric]:
    for figure in tally.FIGURES:
        yield _counter(
            figure.name,
            figure.says,
            [(tuple(labels), number) for name, labels, number in rows if name == figure.name],
            figure.labels,
        )


def _tally_age(rows: Rows) -> Iterator[Metric]:
    yield _gauge(
        "chainpay_counters_age_seconds",
        "How long ago the counters above were brought up to date.",
        [((), row[0]) for row in rows if row[0] is not None],
    )


def _events(rows: Rows) -> Iterator[Metric]:
    yield _gauge(
        "chainpay_shipment_events_open",
        "Shipment events that are parked, or whose processing waits for the sweep or has failed.",
        [((state.lower(),), number) for state, number, _ in rows],
        ("state",),
    )
    yield _gauge(
        "chainpay_shipment_events_oldest_seconds",
        "Since when the oldest of these was received.",
        [((state.lower(),), age) for state, _, age in rows if age is not None],
        ("state",),
    )


def _queue(rows: Rows) -> Iterator[Metric]:
    waiting, overdue, oldest = rows[0]
    yield _gauge("chainpay_review_queue", "Settlements that wait for a decision of people.", [((), waiting)])
    yield _gauge("chainpay_review_queue_overdue", "Those that wait for longer than the target.", [((), overdue)])
    yield _gauge("chainpay_review_queue_oldest_seconds", "How long the oldest of them waits.", [((), oldest)])


def _due(rows: Rows) -> Iterator[Metric]:
    late = rows[0][0] if rows else 0
    yield _gauge("chainpay_due_release_lag_seconds", "How late the most belated release that may go is.", [((), late)])


def _attempts(rows: Rows) -> Iterator[Metric]:
    labels = ("rail", "state")
    yield _gauge(
        "chainpay_attempts_open",
        "Payments for providers that are written down, or handed over without an answer yet.",
        [((provider.lower(), state.lower()), number) for provider, state, number, _, _ in rows],
        labels,
    )
    yield _gauge(
        "chainpay_attempts_open_oldest_seconds",
        "Since when the oldest of these is written down.",
        [((provider.lower(), state.lower()), age) for provider, state, _, age, _ in rows],
        labels,
    )
    yield _gauge(
        "chainpay_attempts_in_question",
        "Payments of unknown outcome that a person has to look at.",
        [((provider.lower(),), asked) for provider, state, _, _, asked in rows if state == "SUBMITTED"],
        ("rail",),
    )


def _messages(rows: Rows) -> Iterator[Metric]:
    waiting, oldest, parked = rows[0]
    yield _gauge("chainpay_outbox_waiting", "Messages to subscribers that wait to be delivered.", [((), waiting)])
    yield _gauge("chainpay_outbox_oldest_seconds", "How long the oldest of them waits.", [((), oldest)])
    yield _gauge("chainpay_outbox_parked", "Messages that were given up.", [((), parked)])


def _work(rows: Rows) -> Iterator[Metric]:
    yield _gauge(
        "chainpay_work_items",
        "What people have to look at: payments that failed, came back or are in doubt, bank files, provider events.",
        [((kind.lower(),), number) for kind, number, _ in rows],
        ("kind",),
    )
    yield _gauge(
        "chainpay_work_oldest_seconds",
        "How long the oldest of each waits.",
        [((kind.lower(),), age) for kind, _, age in rows if age is not None],
        ("kind",),
    )


def _differences(rows: Rows) -> Iterator[Metric]:
    yield _gauge("chainpay_reconciliation_differences", "Open differences of the reconciliation.", [((), rows[0][0])])


def _books(rows: Rows) -> Iterator[Metric]:
    proven, ages = [((), int(row[0])) for row in rows], [((), row[1]) for row in rows]
    yield _gauge("chainpay_books_proven", "Whether the last verify_books proved everything.", proven)
    yield _gauge("chainpay_books_checked_seconds", "How long ago it ended.", ages)


def _checkpoints(rows: Rows) -> Iterator[Metric]:
    numbers, ages = [((), row[0]) for row in rows], [((), row[1]) for row in rows]
    yield _gauge("chainpay_checkpoint_number", "The number of the last checkpoint.", numbers)
    yield _gauge("chainpay_checkpoint_age_seconds", "How long ago it was signed.", ages)


def _tasks(rows: Rows) -> Iterator[Metric]:
    task = ("task",)
    names = [(row[0],) for row in rows]
    runs = [
        ((name, outcome), number)
        for name, begun, succeeded, failed, *_ in rows
        for outcome, number in (("begun", begun), ("succeeded", succeeded), ("failed", failed))
    ]
    yield _counter("chainpay_task_runs", "Runs of the clock's tasks.", runs, ("task", "outcome"))
    columns = (
        ("chainpay_task_last_seconds", "How long the last run took.", 5),
        ("chainpay_task_since_success_seconds", "How long ago the last run succeeded.", 6),
    )
    seconds = [(name, row[4]) for name, row in zip(names, rows, strict=True)]
    yield _counter("chainpay_task_seconds", "How long runs that ended took, together.", seconds, task)
    for metric, says, column in columns:
        told = [(name, row[column]) for name, row in zip(names, rows, strict=True) if row[column] is not None]
        yield _gauge(metric, says, told, task)
    age = [((), row[6]) for row in rows if row[0] == task_runs.HEARTBEAT and row[6] is not None]
    yield _gauge("chainpay_heartbeat_age_seconds", "How long ago beat, broker and a worker last worked.", age)


_AGE = "extract(epoch FROM clock_timestamp() - {moment})"
_PARTS: Final[Mapping[str, Part]] = MappingProxyType(
    {
        "counters": Part(statement="SELECT figure, labels, number FROM operation_count ORDER BY 1, 2", means=_counted),
        "counters_age": Part(
            statement=f"SELECT {_AGE.format(moment='min(counted_at)')} FROM operation_countedto", means=_tally_age
        ),
        "tasks": Part(
            statement=f"""
                SELECT task, begun, succeeded, failed, seconds, last_seconds, {_AGE.format(moment="last_succeeded_at")}
                FROM operation_taskrun ORDER BY task
            """,
            means=_tasks,
        ),
        "events": Part(
            statement=f"""
                SELECT state.word, seen.number, {_AGE.format(moment="oldest.received_at")}
                FROM unnest(ARRAY['WAITING', 'FAILED', 'PARKED']) AS state (word)
                CROSS JOIN LATERAL (
                    SELECT count(*) AS number FROM settlements_shipmentevent e
                    WHERE e.state = state.word AND e.state <> 'PROCESSED'
                ) seen
                LEFT JOIN LATERAL (
                    SELECT e.received_at FROM settlements_shipmentevent e
                    WHERE e.state = state.word AND e.state <> 'PROCESSED' ORDER BY e.state DESC, e.id LIMIT 1
                ) oldest ON true
            """,
            means=_events,
        ),
        "review_queue": Part(
            statement=f"""
                SELECT count(*), count(*) FILTER (WHERE {queue_sql.OVERDUE}),
                       coalesce({_AGE.format(moment="min(s.created_at)")}, 0)
                FROM settlements_milestonesettlement s WHERE {queue_sql.WAITS}
            """,
            means=_queue,
            asks=lambda: {"overdue_before": overdue_before(timezone.now())},
        ),
        "due_releases": Part(statement=release.DUE_FOR, means=_due, asks=lambda: {"rails": registry.enabled_methods()}),
        "attempts": Part(
            statement=f"""
                SELECT provider, state, count(*), {_AGE.format(moment="min(prepared_at)")},
                       count(*) FILTER (WHERE question <> '')
                FROM rails_railattempt WHERE state IN ('PREPARED', 'SUBMITTED') GROUP BY 1, 2 ORDER BY 1, 2
            """,
            means=_attempts,
        ),
        "outbox": Part(
            statement=f"""
                SELECT (SELECT count(*) FROM settlements_delivery WHERE state = 'WAITING'),
                       coalesce((SELECT {_AGE.format(moment="d.created_at")} FROM settlements_delivery d WHERE d.id = (
                           SELECT min(id) FROM settlements_delivery WHERE state = 'WAITING')), 0),
                       (SELECT count(*) FROM settlements_delivery WHERE state = 'PARKED')
            """,
            means=_messages,
        ),
        "work": Part(
            statement=f"""
                SELECT kind, count, {_AGE.format(moment="min")} FROM ({work.BY_KIND} UNION ALL {bank_work.BY_KIND}) w
                ORDER BY kind
            """,
            means=_work,
        ),
        "differences": Part(statement=f"SELECT {listing.COUNT}", means=_differences),
        "books": Part(
            statement=f"""
                SELECT failed_check = '', {_AGE.format(moment="finished_at")} FROM settlements_bookscheck
                ORDER BY started_at DESC LIMIT 1
            """,
            means=_books,
        ),
        "checkpoints": Part(
            statement=f"""
                SELECT number, {_AGE.format(moment="created_at")} FROM settlements_checkpoint
                ORDER BY number DESC LIMIT 1
            """,
            means=_checkpoints,
        ),
    }
)
