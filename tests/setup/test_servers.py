"""The embedded servers start wherever the checkout lies, are shared, and leave nothing behind."""

import os
import pwd
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from chainpay.embedded import identity, paths, process, servers
from chainpay.embedded.postgres import Postgres
from chainpay.embedded.redis import Redis
from chainpay.embedded.refusal import CannotStart
from tests.setup.conftest import postmaster, stop_servers, uid_of

NOT_ROOT = os.getuid() or identity.NOBODY


def connect(var: Path) -> psycopg.Connection:
    return psycopg.connect(paths.postgres_url(var), autocommit=True)


def remember(var: Path, word: str) -> None:
    with connect(var) as connection:
        connection.execute("CREATE TABLE memory (word text)")
        connection.execute("INSERT INTO memory VALUES (%s)", [word])


def remembered(var: Path) -> list[str]:
    with connect(var) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM memory")]


def test_both_servers_answer_and_are_gone_afterwards(var: Path) -> None:
    with servers.used(var=var, durable=False) as running:
        with connect(var) as connection:
            encoding, listening = connection.execute(
                "SELECT pg_encoding_to_char(encoding), current_setting('listen_addresses') "
                "FROM pg_database WHERE datname = current_database()"
            ).fetchone() or ("", "?")
        assert (encoding, listening) == ("UTF8", "")
        assert redis.Redis(unix_socket_path=str(paths.redis_socket(var))).ping()
        assert running.dead() == []
        pids = [postmaster(var), int((var / "redis" / "redis.pid").read_text())]
    assert not any(process.alive(pid=pid) for pid in pids)
    assert not paths.sockets(var).exists()


def test_a_run_keeps_every_write_and_a_test_need_not(var: Path) -> None:
    for durable, expected in ((True, "on"), (False, "off")):
        with servers.used(var=var, redis=False, durable=durable), connect(var) as connection:
            assert connection.execute("SHOW fsync").fetchone() == (expected,)


def test_a_long_path_with_spaces_and_accents_is_no_obstacle(home: Path) -> None:
    var = home / "my checkouts é" / ("long " * 30) / "var"
    try:
        with servers.used(var=var, durable=False):
            remember(var, "here")
            assert remembered(var) == ["here"]
    finally:
        stop_servers(var)


def test_below_a_private_directory_the_servers_run_without_root_and_no_mode_is_loosened(home: Path) -> None:
    private = home / "private"
    private.mkdir(mode=0o700)
    var = private / "var"
    try:
        with servers.used(var=var, durable=False):
            assert uid_of(postmaster(var)) == NOT_ROOT
            assert uid_of(int((var / "redis" / "redis.pid").read_text())) == NOT_ROOT
            assert private.stat().st_mode & 0o777 == 0o700
            remember(var, "here")
        assert (var / "postgres").stat().st_mode & 0o777 == 0o700
    finally:
        stop_servers(var)


def test_in_an_open_directory_the_servers_keep_no_capability(var: Path) -> None:
    with servers.used(var=var, postgres=False):
        pid = int((var / "redis" / "redis.pid").read_text())
        status = Path(f"/proc/{pid}/status").read_text()
        wheel_is_open = identity.choose(programs=[], directories=[Path(sys.prefix)]).capability is None
        capabilities = int(status.partition("CapEff:")[2].split()[0], 16)
        assert capabilities == 0 or not wheel_is_open
        assert capabilities in {0, 1 << identity.Capability.DAC_READ_SEARCH, 1 << identity.Capability.DAC_OVERRIDE}


