"""`python -m bench.hot_path`: the floor and the webhook by turns, on an empty migrated database."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import django

django.setup()

import psycopg  # noqa: E402

from bench import figures, floor, record, shipments, webhook  # noqa: E402
from bench.figures import Figures  # noqa: E402
from bench.record import Figure, Target  # noqa: E402
from chainpay.embedded import paths  # noqa: E402
from settlements.statuses import RiskTier  # noqa: E402

COMMAND = 'make bench ARGS="--only webhook"'
# What is slow alone, or only told beside the others, is measured with a quarter of a round's events.
FEW = 4
FLOOR, FLOOR_ALONE = "floor, 8 clients", "floor, 1 client"
MOST_P99_MS = 25.0
MOST_TIMES_ALONE = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to post: over how many connections, what the events come to, and the least ratio to the floor."""

    name: str
    connections: int
    tier: RiskTier = RiskTier.LOW
    event_type: str = "POD_CONFIRMED"
    few: bool = False
    least: float | None = None


EIGHT = Case(name="8 connections", connections=8, least=0.40)
CROWD = Case(name="32 connections", connections=32, least=0.50)
ALONE = Case(name="1 connection", connections=1, few=True)
DELAYED = Case(
    name="delayed, 8 connections", connections=8, tier=RiskTier.MEDIUM, event_type="PICKUP_CONFIRMED", few=True
)
REVIEW = Case(name="review, 8 connections", connections=8, tier=RiskTier.HIGH, few=True)
CASES = (EIGHT, CROWD, ALONE, DELAYED, REVIEW)


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

    def events_of(self, case: Case) -> int:
        """Of one round."""
        return max(1, self.events // FEW) if case.few else self.events

    @property
    def floor_shipments(self) -> int:
        """Of the floor, which has tables of its own: of 8 clients, and of one alone."""
        return self.warm_up + self.rounds * (self.events * self.floor_factor + self.events_of(ALONE))


def main() -> int:
    """Measures and prints; 0 also when the target is missed, for a busy machine is no bug."""
    plan, database_url = _plan(), os.environ["DATABASE_URL"]
    waiting, references = _shipments(plan)
    floor.lay_out(database_url)
    log = paths.logs(Path(os.environ.get("CHAINPAY_VAR", "var"))) / "bench-web.log"
    with webhook.serving(database_url, log=log, server_options=plan.server_options) as web:
        found = _rounds(plan, partial(webhook.run, web, shipments.source()), database_url, references, waiting)
    _verify(plan, database_url)
    _report(found)
    return 0


def _shipments(plan: Plan) -> tuple[dict[str, list[bytes]], list[str]]:
    """The messages of each case, every event with a shipment of its own, and the shipments of the floor."""
    bodies: dict[str, list[bytes]] = {}
    references: list[str] = []
    numbers = {case: plan.rounds * plan.events_of(case) + (plan.warm_up if case is EIGHT else 0) for case in CASES}
    print(f"Preparing {max(sum(numbers.values()), plan.floor_shipments)} shipments ...", flush=True)
    for case in CASES:
        made = shipments.prepare(numbers[case], tier=case.tier, tokens_after=len(references))
        bodies[case.name] = shipments.bodies(made, case.event_type)
        references += made
    missing = max(0, plan.floor_shipments - len(references))
    references += shipments.prepare(missing, tokens_after=len(references))
    return bodies, references


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
    post: Callable[..., Figures],
    database_url: str,
    references: Sequence[str],
    waiting: dict[str, list[bytes]],
) -> dict[str, list[Figures]]:
    """By turns: the floor, each case, and the floor with one client, which the case of one connection stands beside."""
    found: dict[str, list[Figures]] = {name: [] for name in (FLOOR, FLOOR_ALONE, *(case.name for case in CASES))}
    bodies = {name: iter(messages) for name, messages in waiting.items()}
    left = iter(references)
    if plan.warm_up:
        floor.run(database_url, list(islice(left, plan.warm_up)))
        post(list(islice(bodies[EIGHT.name], plan.warm_up)))
    for _ in range(plan.rounds):
        _settle_down(database_url)
        _keep(found, FLOOR, floor.run(database_url, list(islice(left, plan.events * plan.floor_factor))))
        for case in CASES:
            _settle_down(database_url)
            messages = list(islice(bodies[case.name], plan.events_of(case)))
            _keep(found, case.name, post(messages, connections=case.connections))
            if case is ALONE:
                alone = list(islice(left, plan.events_of(case)))
                _keep(found, FLOOR_ALONE, floor.run(database_url, alone, processes=1, threads=1))
    return found


def _keep(found: dict[str, list[Figures]], name: str, measured: Figures) -> None:
    found[name].append(measured)
    print(measured.line(name), flush=True)


def _settle_down(database_url: str) -> None:
    """So that no round pays for the writes of the one before, nor runs on plans made when the tables were empty."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _verify(plan: Plan, database_url: str) -> None:
    """Every event is one settlement and one audit event, and one entry and one posting where it pays at once.

    Raises NotOnePerEvent.
    """
    events = plan.warm_up + sum(plan.rounds * plan.events_of(case) for case in CASES)
    paid = events - sum(plan.rounds * plan.events_of(case) for case in (DELAYED, REVIEW))
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
    if found != (events, paid, events, events):
        raise NotOnePerEvent(f"{events} events made (events, booked, settlements, audit events) = {found}")
    if floor.count(database_url) != (plan.floor_shipments,) * 3:
        raise NotOnePerEvent(f"{plan.floor_shipments} events of the floor made {floor.count(database_url)}")
    print(f"\nVerified: {events} events, each one settlement, audited once, and booked once where it paid.")


def _report(found: dict[str, list[Figures]]) -> None:
    print("\nMedian of the rounds; CPU of the client (web server) + of PostgreSQL per event:")
    for name, rounds in found.items():
        print(figures.middle(rounds).line(name))
    record.told(
        [
            *(_throughput(case, found) for case in CASES if case is not ALONE),
            Figure(
                part="webhook",
                name=f"p99, {EIGHT.name}",
                unit="ms",
                rounds=[each.p99_ms for each in found[EIGHT.name]],
                floor=[each.p99_ms for each in found[FLOOR]],
                target=Target(of="median", at_most=MOST_P99_MS),
                command=COMMAND,
            ),
            Figure(
                part="webhook",
                name=f"p50, {ALONE.name}",
                unit="ms",
                rounds=[each.p50_ms for each in found[ALONE.name]],
                floor=[each.p50_ms for each in found[FLOOR_ALONE]],
                target=Target(of="ratio", at_most=MOST_TIMES_ALONE),
                command=COMMAND,
            ),
        ]
    )


def _throughput(case: Case, found: dict[str, list[Figures]]) -> Figure:
    return Figure(
        part="webhook",
        name=f"throughput, {case.name}",
        unit="/s",
        rounds=[each.per_second for each in found[case.name]],
        floor=[each.per_second for each in found[FLOOR]],
        target=Target(of="ratio", at_least=case.least) if case.least else None,
        command=COMMAND,
    )


if __name__ == "__main__":
    sys.exit(main())
