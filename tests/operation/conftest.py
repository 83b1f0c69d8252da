"""Operation as whoever scrapes it sees it; the API's callers and shipments are those of the flows."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from chainpay.operation import metrics, readiness, tally, task_runs
from tests.flows.conftest import _demo, api, live, staff

__all__ = ["_demo", "api", "live", "staff"]

Labels = dict[str, str]


@pytest.fixture(autouse=True)
def _anew(settings: Any) -> Iterator[None]:
    """Each test is scraped anew."""
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    metrics.database.forget()
    readiness.looks.forget()
    yield
    metrics.database.forget()


@pytest.fixture
def client() -> Client:
    return Client(SERVER_NAME="localhost", raise_request_exception=False)


@pytest.fixture
def operated(settings: Any) -> Callable[..., None]:
    """Changes settings of operation for one test."""

    def change(**changes: Any) -> None:
        settings.CHAINPAY_OPERATION = dataclasses.replace(settings.CHAINPAY_OPERATION, **changes)

    return change


def beat(*, seconds_ago: float = 0) -> None:
    """The clock's heartbeat, so long ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO operation_taskrun (task, begun, succeeded, failed, seconds, last_seconds, last_succeeded_at)
            VALUES (%(task)s, 1, 1, 0, 0, 0, now() - make_interval(secs => %(ago)s))
            ON CONFLICT (task) DO UPDATE SET last_succeeded_at = excluded.last_succeeded_at
            """,
            {"task": task_runs.HEARTBEAT, "ago": seconds_ago},
        )


def counted() -> None:
    """Everything that is committed is counted, as if the seconds that ids need to settle had passed."""
    with mock.patch.object(tally, "_SETTLES_SECONDS", 0):
        for _ in range(3):
            tally.count_all()


def scraped(text: str) -> dict[str, list[tuple[Labels, float]]]:
    """Samples by name, as another program than ours reads them."""
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def scrape(client: Client) -> dict[str, list[tuple[Labels, float]]]:
    metrics.database.forget()
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.content
    return scraped(answer.content.decode())


def value(found: dict[str, list[tuple[Labels, float]]], name: str, **labels: str) -> float:
    """The one value of a figure with these labels; 0 where it has none."""
    values = [number for of, number in found.get(name, []) if labels.items() <= of.items()]
    assert len(values) <= 1, (name, labels, values)
    return values[0] if values else 0.0


def repository() -> Path:
    return Path(__file__).resolve().parents[2]
