"""Two beats and two workers over thousands of due rows: each is released once."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from pytest_django import Settings

from rails import destinations
from rails.models import JournalEntry, RailAttempt, Recipient
from settlements import verify
from settlements.models import AuditEvent, MilestoneSettlement
from tests.chaos import orders
from tests.factories import PICKUP, a_recipient, now, post_event
from tests.flows.conftest import Api, live
from tests.rails.stripe_world import settings_of
from tests.stripe_fake import API_KEY, StripeFake, accounts

__all__ = ["live"]

PATIENCE_SECONDS = 240
Running = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def running(live: Api, tmp_path: Path) -> Running:
    """Two beats and two workers of two processes each, on the test's own database, while inside of it."""

    @contextmanager
    def run(**environment: str) -> Iterator[None]:
        name, host = connection.settings_dict["NAME"], connection.settings_dict["OPTIONS"].get("host", "")
        surroundings = os.environ | {
            "DATABASE_URL": f"postgresql://postgres@/{name}?host={host}",
            "REDIS_URL": django_settings.CELERY_BROKER_URL.replace("virtual_host=0", "virtual_host=6"),
            "CHAINPAY_SWEEP_SECONDS": "1",
            "CHAINPAY_SUBMIT_SECONDS": "1",
            **environment,
        }
        celery = [sys.executable, "-m", "celery", "-A", "chainpay.celery"]
        quiet = ["--without-gossip", "--without-mingle", "--loglevel=WARNING"]
        workers = [[*celery, "worker", f"--hostname=pair-{n}@%h", "--concurrency=2", *quiet] for n in (1, 2)]
        beats = [
            [*celery, "beat", f"--schedule={tmp_path / f'beat-{n}'}", "--pidfile=", "--loglevel=WARNING"]
            for n in (1, 2)
        ]
        processes = [subprocess.Popen(line, env=surroundings, process_group=0) for line in (*workers, *beats)]
        try:
            yield
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    return run


def due(rows: int, *, per_shipment: int, recipient: Recipient | None = None, method: str = "internal_ledger") -> None:
    """So many settlements whose hold is over: intents written at once, their events by the domain."""
    kind = orders.Kind(per_shipment=per_shipment, recipient=recipient, method=method)
    for shipment in orders.lay(rows // per_shipment, kind):
        post_event(shipment, PICKUP)
    assert MilestoneSettlement.objects.filter(status="DELAYED").count() == rows


def wait_until_released(rows: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while MilestoneSettlement.objects.filter(status="APPROVED").count() < rows and time.monotonic() < end:
        time.sleep(0.2)
    # Whoever was about to release one again has the time to do so.
    time.sleep(2)
    assert Counter(MilestoneSettlement.objects.values_list("status", flat=True)) == {"APPROVED": rows}


def times_released(action: str) -> Counter[int]:
    """How many settlements were released how often, by their histories."""
    times = Counter(AuditEvent.objects.filter(action=action).values_list("settlement_id", flat=True))
    return Counter(times.values())


def test_ten_thousand_due_rows_are_each_released_once(running: Running, settings: Settings) -> None:
    settings.CHAINPAY_HOLD_SECONDS = -1
    due(10_000, per_shipment=50)
    with running():
        wait_until_released(10_000)
    assert times_released("released") == {1: 10_000}
    booked = Counter(JournalEntry.objects.values_list("milestone_id", flat=True))
    assert Counter(booked.values()) == {1: 10_000}
    assert [proven.count for proven in verify.everything()]


def test_a_thousand_due_rows_at_stripe_are_each_paid_once(running: Running, settings: Settings) -> None:
    settings.CHAINPAY_HOLD_SECONDS = -1
    with StripeFake() as fake:
        fake.world.fund("usd", 10**14)
        account = str(accounts.add(fake.world)["id"])
        recipient = a_recipient()
        destinations.propose(recipient.pk, [destinations.read("stripe", {"account": account})], actor="test", now=now())
        settings.CHAINPAY_STRIPE = settings_of(fake)
        due(1_000, per_shipment=25, recipient=recipient, method="stripe")
        with running(STRIPE_API_KEY=API_KEY, STRIPE_API_BASE=fake.url):
            wait_until_released(1_000)
        paid = Counter(each["metadata"]["chainpay_settlement"] for each in fake.world.transfers.values())
    assert Counter(paid.values()) == {1: 1_000}
    assert times_released("releasing") == times_released("released") == {1: 1_000}
    assert set(RailAttempt.objects.values_list("number", flat=True)) == {1}
    assert sum(each["amount"] for each in fake.world.transfers.values()) == 1_000 * 100_000
    assert [proven.count for proven in verify.everything()]
