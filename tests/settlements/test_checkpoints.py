"""Checkpoints: signed, one after the other, and whatever is cut off or rewritten behind them is found and named."""

import re
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from pytest_django import Settings

from settlements import audit, holds, office_log, tasks
from settlements.audit import Draft
from settlements.models import AuditEvent, Checkpoint, CheckpointHead, OfficeEvent, PaymentIntent
from settlements.office_log import OfficeAction, OfficeDraft
from settlements.proof import checkpoints, keys, publishing
from settlements.proof.tree import Growing, leaf_hash, leaf_text
from settlements.verification import seals
from tests.factories import HIGH, POD, an_intent, now, platform_source, settlement_of
from tests.settlements.conftest import Refused, Sql
from tests.settlements.lived_in import World, difference, verified


def made() -> Checkpoint:
    """A new checkpoint, there being something new."""
    checkpoint = checkpoints.make(now=now())
    assert checkpoint is not None
    return checkpoint


def grow(intent_id: int) -> None:
    """One more event of an intent, that changes nothing."""
    with transaction.atomic():
        audit.record([Draft(intent_id=intent_id, action="note_added", triggered_by="system")], now=now())


def act() -> None:
    """One more event of the office."""
    with transaction.atomic():
        office_log.record(OfficeDraft(action=OfficeAction.DOSSIER_MADE, subject="intent 1", actor="system"), now=now())


def replaced(table: str, condition: str) -> str:
    return f"DELETE FROM settlements_{table} WHERE {condition}"


