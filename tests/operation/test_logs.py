"""Log lines: one JSON object each, by whom they were caused, without secrets, and no tracebacks of refusals."""

import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client

from chainpay.operation import database_names, logs
from settlements import milestones, verify
from settlements.api import request_ids
from settlements.api.request_ids import RequestIdFilter
from settlements.models import ShipmentEvent
from tests.flows.conftest import Api
from tests.setup.test_operation_settings import read

ACCOUNT = "000123456789012"
IBAN = "DE89370400440532013000"
KEY = "sk_live_abcdefghijklmnop"
PATIENCE_SECONDS = 90
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What the log says, as it stands in the settings but into memory, line by line."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Json())
    handler.addFilter(RequestIdFilter())
    handler.addFilter(logs.Refusals())
    root, requests = logging.getLogger(), logging.getLogger(logs.REQUESTS)
    levels = root.level, requests.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    requests.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(levels[0])
    requests.setLevel(levels[1])


def test_one_line_has_time_level_logger_words_and_request(lines: Lines) -> None:
    logging.getLogger("here").info("Created milestone settlement %s: event_id=%s\nand more", 7, 12)
    (line,) = lines()
    assert line["time"].endswith("+00:00")
    assert (line["level"], line["logger"]) == ("INFO", "here")
    assert (line["milestone_id"], line["event_id"]) == (7, 12)
    assert line["request_id"]


@pytest.mark.parametrize("path", ["/event_id=17", "/event_id=999999999999999999999"])
def test_an_address_that_was_asked_for_makes_no_number_of_ours(client: Client, lines: Lines, path: str) -> None:
    assert client.get(path).status_code == 404
    assert any(path[:10] in line["message"] for line in lines())
    assert not any({"event_id", "milestone_id"} & line.keys() for line in lines())


def test_half_a_character_and_a_number_too_long_are_told_all_the_same(lines: Lines) -> None:
    logging.getLogger("here").info("event_id=%s of %s", 10**20, "caf\ud800", extra={"status": 2**70})
    (line,) = lines()
    assert line["message"] == f"event_id={10**20} of caf?"
    assert "event_id" not in line


def test_a_refused_row_is_not_repeated_in_a_traceback(lines: Lines, db: None) -> None:
    try:
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "DO $$ BEGIN RAISE 'refused' USING DETAIL = E'Failing row contains (Ada Lovelace,\n 7654).', "
                    "HINT = 'Ask again.'; END $$"
                )
        except DatabaseError as refused:
            raise ValueError("while it was written") from refused
    except ValueError as error:
        logging.getLogger("here").exception("It failed: %s", error.__cause__)
    (line,) = lines()
    for words in (line["traceback"], line["message"]):
        assert "refused" in words
        assert "Ask again." in words
        assert "Lovelace" not in words
        assert "7654" not in words
    assert "while it was written" in line["traceback"]


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR])
def test_words_of_others_lose_account_numbers_and_keys(lines: Lines, level: int) -> None:
    logging.getLogger("here").log(level, "The bank says: %s", f"account {ACCOUNT}, {IBAN}, key {KEY}")
    (line,) = lines()
    for secret in (ACCOUNT, IBAN, KEY):
        assert secret not in json.dumps(line)
    assert ACCOUNT[-4:] in line["message"]


def test_a_key_is_shown_at_no_level(lines: Lines) -> None:
    logging.getLogger("here").info("Called https://user:pass@host/?api_key=abc with Bearer %s", KEY)
    assert KEY not in str(lines())
    assert "pass@" not in str(lines())
    assert "abc" not in str(lines())


def test_a_traceback_shows_neither(lines: Lines) -> None:
    try:
        raise ValueError(f"no such account {ACCOUNT} under {KEY}")
    except ValueError:
        logging.getLogger("here").exception("It failed")
    (line,) = lines()
    assert line["error"] == "ValueError"
    assert "Traceback" in line["traceback"]
    for secret in (ACCOUNT, KEY):
        assert secret not in json.dumps(line)


def test_lines_for_people_show_neither() -> None:
    formatter = logs.Redacting("{levelname} [{request_id}] {message}", style="{")
    record = logging.LogRecord("here", logging.ERROR, "f", 1, "account %s", (ACCOUNT,), None)
    record.request_id = "123456789012345"
    assert formatter.format(record) == "ERROR [123456789012345] account ***********9012"


class TestRefusals:
    """Of the probes' routes of tests/api."""

    @pytest.fixture(autouse=True)
    def _routes(self, settings: Any) -> None:
        settings.ROOT_URLCONF = "tests.api.probe_urls"

    @pytest.mark.parametrize(
        "path", ["/plain/denied", "/admin/fail/denied", "/plain/suspicious", "/admin/fail/suspicious", "/nowhere"]
    )
    def test_a_refused_request_writes_no_traceback_and_no_error(
        self, client: Client, db: None, lines: Lines, path: str
    ) -> None:
        assert client.get(path).status_code in {400, 403, 404}
        assert lines()
        for line in lines():
            assert "traceback" not in line, line
            assert line["level"] != "ERROR", line

    def test_nor_does_a_foreign_host(self, db: None, lines: Lines) -> None:
        assert Client(SERVER_NAME="evil.example", raise_request_exception=False).get("/healthz").status_code == 400
        for line in lines():
            assert "traceback" not in line, line
            assert line["level"] != "ERROR", line

    def test_a_bug_writes_its_traceback_with_the_request_it_was_met_by(
        self, client: Client, db: None, lines: Lines
    ) -> None:
        answer = client.get("/plain/bug", headers={"X-Request-ID": "met-by"})
        assert answer.status_code == 500
        (line,) = [line for line in lines() if line["level"] == "ERROR"]
        assert (line["request_id"], line["error"]) == ("met-by", "ZeroDivisionError")
        assert "plain_failure" in line["traceback"]


