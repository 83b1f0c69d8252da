"""`python -m tests.chaos.faults.full_disk`: PostgreSQL's disk is full, in a process of its own with mounts of its own.

Where its tables lie: statements fail with 53100 and nothing else. Where its log lies: PostgreSQL panics, and can not
start until there is room. Both times whoever posts is told 503, and whatever was answered is there afterwards.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import psycopg

from chainpay.embedded import apart
from tests.chaos.faults import DISK, WAL_DISK, small_disk
from tests.chaos.faults.small_disk import NoSmallDisk, SmallDisk
from tests.chaos.faults.verdict import Verdict

_EVENTS: Final = 900
_PER_SECOND: Final = 60.0
_MEBIBYTES: Final = 96
_NOT_MOUNTED: Final = 77
_FULL_SECONDS: Final = 4.0
_PATIENCE_SECONDS: Final = 30.0
_ROOT: Final = Path(__file__).resolve().parents[3]


def made(stage: Any) -> Verdict:
    """The fault in a process of its own, on a copy of the stage's cluster."""
    var = stage.var / "disk"
    shutil.rmtree(var, ignore_errors=True)
    var.mkdir()
    stage.servers.postgres.stop()
    subprocess.run(["cp", "-a", str(stage.servers.postgres.data), str(var / "postgres")], check=True)
    stage.servers.ensure()
    command = [sys.executable, "-m", __name__, stage.name, "--var", str(var), "--port", str(stage.port)]
    command += ["--scale", str(stage.scale), "--mutant", stage.mutant]
    done = subprocess.run(command, cwd=_ROOT, env=apart.surroundings(var=var), stdout=subprocess.PIPE, text=True)
    last = (done.stdout.splitlines() or [""])[-1]
    if done.returncode == _NOT_MOUNTED:
        return Verdict(fault=stage.name, not_run=last)
    if done.returncode != 0:
        return Verdict(fault=stage.name, wrong=1, complaints=[f"the fault itself failed: {done.stdout[-500:]}"])
    return Verdict(**json.loads(last) | {"seconds": time.monotonic() - stage.began})


def main() -> int:
    """The verdict as a line of JSON; 77 where nothing can be mounted."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("name", choices=[DISK, WAL_DISK])
    parser.add_argument("--var", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--scale", type=float, required=True)
    parser.add_argument("--mutant", default="")
    asked = parser.parse_args()
    try:
        small_disk.enter_namespace()
        log = asked.var / "postgres" / "pg_wal"
        size = _MEBIBYTES + (_mebibytes(log) if asked.name == WAL_DISK else 0)
        disk = small_disk.mounted(asked.var / "small", mebibytes=size)
    except NoSmallDisk as error:
        print(error)
        return _NOT_MOUNTED
    if asked.name == WAL_DISK:
        subprocess.run(["cp", "-a", str(log), str(disk.path / "wal")], check=True)
        shutil.rmtree(log)
        log.symlink_to(disk.path / "wal")
    print(json.dumps(asdict(_made(asked, disk))))
    return 0


def _made(asked: argparse.Namespace, disk: SmallDisk) -> Verdict:
    import django

    from tests.chaos import ground
    from tests.chaos.run import settings

    with ground.ground(asked.var, settings((1, asked.port))) as servers:
        django.setup()
        from tests.chaos.faults.servers_lost import mixed
        from tests.chaos.faults.stage import Deed, Stage, do

        tablespace = ""
        if asked.name == DISK:
            tablespace = "small"
            _make_tablespace(ground.url(asked.var, "postgres"), disk.directory("tables"))
        stage = Stage(
            name=asked.name, var=asked.var, servers=servers, port=asked.port, scale=asked.scale, mutant=asked.mutant,
            tablespace=tablespace,
        )  # fmt: skip
        events = mixed(stage.sized(_EVENTS))
        upstream = stage.upstream(events, per_second=_PER_SECOND)
        seconds = len(events) / _PER_SECOND

        def full() -> None:
            """Until somebody was refused, and some seconds more."""
            end = time.monotonic() + _PATIENCE_SECONDS
            while not upstream.statuses[503] and time.monotonic() < end and upstream.at_work():
                if asked.name == WAL_DISK:
                    _use_up_the_log(stage.database_url)
                time.sleep(0.1)
            time.sleep(_FULL_SECONDS)

        def free() -> None:
            disk.free()
            servers.ensure()

        deeds = [Deed(seconds / 5, "disk filled", disk.fill), Deed(0, "kept full", full), Deed(0, "freed", free)]
        with stage.running(stage.web(), stage.worker(1), stage.beat(1)):
            upstream.start()
            do(deeds, upstream)
            stage.rest()
        panics = server_log_mentions(servers.postgres.log if servers.postgres else None, "PANIC")
        done = f"{len(events)} events, {upstream.statuses[503]} answered 503, {upstream.statuses[202]} answered 202" + (
            f"; {panics} panics of PostgreSQL" if asked.name == WAL_DISK else ""
        )
        unseen = [] if upstream.statuses[503] or upstream.statuses[202] else ["nobody noticed that the disk was full"]
        return stage.verdict(done, events, upstream, wrong=unseen)


def server_log_mentions(log: Path | None, word: str) -> int:
    """How many lines of a server's log hold the word."""
    return sum(word in line for line in log.read_text(errors="replace").splitlines()) if log else 0


def _make_tablespace(url: str, directory: Path) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{directory}'".encode())


def _use_up_the_log(url: str) -> None:
    """The next write needs a new file of the log."""
    with suppress(psycopg.Error), psycopg.connect(url, autocommit=True, connect_timeout=2) as connection:
        connection.execute("SELECT pg_switch_wal()")


def _mebibytes(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file()) // 2**20 + 1


if __name__ == "__main__":
    sys.exit(main())
