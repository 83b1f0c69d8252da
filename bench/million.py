"""`python -m bench.million`: the webhook with a million open intents beside one with few, and a hundred per shipment.

Two databases on one PostgreSQL, a web server each, by turns. The large one holds copies of one intent (its schedule and
its audit event with it), and events are posted for some of them chosen at random, so that their rows lie where nobody
has just been; the small one holds as many intents as it gets events, and beside them shipments of many intents.
"""

import argparse
import multiprocessing
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import django
import psycopg

from bench import databases, figures, once, record, webhook
from bench.figures import Figures
from bench.record import Figure, Target
from bench.webhook import Source, Web
from chainpay.embedded import paths

COMMAND = 'make bench ARGS="--only webhook-million"'
LEAST_RATIO = 0.95
LARGE, SMALL, MANY = "many intents", "few intents", "many per shipment"
# Of a round's events, those for shipments with many intents each.
MANY_SHARE = 50
_SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Who posts to a database, and the shipments whose intents wait for an event."""

    source: Source
    shipments: list[str]
    crowded: list[str]


def main() -> int:
    """Lays, measures, verifies, tells; 0 also when a target is missed, for a busy machine is no bug."""
    given = _given()
    large_url, events = os.environ["DATABASE_URL"], given.warm_up + given.rounds * given.events
    crowded = given.rounds * max(1, given.events // MANY_SHARE)
    log = paths.logs(Path(os.environ.get("CHAINPAY_VAR", "var"))) / "bench-web.log"
    print(f"Preparing {given.intents:,} intents, and {events:,} ...", flush=True)
    with databases.own(large_url, "few", kept=False) as small_url:
        large = _elsewhere(large_url, lay_large, given.intents, events)
        small = _elsewhere(small_url, lay_small, events, crowded, given.per_shipment)
        with webhook.serving(large_url, log=log) as large_web, webhook.serving(small_url, log=log) as small_web:
            found = _rounds(given, (large_web, large), (small_web, small))
        once.verify(large_url, settlements=events)
        once.verify(small_url, settlements=events + crowded * given.per_shipment)
    print(f"\nVerified: {2 * events} events and {crowded} for {given.per_shipment} intents, each settled once.")
    _tell(given, found)
    return 0


def lay_large(intents: int, events: int) -> Laid:
    """So many open intents, of which as many are chosen as there are events."""
    from bench import copies, shipments
    from tests.factories import a_recipient, an_intent

    model = an_intent(recipient=a_recipient()).shipment.shipment_id
    copies.write(copies.template(), first=1, last=intents)
    chosen = random.Random(_SEED).sample(range(1, intents + 1), events)
    return Laid(source=shipments.source(), shipments=[f"{model}-{number}" for number in chosen], crowded=[])


def lay_small(events: int, crowded: int, per_shipment: int) -> Laid:
    """An open intent for each event, and shipments of many beside them."""
    from bench import shipments

    alone = shipments.prepare(events)
    many = shipments.prepare(crowded, tokens_after=events, intents_each=per_shipment)
    return Laid(source=shipments.source(), shipments=alone, crowded=many)


def _elsewhere(database_url: str, lay: Callable[..., Laid], *words: Any) -> Laid:
    """In a process of its own, for Django knows one database only."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _use, (database_url,)) as pool:
        return pool.submit(lay, *words).result()


def _use(database_url: str) -> None:
    os.environ["DATABASE_URL"] = database_url
    django.setup()


def _rounds(given: argparse.Namespace, large: tuple[Web, Laid], small: tuple[Web, Laid]) -> dict[str, list[Figures]]:
    """By turns, the first of a round is the second of the next."""
    found: dict[str, list[Figures]] = {LARGE: [], SMALL: [], MANY: []}
    waiting = {LARGE: iter(large[1].shipments), SMALL: iter(small[1].shipments), MANY: iter(small[1].crowded)}
    post = {name: partial(webhook.run, web, laid.source) for name, (web, laid) in ((LARGE, large), (SMALL, small))}
    for name in post if given.warm_up else ():
        post[name](_messages(waiting[name], given.warm_up))
    for place in range(given.rounds):
        for name in (LARGE, SMALL) if place % 2 else (SMALL, LARGE):
            _settle_down((large if name == LARGE else small)[0].database_url)
            _keep(found, name, post[name](_messages(waiting[name], given.events)))
        few = _messages(waiting[MANY], max(1, given.events // MANY_SHARE))
        _keep(found, MANY, post[SMALL](few, created=given.per_shipment))
    return found


def _messages(waiting: Iterator[str], count: int) -> Sequence[bytes]:
    message = '{"shipment_id": "%s", "event_type": "POD_CONFIRMED", "occurred_at": "2025-11-07T15:30:00Z"}'
    return [(message % shipment).encode() for shipment in islice(waiting, count)]


def _keep(found: dict[str, list[Figures]], name: str, measured: Figures) -> None:
    found[name].append(measured)
    print(measured.line(name), flush=True)


def _settle_down(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _tell(given: argparse.Namespace, found: dict[str, list[Figures]]) -> None:
    print("\nMedian of the rounds; CPU of the web server + of PostgreSQL per event:")
    for name, rounds in found.items():
        print(figures.middle(rounds).line(name))
    few = [each.per_second for each in found[SMALL]]
    record.told(
        [
            Figure(
                part="webhook-million",
                name=f"{given.intents:,} intents, floor: few",
                unit="/s",
                rounds=[each.per_second for each in found[LARGE]],
                floor=few,
                target=Target(of="ratio", at_least=LEAST_RATIO),
                command=COMMAND,
            ),
            Figure(
                part="webhook-million",
                name=f"settlements, {given.per_shipment} intents per shipment, floor: 1",
                unit="/s",
                rounds=[given.per_shipment * each.per_second for each in found[MANY]],
                floor=few,
                command=COMMAND,
            ),
        ]
    )


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.million", description=__doc__)
    parser.add_argument("--intents", type=int, required=True)
    parser.add_argument("--per-shipment", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--warm-up", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
