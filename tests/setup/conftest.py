"""State directories for launching real servers, tidied away whatever happens."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainpay.embedded import paths, process
from chainpay.embedded.postgres import Postgres
from chainpay.embedded.redis import Redis


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory everybody may enter, as a checkout in an ordinary place."""
    directory = Path(tempfile.mkdtemp(prefix="chainpay-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def var(home: Path) -> Iterator[Path]:
    """A state directory whose servers are stopped in the end."""
    directory = home / "var"
    directory.mkdir()
    yield directory
    left = [pid for pid in running() if process.runs(pid=pid, mentioning=str(paths.sockets(directory)))]
    stop_servers(directory)
    for pid in left:
        process.stop(pid=pid, steps=())
    assert not left, "a server outlived the last of its users"


def running() -> list[int]:
    return [int(each.name) for each in process.PROC.glob("[0-9]*")]


def stop_servers(var: Path) -> None:
    Postgres(var=var).stop()
    Redis(var=var).stop()
    shutil.rmtree(paths.sockets(var), ignore_errors=True)


def postmaster(var: Path) -> int:
    """The process id of a state directory's PostgreSQL."""
    return int((var / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def uid_of(pid: int) -> int:
    return os.stat(f"/proc/{pid}").st_uid
