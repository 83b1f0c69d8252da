"""A file for the bank, and a bank that collects what lies in its outbox."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NAME = "WIRE-USD-20261130-1.xml"
CONTENT = b"<Document>70.00</Document>"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    place = tmp_path / "outbox"
    place.mkdir(mode=0o700)
    return place


class Bank:
    """Takes away at once whatever it finds, and remembers it."""

    def __init__(self, outbox: Path) -> None:
        self.outbox = outbox
        self.taken: list[tuple[str, bytes]] = []

    def look(self) -> None:
        for file in sorted(self.outbox.glob("[!.]*")):
            self.taken.append((file.name, file.read_bytes()))
            file.unlink()

    @contextmanager
    def looking_all_the_time(self) -> Iterator[None]:
        done = threading.Event()

        def look() -> None:
            while not done.is_set():
                self.look()

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            self.look()


@pytest.fixture
def bank(outbox: Path) -> Bank:
    return Bank(outbox)
