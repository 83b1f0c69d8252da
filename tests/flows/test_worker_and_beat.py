"""A delayed pickup, released by a real Celery worker that a real beat wakes up."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection

from rails.models import JournalEntry
from settlements.models import MilestoneSettlement
from tests.flows.conftest import Api

HOLD_SECONDS = 3
PATIENCE_SECONDS = 60


@pytest.fixture
def worker_and_beat(live: Api, tmp_path: Path) -> Iterator[None]:
    """Two processes on the test's own database, and a broker whose database nobody else uses."""
    name, host = connection.settings_dict["NAME"], connection.settings_dict["OPTIONS"].get("host", "")
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://postgres@/{name}?host={host}",
        "REDIS_URL": django_settings.CELERY_BROKER_URL.replace("virtual_host=0", "virtual_host=7"),
        "CHAINPAY_SWEEP_SECONDS": "1",
    }
    celery = [sys.executable, "-m", "celery", "-A", "chainpay.celery"]
    lines = [
        [*celery, "worker", "--pool=solo", "--without-gossip", "--without-mingle", "--loglevel=WARNING"],
        [*celery, "beat", f"--schedule={tmp_path / 'beat'}", "--pidfile=", "--loglevel=WARNING"],
    ]
    processes = [subprocess.Popen(line, env=environment) for line in lines]
    yield
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.usefixtures("worker_and_beat")
def test_a_medium_pickup_is_released_after_its_hold_by_worker_and_beat(live: Api, settings: Any) -> None:
    settings.CHAINPAY_HOLD_SECONDS = HOLD_SECONDS
    token, shipment = live.token(risk="0.50")
    intent = live.intent(token)
    live.event(shipment, "PICKUP_CONFIRMED")
    assert live.milestones(intent)["PICKUP_CONFIRMED"]["status"] == "delayed"
    settlement = MilestoneSettlement.objects.get()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while settlement.status == "DELAYED" and time.monotonic() < deadline:
        time.sleep(0.2)
        settlement.refresh_from_db()
    assert settlement.status == "APPROVED"
    assert settlement.released_at
    assert settlement.settlement_delayed_until
    assert settlement.released_at >= settlement.settlement_delayed_until
    assert JournalEntry.objects.get().amount_minor == 100_000
