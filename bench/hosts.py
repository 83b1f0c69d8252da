"""`make bench ARGS="--only hosts"`: two hosts on one PostgreSQL and one Redis, and a replica.

Each host has a directory, a port, a worker and a beat of its own. Every message goes to both of them at the same time,
as a sender does whose load balancer tries again elsewhere; half of the settlements are released at once, the others are
delayed by a second and left to the sweeps of both. Then each of them has to be there once, and so has its money. A run
says what several hosts do to one another, not how fast they would be: they share this machine.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import django
import psycopg

from chainpay.embedded import binaries, children, identity, paths
from chainpay.embedded.postgres import Postgres

HOSTS: Final = 2
_CONNECTIONS: Final = 4
_PATIENCE_SECONDS: Final = 120.0
_ONCE_EACH: Final = """
    SELECT count(*), count(DISTINCT s.intent_id), count(*) FILTER (WHERE s.status = 'APPROVED'),
        (SELECT count(*) FROM rails_journalentry WHERE kind = 'release'), (SELECT count(*) FROM rails_posting),
        (SELECT count(*) FROM settlements_shipmentevent)
    FROM settlements_milestonesettlement s
"""


class NotOnce(Exception):
    """Something was doubled or is missing."""


def main() -> int:
    """Runs both hosts, counts, verifies the books here and on the replica; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m bench.hosts", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000, help="messages, each sent to both hosts (default: 1000)")
    events = parser.parse_args().events
    os.environ |= {
        "CHAINPAY_HOLD_SECONDS": "1", "CHAINPAY_SWEEP_SECONDS": "1", "CHAINPAY_LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "chainpay.settings",
    }  # fmt: skip
    url, var = os.environ["DATABASE_URL"], Path(os.environ["CHAINPAY_VAR"])
    django.setup()
    from bench import shipments
    from tests.factories import LOW, MEDIUM, an_intent

    intents = [an_intent(risk=MEDIUM if place % 2 else LOW) for place in range(events)]
    bodies, source = shipments.bodies([intent.shipment.shipment_id for intent in intents]), shipments.source()
    with _replica(url, var) as replica:
        with ExitStack() as hosts:
            ports = [hosts.enter_context(_host(url, var / f"host-{place}")) for place in range(1, HOSTS + 1)]
            seconds = _post_to_all(ports, source.name, source.secret, bodies)
            print(f"{len(bodies)} messages, each posted to {HOSTS} hosts at once, in {seconds:.1f} s", flush=True)
            print(f"all released {_released(url, len(bodies)):.1f} s later", flush=True)
        _once_each(url, len(bodies))
        print(f"each settlement there once, released once, booked once: {len(bodies)}", flush=True)
        print(f"the replica had all of it {_caught_up(url, replica):.1f} s later", flush=True)
        return _verify("here", url) or _verify("on the replica", replica)


@contextmanager
def _host(url: str, var: Path) -> Iterator[int]:
    """The port of a web server; a worker and a beat run beside it."""
    from bench import webhook

    var.mkdir(parents=True, exist_ok=True)
    os.environ["CHAINPAY_VAR"] = str(var)
    celery = [sys.executable, "-m", "celery", "-A", "chainpay.celery"]
    worker = [*celery, "worker", "--hostname", f"{var.name}@%h", "--concurrency", "2", "--loglevel", "WARNING"]
    beat = [*celery, "beat", "--schedule", str(var / "beat"), "--pidfile", "", "--loglevel", "WARNING"]
    with webhook.serving(url, log=paths.logs(var) / "web.log") as web:
        environment = os.environ | {"DATABASE_URL": url, "CHAINPAY_DEMO": "0"}
        others = [
            children.spawn(command=command, log=paths.logs(var) / f"{command[4]}.log", environment=environment)
            for command in (worker, beat)
        ]
        try:
            yield web.port
        finally:
            children.stop_all(others)


def _post_to_all(ports: Sequence[int], name: str, secret: str, bodies: Sequence[bytes]) -> float:
    """Seconds until every host has answered every message, each the same one. Raises NotOnce for another answer."""
    from bench import load

    requests = list(load.signed_requests(ports[0], name, secret, bodies))
    began = time.monotonic()
    with ThreadPoolExecutor(len(ports)) as senders:
        outcomes = list(senders.map(lambda port: load.post_all(port, requests, connections=_CONNECTIONS), ports))
    for outcome in outcomes:
        if outcome.wrong:
            raise NotOnce(outcome.wrong[0])
    return time.monotonic() - began


def _released(url: str, wanted: int) -> float:
    """Seconds until everything is released; gives up after a while, and `_once_each` says what is missing."""
    began = time.monotonic()
    while time.monotonic() < began + _PATIENCE_SECONDS:
        if _row(url, "SELECT count(*) FROM settlements_milestonesettlement WHERE status = 'APPROVED'")[0] >= wanted:
            break
        time.sleep(0.2)
    return time.monotonic() - began


def _once_each(url: str, wanted: int) -> None:
    found = _row(url, _ONCE_EACH)
    if set(found) != {wanted}:
        raise NotOnce(f"{wanted} events made (settlements, intents, released, entries, postings, messages) {found}")


@contextmanager
def _replica(url: str, var: Path) -> Iterator[str]:
    """The URL of a streaming replica of this server, under `var`, gone afterwards."""
    own = Postgres(var=var / "replica")
    sockets = paths.sockets(own.var)
    own.var.mkdir(parents=True, exist_ok=True)
    subprocess.run(["rm", "-rf", own.data], check=True)
    for directory in (own.data, sockets):
        identity.own(directory)
    copy = binaries.postgres("pg_basebackup")
    who = identity.choose(programs=(copy,), directories=(own.data, paths.sockets(var)))
    command: list[str | Path] = [
        copy,
        "-D",
        own.data,
        "-h",
        paths.sockets(var),
        "-U",
        "postgres",
        "-R",
        "-X",
        "stream",
        "-c",
        "fast",
    ]
    began = time.monotonic()
    subprocess.run(command, check=True, cwd="/", preexec_fn=who.enter())
    took = time.monotonic() - began
    size = _row(url, "SELECT sum(pg_database_size(oid)) FROM pg_database")[0]
    print(f"replica copied by pg_basebackup in {took:.1f} s, {size / 2**20:.0f} MiB", flush=True)
    try:
        own._start()  # not `ensure`, which makes database and roles: a replica has those of its primary
        yield urlsplit(url)._replace(query=urlsplit(paths.postgres_url(own.var)).query).geturl()
    finally:
        own.stop()
        subprocess.run(["rm", "-rf", own.var, sockets], check=True)


def _caught_up(url: str, replica: str) -> float:
    """Seconds until the replica has replayed what the primary had written."""
    (wanted,), began = _row(url, "SELECT pg_current_wal_lsn()"), time.monotonic()
    while not _row(replica, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", wanted)[0]:
        time.sleep(0.01)
    return time.monotonic() - began


def _verify(where: str, url: str) -> int:
    """Runs `verify_books`; its exit code."""
    began = time.monotonic()
    code = subprocess.run(
        [sys.executable, "manage.py", "verify_books", "--quiet"], env=os.environ | {"DATABASE_URL": url}, check=False
    ).returncode
    print(f"verify_books {where} ended with {code} after {time.monotonic() - began:.0f} s", flush=True)
    return code


def _row(url: str, query: str, *values: Any) -> tuple[Any, ...]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode(), list(values)).fetchone() or ()


if __name__ == "__main__":
    sys.exit(main())
