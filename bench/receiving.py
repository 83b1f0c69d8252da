"""Messages received in either layout, each in its transaction: stored, applied by the domain, committed.

Storing the message is written here for both, for by month a small table of keys keeps a message from coming twice; what
follows is the application's own. One connection, in process: the server and the network are no part of it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from django.db import connection, transaction
from django.utils import timezone

from bench import months
from settlements import inbox
from settlements.models import EventSource
from settlements.statements import pipelined
from settlements.statuses import EventType

_COLUMNS: Final = """source_id, message_id, body_hash, shipment_id, event_type, occurred_at, occurred_at_was_naive,
    received_at, received_from, body, state, processed_at, settlements_created, sweeps, error"""
_GIVEN: Final = """
    SELECT %(source)s::bigint AS source_id, %(message)s::text AS message_id, %(hash)s::bytea, s.id AS shipment_id,
        'POD_CONFIRMED', now(), false, now(), 'bench', %(body)s::text, 'PROCESSED', now(), 0, 0::smallint, ''
    FROM settlements_shipment s WHERE s.shipment_id = %(shipment)s FOR UPDATE
"""
_STORE: Final = f"""
    WITH given AS ({_GIVEN})
    INSERT INTO settlements_shipmentevent ({_COLUMNS}) SELECT * FROM given
    ON CONFLICT (source_id, message_id) DO NOTHING RETURNING id, shipment_id
"""
_STORE_BY_MONTH: Final = f"""
    WITH given AS ({_GIVEN}), key AS (
        INSERT INTO {months.MESSAGE_KEYS} (source_id, message_id, event_id)
        SELECT source_id, message_id, nextval(pg_get_serial_sequence('settlements_shipmentevent', 'id')) FROM given
        ON CONFLICT (source_id, message_id) DO NOTHING RETURNING event_id
    )
    INSERT INTO settlements_shipmentevent (id, {_COLUMNS}) SELECT key.event_id, given.* FROM key, given
    RETURNING id, shipment_id
"""
_COUNTERS: Final = """
    SELECT blks_hit + blks_read, (SELECT wal_bytes FROM pg_stat_wal), (SELECT wal_fpi FROM pg_stat_wal),
        (SELECT coalesce(sum(fsyncs), 0) FROM pg_stat_io WHERE object = 'wal')
    FROM pg_stat_database WHERE datname = current_database()
"""


class NotReceived(Exception):
    """A message made no settlement: the figures would be a lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one event, on the average: pages touched, bytes of WAL, whole pages among them, and fsyncs of the WAL."""

    pages: int
    wal: int
    whole_pages: float
    fsyncs: float

    def line(self) -> str:
        """As the report shows it."""
        return (
            f"{self.pages} pages, {self.wal:,} bytes of WAL ({self.whole_pages:.2f} whole pages in them),"
            f" {self.fsyncs:.2f} fsyncs an event"
        )


class Inbox:
    """Hands the same shipments to both layouts, round after round."""

    name: Final = "one event received and paid"

    def __init__(self, source: str, references: Iterator[str], events: int) -> None:
        self._source = EventSource.objects.get(name=source).pk
        self._references, self._events = references, events
        self._of_round: list[str] = []

    def begin_round(self) -> None:
        """The next shipments."""
        self._of_round = list(islice(self._references, self._events))

    def receive(self, url: str, *, by_month: bool) -> tuple[list[float], Cost]:
        """Milliseconds of each event of the round, and what one cost. Raises NotReceived."""
        connection.close()
        connection.settings_dict["NAME"] = urlsplit(url).path.lstrip("/")
        with connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")
        before = _counters()
        times = []
        for reference in self._of_round:
            times.append(self.receive_one(reference, by_month=by_month))
        spent = [(after - earlier) / len(times) for after, earlier in zip(_counters(), before, strict=True)]
        return times, Cost(pages=round(spent[0]), wal=round(spent[1]), whole_pages=spent[2], fsyncs=spent[3])

    def receive_one(self, reference: str, *, by_month: bool = False) -> float:
        """Milliseconds until the proof of delivery of this shipment is received and paid. Raises NotReceived."""
        body = f'{{"shipment_id": "{reference}", "event_type": "POD_CONFIRMED", "occurred_at": "2025-11-07T15:30:00Z"}}'
        values: dict[str, int | str | bytes] = {
            "source": self._source,
            "message": f"message-of-{reference}",
            "hash": sha256(body.encode()).digest(),
            "body": body,
            "shipment": reference,
        }
        began = time.perf_counter()
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute(_STORE_BY_MONTH if by_month else _STORE, values)
                event, shipment = cursor.fetchone()
            with pipelined():
                created, _ = inbox.apply(event, shipment, EventType.POD_CONFIRMED, actor="bench", now=timezone.now())
            if created != 1:
                raise NotReceived(f"{reference} made {created} settlements")
        return 1000 * (time.perf_counter() - began)


def _counters() -> tuple[float, ...]:
    """Of this database and the server. A backend tells its share when it is idle, at most once a second."""
    connection.close()
    time.sleep(1.1)
    with connection.cursor() as cursor:
        cursor.execute(_COUNTERS)
        row = cursor.fetchone()
    connection.close()
    return tuple(float(figure) for figure in row)
