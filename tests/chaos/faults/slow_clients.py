"""A hundred clients who send a byte a second: heads to the web server itself, bodies through nginx, as in production.

The web server reads heads in its event loop and bodies in its threads: as many slow bodies as it has threads stop it
(docs/adr/0102-granian.md), so they are for a proxy that takes a request in before it passes it on.
"""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from settlements.statuses import RiskTier
from tests.chaos import fleet, orders
from tests.chaos.faults.stage import Stage, do
from tests.chaos.faults.upstream import Event, Upstream
from tests.chaos.faults.verdict import Verdict
from tests.chaos.fleet import Member
from tests.factories import POD

_CLIENTS: Final = 100
_EVENTS: Final = 600
_PER_SECOND: Final = 60.0
_BYTE_SECONDS: Final = 1.0
_START: Final = "POST /webhooks/shipment_event HTTP/1.1\r\nHost: localhost:{port}\r\n"
_BODY: Final = (
    "Content-Type: application/json\r\nX-Event-Source: chaos\r\nwebhook-id: msg_slow\r\nwebhook-timestamp: 1\r\n"
    "webhook-signature: v1,slow\r\nContent-Length: 400\r\n\r\n"
)
_NGINX: Final = """
daemon off;
pid {var}/nginx.pid;
error_log {var}/log/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {var}/nginx-bodies;
    proxy_temp_path {var}/nginx-answers;
    fastcgi_temp_path {var}/nginx-unused;
    uwsgi_temp_path {var}/nginx-unused;
    scgi_temp_path {var}/nginx-unused;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 64k;
        client_header_timeout 10s;
        client_body_timeout 10s;
        location / {{
            proxy_pass http://127.0.0.1:{web};
            proxy_http_version 1.1;
            proxy_request_buffering on;
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


def slow_clients(stage: Stage) -> Verdict:
    """Others are served as if nobody were slow."""
    events = [Event(each, POD) for each in orders.lay(stage.sized(_EVENTS), orders.Kind(tier=RiskTier.LOW))]
    half = len(events) // 2
    with stage.running(stage.web()):
        heads = stage.upstream(events[:half], per_second=_PER_SECOND, may_refuse=False)
        cut = _posted_beside(heads, stage.port, _START)
        program, after = shutil.which("nginx"), "no nginx here, so slow bodies were not tried"
        bodies = stage.upstream(events[half:], per_second=_PER_SECOND, may_refuse=False)
        if program:
            with _nginx(stage, program) as port:
                bodies.port = port
                cut += _posted_beside(bodies, port, _START + _BODY)
            after = f"{_CLIENTS} slow bodies at nginx"
        else:
            bodies.start()
            do([], bodies)
    heads.absorb(bodies)
    done = f"{len(events)} events beside {_CLIENTS} slow heads at the web server, then {after}; {cut} cut off"
    return stage.verdict(done, events, heads)


def _posted_beside(upstream: Upstream, port: int, start: str) -> int:
    """Posts everything while the slow clients are there; how many of those were cut off."""
    over, cut = threading.Event(), [0]
    lines = [_begin(port, start) for _ in range(_CLIENTS)]

    def drip() -> None:
        while not over.wait(_BYTE_SECONDS):
            for place, line in enumerate(lines):
                try:
                    line.sendall(b"x")
                except OSError:
                    cut[0] += 1
                    line.close()
                    lines[place] = _begin(port, start)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        upstream.start()
        do([], upstream)
    finally:
        over.set()
        thread.join()
        for line in lines:
            line.close()
    return cut[0]


def _begin(port: int, start: str) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), timeout=5)
    with suppress(OSError):
        line.sendall(start.format(port=port).encode())
    return line


@contextmanager
def _nginx(stage: Stage, program: str) -> Iterator[int]:
    """nginx in front of the web server; its port. Raises NotUp."""
    port = fleet.free_port()
    config = stage.var / "nginx.conf"
    config.write_text(_NGINX.format(var=stage.var, port=port, web=stage.port))
    command = [program, "-e", str(stage.var / "log" / "nginx-error.log"), "-c", str(config)]
    member = Member(name="nginx", command=command, log=stage.var / "log" / "nginx.log")
    try:
        member.start()
        fleet.await_answer(member, port, "/healthz", seconds=20.0)
        yield port
    finally:
        member.end()