def test_an_ordinary_user_starts_them_as_himself(home: Path) -> None:
    uid = os.getuid() or pwd.getpwnam("daemon").pw_uid
    var = home / "his"
    var.mkdir()
    os.chown(var, uid, -1)
    script = (
        "import sys; from pathlib import Path; from chainpay.embedded import servers\n"
        "with servers.used(var=Path(sys.argv[1]), durable=False) as running:\n"
        "    print(running.dead(), (Path(sys.argv[1]) / 'postgres').stat().st_uid)\n"
    )

    def become_him() -> None:
        # He may read what lies below root's home, such as the interpreter; write there he may not.
        if os.getuid() == 0:
            identity.become(uid=uid, capability=identity.Capability.DAC_READ_SEARCH)

    done = subprocess.run(
        [sys.executable, "-c", script, var], preexec_fn=become_him, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"[] {uid}\n", done.stderr


def test_the_last_of_two_users_stops_them(var: Path) -> None:
    with servers.used(var=var, durable=False):
        pid = postmaster(var)
        with servers.used(var=var, durable=False):
            assert postmaster(var) == pid
        assert process.alive(pid=pid)
        assert Redis(var=var).alive()
    assert not process.alive(pid=pid)
    assert not Redis(var=var).alive()


def test_servers_that_outlived_their_user_are_adopted(var: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from chainpay.embedded import servers\n"
        "with servers.used(var=Path(sys.argv[1]), durable=False): os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, var], check=False)
    assert done.returncode == -signal.SIGKILL
    survivor = postmaster(var)
    with servers.used(var=var, durable=False):
        assert postmaster(var) == survivor
    assert not process.alive(pid=survivor)


def test_after_kill_9_the_next_start_finds_what_was_committed(var: Path) -> None:
    with servers.used(var=var) as running:
        remember(var, "committed")
        os.kill(postmaster(var), signal.SIGKILL)
        os.kill(int((var / "redis" / "redis.pid").read_text()), signal.SIGKILL)
        running.ensure()
        assert remembered(var) == ["committed"]
        assert running.dead() == []


def test_a_dead_server_is_noticed(var: Path) -> None:
    with servers.used(var=var, postgres=False) as running:
        Redis(var=var).stop()
        assert running.dead() == ["Redis"]


@pytest.fixture
def stranger() -> subprocess.Popen[bytes]:
    """A process of the servers' own user that has nothing to do with them."""
    become = (lambda: identity.become(uid=identity.NOBODY, capability=None)) if os.getuid() == 0 else None
    return subprocess.Popen(["sleep", "600"], cwd="/", preexec_fn=become)


def test_a_stale_pid_that_belongs_to_somebody_else_now_is_no_obstacle(
    var: Path, stranger: subprocess.Popen[bytes]
) -> None:
    with servers.used(var=var, durable=False):
        remember(var, "kept")
        left_behind = (var / "postgres" / "postmaster.pid").read_text().splitlines()
    left_behind[0] = str(stranger.pid)
    (var / "postgres" / "postmaster.pid").write_text("\n".join(left_behind) + "\n")
    (var / "redis" / "redis.pid").write_text(f"{stranger.pid}\n")
    with servers.used(var=var, durable=False):
        assert remembered(var) == ["kept"]
    assert stranger.poll() is None, "the stranger must not be harmed"
    stranger.kill()
    stranger.wait()


def test_a_cluster_that_was_only_half_made_is_made_anew(var: Path) -> None:
    half = var / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with servers.used(var=var, redis=False, durable=False):
        assert not half.exists()
        remember(var, "whole")


def test_a_stale_redis_socket_is_no_obstacle(var: Path) -> None:
    directory = paths.sockets(var)
    directory.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(paths.redis_socket(var)))
    with servers.used(var=var, postgres=False) as running:
        assert running.dead() == []


def test_a_socket_directory_that_others_may_enter_is_refused(var: Path) -> None:
    directory = paths.sockets(var)
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(CannotStart, match="open to others"), servers.used(var=var, durable=False):
        pass
    directory.mkdir(mode=0o700, exist_ok=True)


def test_a_link_in_place_of_the_socket_directory_is_refused(var: Path, home: Path) -> None:
    paths.sockets(var).symlink_to(home)
    try:
        with pytest.raises(CannotStart, match="somebody else"), servers.used(var=var, durable=False):
            pass
    finally:
        paths.sockets(var).unlink(missing_ok=True)


def test_a_cluster_of_another_postgresql_is_not_touched(var: Path) -> None:
    with servers.used(var=var, redis=False, durable=False):
        pass
    (var / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(CannotStart, match="was made by PostgreSQL 12"), servers.used(var=var, durable=False):
        pass
    assert not Postgres(var=var).alive()
