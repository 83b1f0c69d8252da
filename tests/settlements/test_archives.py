"""Whoever changes an archive, takes one away, or removes audit events by another way is found and named."""

import gzip
import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from settlements.archives import files
from settlements.dossier import making
from settlements.dossier import verify as program
from settlements.models import AuditArchive, PaymentIntent
from tests.factories import now
from tests.settlements.archived import MONTH, a_cancelled_intent, archived, file_of, ready, sequences
from tests.settlements.conftest import Sql
from tests.settlements.lived_in import difference, verified

LABEL = "2024-02/1"


@pytest.fixture
def over(db: None) -> list[PaymentIntent]:
    """Two intents whose events are archived."""
    intents = [a_cancelled_intent(), a_cancelled_intent()]
    ready()
    archived()
    assert "All is proven." in verified()
    return intents


def test_a_flipped_byte_anywhere(over: list[PaymentIntent], archives_dir: Path) -> None:
    path = archives_dir / file_of()
    content = path.read_bytes()
    for place in (0, 12, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert difference() == (f"audit archive {LABEL}: {path} is not as it was written: its SHA-256 is another")
    path.write_bytes(content)
    assert "All is proven." in verified()


def test_a_file_that_is_gone_shorter_or_longer(over: list[PaymentIntent], archives_dir: Path) -> None:
    path = archives_dir / file_of()
    content = path.read_bytes()
    for changed in (content[:-1], content + b"\0", b""):
        path.write_bytes(changed)
        assert difference() == (
            f"audit archive {LABEL}: {path} has {len(changed)} bytes, but was written with {len(content)}"
        )
    path.unlink()
    assert difference().startswith(f"audit archive {LABEL}: {path} can not be read: No such file or directory")


def test_two_files_in_each_others_place(over: list[PaymentIntent], archives_dir: Path) -> None:
    a_cancelled_intent()
    archived()
    one, two = archives_dir / file_of(), archives_dir / file_of(number=2)
    aside = archives_dir / "aside"
    for old, new in ((one, aside), (two, one), (aside, two)):
        os.rename(old, new)
    assert difference().startswith(f"audit archive {LABEL}: {one} has ")


def test_a_file_that_nobody_recorded(over: list[PaymentIntent], archives_dir: Path) -> None:
    stranger = archives_dir / files.name_of(MONTH, 2)
    stranger.write_bytes((archives_dir / file_of()).read_bytes())
    assert difference() == f"{stranger}: no audit archive on record is this file"
    stranger.unlink()
    (archives_dir / f".{stranger.name}.part").write_bytes(b"of a run that broke off")
    assert "All is proven." in verified()


def without_a_line(lines: list[bytes]) -> list[bytes]:
    return [lines[0], *lines[2:]]


def with_two_lines_swapped(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def with_other_words(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b"test:platform", b"test:somebody"), *lines[2:]]


def with_a_foreign_line(lines: list[bytes]) -> list[bytes]:
    form = lines[2].split(b" ", 3)[3].replace(b'"sequence":2', b'"sequence":3').rstrip(b"\n")
    before = lines[2].split(b" ")[2]
    digest = hashlib.sha256(bytes.fromhex(before.decode()) + form).hexdigest().encode()
    return [*lines[:3], b"999999 " + before + b" " + digest + b" " + form + b"\n", *lines[3:]]


def of_another_month(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b"2024-02", b"2024-03"), *lines[1:]]


@pytest.mark.parametrize(
    ("change", "finds"),
    [
        (without_a_line, "is not on record as it stands there"),
        (with_two_lines_swapped, "is missing"),
        (with_other_words, "line 2: its hash does not match its content"),
        (with_a_foreign_line, "is not on record as it stands there"),
        (of_another_month, "does not begin as an archive of its month and number"),
    ],
)
@pytest.mark.parametrize("office_too", [False, True])
def test_lines_that_were_changed_and_recorded_anew_by_whoever_owns_the_database(
    change: Callable[[list[bytes]], list[bytes]],
    finds: str,
    office_too: bool,
    over: list[PaymentIntent],
    archives_dir: Path,
    behind_the_guards: Sql,
) -> None:
    path = archives_dir / file_of()
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    content = gzip.compress(b"".join(change(lines)))
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    behind_the_guards("UPDATE settlements_auditarchive SET sha256 = %s, size = %s", digest, len(content))
    assert difference() == f"audit archive {LABEL}: no office event tells of it as it is recorded"
    if office_too:
        behind_the_guards(
            "UPDATE settlements_officeevent SET data = data || jsonb_build_object('sha256', %s::text, 'bytes', %s::int)"
            " WHERE action = 'audit_archived'",
            digest,
            len(content),
        )
        words = difference()
        assert words.startswith(f"audit archive {LABEL}: {path}")
        assert finds in words


