"""What was changed in a dossier, or in the database behind the guards, is named."""

import json
import re
import zipfile
from pathlib import Path

import orjson
import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from settlements.dossier import making, verify
from settlements.models import AuditEvent, MilestoneSettlement, OfficeEvent
from settlements.proof import keys
from tests.settlements.conftest import Sql
from tests.settlements.dossiers import (
    Edit,
    Files,
    checked,
    dossier_of,
    files_of,
    grow,
    lively,
    paid_twice,
    provider,
    sealed_again,
    unpacked,
    wrong,
)
from tests.settlements.lived_in import World

__all__ = ["lively", "paid_twice", "provider"]


class TestWhatWasChangedInIt:
    def test_a_flipped_byte_in_any_file(self, lively: Files) -> None:
        for name, content in lively.items():
            for place in (0, len(content) // 2, len(content) - 2):
                flipped = bytes([*content[:place], content[place] ^ 1, *content[place + 1 :]])
                words = wrong({**lively, name: flipped})
                assert name in words or "manifest" in words or "check_files" in words, (name, place, words)

    @pytest.mark.parametrize("name", ["chain.jsonl", "journal.json", "README.txt", "holds.json", "verify.py"])
    def test_a_flipped_byte_ends_the_program_with_1(self, name: str, lively: Files, tmp_path: Path) -> None:
        place = unpacked(lively, tmp_path / "dossier")
        content = lively[name]
        (place / name).write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
        genuine = tmp_path / "genuine.py"
        genuine.write_bytes(lively["verify.py"])
        code, words = checked(place, program=genuine)
        assert (code, words) == (1, f"WRONG  {name}: it is not what it was, by its SHA-256\n")

    def test_a_file_that_is_gone_or_foreign(self, lively: Files, tmp_path: Path) -> None:
        for name in lively:
            assert name in wrong({other: content for other, content in lively.items() if other != name})
        assert wrong({**lively, "more.json": b"[]"}) == "more.json: it does not belong to the dossier"
        place = unpacked(lively, tmp_path / "dossier")
        (place / "chain.jsonl").unlink()
        assert checked(place) == (1, "WRONG  chain.jsonl: it is missing\n")

    def test_a_manifest_redone_without_the_key(self, lively: Files) -> None:
        rows = json.loads(lively["settlements.json"])
        forged = {**lively, "settlements.json": json.dumps(rows[1:]).encode()}
        redone = {**sealed_again(forged), "manifest.sig": lively["manifest.sig"]}
        assert wrong(redone) == "manifest.json: its signature is not that of the key"

    def test_everything_redone_with_another_key(self, lively: Files, settings: Settings, tmp_path: Path) -> None:
        genuine = keys.fingerprint(keys.public_key())
        proof = json.loads(lively["proof.json"])
        settings.CHAINPAY_CHECKPOINT_KEY = bytes(range(32))
        body = json.loads(proof["checkpoint"])
        body["key"] = keys.fingerprint(keys.public_key())
        proof["checkpoint"] = json.dumps(body)
        proof["signature"] = keys.sign(proof["checkpoint"].encode()).hex()
        forged = sealed_again(
            {**lively, "public_key.txt": keys.public_key().hex().encode(), "proof.json": json.dumps(proof).encode()}
        )
        place = unpacked(forged, tmp_path / "dossier")
        assert checked(place)[0] == 0, "a dossier that brings its own key proves nothing by itself"
        code, words = checked(place, "--key", genuine)
        assert (code, "public_key.txt: its fingerprint is" in words) == (1, True)

    def test_a_zip_that_holds_a_file_twice(self, lively: Files, tmp_path: Path) -> None:
        packed = tmp_path / "dossier.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in lively.items():
                archive.writestr(name, content)
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("chain.jsonl", b"")
        program = unpacked(lively, tmp_path / "dossier") / "verify.py"
        code, words = checked(packed, program=program)
        assert (code, words) == (1, "WRONG  chain.jsonl: it is in the ZIP more than once\n")
        packed.write_bytes(b"no ZIP at all")
        assert checked(packed, program=program)[0] == 1
        assert checked(tmp_path / "nowhere", program=program)[0] == 1


class TestWhatTheHolderOfTheKeyCouldForge:
    """The manifest is signed anew each time; the chain, which the checkpoint fixed, contradicts the rest."""

    @pytest.mark.parametrize(
        ("edit", "words"),
        [
            (lambda lines: lines[:2] + lines[3:], "chain.jsonl, line 3: event 4 stands where event 3 should"),
            (lambda lines: lines[1:], "chain.jsonl, line 1: event 2 stands where event 1 should"),
            (lambda lines: lines[:-1], r"chain.jsonl: it has \d+ events, but the checkpoint saw \d+"),
            (lambda lines: [*lines[:1], lines[2], lines[1], *lines[3:]], "chain.jsonl, line 2: event 3 stands where"),
            (lambda lines: [*lines, lines[-1]], "event .* stands where event .* should"),
            (lambda lines: [*lines[:-1], lines[-1].replace(b'"triggered_by":"', b'"triggered_by":"x')],
             "chain.jsonl: its hashes do not lead to what the checkpoint saw"),
            (lambda lines: [*lines[:-1], lines[-1].replace(b'"intent_id":', b'"intent_id":9')],
             r"chain.jsonl, line \d+: it is of intent 9\d+, not of"),
        ],
        ids=["dropped", "beheaded", "truncated", "reordered", "appended", "rewritten", "foreign"],
    )  # fmt: skip
    def test_the_chain(self, edit: Edit, words: str, lively: Files) -> None:
        lines = edit(lively["chain.jsonl"].splitlines())
        forged = sealed_again({**lively, "chain.jsonl": b"".join(line + b"\n" for line in lines)})
        assert re.search(words, wrong(forged)), wrong(forged)

    def test_a_row_of_another_intent(self, world: World) -> None:
        own, other = files_of(world.approved.pk), files_of(world.delayed.pk)
        lines = own["chain.jsonl"].splitlines(keepends=True)
        foreign = b"".join([lines[0], other["chain.jsonl"].splitlines(keepends=True)[1], *lines[2:]])
        words = wrong(sealed_again({**own, "chain.jsonl": foreign}))
        assert words == f"chain.jsonl, line 2: it is of intent {world.delayed.pk}, not of {world.approved.pk}"
        words = wrong(sealed_again({**own, "chain.jsonl": other["chain.jsonl"], "proof.json": other["proof.json"]}))
        assert words == f"chain.jsonl, line 1: it is of intent {world.delayed.pk}, not of {world.approved.pk}"
        words = wrong(sealed_again({**own, "proof.json": other["proof.json"]}))
        assert words == f"proof.json: its leaf is of intent {world.delayed.pk}"
        words = wrong(sealed_again({**own, "settlements.json": other["settlements.json"]}))
        assert words.startswith("settlements.json: settlement ")

    def test_an_older_head_in_an_older_checkpoint_is_that_of_its_day(self, world: World) -> None:
        """A tail cut off together with its proof leads to the older checkpoint, whose number and day are told."""
        before = files_of(world.approved.pk)
        grow(world.approved.pk)
        after = files_of(world.approved.pk)
        truncated = {**after, **{name: before[name] for name in ("chain.jsonl", "proof.json")}}
        told = verify.check(sealed_again(truncated))
        assert any(line.startswith("checkpoint 1 of ") for line in told)
        position = json.loads(before["proof.json"])["position"]
        mixed = json.loads(after["proof.json"]) | {"leaf": json.loads(before["proof.json"])["leaf"]}
        assert json.loads(after["proof.json"])["position"] == position
        words = wrong(sealed_again({**truncated, "proof.json": json.dumps(mixed).encode()}))
        assert words == "proof.json: the way from the leaf does not lead to the signed root"

    @pytest.mark.parametrize(
        ("name", "edit", "words"),
        [
            ("intent.json", lambda told: {**told, "amount": "1.00"}, "intent.json: its amount is '1.00', but by"),
            ("intent.json", lambda told: {**told, "recipient_id": "x"}, "intent.json: its recipient_id is 'x'"),
            ("settlements.json", lambda rows: rows[1:], r"settlement \d+ is missing, the audit chain tells of it"),
            ("settlements.json", lambda rows: [*rows, rows[0]], "settlements.json: a settlement is in it twice"),
            ("settlements.json", lambda rows: [*rows, {**rows[0], "id": 0}], "settlement 0 is foreign"),
            *[("settlements.json", lambda rows, key=key: [{**row, key: "x"} for row in rows], f"its {key} is 'x', but")
              for key in ("amount", "currency", "status", "strategy", "rule", "reference", "inputs", "risk_tier",
                          "explanation", "event_id", "policy_version")],
            ("approvals.json", lambda rows: rows[1:], "it is missing, the audit chain tells of it"),
            ("approvals.json", lambda rows: [*rows, rows[0]], "the audit chain does not tell of it"),
            ("approvals.json", lambda rows: [{**row, "reason": "x"} for row in rows], "its reason is 'x', but by"),
            ("approvals.json", lambda rows: [{**row, "decision": "REJECT"} for row in rows], "REJECT at .* does not"),
            ("events.json", lambda rows: [], r"event \d+: it is missing, it brought settlement"),
            ("events.json", lambda rows: [{**row, "shipment_id": "x"} for row in rows], "it is of another shipment"),
            ("events.json", lambda rows: [{**row, "event_type": "x"} for row in rows], "its event_type is 'x', but"),
            ("journal.json", lambda rows: [], "the audit chain says it is paid, but 0 releases stand"),
            ("journal.json", lambda rows: [{**row, "amount": "1.00"} for row in rows], "its postings are not its"),
            ("journal.json", lambda rows: [{**row, "amount": "1.00", "postings": [
                {**row["postings"][0], "amount": "1.00"}]} for row in rows], "its amount is '1.00', but by the audit"),
            ("journal.json", lambda rows: [{**row, "settlement_id": 0} for row in rows], "does not tell of its"),
            ("journal.json", lambda rows: [{**row, "currency": "EUR"} for row in rows], "a posting is in another curr"),
            ("journal.json", lambda rows: [*rows, {**rows[0], "id": 0}], "is paid, but 2 releases stand"),
        ],
    )  # fmt: skip
    def test_the_records(self, name: str, edit: Edit, words: str, lively: Files) -> None:
        forged = sealed_again({**lively, name: orjson.dumps(edit(json.loads(lively[name])))})
        found = wrong(forged)
        assert found.startswith(name)
        assert re.search(words, found), found

    @pytest.mark.parametrize(
        ("edit", "words"),
        [
            (lambda rows: rows[1:], "attempt 1 of settlement .*: it is missing, audit event"),
            (lambda rows: [{**row, "answers": []} for row in rows], "the answer of audit event .* is missing"),
            (lambda rows: [{**row, "amount": "1.00"} for row in rows], "its amount is '1.00', but by the audit chain"),
            (lambda rows: [{**row, "settlement_id": 0} for row in rows], "the audit chain does not tell of that"),
        ],
    )  # fmt: skip
    def test_attempts(self, edit: Edit, words: str, paid_twice: MilestoneSettlement) -> None:
        files = files_of(paid_twice.intent_id)
        forged = {**files, "attempts.json": orjson.dumps(edit(json.loads(files["attempts.json"])))}
        assert re.search(words, wrong(sealed_again(forged)))


class TestWhatWasChangedBehindTheGuards:
    """A dossier that would contradict itself is not handed out."""

    @pytest.mark.parametrize(
        ("statement", "words"),
        [
            ("UPDATE settlements_milestonesettlement SET amount_minor = 1 WHERE intent_id = %s", "its amount is '0.0"),
            ("UPDATE settlements_milestonesettlement SET status = 'REJECTED' WHERE intent_id = %s", "its status is"),
            ("UPDATE rails_posting SET amount_minor = 1 WHERE entry_id IN (SELECT e.id FROM rails_journalentry e "
             "JOIN settlements_milestonesettlement s ON s.id = e.milestone_id WHERE s.intent_id = %s)",
             "its postings are not its amount"),
            ("UPDATE settlements_auditevent SET reason = 'x' WHERE intent_id = %s AND sequence = 2",
             "its hashes do not lead to what the checkpoint saw"),
            ("DELETE FROM settlements_auditevent WHERE intent_id = %s AND sequence = 2", "stands where event 2 should"),
            ("DELETE FROM settlements_auditevent WHERE intent_id = %s AND sequence > 3", "3 audit events, but"),
            ("DELETE FROM settlements_auditevent WHERE intent_id = %s", "0 audit events, but"),
        ],
    )  # fmt: skip
    def test_it_is_named(self, statement: str, words: str, world: World, behind_the_guards: Sql) -> None:
        dossier_of(world.approved.pk)
        behind_the_guards(statement, world.approved.pk)
        with pytest.raises(making.Contradicts, match=re.escape(words)):
            dossier_of(world.approved.pk)
        assert OfficeEvent.objects.filter(action="dossier_made").count() == 1

    def test_another_chain_that_was_cut_stops_the_checkpoint(self, world: World, behind_the_guards: Sql) -> None:
        dossier_of(world.approved.pk)
        behind_the_guards(
            "DELETE FROM settlements_auditevent WHERE id = %s",
            AuditEvent.objects.filter(intent=world.delayed).latest("sequence").pk,
        )
        grow(world.approved.pk)
        with pytest.raises(IntegrityError, match="were signed already"), transaction.atomic():
            dossier_of(world.approved.pk)
