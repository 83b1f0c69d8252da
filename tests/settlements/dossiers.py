"""Dossiers of intents, and what their program says of them."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from rails.base import RailOutcome
from rails.money import Money
from settlements import audit
from settlements.dossier import making, verify
from settlements.models import MilestoneSettlement
from settlements.proof import keys
from tests.factories import a_user, now
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, notice, pretend_provider
from tests.flows.resolving import retry, returned, submit, tell
from tests.settlements.lived_in import World

Files = dict[str, bytes]
Edit = Callable[[Any], Any]


def dossier_of(intent_id: int) -> making.Dossier:
    return making.make(intent_id, by="user:auditor1", clock=now)


def files_of(intent_id: int) -> Files:
    with zipfile.ZipFile(io.BytesIO(dossier_of(intent_id).content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def checked(place: Path, *words: str, program: Path | None = None) -> tuple[int, str]:
    """Exit code and output of the dossier's own program, run as an auditor would."""
    command = [sys.executable, "-I", str(program or place / "verify.py"), *([str(place)] if program else []), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env={})
    return done.returncode, done.stdout + done.stderr


def unpacked(files: Files, place: Path) -> Path:
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    return place


def sealed_again(files: Files) -> Files:
    """With a manifest that fits, signed by the key: what only its holder could forge."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = {name: hashlib.sha256(files[name]).hexdigest() for name in manifest["files"] if name in files}
    told = json.dumps(manifest).encode()
    return {**files, "manifest.json": told, "manifest.sig": keys.sign(told).hex().encode()}


def wrong(files: Files) -> str:
    with pytest.raises(verify.Wrong) as caught:
        verify.check(files)
    return str(caught.value)


@pytest.fixture
def lively(world: World) -> Files:
    """The dossier of an intent that officers decided upon, with a hold."""
    return files_of(world.reviewed.intent_id)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def paid_twice(db: None, provider: PretendProvider) -> MilestoneSettlement:
    """Came back from a provider, was paid again, and a part of that came back."""
    settlement = returned(provider, a_payable_recipient(), amount=Decimal("1000"))
    retry(settlement, a_user())
    submit(provider)
    settlement.refresh_from_db()
    tell(notice(RailOutcome.RETURNED, settlement.reference, amount=Money(5, "USD")))
    return settlement


def grow(intent_id: int) -> None:
    """One more event of an intent, that changes nothing."""
    with transaction.atomic():
        audit.record([audit.Draft(intent_id=intent_id, action="note_added", triggered_by="system")], now=now())
