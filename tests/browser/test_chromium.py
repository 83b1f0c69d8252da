"""The set-up finds a browser, gets one where it may, and says what is missing where it may not."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.browser.chromium import NoBrowser

APT_GET = """#!/bin/sh
PATH=/usr/bin:/bin
echo "$*" >> {said}
case "$*" in *" install "*) {install} ;; *) {update} ;; esac
"""
PUT_A_BROWSER = 'printf "#!/bin/sh\\n" > {bin}/chromium && chmod +x {bin}/chromium'


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH, and we are root there; the directory that is its PATH."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return place


def program(machine: Path, name: str, text: str) -> None:
    (machine / name).write_text(text)
    (machine / name).chmod(0o755)


def apt_get(machine: Path, *, install: str, update: str = ":") -> Path:
    """An apt-get that does this; the file that keeps what it was asked."""
    said = machine.parent / "said"
    program(machine, "apt-get", APT_GET.format(said=said, install=install.format(bin=machine), update=update))
    return said


def test_the_browser_of_the_machine_is_taken_and_nothing_is_installed(machine: Path) -> None:
    said = apt_get(machine, install=":")
    program(machine, "google-chrome", "#!/bin/sh\n")
    assert chromium.get() == machine / "google-chrome"
    assert not said.exists()


def test_a_stub_that_only_tells_where_to_get_a_browser_is_none(machine: Path) -> None:
    program(machine, "chromium-browser", "#!/bin/sh\nexit 1\n")
    assert chromium.find() is None


def test_where_there_is_none_root_gets_debians(machine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = apt_get(machine, install=PUT_A_BROWSER)
    assert chromium.get() == machine / "chromium"
    asked = said.read_text().splitlines()
    assert [line.split()[3] for line in asked] == ["update", "install"]
    assert asked[1].endswith("--yes --no-install-recommends chromium fonts-dejavu-core")
    assert "installing Debian's" in capfd.readouterr().out
    assert chromium.get() == machine / "chromium"
    assert len(said.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("install", "update", "said"),
    [
        ("echo E: no space left; exit 100", ":", "apt-get install failed with code 100: E: no space left"),
        (":", "echo E: no network; exit 7", "apt-get update failed with code 7: E: no network"),
        (":", ":", "apt-get installed Chromium, and yet none on PATH answers"),
    ],
)
def test_what_goes_wrong_is_told_with_what_to_install(machine: Path, install: str, update: str, said: str) -> None:
    apt_get(machine, install=install, update=update)
    with pytest.raises(NoBrowser) as told:
        chromium.get()
    assert said in str(told.value)
    assert str(told.value).endswith("apt-get install chromium fonts-dejavu-core) and run the tests again")


def test_who_is_not_root_is_told_what_to_install(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = apt_get(machine, install=PUT_A_BROWSER)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(NoBrowser, match=r"^NOT RUN, .* only root may install it; install Chromium"):
        chromium.get()
    assert not asked.exists()


def test_without_apt_get_somebody_else_must_install_it(machine: Path) -> None:
    with pytest.raises(NoBrowser, match="without apt-get"):
        chromium.get()


def test_only_root_does_without_the_sandbox(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--no-sandbox" in chromium.arguments()
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert "--no-sandbox" not in chromium.arguments()
