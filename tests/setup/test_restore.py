"""Going back to a moment with base backup and archive: what was before is there and proven, what came after is not."""

import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from chainpay.deploy import restore
from chainpay.embedded import apart, binaries, configuration, identity, paths
from chainpay.embedded.postgres import Postgres

_POST = """
import sys, django
django.setup()
from settlements import sources
from tests.factories import an_intent, post_event
sources.forget()
number = int(sys.argv[1])
intent = an_intent(token__id=number, token__shipment_id=f"SHIP-{number}")
post_event(f"SHIP-{number}", "POD_CONFIRMED", message_id=f"event-{number}")
"""


def run(var: Path, *words: str) -> str:
    environment = apart.surroundings(var=var) | {"CHAINPAY_CHECKPOINTS_DIR": str(var / "checkpoints")}
    done = subprocess.run(
        [sys.executable, *words], cwd=configuration.BASE_DIR, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(var: Path, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(paths.postgres_url(var), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def wait_until_promoted(var: Path) -> None:
    end = time.monotonic() + 60
    while ask(var, "SELECT pg_is_in_recovery()") != [(False,)]:
        assert time.monotonic() < end, "it never came to the moment"
        time.sleep(0.05)


def given_to_the_server(directory: Path) -> None:
    if os.getuid() == 0:
        for each in [directory, *directory.rglob("*")]:
            os.chown(each, identity.NOBODY, identity.NOBODY)


def test_an_event_before_the_moment_is_there_and_one_after_it_is_not(var: Path, home: Path) -> None:
    archive, backup, back = home / "archive", home / "backup", home / "back"
    identity.own(archive)
    before = Postgres(var=var)
    for directory in (paths.sockets(var), paths.sockets(back)):
        identity.own(directory)
    before.ensure()
    try:
        ask(var, "ALTER SYSTEM SET archive_mode = on")
        ask(var, f"ALTER SYSTEM SET archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'")
        before.stop()
        before.ensure()
        run(var, "manage.py", "migrate", "--noinput", "--verbosity", "0")
        place = ["-h", str(paths.sockets(var)), "-U", "postgres", "-D", str(backup)]
        subprocess.run([binaries.postgres("pg_basebackup"), *place, "-c", "fast", "-X", "none"], check=True)
        subprocess.run([binaries.postgres("pg_verifybackup"), "--quiet", "--no-parse-wal", backup], check=True)
        run(var, "-c", _POST, "1")
        ((moment,),) = ask(var, "SELECT clock_timestamp()")
        run(var, "-c", _POST, "2")
        ask(var, "SELECT pg_switch_wal()")
    finally:
        before.stop()

    back.mkdir(mode=0o755)
    assert isinstance(moment, datetime)
    restore.prepare(backup, archive, moment, back / "postgres")
    given_to_the_server(back / "postgres")
    after = Postgres(var=back)
    try:
        after.ensure()
        wait_until_promoted(back)
        assert ask(back, "SELECT shipment_id FROM settlements_shipment") == [("SHIP-1",)]
        assert ask(back, "SELECT count(*), min(status) FROM settlements_milestonesettlement") == [(1, "APPROVED")]
        assert ask(back, "SELECT count(*) FROM rails_journalentry") == [(1,)]
        assert "All is proven." in run(back, "manage.py", "verify_books", "--quiet")
    finally:
        after.stop()
        shutil.rmtree(paths.sockets(back), ignore_errors=True)


@pytest.mark.parametrize(
    ("missing", "words"), [("backup", "no base backup"), ("archive", "no WAL"), ("nothing", "never writes over data")]
)
def test_what_can_not_be_restored_is_refused_and_nothing_is_written(tmp_path: Path, missing: str, words: str) -> None:
    backup, archive, data = tmp_path / "backup", tmp_path / "archive", tmp_path / "data"
    for directory in (backup, archive):
        directory.mkdir()
    if missing != "backup":
        (backup / "backup_manifest").touch()
    if missing != "archive":
        (archive / "000000010000000000000001").touch()
    if missing == "nothing":
        data.mkdir()
    with pytest.raises(restore.CannotRestore, match=words):
        restore.prepare(backup, archive, datetime.now(UTC), data)
    assert data.exists() == (missing == "nothing")


def test_a_moment_without_an_offset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(restore.CannotRestore, match="offset"):
        restore.prepare(tmp_path, tmp_path, datetime(2026, 11, 29), tmp_path / "data")
