"""Who is told to stop finishes what it has begun, web or worker: a new version loses none and pays none twice."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection

from bench import load, shipments, webhook
from bench.webhook import Web
from chainpay.celery import app
from chainpay.embedded import children
from chainpay.embedded.run import Run
from chainpay.embedded.run import _family as family
from chainpay.environment import read
from rails.models import JournalEntry
from settlements import sources
from settlements.models import MilestoneSettlement, ShipmentEvent
from tests.bench.test_bench import url_of_the_server
from tests.flows.conftest import Api
from tests.flows.test_sweep import delayed

pytestmark = pytest.mark.django_db(transaction=True)
Serve = Callable[..., AbstractContextManager[Web]]

# More than the server has threads, so that some wait for one.
UNDER_WAY = 48
EVENTS, JOURNAL = "settlements_shipmentevent", "rails_journalentry"
MANY, CONNECTIONS = 800, 8
DUE = 3
PATIENCE_SECONDS = 60.0
ASKING = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
BROKER = django_settings.CELERY_BROKER_URL.replace("virtual_host=0", "virtual_host=9")
# What the server says of a process of its own that did not end in time.
KILLED = "refused to gracefully stop"


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    sources.forget()

    def begin(*options: str) -> AbstractContextManager[Web]:
        return webhook.serving(url_of_the_server(), log=tmp_path / "web.log", server_options=options)

    return begin


def messages(web: Web, number: int) -> list[bytes]:
    source = shipments.source()
    bodies = shipments.bodies(shipments.prepare(number))
    return list(load.signed_requests(web.port, source.name, source.secret, bodies))


def send(port: int, request: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    line.sendall(request)
    return line


def answer(line: socket.socket) -> bytes | None:
    """The answer, whole; None when the connection ended without one."""
    received = b""
    try:
        while (length := load.complete_length(received)) is None or len(received) < length:
            part = line.recv(65536)
            if not part:
                return None
            received += part
    except ConnectionResetError:
        return None
    return received


def body(answered: bytes | None) -> bytes:
    assert answered is not None
    assert answered.startswith(b"HTTP/1.1 200 "), answered
    assert load.WANTED in answered, answered
    return answered.partition(b"\r\n\r\n")[2]


def post_until_it_ends(port: int, requests: Sequence[bytes], answered: threading.Event) -> dict[bytes, bytes]:
    """Posts one after the other over one connection that is kept; the answers until it ends."""
    answers: dict[bytes, bytes] = {}
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as line:
        for request in requests:
            try:
                line.sendall(request)
            except OSError:
                break
            received = answer(line)
            if received is None:
                break
            answers[request] = body(received)
            answered.set()
    return answers


@contextmanager
def nothing_is_written(table: str) -> Iterator[None]:
    """Whoever writes into it waits until this ends."""
    with psycopg.connect(url_of_the_server()) as holder:
        holder.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE".encode())
        yield


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def taken_in(port: int) -> bool:
    """Whether the server has read all that was sent to it."""
    here = f":{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return not any(line[1].endswith(here) and line[4].partition(":")[2].strip("0") for line in lines)


def somebody_waits_for(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE relation = %s::regclass AND NOT granted)", [table])
        return bool(cursor.fetchone()[0])


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


def assert_each_event_paid_once(number: int) -> None:
    assert ShipmentEvent.objects.count() == number
    assert MilestoneSettlement.objects.filter(status="APPROVED").count() == number
    assert MilestoneSettlement.objects.values("intent", "event_type").distinct().count() == number
    assert JournalEntry.objects.filter(kind="release").count() == number


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """As `make run` starts the one that pays, on the test's database and a broker whose database nobody else uses."""
    environment = os.environ | {"DATABASE_URL": url_of_the_server(), "REDIS_URL": BROKER}
    (command,) = (child.command for child in family(Run(settings=read(tmp_path))) if child.name == "worker")
    started = []

    def start() -> subprocess.Popen[bytes]:
        started.append(children.spawn(command=command, log=tmp_path / "worker.log", environment=environment))
        return started[-1]

    yield start
    children.stop_all(started)


