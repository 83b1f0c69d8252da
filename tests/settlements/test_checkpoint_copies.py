"""Copies of checkpoints outside of the database: written by several at once, to full directories, and taken away."""

import errno
import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from settlements.dossier import making
from settlements.models import Checkpoint
from settlements.proof import checkpoints, publishing
from tests.factories import now
from tests.settlements.conftest import Sql
from tests.settlements.lived_in import World, difference, verified
from tests.settlements.test_checkpoints import grow, made


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TestPublishing:
    def test_several_of_one_process_publish_whole_files_and_none_fails(
        self, world: World, checkpoints_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both have written their part before either gives it its name."""
        made()
        checkpoints_dir.mkdir()
        stored, link, both = list(Checkpoint.objects.all()), os.link, threading.Barrier(2, timeout=30)
        outcomes: list[object] = []

        def together(*args: Any) -> None:
            both.wait()
            link(*args)

        def publish() -> None:
            try:
                outcomes.append([publishing._write(checkpoint) for checkpoint in stored])
            except OSError as trouble:
                outcomes.append(trouble)

        monkeypatch.setattr("settlements.proof.publishing.os.link", together)
        threads = [threading.Thread(target=publish) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(map(str, outcomes)) == ["[False]", "[True]"]
        (file,) = checkpoints_dir.iterdir()
        assert file.read_bytes() == publishing.content(stored[0])
        assert file.stat().st_mode & 0o777 == 0o644

    @pytest.mark.parametrize("step", ["fsync", "link"])
    def test_a_full_directory_leaves_nothing_behind(
        self, step: str, world: World, checkpoints_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made()
        monkeypatch.setattr(f"settlements.proof.publishing.os.{step}", full)
        with pytest.raises(OSError, match="No space left"):
            publishing.publish()
        assert not list(checkpoints_dir.iterdir())
        with pytest.raises(CommandError, match=r"The checkpoints can not be published: .* No space left"):
            call_command("checkpoint")
        for _ in range(2):
            with pytest.raises(CommandError, match="can not be written out: No space left on device"):
                call_command("dossier", str(world.approved.pk))
        monkeypatch.undo()

    def test_a_dossier_is_made_once_its_checkpoint_is_published(self, world: World, checkpoints_dir: Path) -> None:
        made()
        making.make(world.approved.pk, by="user:auditor1", clock=now)
        assert [number for number, _ in publishing.copies()] == [1]

    def test_a_copy_above_the_newest_stored_checkpoint_is_a_contradiction(
        self, world: World, behind_the_guards: Sql, checkpoints_dir: Path
    ) -> None:
        made()
        grow(world.approved.pk)
        made()
        publishing.publish()
        behind_the_guards("DELETE FROM settlements_checkpointhead WHERE checkpoint_id = 2")
        behind_the_guards("DELETE FROM settlements_checkpoint WHERE number = 2")
        with pytest.raises(publishing.CopyDiffers, match=r"000002\.json was published, but"):
            publishing.publish()


class TestCopiesThatWereTakenAway:
    def test_a_checkpoint_of_an_hour_ago_without_its_copy_is_a_difference(
        self, world: World, checkpoints_dir: Path
    ) -> None:
        assert checkpoints.make(now=now() - timedelta(hours=1))
        words = f"checkpoint 1: it has no copy; {checkpoints_dir}/checkpoint-000000001.json is missing"
        assert difference() == words, "the directory is missing"
        grow(world.approved.pk)
        made()
        publishing.publish()
        assert "2 published checkpoints are those stored" in verified()
        (checkpoints_dir / "checkpoint-000000001.json").unlink()
        assert difference() == words, "one file is missing"

    def test_one_that_was_just_made_may_have_none_yet(self, world: World, checkpoints_dir: Path) -> None:
        assert checkpoints.make(now=now() - timedelta(minutes=59))
        assert "0 published checkpoints are those stored" in verified()

    def test_one_that_is_published_after_the_files_were_listed_is_no_difference(
        self, world: World, checkpoints_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert checkpoints.make(now=now() - timedelta(hours=2))
        publishing.publish()
        monkeypatch.setattr("settlements.verification.copies.publishing.copies", lambda: iter(()))
        assert "0 published checkpoints are those stored" in verified()
