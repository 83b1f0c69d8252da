"""What a run starts is watched, started again, and ended without leaving anybody behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chainpay.embedded import apart, children, lock, process
from chainpay.embedded.children import Child


def wait_for_death(child: Child) -> str:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if sentence := child.watch():
            return sentence
        time.sleep(0.01)
    raise AssertionError("it lives")


def test_each_death_in_a_row_waits_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "BACKOFF_SECONDS", (0.01, 0.02))
    child = Child(name="web", command=["sh", "-c", "echo broken; exit 3"], log=tmp_path / "log" / "web.log")
    child.start()
    waits = []
    for _ in range(3):
        sentence = wait_for_death(child)
        assert sentence.startswith("web ended with code 3; starting it again in ")
        assert child.again_at is not None
        waits.append(child.deaths)
    assert waits == [1, 2, 3]
    assert child.complaint().splitlines() == ["broken"] * 3


def test_who_will_not_stop_is_killed_together_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "STOP_SECONDS", 0.3)
    pids = tmp_path / "pids"
    stubborn = f"trap '' TERM; sleep 600 & echo $! > '{pids}.new'; mv '{pids}.new' '{pids}'; wait"
    child = children.spawn(command=["sh", "-c", stubborn], log=tmp_path / "log")
    while not pids.exists():
        time.sleep(0.01)
    grandchild = int(pids.read_text())
    children.stop_all([child])
    assert child.returncode == -signal.SIGKILL
    end = time.monotonic() + 5
    while process.alive(pid=grandchild) and time.monotonic() < end:
        time.sleep(0.01)
    assert not process.alive(pid=grandchild)


def test_a_command_in_the_foreground_hands_on_its_exit_code() -> None:
    assert children.foreground(command=["sh", "-c", "exit 7"]) == 7
    assert children.foreground(command=["sh", "-c", "kill -9 $$"]) == 128 + signal.SIGKILL


def test_nothing_a_shell_exports_for_production_reaches_the_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "CHAINPAY_DEMO", "CHAINFREIGHT_URL", "PGHOST", "PORT")
    for name in ours:
        monkeypatch.setenv(name, "of production")
    monkeypatch.setenv("PATH", "/kept")
    seen = apart.surroundings(var=tmp_path)
    assert seen["PATH"] == "/kept"
    assert "of production" not in seen.values()
    assert len(seen["SECRET_KEY"]) >= 50


def test_a_second_command_says_for_whom_it_waits(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = (
        "import sys, time; from pathlib import Path; from chainpay.embedded import lock\n"
        "with lock.exclusive(file=Path(sys.argv[1]), waiting='?'): print('held', flush=True); time.sleep(0.5)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, tmp_path / "x.lock"], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    with lock.exclusive(file=tmp_path / "x.lock", waiting="waiting for the other"):
        assert holder.wait() == 0
    assert capfd.readouterr().out == "waiting for the other\n"


def test_a_dead_pid_is_not_alive_and_a_live_one_is_not_taken_for_another() -> None:
    sleeper = subprocess.Popen(["sh", "-c", "echo ready; sleep 600"], stdout=subprocess.PIPE)
    assert sleeper.stdout
    assert sleeper.stdout.readline() == b"ready\n"
    assert process.alive(pid=sleeper.pid)
    assert process.runs(pid=sleeper.pid, mentioning="sleep 600")
    assert not process.runs(pid=sleeper.pid, mentioning="postgres")
    assert sleeper.pid in process.descendants(pid=os.getpid())
    for victim in [*process.descendants(pid=sleeper.pid), sleeper.pid]:
        process.stop(pid=victim, steps=())
    assert not process.alive(pid=sleeper.pid)
