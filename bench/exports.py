"""`python -m bench.exports ROUNDS`: a CSV of every settlement over HTTP, beside COPY of the same rows.

By the production server, in the database that the bench of the review queue has filled. The floor is one COPY of the
same statement, whose bytes nobody reads. The growth is how far the resident memory of the process that sends rose above
what it was before the download, by the peak that Linux keeps (VmHWM), set back before every round.
"""

import http.client
import os
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import django

django.setup()

import psycopg  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench import record, webhook  # noqa: E402
from bench.record import Figure, Target  # noqa: E402
from bench.webhook import Web  # noqa: E402
from chainpay.embedded import paths  # noqa: E402
from chainpay.embedded import process as processes  # noqa: E402
from settlements import api_keys  # noqa: E402
from settlements.exports import datasets, statements  # noqa: E402
from settlements.permissions import Scope  # noqa: E402

COMMAND = 'make bench ARGS="--only review,exports"'
DATASET = "settlements.csv"
TARGET_RATIO = 1.05
TARGET_FIRST_SECONDS = 1.0
TARGET_GROWTH_MIB = 80.0
_PIECE = 1 << 16
_RESET_PEAK = "5"  # proc(5), clear_refs


class NotComplete(Exception):
    """The file did not hold what COPY holds; the figures mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One download and one COPY; the file's bytes are one line of names more than the floor's."""

    first_byte: float
    seconds: float
    floor_seconds: float
    peak_mib: float
    growth_mib: float
    lines: int
    size: int

    def line(self) -> str:
        """As the report shows it."""
        return (
            f"export   {self.lines:>8} lines {self.size / 1e6:>7.1f} MB   COPY {self.floor_seconds:>6.2f} s"
            f"   HTTP {self.seconds:>6.2f} s   first byte {1000 * self.first_byte:>6.0f} ms"
            f"   peak {self.peak_mib:>5.1f} MiB, {self.growth_mib:>4.1f} of them new"
        )


def measure(web: Web, database_url: str, key: str, *, rounds: int) -> list[Round]:
    """Floor and download by turns. Raises NotComplete."""
    return [_round(web, database_url, key) for _ in range(rounds)]


def told(rounds: Sequence[Round]) -> list[Figure]:
    """Time, first byte and memory against their targets."""
    named = partial(Figure, part="exports", command=COMMAND)
    return [
        named(
            name="CSV over HTTP, COPY as floor",
            unit="s",
            rounds=[each.seconds for each in rounds],
            floor=[each.floor_seconds for each in rounds],
            target=Target(of="ratio", at_most=TARGET_RATIO),
        ),
        named(
            name="first byte",
            unit="s",
            rounds=[each.first_byte for each in rounds],
            target=Target(of="median", at_most=TARGET_FIRST_SECONDS),
        ),
        named(
            name="memory more at the peak",
            unit="MiB",
            rounds=[each.growth_mib for each in rounds],
            target=Target(of="highest", at_most=TARGET_GROWTH_MIB),
        ),
    ]


def _round(web: Web, database_url: str, key: str) -> Round:
    floor_seconds, floor_size = _copy(database_url)
    family = [web.process.pid, *processes.descendants(pid=web.process.pid)]
    for pid in family:
        _forget_peak(pid)
    before = {pid: _memory_mib(pid, "VmRSS") for pid in family}
    first, seconds, lines, size, header = _download(web.port, key)
    if size - header != floor_size:
        raise NotComplete(f"HTTP sent {size - header} bytes of rows, COPY {floor_size}")
    peaks = {pid: _memory_mib(pid, "VmHWM") for pid in family}
    return Round(
        first_byte=first,
        seconds=seconds,
        floor_seconds=floor_seconds,
        peak_mib=max(peaks.values()),
        growth_mib=max(peaks[pid] - before[pid] for pid in family),
        lines=lines - 1,
        size=size,
    )


def _copy(database_url: str) -> tuple[float, int]:
    dataset = datasets.find(DATASET.removesuffix(".csv"))
    selection = dataset.select({})
    began, size = time.perf_counter(), 0
    with psycopg.connect(database_url) as connection:
        statement = statements.bound(connection, statements.lines(dataset, selection, key=dataset.key), selection)
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for piece in copy:
                size += len(piece)
    return time.perf_counter() - began, size


def _download(port: int, key: str) -> tuple[float, float, int, int, int]:
    """Seconds to the first byte of the body and to its last, lines, bytes, and the bytes of the first line."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.perf_counter()
    connection.request("GET", f"/exports/{DATASET}", headers={"Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise NotComplete(f"{answer.status}: {answer.read(500)!r}")
    piece = answer.read1(_PIECE)
    first, lines, size, header = time.perf_counter() - began, 0, 0, piece.index(b"\n") + 1
    while piece:
        lines, size = lines + piece.count(b"\n"), size + len(piece)
        piece = answer.read1(_PIECE)
    seconds = time.perf_counter() - began
    connection.close()
    return first, seconds, lines, size, header


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)


def _memory_mib(pid: int, what: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) / 1024


def main() -> None:
    """Measures and prints."""
    database_url, rounds = os.environ["DATABASE_URL"], int(sys.argv[1])
    scopes = {Scope.EXPORTS_READ, datasets.find(DATASET.removesuffix(".csv")).scope}
    _, key = api_keys.create(
        f"bench-{uuid.uuid4().hex[:8]}", scopes=scopes, service="bench", actor="bench", now=timezone.now()
    )
    log = paths.logs(Path(os.environ.get("CHAINPAY_VAR", "var"))) / "bench-exports.log"
    with webhook.serving(database_url, log=log) as web:
        found = measure(web, database_url, key, rounds=rounds)
    print("\n".join(each.line() for each in found), flush=True)
    record.told(told(found))


if __name__ == "__main__":
    main()
