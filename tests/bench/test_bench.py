"""The bench measures what it says: small numbers through all of it, and its arithmetic."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from bench import figures, load
from chainpay.embedded.run import WEB_PROCESSES, WEB_THREADS

ROOT = Path(__file__).resolve().parents[2]


def tiny_run(var: Path, parts: str) -> str:
    """What it prints."""
    environment = os.environ | {"DATABASE_URL": url_of_the_server(), "CHAINPAY_VAR": str(var), "SECRET_KEY": "x" * 50}
    words = ["--events", "24", "--rounds", "1", "--warm-up", "8", "--floor-factor", "1"]
    words += ["--settlements", "400", "--waiting", "24", "--turns", "2", "--exports", "1", "--audit-events", "40"]
    words += ["--intents", "300", "--per-shipment", "5", "--due", "1200", "--sweeps", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words, "--only", parts, "--server=--workers 1"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.django_db(transaction=True)
def test_a_tiny_run_posts_real_events_and_finds_each_of_them_settled_once(tmp_path: Path) -> None:
    said = tiny_run(tmp_path, "webhook,review,exports,reconciling,verifying")
    assert "Verified: 74 events, each one settlement, audited once, and booked once where it paid." in said
    assert re.search(
        r"^8 connections +24 events +\d+/s +p50 +[\d.]+ ms +p99 +[\d.]+ ms   CPU [\d.]+ \+ [\d.]+ ms$",
        said,
        re.MULTILINE,
    )
    assert "fsync" in said
    assert "Review queue: 24 waiting of 400 settlements" in said
    assert re.search(r"^export +400 lines +[\d.]+ MB   COPY", said, re.MULTILINE)
    assert "Verifying the books: 40 audit events" in said
    for figure in (
        "webhook +throughput, 8 connections +[\\d.,]+ /s",
        "webhook +throughput, 32 connections +[\\d.,]+ /s",
        "webhook +p50, 1 connection +[\\d.,]+ ms",
        "review +queue, first page +[\\d.]+ ms +[\\d.]+ to [\\d.]+ +[\\d.]+ ms +[\\d.]+ +median at most 300",
        "exports +CSV over HTTP, COPY as floor +[\\d.]+ s +one round",
        "exports +memory more at the peak +-?[\\d.]+ MiB",
        "reconciling +one rail +[\\d.]+ ms",
        "verifying +40 audit events +[\\d.]+ s",
    ):
        assert re.search(f"^{figure}", said, re.MULTILINE), (figure, said)


@pytest.mark.django_db(transaction=True)
def test_a_tiny_run_releases_what_is_due_and_finds_the_books_as_they_should_be(tmp_path: Path) -> None:
    said = tiny_run(tmp_path, "sweep")
    assert "Verified: 2401 settlements, each released, audited and booked once; the books pass." in said
    for figure in (
        "sweep +1,200 due, 1 worker +[\\d.,]+ /s +one round +[\\d.,]+ /s +[\\d.]+ +ratio at least 0.65",
        "sweep +1,200 due, 2 workers, floor: 1 worker +[\\d.,]+ /s",
    ):
        assert re.search(f"^{figure}", said, re.MULTILINE), (figure, said)


@pytest.mark.django_db(transaction=True)
def test_a_tiny_run_compares_many_intents_and_several_servers(tmp_path: Path) -> None:
    said, as_run = tiny_run(tmp_path, "webhook-million,servers"), f"granian {WEB_PROCESSES}x{WEB_THREADS}"
    assert "Verified: 64 events and 1 for 5 intents, each settled once." in said
    assert ("LEFT OUT: gunicorn 2x16" in said) is (find_spec("gunicorn") is None)
    assert (f"LEFT OUT: {as_run}, pool" in said) is (find_spec("psycopg_pool") is None)
    for figure in (
        "webhook-million +300 intents, floor: few +[\\d.,]+ /s +one round +[\\d.,]+ /s +[\\d.]+ +ratio at least 0.95",
        "webhook-million +settlements, 5 intents per shipment, floor: 1 +[\\d.,]+ /s",
        f"servers +{as_run}, 8 connections +[\\d.,]+ /s",
        "servers +granian 2x8, 32 connections +[\\d.,]+ /s +one round +[\\d.,]+ /s",
    ):
        assert re.search(f"^{figure}", said, re.MULTILINE), (figure, said)


def test_percentiles_are_values_that_were_measured() -> None:
    ordered = [float(value) for value in range(1, 101)]
    assert figures.percentile(ordered, 50) == 50
    assert figures.percentile(ordered, 99) == 99
    assert figures.percentile([7.0], 99) == 7


def test_figures_are_per_second_and_in_milliseconds() -> None:
    found = figures.of([0.002, 0.004, 0.006], elapsed=0.5)
    assert (found.events, found.per_second, found.p50_ms, found.p99_ms) == (3, 6.0, 4.0, 6.0)


def test_nothing_measured_is_no_figure() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        figures.of([], elapsed=1.0)


def test_the_middle_of_several_rounds_is_taken_figure_by_figure() -> None:
    rounds = [figures.of([latency], elapsed=elapsed) for latency, elapsed in ((0.001, 1.0), (0.002, 0.5), (0.009, 0.1))]
    middle = figures.middle(rounds)
    assert (middle.events, middle.per_second, middle.p50_ms) == (3, 2.0, 2.0)


@pytest.mark.parametrize(
    ("received", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Len", None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", 40),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 27),
    ],
)
def test_an_answer_is_complete_when_its_announced_length_is_there(received: bytes, length: int | None) -> None:
    assert load.complete_length(received) == length


def url_of_the_server() -> str:
    """The test database as a URL; the bench makes a database of its own beside it."""
    connection.ensure_connection()
    info = connection.connection.info
    return f"postgresql://{quote(info.user)}@/{info.dbname}?host={quote(info.host, safe='/')}&port={info.port}"
