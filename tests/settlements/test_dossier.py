"""A dossier is checked by its own program and Python alone; whatever is changed in it fails and is named."""

import hashlib
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from settlements.dossier import making, verify
from settlements.models import Checkpoint, MilestoneSettlement, OfficeEvent, PaymentIntent
from settlements.proof import checkpoints, keys
from tests.factories import POD, an_intent, now, settlement_of
from tests.settlements.conftest import Sql
from tests.settlements.dossiers import (
    Files,
    checked,
    dossier_of,
    files_of,
    grow,
    lively,
    paid_twice,
    provider,
    unpacked,
)
from tests.settlements.lived_in import World

__all__ = ["lively", "paid_twice", "provider"]


class TestWhatIsSound:
    def test_every_intent_of_a_lived_in_house_passes(self, world: World) -> None:
        for intent_id in PaymentIntent.objects.values_list("pk", flat=True):
            assert len(verify.check(files_of(intent_id))) == len(verify.CHECKS)

    def test_it_passes_as_a_folder_and_as_a_zip_by_python_alone(self, lively: Files, tmp_path: Path) -> None:
        place = unpacked(lively, tmp_path / "dossier")
        code, words = checked(place)
        assert (code, words.count("ok  ")) == (0, len(verify.CHECKS)), words
        assert "only under the key that the dossier itself brings" in words
        fingerprint = keys.fingerprint(keys.public_key())
        assert fingerprint in words
        packed = tmp_path / "dossier.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in lively.items():
                archive.writestr(name, content)
        for spelling in (fingerprint, fingerprint.upper(), ":".join(re.findall("..", fingerprint))):
            code, words = checked(packed, "--key", spelling, program=place / "verify.py")
            assert (code, "All of it holds, under the key that you passed." in words) == (0, True), words

    def test_the_key_of_somebody_else_is_named(self, lively: Files, tmp_path: Path) -> None:
        code, words = checked(unpacked(lively, tmp_path / "dossier"), "--key", "ab" * 32)
        assert (code, f"not {'ab' * 32}" in words) == (1, True)

    def test_attempts_at_a_provider_and_their_answers_are_in_it(self, paid_twice: MilestoneSettlement) -> None:
        files = files_of(paid_twice.intent_id)
        attempts = json.loads(files["attempts.json"])
        assert [(row["number"], row["state"], len(row["answers"]) > 0) for row in attempts] == [
            (1, "RETURNED", True), (2, "ACCEPTED", True)
        ]  # fmt: skip
        assert {entry["kind"] for entry in json.loads(files["journal.json"])} >= {"release", "transfer", "return"}

    def test_it_needs_nothing_but_the_standard_library(self) -> None:
        imports = re.findall(r"^(?:import|from) (\w+)", Path(verify.__file__).read_text(), flags=re.MULTILINE)
        assert set(imports) <= sys.stdlib_module_names

    def test_the_readme_says_what_the_key_is_worth(self, lively: Files) -> None:
        words = lively["README.txt"].decode()
        assert "{" not in words
        assert "whoever forges a dossier can forge a key with it" in words


class TestCoverage:
    def test_a_checkpoint_is_made_if_none_covers_it_and_not_otherwise(self, world: World) -> None:
        assert dossier_of(world.approved.pk).checkpoint == 1
        assert dossier_of(world.approved.pk).checkpoint == 1
        grow(world.approved.pk)
        assert dossier_of(world.approved.pk).checkpoint == 2

    def test_another_key_signs_anew(self, world: World, settings: Settings) -> None:
        dossier_of(world.approved.pk)
        settings.CHAINPAY_CHECKPOINT_FORMER_KEYS = [keys.public_key()]
        settings.CHAINPAY_CHECKPOINT_KEY = bytes(range(32))
        dossier = dossier_of(world.approved.pk)
        assert (dossier.checkpoint, dossier.key) == (2, keys.fingerprint(keys.public_key()))

    def test_an_old_intent_is_found_in_a_tree_that_has_grown(self, world: World) -> None:
        dossier_of(world.approved.pk)
        for _ in range(5):
            an_intent()
            checkpoints.make(now=now())
        body = json.loads(json.loads(files_of(world.approved.pk)["proof.json"])["checkpoint"])
        assert (body["number"], body["size"]) == (6, 1 + PaymentIntent.objects.count())

    def test_handing_out_is_on_record(self, world: World) -> None:
        dossier = dossier_of(world.approved.pk)
        told = OfficeEvent.objects.get(action="dossier_made")
        assert (told.subject, told.actor) == (f"intent {world.approved.pk}", "user:auditor1")
        assert told.data == {"checkpoint": 1, "bytes": len(dossier.content), "sha256": dossier.sha256}
        assert dossier.sha256 == hashlib.sha256(dossier.content).hexdigest()

    def test_an_intent_that_is_not_there_leaves_nothing(self, db: None) -> None:
        with pytest.raises(making.NoSuchIntent):
            dossier_of(1)
        assert not Checkpoint.objects.exists()
        assert not OfficeEvent.objects.exists()

    def test_an_intent_that_never_rests_is_given_up(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        make = checkpoints.make

        def meanwhile(*, now: Any) -> Checkpoint | None:
            made = make(now=now)
            grow(world.approved.pk)
            return made

        monkeypatch.setattr("settlements.dossier.making.checkpoints.make", meanwhile)
        with pytest.raises(making.KeepsChanging):
            dossier_of(world.approved.pk)


class TestSecrets:
    def test_account_numbers_and_secrets_are_left_out(self, world: World, behind_the_guards: Sql) -> None:
        event = settlement_of(world.approved, POD, create=False).event_id
        body = '{"driver": "x", "iban": "DE89370400440532013000", "note": "card 4111 1111 1111 1111"}'
        behind_the_guards("UPDATE settlements_shipmentevent SET body = %s WHERE id = %s", body, event)
        files = files_of(world.approved.pk)
        (row,) = [row for row in json.loads(files["events.json"]) if row["id"] == event]
        assert row["redacted"] is True
        everything = b"".join(files.values())
        assert b"DE89370400440532013000" not in everything
        assert b"4111 1111" not in everything
        verify.check(files)


class TestTheCommand:
    def test_it_writes_one_file_for_its_owner_alone(
        self, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "seven.zip"
        call_command("dossier", str(world.approved.pk), "--output", str(file))
        out = capsys.readouterr().out
        assert keys.fingerprint(keys.public_key()) in out
        assert hashlib.sha256(file.read_bytes()).hexdigest() in out
        assert file.stat().st_mode & 0o777 == 0o600
        assert OfficeEvent.objects.get(action="dossier_made").actor == "command:dossier"
        with pytest.raises(CommandError, match="is there already"):
            call_command("dossier", str(world.approved.pk), "--output", str(file))

    def test_what_is_in_the_way_is_named(self, world: World, tmp_path: Path, settings: Settings) -> None:
        with pytest.raises(CommandError, match="There is no payment intent 999999"):
            call_command("dossier", "999999")
        with pytest.raises(CommandError, match="can not be written"):
            call_command("dossier", str(world.approved.pk), "--output", str(tmp_path / "no" / "folder.zip"))
        settings.CHAINPAY_CHECKPOINT_KEY = b""
        with pytest.raises(CommandError, match="CHAINPAY_CHECKPOINT_KEY is not set"):
            call_command("dossier", str(world.approved.pk))