class TestMaking:
    def test_the_root_is_over_the_heads_of_all_chains(self, world: World) -> None:
        checkpoint = made()
        tree = Growing()
        tree.add(leaf_hash(leaf_text(0, 0, bytes(32))))
        for intent in PaymentIntent.objects.order_by("pk"):
            last = AuditEvent.objects.filter(intent=intent).latest("sequence")
            tree.add(leaf_hash(leaf_text(intent.pk, last.sequence, bytes(last.hash))))
        assert (checkpoint.number, checkpoint.size) == (1, 1 + PaymentIntent.objects.count())
        assert bytes(checkpoint.root) == tree.root()
        assert bytes(checkpoint.prev_hash) == bytes(32)
        assert keys.is_signed(checkpoints.body(checkpoint), bytes(checkpoint.signature), keys.public_key())
        assert "1 checkpoints are signed and their heads stand" in verified()

    def test_nothing_new_makes_no_checkpoint(self, world: World) -> None:
        made()
        assert checkpoints.make(now=now()) is None
        grow(world.approved.pk)
        assert made().number == 2
        assert checkpoints.make(now=now()) is None

    def test_only_chains_that_grew_are_stored_again_and_each_keeps_its_position(self, world: World) -> None:
        first = made()
        grow(world.approved.pk)
        act()
        late = an_intent()
        second = made()
        assert list(second.heads.order_by("position").values_list("chain", flat=True)) == [
            0, world.approved.pk, late.pk
        ]  # fmt: skip
        assert second.size == first.size + 1
        assert bytes(second.prev_hash) == bytes(first.hash)
        for head in first.heads.filter(chain__in=[0, world.approved.pk]):
            assert second.heads.get(chain=head.chain).position == head.position
        assert "2 checkpoints are signed" in verified()

    def test_many_checkpoints_over_a_growing_house_are_proven(self, db: None) -> None:
        platform_source()
        intents = []
        for round_ in range(9):
            intents += [an_intent().pk for _ in range(round_ % 3)]
            for intent_id in intents[round_ % 2 :: 2]:
                grow(intent_id)
            act()
            made()
        assert "9 checkpoints are signed" in verified()

    def test_an_empty_house_has_the_chain_of_the_office(self, db: None) -> None:
        assert made().size == 1
        assert "1 checkpoints are signed" in verified()

    def test_without_a_key_nothing_is_signed_and_everybody_is_told(self, db: None, settings: Settings) -> None:
        settings.CHAINPAY_CHECKPOINT_KEY = b""
        with pytest.raises(keys.NoKey):
            tasks.checkpoint()
        with pytest.raises(CommandError, match="CHAINPAY_CHECKPOINT_KEY is not set"):
            call_command("checkpoint")
        assert [warning.id for warning in keys.a_key_is_set()] == ["settlements.W001"]
        assert not Checkpoint.objects.exists()

    def test_a_chain_that_became_shorter_or_another_is_not_signed_over(
        self, world: World, behind_the_guards: Sql
    ) -> None:
        grow(world.approved.pk)
        made()
        count = AuditEvent.objects.filter(intent=world.approved).count()
        behind_the_guards(replaced("auditevent", "intent_id = %s AND sequence = %s"), world.approved.pk, count)
        words = f"chain {world.approved.pk} .* has {count - 1} events, but {count} were signed already"
        with pytest.raises(IntegrityError, match=words), transaction.atomic():
            checkpoints.make(now=now())
        assert Checkpoint.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_two_at_once_make_one(self) -> None:
        platform_source()
        an_intent()
        results: list[Checkpoint | None] = []

        def make() -> None:
            results.append(checkpoints.make(now=now()))
            connection.close()

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(result is not None for result in results) == 1
        assert Checkpoint.objects.count() == 1
        assert "1 checkpoints are signed" in verified()

    def test_the_command_says_what_was_signed_and_by_whom(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        call_command("checkpoint")
        assert "Made checkpoint 1." in (first := capsys.readouterr().out)
        assert keys.fingerprint(keys.public_key()) in first
        call_command("checkpoint")
        assert "Nothing is new since checkpoint 1." in capsys.readouterr().out

    def test_the_beat_makes_one_and_publishes_it(self, world: World, checkpoints_dir: Path) -> None:
        first = tasks.checkpoint()
        assert first == {"sealed": seals.check(), "made": 1, "published": 1}
        assert tasks.checkpoint() == {"sealed": 0, "made": 0, "published": 0}
        assert [file.name for file in checkpoints_dir.iterdir()] == ["checkpoint-000000001.json"]


class TestWhatTheDatabaseRefuses:
    @pytest.mark.parametrize("table", ["checkpoint", "checkpointhead"])
    @pytest.mark.parametrize("statement", ["UPDATE settlements_{} SET {} = 1", "DELETE FROM settlements_{}",
                                           "TRUNCATE settlements_{} CASCADE"])  # fmt: skip
    def test_what_was_signed_is_never_changed_or_removed(
        self, statement: str, table: str, world: World, sql: Sql
    ) -> None:
        made()
        sql("SET CONSTRAINTS ALL IMMEDIATE")
        column = {"checkpoint": "size", "checkpointhead": "length"}[table]
        with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
            sql(statement.format(table, column))

    def test_a_gap_a_wrong_link_a_second_beginning_and_fewer_leaves(self, world: World, refused: Refused) -> None:
        first = made()
        row: dict[str, Any] = {
            "created_at": now(), "root": b"r", "hash": b"h", "public_key": b"k", "signature": b"s", "size": first.size,
        }  # fmt: skip
        for wrong in ({"number": 2, "prev_hash": bytes(32)}, {"number": 3, "prev_hash": bytes(first.hash)},
                      {"number": 2, "prev_hash": bytes(first.hash), "size": first.size - 1}):  # fmt: skip
            with refused("a checkpoint carries the hash of the one before it"):
                Checkpoint.objects.create(**{**row, **wrong})

    def test_heads_of_a_checkpoint_that_is_there_and_heads_without_one(self, world: World, refused: Refused) -> None:
        made()
        late: dict[str, Any] = {"position": 99, "chain": 99, "length": 1, "hash": bytes(32)}
        with refused("heads are written before their checkpoint is"):
            CheckpointHead.objects.create(checkpoint_id=1, **late)
        with refused("violates foreign key constraint"):
            CheckpointHead.objects.create(checkpoint_id=2, **late)


class TestWhatWasChangedBehindTheGuards:
    """By somebody with every right on the database, and without the key."""

    def test_a_hold_that_was_the_last_event_is_cut_off(self, db: None, behind_the_guards: Sql) -> None:
        platform_source()
        settlement = settlement_of(an_intent(risk=HIGH), POD)
        holds.place(settlement.pk, reason="dispute", actor="test", now=now())
        last = AuditEvent.objects.filter(intent=settlement.intent_id).latest("sequence")
        assert last.action == "hold_placed"
        made()
        behind_the_guards(replaced("auditevent", "id = %s"), last.pk)
        behind_the_guards(replaced("hold", "settlement_id = %s"), settlement.pk)
        expected = f"intent {settlement.intent_id}, audit event {last.sequence}: missing, although checkpoint 1 saw it"
        assert difference() == expected

    def test_it_would_have_gone_unseen_without_a_checkpoint(self, db: None, behind_the_guards: Sql) -> None:
        platform_source()
        settlement = settlement_of(an_intent(risk=HIGH), POD)
        holds.place(settlement.pk, reason="dispute", actor="test", now=now())
        behind_the_guards(replaced("auditevent", "action = %s"), "hold_placed")
        behind_the_guards(replaced("hold", "settlement_id = %s"), settlement.pk)
        assert "All is proven." in verified()

    def test_a_tail_is_cut_off_after_its_chain_has_grown_again(self, world: World, behind_the_guards: Sql) -> None:
        made()
        grow(world.approved.pk)
        grow(world.approved.pk)
        made()
        last = AuditEvent.objects.filter(intent=world.approved).latest("sequence").sequence
        behind_the_guards(replaced("auditevent", "intent_id = %s AND sequence >= %s"), world.approved.pk, last)
        assert difference() == f"intent {world.approved.pk}, audit event {last}: missing, although checkpoint 2 saw it"

    def test_a_whole_intent_is_dropped(self, world: World, behind_the_guards: Sql) -> None:
        bare = an_intent()
        made()
        for table in ("auditevent", "paymentscheduleitem", "paymentschedule"):
            behind_the_guards(replaced(table, "intent_id = %s"), bare.pk)
        behind_the_guards(replaced("paymentintent", "id = %s"), bare.pk)
        assert difference() == f"intent {bare.pk}, audit event 1: missing, although checkpoint 1 saw it"

    def test_a_chain_is_rewritten_with_fitting_hashes(self, world: World, behind_the_guards: Sql) -> None:
        grow(world.approved.pk)
        made()
        last = AuditEvent.objects.filter(intent=world.approved).latest("sequence")
        behind_the_guards(replaced("auditevent", "id = %s"), last.pk)
        with transaction.atomic():
            draft = Draft(intent_id=world.approved.pk, action="note_added", triggered_by="user:somebody")
            audit.record([draft], now=now())
        expected = f"intent {world.approved.pk}, audit event {last.sequence}: it is not the one that checkpoint 1 saw"
        assert difference() == expected

    def test_the_tail_of_the_office_is_cut_off(self, world: World, behind_the_guards: Sql) -> None:
        act()
        act()
        made()
        behind_the_guards(replaced("officeevent", "sequence = %s"), OfficeEvent.objects.count())
        assert difference() == "office event 2: missing, although checkpoint 1 saw it"

    @pytest.mark.parametrize(
        ("statement", "words"),
        [
            ("DELETE FROM settlements_checkpoint WHERE number = 2", "checkpoint 2: missing, 3 follows"),
            ("DELETE FROM settlements_checkpoint WHERE number = 3", "checkpoint 3: heads are stored of it, but it is"),
            ("UPDATE settlements_checkpoint SET root = hash WHERE number = 2", "checkpoint 2: hash does not match its"),
            ("UPDATE settlements_checkpoint SET created_at = created_at + interval '1 microsecond' WHERE number = 1",
             "checkpoint 1: hash does not match its content"),
            ("UPDATE settlements_checkpoint SET prev_hash = hash WHERE number = 3",
             "checkpoint 3: it does not carry the hash of the one before it"),
            ("UPDATE settlements_checkpoint SET signature = set_byte(signature, 5, 255 - get_byte(signature, 5)) "
             "WHERE number = 2", "checkpoint 2: its signature does not match its content"),
            ("UPDATE settlements_checkpointhead SET length = length - 1 WHERE checkpoint_id = 2 AND chain > 0",
             "checkpoint 2: its root is not that of the heads stored up to it"),
            ("UPDATE settlements_checkpointhead SET chain = 999 WHERE checkpoint_id = 2 AND chain > 0",
             "checkpoint 2: intent 999 is not at its position"),
            ("DELETE FROM settlements_checkpointhead WHERE checkpoint_id = 2 AND chain > 0",
             "checkpoint 2: its root is not that of the heads stored up to it"),
            ("DELETE FROM settlements_checkpointhead WHERE checkpoint_id = 1 AND position = 1",
             "checkpoint 1: .* is not at its position 2"),
        ],
    )  # fmt: skip
    def test_a_checkpoint_or_a_head_of_it(
        self, statement: str, words: str, world: World, behind_the_guards: Sql
    ) -> None:
        for _ in range(3):
            grow(world.approved.pk)
            made()
        behind_the_guards(statement)
        assert re.match(words, difference())

    def test_a_forgery_with_another_key(self, world: World, behind_the_guards: Sql, settings: Settings) -> None:
        own = settings.CHAINPAY_CHECKPOINT_KEY
        settings.CHAINPAY_CHECKPOINT_KEY = bytes(range(32))
        forged = keys.fingerprint(keys.public_key())
        made()
        settings.CHAINPAY_CHECKPOINT_KEY = own
        assert difference() == f"checkpoint 1: its key {forged} is none of the settings"


class TestKeysThatWereReplaced:
    def test_former_keys_still_prove_what_they_signed(self, world: World, settings: Settings) -> None:
        made()
        former = keys.public_key()
        settings.CHAINPAY_CHECKPOINT_KEY = bytes(range(32))
        grow(world.approved.pk)
        made()
        assert "is none of the settings" in difference()
        settings.CHAINPAY_CHECKPOINT_FORMER_KEYS = [former]
        assert "2 checkpoints are signed" in verified()


class TestCopiesOutsideOfTheDatabase:
    def test_a_copy_holds_what_was_signed(self, world: World, checkpoints_dir: Path) -> None:
        checkpoint = made()
        assert publishing.publish() == 1
        told = orjson.loads((checkpoints_dir / "checkpoint-000000001.json").read_bytes())
        assert told["checkpoint"].encode() == checkpoints.body(checkpoint)
        assert "1 published checkpoints are those stored" in verified()

    def test_what_was_not_published_is_when_the_next_one_is(self, world: World, checkpoints_dir: Path) -> None:
        for expected in (1, 0):
            made() if expected else None
            assert publishing.publish() == expected
        for _ in range(3):
            grow(world.approved.pk)
            made()
        assert (publishing.publish(), publishing.publish()) == (3, 0)
        assert len(list(checkpoints_dir.iterdir())) == 4

    def test_a_file_of_another_checkpoint_is_never_written_over(self, world: World, checkpoints_dir: Path) -> None:
        made()
        publishing.publish()
        file = checkpoints_dir / "checkpoint-000000001.json"
        file.write_bytes(b"{}\n")
        with pytest.raises(publishing.CopyDiffers, match="is not checkpoint 1 as it is stored"):
            publishing.publish()
        assert file.read_bytes() == b"{}\n"
        assert "with other content than is stored" in difference()

    def test_a_database_that_was_rewritten_from_the_beginning_contradicts_them(
        self, world: World, behind_the_guards: Sql, checkpoints_dir: Path
    ) -> None:
        made()
        grow(world.approved.pk)
        made()
        publishing.publish()
        for table in ("checkpointhead", "checkpoint"):
            behind_the_guards(f"DELETE FROM settlements_{table}")
        assert difference() == (
            f"checkpoint 1: it was published as {checkpoints_dir}/checkpoint-000000001.json, but is not stored"
        )
        made()
        assert "checkpoint 1: it was published as" in difference()

    def test_the_newest_checkpoint_is_deleted_with_its_heads(self, world: World, behind_the_guards: Sql) -> None:
        made()
        grow(world.approved.pk)
        made()
        publishing.publish()
        behind_the_guards("DELETE FROM settlements_checkpointhead WHERE checkpoint_id = 2")
        behind_the_guards("DELETE FROM settlements_checkpoint WHERE number = 2")
        assert difference().startswith("checkpoint 2: it was published as ")