@pytest.mark.usefixtures("live")
def test_a_worker_that_is_told_to_stop_ends_its_task_and_leaves_the_next_one_to_others(
    start_worker: Callable[[], subprocess.Popen[bytes]], settings: Any
) -> None:
    settings.CHAINPAY_HOLD_SECONDS = -1
    delayed(Api(), DUE)
    first = start_worker()
    with nothing_is_written(JOURNAL):
        ask_for_a_sweep()
        wait_until(lambda: somebody_waits_for(JOURNAL))
        first.send_signal(signal.SIGTERM)
        ask_for_a_sweep()
        assert not JournalEntry.objects.exists()
    assert first.wait(PATIENCE_SECONDS) == 0
    assert JournalEntry.objects.count() == MilestoneSettlement.objects.filter(status="APPROVED").count() == DUE
    # Nobody asks again: the second wake-up is still in the queue.
    delayed(Api(), DUE)
    start_worker()
    wait_until(lambda: JournalEntry.objects.count() == 2 * DUE)
    assert MilestoneSettlement.objects.filter(status="APPROVED").count() == 2 * DUE


def ask_for_a_sweep() -> None:
    with app.connection_for_write(BROKER) as broker:
        app.send_task("settlements.sweep", connection=broker)


def test_requests_under_way_are_answered_before_the_server_ends(serve: Serve, tmp_path: Path) -> None:
    with serve() as web:
        requests = messages(web, UNDER_WAY)
        # Nobody's request is under way there, so nobody waits for it.
        idle = [socket.create_connection(("127.0.0.1", web.port)), send(web.port, ASKING)]
        assert answer(idle[1])
        with nothing_is_written(EVENTS):
            lines = [send(web.port, request) for request in requests]
            wait_until(lambda: taken_in(web.port) and somebody_waits_for(EVENTS))
            web.process.send_signal(signal.SIGTERM)
            wait_until(lambda: refuses_connections(web.port))
        answers = [body(answer(line)) for line in lines]
        assert web.process.wait(PATIENCE_SECONDS) == 0
    assert KILLED not in (tmp_path / "web.log").read_text()
    assert len(answers) == UNDER_WAY
    assert_each_event_paid_once(UNDER_WAY)


def test_under_load_what_was_answered_stands_and_the_rest_is_repeated_and_paid_once(serve: Serve) -> None:
    with serve() as web:
        requests = messages(web, MANY)
        answered = threading.Event()
        shares = [requests[start::CONNECTIONS] for start in range(CONNECTIONS)]
        with ThreadPoolExecutor(CONNECTIONS) as senders:
            posted = [senders.submit(post_until_it_ends, web.port, share, answered) for share in shares]
            assert answered.wait(PATIENCE_SECONDS)
            web.process.send_signal(signal.SIGTERM)
            first = dict(chain.from_iterable(each.result().items() for each in posted))
        assert web.process.wait(PATIENCE_SECONDS) == 0
    assert 0 < len(first) < MANY
    stored = ShipmentEvent.objects.count()
    assert stored == len(first), "what was stored was answered, and what was answered was stored"
    with serve() as web:
        again = {request: body(answer(send(web.port, request))) for request in requests}
    assert {request: again[request] for request in first} == first
    assert_each_event_paid_once(MANY)


def test_a_server_that_can_not_finish_is_killed_and_its_requests_are_repeated(serve: Serve, tmp_path: Path) -> None:
    with serve("--workers-kill-timeout", "1") as web:
        requests = messages(web, UNDER_WAY)
        with nothing_is_written(EVENTS):
            lines = [send(web.port, request) for request in requests]
            wait_until(lambda: taken_in(web.port) and somebody_waits_for(EVENTS))
            web.process.send_signal(signal.SIGTERM)
            web.process.wait(PATIENCE_SECONDS)
            assert {answer(line) for line in lines} == {None}
    assert KILLED in (tmp_path / "web.log").read_text()
    with serve() as web:
        for request in requests * 2:
            body(answer(send(web.port, request)))
    assert_each_event_paid_once(UNDER_WAY)
