"""What a dossier's program says to an auditor: of older events, holds, keys that are none, and a damaged ZIP."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from settlements import holds
from settlements.dossier import contents, verify
from settlements.models import Hold, PaymentIntent
from settlements.proof import keys
from tests.factories import now
from tests.settlements.conftest import Sql
from tests.settlements.dossiers import dossier_of, files_of, sealed_again, wrong
from tests.settlements.lived_in import World

Edit = Callable[[Any], Any]


def tell_as_before_channels(intent_id: int, behind_the_guards: Sql) -> None:
    """As a house has it that kept approvals before their channel was told: events without it, rows that know none."""
    behind_the_guards("UPDATE settlements_auditevent SET data = data - 'channel' WHERE intent_id = %s", intent_id)
    behind_the_guards(
        "UPDATE settlements_approval SET channel = 'UNKNOWN' WHERE settlement_id IN "
        "(SELECT id FROM settlements_milestonesettlement WHERE intent_id = %s)",
        intent_id,
    )
    last = bytes(32)
    for sequence, line in enumerate(contents.chain(intent_id).splitlines(), 1):
        before, last = last, hashlib.sha256(last + line).digest()
        behind_the_guards(
            "UPDATE settlements_auditevent SET prev_hash = %s, hash = %s WHERE intent_id = %s AND sequence = %s",
            before, last, intent_id, sequence,
        )  # fmt: skip


def test_approvals_of_before_their_channel_was_told_have_a_dossier(world: World, behind_the_guards: Sql) -> None:
    tell_as_before_channels(world.reviewed.intent_id, behind_the_guards)
    files = files_of(world.reviewed.intent_id)
    assert {row["channel"] for row in json.loads(files["approvals.json"])} == {"UNKNOWN"}
    forged = [{**row, "reason": "x"} for row in json.loads(files["approvals.json"])]
    assert "its reason is 'x'" in wrong(sealed_again({**files, "approvals.json": orjson.dumps(forged)}))


class TestHoldsAndCancellation:
    @pytest.fixture
    def held(self, world: World) -> dict[str, bytes]:
        """A settlement that was held, lifted, and held again."""
        hold = Hold.objects.filter(lifted_at__isnull=True).latest("pk")
        holds.lift(hold.settlement_id, reason="settled by phone", actor="user:one", now=now())
        holds.place(hold.settlement_id, reason="another dispute", actor="user:two", now=now())
        return files_of(hold.settlement.intent_id)

    @pytest.mark.parametrize(
        ("edit", "words"),
        [
            (lambda rows: rows[:-1], "it has 1 holds, but by the audit chain 2"),
            (lambda rows: [*rows, rows[-1]], "it has 3 holds, but by the audit chain 2"),
            (lambda rows: [{**row, "settlement_id": 0} for row in rows], "holds, but by the audit chain"),
            (lambda rows: [rows[0], {**rows[1], "reason": "x"}], "hold 2: its reason is 'x', but by"),
            (lambda rows: [{**rows[0], "placed_by": "x"}, rows[1]], "hold 1: its placed_by is 'x', but by"),
            (lambda rows: [rows[0], {**rows[1], "placed_at": "x"}], "hold 2: its placed_at is 'x', but by"),
            (lambda rows: [{**rows[0], "lifted_at": None}, rows[1]], "hold 1: its lifted_at is None, but by"),
            (lambda rows: [{**rows[0], "lifted_by": "x"}, rows[1]], "hold 1: its lifted_by is 'x', but by"),
            (lambda rows: [rows[0], {**rows[1], "lift_reason": "x"}], "hold 2: its lift_reason is 'x', but by"),
        ],
    )  # fmt: skip
    def test_a_hold_is_what_the_chain_tells_of_it(self, edit: Edit, words: str, held: dict[str, bytes]) -> None:
        rows = json.loads(held["holds.json"])
        assert [row["lifted_at"] is None for row in rows] == [False, True]
        found = wrong(sealed_again({**held, "holds.json": orjson.dumps(edit(rows))}))
        assert found.startswith("holds.json, settlement ")
        assert words in found

    @pytest.mark.parametrize("cancelled", [True, False])
    def test_a_cancellation_is_what_the_chain_tells_of_it(self, cancelled: bool, world: World) -> None:
        intent = PaymentIntent.objects.filter(cancelled_at__isnull=not cancelled).earliest("pk")
        files = files_of(intent.pk)
        forged = {**json.loads(files["intent.json"]), "cancelled_at": None if cancelled else "2026-01-01"}
        words = wrong(sealed_again({**files, "intent.json": orjson.dumps(forged)}))
        assert words.startswith("intent.json: its cancelled_at is ")


class TestTheProgram:
    @pytest.fixture
    def packed(self, world: World, tmp_path: Path) -> Path:
        """A dossier as it was handed out."""
        place = tmp_path / "dossier.zip"
        place.write_bytes(dossier_of(world.reviewed.intent_id).content)
        return place

    @pytest.mark.parametrize("key", ["", " ", "x", "ab" * 31, "ab" * 33, "gg" * 32, "\u0661" * 64])
    def test_a_key_that_is_no_fingerprint_is_a_wrong_call(
        self, key: str, packed: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            verify.main([str(packed), "--key", key])
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (2, "")
        assert "--key takes a fingerprint of 64 hexadecimal digits" in err

    def test_the_right_key_and_none_at_all_pass(self, packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert verify.main([str(packed), "--key", keys.fingerprint(keys.public_key())]) == 0
        assert "under the key that you passed" in capsys.readouterr().out
        assert verify.main([str(packed)]) == 0
        assert "only under the key that the dossier itself brings" in capsys.readouterr().out

    def test_a_byte_that_was_flipped_in_the_zip_is_told_without_a_traceback(
        self, packed: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It is found, or is one of those that say nothing of the content, such as a file's time."""
        sound, files = packed.read_bytes(), verify.read(packed)
        ended = {0: 0, 1: 0}
        for place in range(0, len(sound), 37):
            for flip in (0x01, 0xFF):
                packed.write_bytes(bytes([*sound[:place], sound[place] ^ flip, *sound[place + 1 :]]))
                code = verify.main([str(packed)])
                ended[code] += 1
                words = capsys.readouterr().err
                if code:
                    assert words.startswith("WRONG  "), place
                    assert any(name in words for name in (*files, packed.name)) or "does not belong" in words, words
                else:
                    assert verify.read(packed) == files
        assert ended[1] > ended[0]

    @pytest.mark.parametrize("left", [0, 10, 0.5, 0.9, -1])
    def test_a_zip_that_was_cut_off_is_named(
        self, left: float, packed: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sound = packed.read_bytes()
        packed.write_bytes(sound[: int(len(sound) * left) if isinstance(left, float) else left])
        assert verify.main([str(packed)]) == 1
        assert capsys.readouterr().err.startswith("WRONG  dossier.zip: it can not be read from a sound ZIP")
