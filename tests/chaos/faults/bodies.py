"""Bodies of 60 MB, announced and in chunks, beside events."""

import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from settlements.statuses import RiskTier
from tests.chaos import orders
from tests.chaos.faults.stage import Stage
from tests.chaos.faults.upstream import Event
from tests.chaos.faults.verdict import Verdict
from tests.chaos.fleet import Member
from tests.factories import POD

_BODY_BYTES: Final = 60 * 1024 * 1024
_PIECE: Final = b"x" * 65_536
_ROUNDS: Final = 10
_PER_SECOND: Final = 60.0
# What the processes of the server may grow by, all together, while they refuse 600 MB each way.
_MOST_GROWN_BYTES: Final = 32 * 1024 * 1024
_ANSWER_SECONDS: Final = 10.0


def big_body(stage: Stage) -> Verdict:
    """Refused before it is read: 413 by its announced length, 411 in chunks, in constant memory; others go on."""
    events = [Event(each, POD) for each in orders.lay(stage.sized(600), orders.Kind(tier=RiskTier.LOW))]
    upstream = stage.upstream(events, per_second=_PER_SECOND, may_refuse=False)
    web, wrong, slowest, rounds = stage.web(), [], 0.0, stage.sized(_ROUNDS)
    with stage.running(web):
        upstream.start()
        time.sleep(1)
        before = _resident(web)
        for number in range(rounds):
            for announced, wanted in ((True, 413), (False, 411)):
                began = time.monotonic()
                status, told = _post_big(stage.port, announced=announced)
                slowest = max(slowest, time.monotonic() - began)
                if status != wanted:
                    wrong.append(f"body {number} {'announced' if announced else 'in chunks'}: {status}, {told[:200]!r}")
        grown = _resident(web) - before
        if grown > _MOST_GROWN_BYTES:
            wrong.append(f"the web server has grown by {grown // 2**20} MiB")
        while upstream.at_work():
            time.sleep(0.1)
    done = (
        f"{len(events)} events beside {2 * rounds} bodies of 60 MB, answered within {slowest:.2f} s, "
        f"server grown by {max(grown, 0) / 2**20:.0f} MiB"
    )
    return stage.verdict(done, events, upstream, wrong=wrong)


def _post_big(port: int, *, announced: bool) -> tuple[int, bytes]:
    """Sends the body until the server has had enough of it; status (0 for none) and what was told."""
    framing = f"Content-Length: {_BODY_BYTES}" if announced else "Transfer-Encoding: chunked"
    head = f"POST /webhooks/shipment_event HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
    signature = "X-Event-Source: chaos\r\nwebhook-id: msg_1\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,x\r\n"
    piece = _PIECE if announced else f"{len(_PIECE):x}\r\n".encode() + _PIECE + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_SECONDS) as line:
        with suppress(OSError):  # the server closes while we still send
            line.sendall(f"{head}{signature}{framing}\r\n\r\n".encode())
            for _ in range(_BODY_BYTES // len(_PIECE)):
                line.sendall(piece)
            line.sendall(b"" if announced else b"0\r\n\r\n")
        told = b""
        with suppress(OSError):
            while more := line.recv(65_536):
                told += more
                if b"request_id" in told:
                    break
    first = told.split(b" ", 2)
    return (int(first[1]) if len(first) > 2 and first[1].isdigit() else 0), told


def _resident(web: Member) -> int:
    """Bytes of memory that the server's processes hold, at their peaks (proc(5): VmHWM)."""
    total = 0
    for pid in web.family():
        with suppress(FileNotFoundError):
            status = Path(f"/proc/{pid}/status").read_text()
            total += sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    return total
