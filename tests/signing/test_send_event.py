"""`manage.py send_event`: a real message, to a real server."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from settlements import signatures, sources
from settlements.models import MilestoneSettlement, ShipmentEvent
from tests.factories import a_token, an_intent

ROOT = Path(__file__).resolve().parents[2]
Send = Callable[..., str]


@pytest.fixture
def secret(transactional_db: None) -> str:
    """That of the source acme, which a shipment waits for."""
    an_intent(token=a_token(shipment_id="SHIP-1"))
    return sources.create("acme", actor="test", now=timezone.now())[1]


@pytest.fixture
def send(live_server: Any, secret: str, capsys: Any) -> Send:
    """Sends in the name of acme unless told otherwise; what was printed."""

    def run(*words: str) -> str:
        where = [] if "--url" in words else ["--url", live_server.url]
        who = [] if "--source" in words else ["--source", "acme"]
        call_command("send_event", *who, *where, *words)
        return str(capsys.readouterr().out)

    return run


def test_an_event_is_stored_under_the_printed_id(send: Send) -> None:
    said = send("--shipment", "SHIP-1", "--type", "POD_CONFIRMED", "--occurred-at", "2025-11-07T15:30:00Z")
    [message_id] = re.findall(r"^webhook-id: (msg_[0-9a-f]{32})$", said, re.MULTILINE)
    assert "status: 200\n{\n" in said
    assert '  "milestone_settlements_created": 1,\n' in said
    event = ShipmentEvent.objects.get()
    assert (event.message_id, event.source.name) == (f"webhook-id:{message_id}", "acme")
    assert event.occurred_at.isoformat() == "2025-11-07T15:30:00+00:00"
    assert MilestoneSettlement.objects.count() == 1


def test_an_event_has_its_own_id_and_the_present_time_unless_told(send: Send) -> None:
    before = timezone.now()
    send("--shipment", "SHIP-1", "--type", "pickup_confirmed", "--event-id", "own-77")
    event = ShipmentEvent.objects.get()
    assert '"event_id":"own-77"' in event.body
    assert before <= event.occurred_at <= timezone.now()


def test_a_dry_run_shows_exact_amounts_and_stores_nothing(send: Send) -> None:
    said = send("--shipment", "SHIP-1", "--type", "POD_CONFIRMED", "--dry-run")
    assert '"amount": 7000.00,' in said
    assert not ShipmentEvent.objects.exists()


def test_a_ping_needs_no_shipment(send: Send) -> None:
    assert "Pong" in send("--type", "ping")
    with pytest.raises(CommandError, match="needs its --shipment"):
        send("--type", "POD_CONFIRMED")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--shipment", "SHIP-1", "--type", "LOST"], "400"),
        (["--shipment", "SHIP-1", "--type", "POD_CONFIRMED", "--occurred-at", "tomorrow"], "400"),
        (["--type", "ping", "--url", "{url}/nowhere"], "404"),
    ],
)
def test_a_refusal_is_shown_and_fails(words: list[str], status: str, send: Send, capsys: Any, live_server: Any) -> None:
    with pytest.raises(CommandError, match="not accepted"):
        send(*[word.replace("{url}", live_server.url) for word in words])
    assert f"status: {status}\n" in capsys.readouterr().out
    assert not ShipmentEvent.objects.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--source", "nobody"], "Event source nobody not found."),
        (["--source", "é"], "not found"),
        (["--url", "http://127.0.0.1:{free}"], r"No answer from .*: the connection was refused\."),
        (["--url", "ftp://localhost"], "No answer from ftp://localhost: The URL must"),
    ],
)
def test_what_can_not_be_sent_is_told_in_one_line(words: list[str], says: str, send: Send) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        port = str(door.getsockname()[1])
        with pytest.raises(CommandError, match=says) as failed:
            send("--type", "ping", *[word.replace("{free}", port) for word in words])
    assert "\n" not in str(failed.value)


def test_a_source_without_a_live_secret_sends_nothing(send: Send) -> None:
    row = sources.known("acme", fresh=True)
    assert row is not None
    sources.revoke(row.source.pk, [each.pk for each in row.secrets], actor="test", now=timezone.now())
    with pytest.raises(CommandError, match="no live secret"):
        send("--type", "ping")


def run_without_a_database(url: str, secret: str) -> Any:
    words = ["send_event", "--source", "acme", "--type", "ping", "--url", url]
    environment = os.environ | {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "CHAINPAY_WEBHOOK_SECRET": secret,
    }
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_with_the_secret_in_the_environment_no_database_is_asked(live_server: Any, secret: str) -> None:
    done = run_without_a_database(live_server.url, secret)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Pong" in done.stdout
    wrong = run_without_a_database(live_server.url, signatures.new_secret())
    assert wrong.returncode == 1
    assert "status: 401" in wrong.stdout
    assert wrong.stderr == "CommandError: The event was not accepted.\n"


@pytest.mark.parametrize("given", ["whsec_?", "short"])
def test_an_invalid_secret_is_told_without_repeating_it(given: str, live_server: Any, secret: str) -> None:
    done = run_without_a_database(live_server.url, given)
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: CHAINPAY_WEBHOOK_SECRET: A webhook secret")
    assert given not in done.stdout + done.stderr


def test_without_secret_and_database_the_way_out_is_told(live_server: Any, secret: str) -> None:
    done = run_without_a_database(live_server.url, "")
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: The database does not answer; set CHAINPAY_WEBHOOK_SECRET")
    assert done.stderr.count("\n") == 1


@pytest.mark.django_db
def test_a_database_without_tables_is_told() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE settlements_eventsource RENAME TO elsewhere")
    with pytest.raises(CommandError, match="no tables yet"):
        call_command("send_event", "--source", "acme", "--type", "ping")