def test_every_answer_is_a_line_with_route_status_and_time_and_no_id(client: Client, db: None, lines: Lines) -> None:
    client.get("/payment_intents/4711", headers={"X-Request-ID": "asked"})
    client.get("/healthz")
    (line,) = [line for line in lines() if line["logger"] == logs.REQUESTS]
    assert (line["method"], line["route"]) == ("GET", "/payment_intents/<id:intent_id>")
    assert line["status"] in {401, 403, 404}
    assert line["milliseconds"] >= 0
    assert line["request_id"] == "asked"
    assert "4711" not in str(line)


def test_an_event_is_followed_from_the_webhook_to_the_worker_by_its_number(
    live: Api, lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processing fails in the web process; a real worker that a real beat wakes up does it."""
    token, shipment = live.token(risk="0.10")
    intent = live.intent(token)
    with monkeypatch.context() as broken:
        broken.setattr(milestones, "process_milestones", lambda **_: 1 / 0)
        answer = live.post(
            "/webhooks/shipment_event",
            {"shipment_id": shipment, "event_type": "POD_CONFIRMED", "occurred_at": "2026-01-05T10:00:00Z"},
            X_Request_ID="from-the-web",
        )
    assert answer.status_code == 202, answer.content
    event = ShipmentEvent.objects.get()
    (told,) = [line for line in lines() if line.get("event_id") == event.pk and line["level"] == "ERROR"]
    assert told["request_id"] == "from-the-web"
    with celery(tmp_path) as log:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while event.state != "PROCESSED" and time.monotonic() < deadline:
            time.sleep(0.2)
            event.refresh_from_db()
    assert event.state == "PROCESSED", log.read_text()
    worked = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    of_event = [line for line in worked if line.get("event_id") == event.pk]
    assert any("processed by the sweep" in line["message"] for line in of_event), worked
    (task,) = {line["request_id"] for line in of_event}
    assert task not in {"-", "from-the-web"}
    created = next(line["milestone_id"] for line in of_event if "milestone_id" in line)
    assert str(created) in str(live.milestones(intent))


class celery:
    """Worker and beat of our own, whose log goes to a file as JSON."""

    def __init__(self, place: Path) -> None:
        name, host = connection.settings_dict["NAME"], connection.settings_dict["OPTIONS"].get("host", "")
        self.log = place / "celery.log"
        self.environment = os.environ | {
            "DATABASE_URL": f"postgresql://postgres@/{name}?host={host}",
            "REDIS_URL": django_settings.CELERY_BROKER_URL.replace("virtual_host=0", "virtual_host=8"),
            "CHAINPAY_SWEEP_SECONDS": "1",
            "CHAINPAY_LOG_FORMAT": "json",
        }
        line = [sys.executable, "-m", "celery", "-A", "chainpay.celery"]
        self.commands = [
            [*line, "worker", "--pool=solo", "--without-gossip", "--without-mingle", "--loglevel=INFO"],
            [*line, "beat", f"--schedule={place / 'beat'}", "--pidfile=", "--loglevel=INFO"],
        ]

    def __enter__(self) -> Path:
        out = self.log.open("wb")
        self.processes = [
            subprocess.Popen(line, env=self.environment, stdout=out, stderr=out) for line in self.commands
        ]
        return self.log

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def test_the_database_shows_whose_statements_it_runs_but_for_events(
    live: Api, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def shown() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('application_name')")
            return str(cursor.fetchone()[0])

    live.send("GET", "/payment_intents", X_Request_ID="reads-intents")
    names.append(connection.connection.execute("SELECT current_setting('application_name')").fetchone()[0])
    _, shipment = live.token(risk="0.10")
    live.event(shipment, "IN_TRANSIT")
    names.append(shown())
    assert names == ["chainpay reads-intents", "chainpay"]


def test_a_name_that_went_with_its_transaction_is_set_again(transactional_db: None) -> None:
    def shown() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('application_name')")
            return str(cursor.fetchone()[0])

    def named() -> None:
        connection.close()
        own = f"chainpay {request_ids.current()}"
        database_names.name_what_follows(False)
        with transaction.atomic():
            assert shown() == "chainpay"
        database_names.name_what_follows(True)
        with transaction.atomic():
            assert shown() == own
            transaction.set_rollback(True)
        assert shown() == own
        database_names.name_what_follows(False)
        with transaction.atomic():
            assert shown() == "chainpay"
        assert vars(connections["default"])["chainpay_name"] == "chainpay", "a commit makes it known"

    copy_context().run(named)


@pytest.mark.parametrize(("demo", "format_"), [(True, "line"), (False, "json")])
def test_machines_read_the_log_unless_it_is_the_demos(
    monkeypatch: pytest.MonkeyPatch, demo: bool, format_: str
) -> None:
    assert read(monkeypatch, demo=demo).log_format == format_
    assert read(monkeypatch, {"CHAINPAY_LOG_FORMAT": "JSON"}, demo=demo).log_format == "json"
    with pytest.raises(ImproperlyConfigured, match="CHAINPAY_LOG_FORMAT must be json or line"):
        read(monkeypatch, {"CHAINPAY_LOG_FORMAT": "xml"}, demo=demo)


def test_a_named_task_can_still_choose_the_isolation_of_its_transactions(live: Api) -> None:
    def verified() -> list[str]:
        database_names.name_what_follows(True)
        connection.close()
        return [proven.what for proven in verify.everything(at_once=2)]

    assert copy_context().run(verified)
