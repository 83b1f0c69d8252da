"""The programs printed in the documents, taken from there and run against a live server."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from settlements import sources
from settlements.models import MilestoneSettlement, ShipmentEvent
from settlements.permissions import GRANTABLE
from tests.factories import a_token, an_intent

DOCS = Path(__file__).resolve().parents[1] / "docs"
INSTEAD = "the signatures in tests/data/standard-webhooks/javascript.json and those of test_libraries.py stand for it"


def printed(document: str, language: str) -> list[str]:
    """The blocks of a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / document).read_text(), re.MULTILINE | re.DOTALL)


def tool(*names: str) -> list[str]:
    """Where the first one is; without any of them the test does not apply here, and says so."""
    found = [shutil.which(name) for name in names]
    if None in found:
        pytest.skip(f"NOT RUN: {' and '.join(names)} needed to run this example of the documents; {INSTEAD}")
    return [str(each) for each in found]


@pytest.fixture
def environment(transactional_db: None, live_server: Any, settings: Any) -> Iterator[dict[str, str]]:
    """A carrier with a shipment, its source, and where to post."""
    settings.CHAINPAY_DEMO = False
    sources.forget()
    an_intent(token=a_token(shipment_id="SHIP-TEST-001", carrier_id="CARRIER-1"))
    _, secret = sources.create("acme", carrier_id="CARRIER-1", actor="test", now=timezone.now())
    ours = {"CHAINPAY_URL": live_server.url, "CHAINPAY_SOURCE": "acme", "CHAINPAY_SECRET": secret}
    yield {"PATH": os.environ["PATH"], **ours}
    sources.forget()


def output(command: list[str], program: str, environment: dict[str, str]) -> str:
    """What the program prints; it ends well."""
    done = subprocess.run(command, input=program, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def one_event_arrived() -> bool:
    event = ShipmentEvent.objects.get()
    assert (event.source.name, event.shipment.shipment_id) == ("acme", "SHIP-TEST-001")
    return MilestoneSettlement.objects.count() == 1


@pytest.mark.parametrize("place", [0, 1], ids=["standard library", "standardwebhooks"])
def test_the_python_programs_post_an_event(place: int, environment: dict[str, str]) -> None:
    programs = printed("api.md", "python")
    assert len(programs) == 2
    said = output([sys.executable, "-"], programs[place], environment)
    assert said.startswith("200 {")
    assert one_event_arrived()


def test_the_python_program_tells_a_refusal(environment: dict[str, str]) -> None:
    said = output([sys.executable, "-"], printed("api.md", "python")[0], {**environment, "CHAINPAY_SOURCE": "other"})
    assert said.startswith("401 {")


def test_the_javascript_program_posts_an_event(environment: dict[str, str]) -> None:
    [program] = printed("api.md", "javascript")
    said = output([*tool("node"), "--input-type=module", "-"], program, environment)
    assert said.startswith("200 {")
    assert one_event_arrived()


def test_the_shell_program_posts_an_event(environment: dict[str, str]) -> None:
    [program] = printed("api.md", "bash")
    bash, *_ = tool("bash", "curl", "openssl")
    said = output([bash, "-eu"], program, environment)
    assert said.endswith("} 200\n")
    assert one_event_arrived()


def test_the_hour_of_integrating_goes_as_told(environment: dict[str, str]) -> None:
    bash, *_ = tool("bash", "curl", "openssl")
    said = output([bash, "-eu"], "\n".join(printed("integrating.md", "bash")), environment).splitlines()
    assert [line.rsplit(" ", 1)[1] for line in said] == ["200"] * 5
    whoami, ping, dry, first, second = said
    assert '"name":"acme"' in whoami
    assert "Pong" in ping
    assert '"dry_run":true' in dry
    assert first == second
    assert one_event_arrived()


def test_every_scope_of_a_key_is_told() -> None:
    keys = (DOCS / "api.md").read_text().partition("### Keys")[2].partition("### Signatures")[0]
    told = re.findall(r"`([a-z]+:[a-z]+)`", "".join(re.findall(r"^\| `.*? \|", keys, re.MULTILINE)))
    assert sorted(told) == sorted(GRANTABLE)
