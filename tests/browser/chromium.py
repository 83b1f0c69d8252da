"""Which browser do the tests drive? The Chromium of this machine; where there is none, Debian's is installed.

Only as root, and only where there is apt-get: elsewhere whoever runs the tests is told what to install.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from chainpay.embedded import lock

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without any font Chromium draws boxes, or nothing at all.
PACKAGES = ("chromium", "fonts-dejavu-core")
WANTED = f"install Chromium (on Debian: apt-get install {' '.join(PACKAGES)}) and run the tests again"

_ANSWER_SECONDS = 30
_INSTALL_SECONDS = 600


class NoBrowser(Exception):
    """There is no browser and none can be had; says why, and what to install."""


def get() -> Path:
    """The browser, installed first if need be. Raises NoBrowser."""
    if found := find():
        return found
    with lock.exclusive(
        file=Path(tempfile.gettempdir()) / f"chainpay-chromium-{os.getuid()}.lock",
        waiting="Another run installs Chromium; waiting until it has finished.",
    ):
        if found := find():
            return found
        complaint = _install()
    if found := find():
        return found
    raise NoBrowser(f"NOT RUN, there is no browser: {complaint}; {WANTED}")


def find() -> Path | None:
    """The first browser on PATH that answers; some systems have a stub that only tells where to get one."""
    for name in NAMES:
        place = shutil.which(name)
        if place and _answers(place):
            return Path(place)
    return None


def arguments() -> list[str]:
    """How the browser is started: it calls nobody but the server under test, and root has no sandbox."""
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    return [*quiet, "--no-sandbox"] if os.getuid() == 0 else quiet


def _answers(place: str) -> bool:
    try:
        return subprocess.run([place, "--version"], capture_output=True, timeout=_ANSWER_SECONDS).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _install() -> str:
    """Installs it; what went wrong otherwise, in words, with the last of what was said."""
    apt_get = shutil.which("apt-get")
    if not apt_get:
        return "it is not on PATH, and without apt-get it can not be installed here"
    if os.getuid() != 0:
        return "it is not on PATH, and only root may install it"
    print("There is no Chromium on PATH; installing Debian's for the browser tests ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        try:
            done = subprocess.run(
                [apt_get, "--quiet", "-o", "DPkg::Lock::Timeout=120", *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_INSTALL_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"apt-get {words[0]} did not end within {_INSTALL_SECONDS} seconds"
        if done.returncode != 0:
            last = " / ".join(done.stdout.strip().splitlines()[-3:])
            return f"apt-get {words[0]} failed with code {done.returncode}: {last}"
    return "apt-get installed Chromium, and yet none on PATH answers"
