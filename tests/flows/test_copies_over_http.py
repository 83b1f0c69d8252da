"""A thousand events, a hundred concurrent copies of each, over real HTTP: one settlement per intent and event."""

from pathlib import Path

import pytest
from django.db import connection

from bench import load, shipments, webhook
from rails.models import JournalEntry
from settlements import sources
from settlements.models import AuditEvent, MilestoneSettlement, ShipmentEvent
from tests.bench.test_bench import url_of_the_server

EVENTS, COPIES = 1_000, 100


@pytest.mark.django_db(transaction=True)
def test_every_copy_gets_the_first_answer_and_every_event_pays_once(tmp_path: Path) -> None:
    sources.forget()
    references = shipments.prepare(EVENTS)
    source = shipments.source()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with webhook.serving(url_of_the_server(), log=tmp_path / "web.log") as web:
        bodies = shipments.bodies(references)
        requests = load.signed_requests(web.port, source.name, source.secret, bodies, copies=COPIES)
        outcome = load.post_all(web.port, requests, connections=COPIES)
    assert outcome.wrong == []
    assert len(outcome.latencies) == EVENTS * COPIES
    assert ShipmentEvent.objects.count() == EVENTS
    assert MilestoneSettlement.objects.values("intent", "event_type").distinct().count() == EVENTS
    assert MilestoneSettlement.objects.filter(status="APPROVED").count() == EVENTS
    assert JournalEntry.objects.filter(kind="release").count() == EVENTS
    assert AuditEvent.objects.filter(action="settlement_created").count() == EVENTS
