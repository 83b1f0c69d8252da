"""An event costs the database the same however many came before, also on plans made when there were few."""

from collections import Counter

import pytest
from django.db import connection
from django.utils import timezone

from settlements import inbox, lead_connection
from tests.factories import an_intent, message_of

pytestmark = pytest.mark.usefixtures("live")
_FEW, _MANY = 10, 200


def rows_read() -> Counter[str]:
    with lead_connection.lent(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
        )
        return Counter(dict(cursor.fetchall()))


def read_by_one_more() -> Counter[str]:
    reference = an_intent().shipment.shipment_id
    before = rows_read()
    receive(reference)
    return rows_read() - before


def receive(reference: str) -> None:
    receipt = inbox.receive(message_of(reference), now=timezone.now())
    assert receipt.settlements_created == 1


def test_an_event_reads_as_few_rows_after_many_as_after_few() -> None:
    for reference in [an_intent().shipment.shipment_id for _ in range(_FEW)]:
        receive(reference)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # plans are made anew, for tables of few rows
    at_first = read_by_one_more()
    for reference in [an_intent().shipment.shipment_id for _ in range(_MANY)]:
        receive(reference)
    assert {table: read for table, read in (read_by_one_more() - at_first).items() if read > _MANY / 4} == {}
