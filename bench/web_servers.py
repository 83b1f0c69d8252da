"""`python -m bench.web_servers`: the same messages to several web servers and numbers of threads, by turns, in one run.

All on one database; each is started for its turn and takes events before the clock starts. gunicorn and the pool of
connections are no dependencies of the product: where they are not installed, they are left out, and that is said.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Final

import django

django.setup()

import psycopg  # noqa: E402

from bench import figures, once, record, shipments, webhook  # noqa: E402
from bench.figures import Figures  # noqa: E402
from bench.record import Figure  # noqa: E402
from chainpay.embedded import paths  # noqa: E402
from chainpay.embedded.run import ADDRESS, WEB_PROCESSES, WEB_THREADS, web_command  # noqa: E402

COMMAND = 'make bench ARGS="--only servers"'
CONNECTIONS: Final = (8, 32)

Line = Sequence[str | Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A way to serve, and the module without which it can not be tried."""

    name: str
    command: Callable[[int], Line]
    settings: str = "chainpay.settings"
    needs: str = "granian"


def _granian(processes: int, threads: int, port: int) -> Line:
    """The command of `make run` with other numbers, the last of which granian takes."""
    return [*web_command(port), "--workers", str(processes), "--blocking-threads", str(threads)]


def _gunicorn(processes: int, threads: int, port: int) -> Line:
    return [
        *(sys.executable, "-m", "gunicorn", "--bind", f"{ADDRESS}:{port}", "--worker-class", "gthread"),
        *("--workers", str(processes), "--threads", str(threads), "--keep-alive", "75", "--log-level", "warning"),
        "chainpay.embedded.web:application",
    ]


AS_RUN = Server(name=f"granian {WEB_PROCESSES}x{WEB_THREADS}", command=web_command)
SERVERS: Final = (
    AS_RUN,
    *(
        Server(name=f"{server} {processes}x{threads}", command=partial(line, processes, threads), needs=server)
        for server, line, numbers in (
            ("granian", _granian, ((1, 32), (1, 8), (2, 16), (2, 8))),
            ("gunicorn", _gunicorn, ((1, 32), (2, 16))),
        )
        for processes, threads in numbers
        if f"{server} {processes}x{threads}" != AS_RUN.name
    ),
    Server(name=f"{AS_RUN.name}, pool", command=AS_RUN.command, settings="bench.pooled", needs="psycopg_pool"),
)


def main() -> int:
    """Measures, verifies, tells."""
    given, database_url = _given(), os.environ["DATABASE_URL"]
    servers = [server for server in SERVERS if find_spec(server.needs)]
    for server in SERVERS:
        if server not in servers:
            print(f"LEFT OUT: {server.name}, for {server.needs} is not installed here.", flush=True)
    events = len(servers) * given.rounds * (given.warm_up + len(CONNECTIONS) * given.events)
    print(f"Preparing {events} shipments ...", flush=True)
    waiting, source = iter(shipments.bodies(shipments.prepare(events))), shipments.source()
    log = paths.logs(Path(os.environ.get("CHAINPAY_VAR", "var"))) / "bench-web.log"
    found: dict[tuple[str, int], list[Figures]] = {}
    for place in range(given.rounds):
        for server in servers if place % 2 == 0 else reversed(servers):
            with webhook.serving(database_url, log=log, command=server.command, settings=server.settings) as web:
                if given.warm_up:
                    webhook.run(web, source, list(islice(waiting, given.warm_up)), connections=max(CONNECTIONS))
                for connections in CONNECTIONS:
                    _settle_down(database_url)
                    measured = webhook.run(web, source, list(islice(waiting, given.events)), connections=connections)
                    found.setdefault((server.name, connections), []).append(measured)
                    print(measured.line(f"{server.name}, {connections}"), flush=True)
    once.verify(database_url, settlements=events)
    print(f"\nVerified: {events} events of {len(servers)} servers, each settled once.")
    _tell(found)
    return 0


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.web_servers", description=__doc__)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--warm-up", type=int, required=True)
    return parser.parse_args()


def _settle_down(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _tell(found: dict[tuple[str, int], list[Figures]]) -> None:
    """Each beside what `make run` starts, in the same rounds."""
    print("\nMedian of the rounds; CPU of the web server + of PostgreSQL per event:")
    for (name, connections), rounds in found.items():
        print(figures.middle(rounds).line(f"{name}, {connections}"))
    record.told(
        Figure(
            part="servers",
            name=f"{name}, {connections} connections",
            unit="/s",
            rounds=[each.per_second for each in rounds],
            floor=[] if name == AS_RUN.name else [each.per_second for each in found[AS_RUN.name, connections]],
            command=COMMAND,
        )
        for (name, connections), rounds in found.items()
    )


if __name__ == "__main__":
    sys.exit(main())
