"""`make run` starts, shares, recovers and refuses as its users expect."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chainpay.embedded import apart, configuration, process, servers
from tests.setup.conftest import postmaster

Start = Callable[..., "Supervisor"]


class Supervisor:
    """One `python -m chainpay.embedded.run` in a process group of its own."""

    def __init__(self, var: Path, port: int, **extra: str) -> None:
        environment = apart.surroundings(var=var)
        for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DJANGO_SETTINGS_MODULE"):
            del environment[name]
        self.port = port
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chainpay.embedded.run"],
            cwd=configuration.BASE_DIR,
            env=environment | {"PORT": str(port)} | extra,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait_until_up(self) -> "Supervisor":
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if line.startswith("Ctrl-C"):
                return self
        raise AssertionError(self.said)

    def family(self) -> list[int]:
        """Everything below it but PostgreSQL and Redis, nearest first."""
        return [pid for pid in process.descendants(pid=self.process.pid) if self.process.pid == group(pid)]

    def web(self) -> int | None:
        """The process id of the web server's first process."""
        servers = [pid for pid in self.family() if process.runs(pid=pid, mentioning="granian")]
        return servers[0] if servers else None

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def end(self) -> int:
        self.said += self.process.communicate(timeout=60)[0]
        return self.process.returncode


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Supervisor] = []

    def begin(var: Path, port: int | None = None, **extra: str) -> Supervisor:
        started.append(Supervisor(var, port or free_port(), **extra))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
            each.end()


def group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/admin/login/", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def gone(pids: list[int], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while any(process.alive(pid=pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.1)
    return not any(process.alive(pid=pid) for pid in pids)


def test_two_ports_share_one_directory_and_the_last_one_out_stops_everything(start: Start, var: Path) -> None:
    first = start(var).wait_until_up()
    second = start(var).wait_until_up()
    assert f"http://localhost:{first.port}/admin/" in first.said
    assert "officer1" in first.said
    assert "chainpay-demo" in first.said
    database = postmaster(var)
    family = first.family()
    assert len(family) >= 3

    first.send(signal.SIGTERM)
    assert first.end() == 0
    assert gone(family, seconds=0)
    assert not answers(first.port)
    assert answers(second.port)
    assert postmaster(var) == database

    family = second.family()
    # As a terminal does it: to everybody in the group at once.
    os.killpg(second.process.pid, signal.SIGINT)
    assert second.end() == 0
    assert gone([*family, database], seconds=0)


def test_after_kill_9_of_the_whole_group_the_next_run_adopts_what_survived(start: Start, var: Path) -> None:
    run = start(var).wait_until_up()
    family = run.family()
    database = postmaster(var)
    os.killpg(run.process.pid, signal.SIGKILL)
    assert run.end() == -signal.SIGKILL
    assert gone(family)

    again = start(var, run.port).wait_until_up()
    assert answers(again.port)
    assert postmaster(var) == database

    # And when only the supervisor is killed, its children follow.
    family = again.family()
    again.send(signal.SIGKILL)
    assert again.end() == -signal.SIGKILL
    assert gone(family)
    with servers.used(var=var):
        assert postmaster(var) == database


def test_a_child_that_dies_is_started_again(start: Start, var: Path) -> None:
    run = start(var).wait_until_up()
    web = run.web()
    assert web
    workers = process.descendants(pid=web)
    assert workers
    os.kill(web, signal.SIGKILL)
    end = time.monotonic() + 60
    while (next_web := run.web()) in {None, web, *workers} and time.monotonic() < end:
        time.sleep(0.1)
    assert next_web not in {None, web, *workers}
    while not answers(run.port) and time.monotonic() < end:
        time.sleep(0.2)
    assert answers(run.port)
    run.send(signal.SIGTERM)
    assert run.end() == 0
    assert gone(workers)
    assert "web was killed by SIGKILL; starting it again in 1 s" in run.said


def test_a_taken_port_is_one_clear_line(start: Start, var: Path) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        port = door.getsockname()[1]
        run = start(var, port)
        assert run.end() == 1
    assert run.said == f"chainpay: port {port} is taken; choose another: make run PORT={port + 1}.\n"
    assert not (var / "postgres").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "many"),
        ("CHAINPAY_HOLD_SECONDS", "-1"),
        ("CHAINPAY_DEMO", "maybe"),
        ("CHAINPAY_LOG_LEVEL", "loud"),
        ("DATABASE_URL", "mysql://somebody:hidden@localhost/chainpay"),
        ("REDIS_URL", "localhost:6379/hidden"),
        ("CHAINFREIGHT_URL", "https://somebody:hidden@freight.example"),
        ("CHAINFREIGHT_URL", "https://freight.example/?token=hidden"),
        ("CHAINFREIGHT_URL", "freight.example/hidden"),
        ("CHAINFREIGHT_TIMEOUT_SECONDS", "31"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(start: Start, var: Path, name: str, value: str) -> None:
    run = start(var, **{name: value})
    assert run.end() == 1
    assert run.said.startswith(f"chainpay: {name} must be ")
    assert run.said.count("\n") == 1
    assert "hidden" not in run.said


def test_a_database_of_your_own_wants_a_secret_key_and_is_no_demo(start: Start, var: Path) -> None:
    run = start(var, DATABASE_URL="postgresql://nobody@/nothing?host=/nowhere")
    assert run.end() == 1
    assert run.said == "chainpay: SECRET_KEY must be set when DATABASE_URL is.\n"


def test_a_database_that_can_not_be_reached_is_one_clear_line(start: Start, var: Path) -> None:
    run = start(var, DATABASE_URL="postgresql://nobody@/nothing?host=/nowhere", SECRET_KEY="x" * 60)
    assert run.end() == 1
    assert "chainpay: manage.py migrate failed:" in run.said
    assert "Traceback" not in run.said
    assert "demo" not in run.said


@pytest.mark.parametrize("target", ["run", "test", "check", "verify_books"])
def test_an_old_python_is_one_clear_line(target: str) -> None:
    done = subprocess.run(
        ["make", target, "PYTHON=false"], cwd=configuration.BASE_DIR, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[0].startswith("chainpay: Python 3.11 or newer is needed as false")