def test_events_removed_without_a_record(over: list[PaymentIntent], behind_the_guards: Sql) -> None:
    whole = a_cancelled_intent()
    behind_the_guards("DELETE FROM settlements_auditevent WHERE intent_id = %s AND sequence = 1", whole.pk)
    assert difference() == f"intent {whole.pk}, audit event 1: missing, 2 follows"


def test_the_event_that_an_archive_left_removed(over: list[PaymentIntent], behind_the_guards: Sql) -> None:
    behind_the_guards("DELETE FROM settlements_auditevent WHERE intent_id = %s", over[0].pk)
    assert difference() == f"intent {over[0].pk}, audit event 2: missing or another, although an archive ends with it"


def test_a_record_that_is_gone(over: list[PaymentIntent], behind_the_guards: Sql) -> None:
    behind_the_guards("DELETE FROM settlements_archivedchain")
    behind_the_guards("DELETE FROM settlements_auditarchive")
    assert "it tells of audit archive 2024-02/1, which is not on record" in difference()


def test_a_chain_on_record_that_is_gone(over: list[PaymentIntent], behind_the_guards: Sql) -> None:
    behind_the_guards("DELETE FROM settlements_archivedchain WHERE intent_id = %s", over[1].pk)
    assert difference() == f"audit archive {LABEL}: 2 intents are recorded of it, but 1 are stored"


def test_events_put_back_into_the_table_otherwise(over: list[PaymentIntent], behind_the_guards: Sql) -> None:
    behind_the_guards(
        "INSERT INTO settlements_auditevent (id, sequence, reason, action, from_status, to_status, triggered_by,"
        " approved_by, data, created_at, prev_hash, hash, intent_id) SELECT 999999, 1, 'other', action, from_status,"
        " to_status, triggered_by, approved_by, data, created_at, prev_hash, hash, intent_id"
        " FROM settlements_auditevent WHERE intent_id = %s",
        over[0].pk,
    )
    assert f"payment intent {over[0].pk}, audit event 1: an archive has another than the table" in difference()


def test_a_directory_that_can_not_be_read(
    over: list[PaymentIntent], archives_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = os.listdir

    def listdir(path: str | Path = ".") -> list[str]:
        if path == archives_dir:
            raise PermissionError(13, "Permission denied")
        return others(path)

    monkeypatch.setattr(os, "listdir", listdir)
    assert difference() == f"{archives_dir} can not be read: Permission denied"


def test_on_a_database_that_only_reads_archives_are_not_verified(over: list[PaymentIntent]) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        with pytest.raises(CommandError, match="can not be verified on a database that only reads"):
            call_command("verify_books", quiet=True)
        transaction.set_rollback(True)


def test_what_root_writes_belongs_to_whoever_the_directory_belongs_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, user, group: given.append((Path(path).name, user, group)))
    keeper = tmp_path.stat()
    files.write(tmp_path / "archives" / file_of(), MONTH, 1, [b"a line"])
    owner = (keeper.st_uid, keeper.st_gid)
    assert given == [("archives", *owner), (f".{file_of()}.part", *owner)]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    files.write(tmp_path / "archives" / file_of(), MONTH, 1, [b"a line"])
    assert len(given) == 2


def test_archives_that_lie_elsewhere_are_verified_there(over: list[PaymentIntent], archives_dir: Path) -> None:
    elsewhere = archives_dir.with_name(f"{archives_dir.name}-moved")
    os.rename(archives_dir, elsewhere)
    assert "can not be read" in difference()
    assert "All is proven." in verified(archives=str(elsewhere))
    assert sequences(over[0]) == [2]
    assert AuditArchive.objects.count() == 1


def test_the_dossier_of_an_archived_intent_has_its_whole_history(over: list[PaymentIntent], archives_dir: Path) -> None:
    dossier = making.make(over[0].pk, by="test", clock=now)
    with zipfile.ZipFile(io.BytesIO(dossier.content)) as archive:
        chain = archive.read("chain.jsonl").splitlines()
        found = {name: archive.read(name) for name in archive.namelist()}
    assert len(chain) == 2
    assert program.check(found)
    assert sequences(over[0]) == [2]
    # Of one that stayed it is made as ever, by the same session.
    assert making.make(a_cancelled_intent().pk, by="test", clock=now).content
    os.rename(archives_dir / file_of(), archives_dir / "elsewhere")
    with pytest.raises(making.Contradicts, match=f"audit archive {LABEL}, but .* can not be read: No such file"):
        making.make(over[0].pk, by="test", clock=now)
