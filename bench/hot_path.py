"""`python -m bench.hot_path`: the floor and the webhook by turns, on an empty migrated database."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import django

django.setup()

import psycopg  # noqa: E402

from bench import figures, floor, record, shipments, webhook  # noqa: E402
from bench.figures import Figures  # noqa: E402
from bench.record import Figure, Target  # noqa: E402
from chainpay.embedded import paths  # noqa: E402

TARGET_RATIO = 0.40
TARGET_P99_MS = 25.0
COMMAND = 'make bench ARGS="--only webhook"'


class NotOnePerEvent(Exception):
    """Some event made no settlement or two: the figures would be a lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured: events per round, rounds, and events that only warm up."""

    events: int
    rounds: int
    warm_up: int
    floor_factor: int
    server_options: Sequence[str]

    @property
    def shipments(self) -> int:
        """Every event has its own; the floor has tables of its own."""
        return self.rounds * self.events * self.floor_factor + self.warm_up


def main() -> int:
    """Measures and prints; 0 also when the target is missed, for a busy machine is no bug."""
    plan, database_url = _plan(), os.environ["DATABASE_URL"]
    print(f"Preparing {plan.shipments} shipments ...", flush=True)
    references = shipments.prepare(plan.shipments)
    floor.lay_out(database_url)
    log = paths.logs(Path(os.environ.get("CHAINPAY_VAR", "var"))) / "bench-web.log"
    with webhook.serving(database_url, log=log, server_options=plan.server_options) as web:
        post = partial(webhook.run, web, shipments.source())
        floors, webhooks = _rounds(plan, post, database_url, references, shipments.bodies(references))
    _verify(plan, database_url)
    _report(floors, webhooks)
    return 0


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m bench.hot_path", description=__doc__)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--warm-up", type=int, required=True)
    parser.add_argument("--floor-factor", type=int, required=True)
    parser.add_argument("--server", required=True)
    words = parser.parse_args()
    return Plan(
        events=words.events,
        rounds=words.rounds,
        warm_up=words.warm_up,
        floor_factor=words.floor_factor,
        server_options=words.server.split(),
    )


def _rounds(
    plan: Plan,
    post: Callable[[Sequence[bytes]], Figures],
    database_url: str,
    references: Sequence[str],
    bodies: Sequence[bytes],
) -> tuple[list[Figures], list[Figures]]:
    warm, size = plan.warm_up, plan.events
    if warm:
        floor.run(database_url, references[:warm])
        post(bodies[:warm])
    floors, webhooks = [], []
    for place in range(plan.rounds):
        start = warm + place * size * plan.floor_factor
        _settle_down(database_url)
        floors.append(floor.run(database_url, references[start : start + size * plan.floor_factor]))
        print(floors[-1].line("floor"), flush=True)
        _settle_down(database_url)
        start = warm + place * size
        webhooks.append(post(bodies[start : start + size]))
        print(webhooks[-1].line("webhook"), flush=True)
    return floors, webhooks


def _settle_down(database_url: str) -> None:
    """So that no round pays for the writes of the one before, nor runs on plans made when the tables were empty."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _verify(plan: Plan, database_url: str) -> None:
    """Every event is one settlement, one entry, one posting and one audit event. Raises NotOnePerEvent."""
    events = plan.rounds * plan.events + plan.warm_up
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT (SELECT count(*) FROM settlements_shipmentevent WHERE state = 'PROCESSED'),"
            " (SELECT count(DISTINCT (s.intent_id, s.event_id)) FROM settlements_milestonesettlement s"
            "  JOIN rails_journalentry j ON j.milestone_id = s.id AND j.reference = s.reference"
            "  JOIN rails_posting g ON g.entry_id = j.id AND g.amount_minor = s.amount_minor"
            "  WHERE s.status = 'APPROVED'),"
            " (SELECT count(*) FROM settlements_milestonesettlement),"
            " (SELECT count(*) FROM settlements_auditevent WHERE action = 'settlement_created')"
        ).fetchone()
    if found != (events,) * 4:
        raise NotOnePerEvent(f"{events} events made (events, booked, settlements, audit events) = {found}")
    floor_events = plan.rounds * plan.events * plan.floor_factor + plan.warm_up
    if floor.count(database_url) != (floor_events,) * 3:
        raise NotOnePerEvent(f"{floor_events} events of the floor made {floor.count(database_url)}")
    print(f"\nVerified: {events} events, each one settlement, booked once, audited once.")


def _report(floors: Sequence[Figures], webhooks: Sequence[Figures]) -> None:
    print("\nMedian of the rounds, 8 connections each; CPU of the client (web server) + of PostgreSQL per event:")
    print(figures.middle(floors).line("floor"))
    print(figures.middle(webhooks).line("webhook"))
    record.told(
        [
            Figure(
                part="webhook",
                name="throughput, 8 connections",
                unit="/s",
                rounds=[each.per_second for each in webhooks],
                floor=[each.per_second for each in floors],
                target=Target(of="ratio", at_least=TARGET_RATIO),
                command=COMMAND,
            ),
            Figure(
                part="webhook",
                name="p99, 8 connections",
                unit="ms",
                rounds=[each.p99_ms for each in webhooks],
                floor=[each.p99_ms for each in floors],
                target=Target(of="median", at_most=TARGET_P99_MS),
                command=COMMAND,
            ),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
