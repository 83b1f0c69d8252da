"""What is asked of both layouts: what the webhook, the pages, the sweep, the exports and the verification ask."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import psycopg

from bench.year import Year
from settlements import audit, candidates
from settlements.exports import datasets
from settlements.verification import books, chain

_TIMES: Final = 40
_SWEPT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A statement asked once for each of its parameters; one that reads very much is run by the server, once."""

    name: str
    sql: str
    parameters: Sequence[Any] = ()

    def ask(self, own: psycopg.Connection[Any]) -> tuple[list[float], int]:
        """Milliseconds of each time, and the pages that the last one touched."""
        if not self.parameters:
            return self._explained(own, [])
        own.execute(self.sql.encode(), self.parameters[0]).fetchall()
        times = []
        for each in self.parameters:
            began = time.perf_counter()
            own.execute(self.sql.encode(), each).fetchall()
            times.append(1000 * (time.perf_counter() - began))
        return times, self._explained(own, self.parameters[-1])[1]

    def _explained(self, own: psycopg.Connection[Any], values: Any) -> tuple[list[float], int]:
        """What the server says of running it, without sending a row: milliseconds, and pages."""
        plan = own.execute(b"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + self.sql.encode(), values)
        told = plan.fetchall()[0][0][0]
        return [told["Execution Time"]], int(told["Plan"]["Shared Hit Blocks"] + told["Plan"]["Shared Read Blocks"])


def of(laid: Year, chance: Random, *, few: bool) -> Iterator[Question]:
    """Of random intents of the whole year; the long ones once a round, and not at all if there shall be few."""
    intents = [chance.randrange(1, laid.intents) for _ in range(_TIMES)]
    settlements = [3 * intent for intent in intents]
    yield Question(name="head of an intent's chain", sql=audit._HEADS, parameters=[[[intent]] for intent in intents])
    yield Question(
        name="history of an intent",
        sql="SELECT * FROM settlements_auditevent WHERE intent_id = %s ORDER BY sequence",
        parameters=[[intent] for intent in intents],
    )
    yield Question(
        name="history of a settlement",
        sql="SELECT * FROM settlements_auditevent WHERE settlement_id = %s ORDER BY sequence",
        parameters=[[settlement] for settlement in settlements],
    )
    yield Question(
        name="messages of a shipment",
        sql="SELECT * FROM settlements_shipmentevent WHERE shipment_id = %s ORDER BY id",
        parameters=[[intent] for intent in intents],
    )
    yield Question(
        name="posting of an entry",
        sql="SELECT * FROM rails_posting WHERE entry_id = %s",
        parameters=[[settlement] for settlement in settlements],
    )
    yield Question(
        name="newest page of the audit list",
        sql="SELECT * FROM settlements_auditevent ORDER BY id DESC LIMIT %s",
        parameters=[[100]] * _TIMES,
    )
    yield Question(
        name="a page a million events ago",
        sql="SELECT * FROM settlements_auditevent WHERE id < %s ORDER BY id DESC LIMIT 100",
        parameters=[[max(4 * laid.intents - 1_000_000, 2 * laid.intents) + each] for each in range(_TIMES)],
    )
    start = [chance.randrange(1, max(3 * laid.intents - _SWEPT, 2)) for _ in range(5)]
    yield Question(
        name="1,000 candidates of a sweep",
        sql=candidates._CANDIDATES,
        parameters=[[list(range(each, each + _SWEPT))] for each in start],
    )
    yield Question(
        name="an account's hour",
        sql="SELECT count(*), sum(amount_minor) FROM rails_posting WHERE debit_account_id ="
        " (SELECT min(debit_account_id) FROM rails_posting WHERE entry_id = 1)"
        " AND posted_at >= now() - %s * interval '1 day' AND posted_at < now() - %s * interval '1 day'"
        " + interval '1 hour'",
        parameters=[[day, day] for day in (chance.randrange(2, 360) for _ in range(_TIMES))],
    )
    if few:
        return
    yield Question(name="export of a month's audit events", sql=_month_of_audit())
    yield Question(name="verify_books: the chains", sql=chain._EVENTS)
    yield Question(name="verify_books: entries and postings", sql=books._RULES[0].broken_by)


def _month_of_audit() -> str:
    """The rows of the export of one month, half a year ago, in one statement."""
    dataset = datasets.find("audit_events")
    cells = ", ".join(column.cell for column in dataset.columns)
    return (
        f"SELECT {cells} FROM {dataset.source} WHERE a.created_at >= now() - interval '180 days'"
        f" AND a.created_at < now() - interval '150 days' ORDER BY a.id"
    )
