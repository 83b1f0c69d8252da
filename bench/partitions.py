"""`make bench ARGS="--only partitions"`: a year of rows in plain tables and by month, asked the same by turns.

The three tables that only grow (messages received, audit events, postings) hold `--rows` rows in all. A second database
is a copy of the first whose tables are cut into twelve months (bench/months.py), and after the rounds into five years,
most of them empty. Every question goes to both within a moment of each other, so what else the machine does weighs on
both. Takes about half an hour with ten million rows, and twice their space on the disk.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import django
import psycopg

from bench import months, record

PLAIN, MONTHS = "plain", "months"
MONTHS_A_YEAR: Final = 12
_OPTIONS: Final = "-c plan_cache_mode=force_generic_plan -c jit=off"  # as the settings of Django
_SEED: Final = 84


@dataclass(slots=True, kw_only=True)
class Asked:
    """One question and what it took in each layout: milliseconds of each time asked, pages read of the last."""

    name: str
    ms: dict[str, list[float]] = field(default_factory=lambda: {PLAIN: [], MONTHS: []})
    rounds: dict[str, list[float]] = field(default_factory=lambda: {PLAIN: [], MONTHS: []})
    pages: dict[str, int] = field(default_factory=dict)

    def add(self, layout: str, times: Sequence[float], pages: int) -> None:
        """What one round took."""
        self.ms[layout] += times
        self.rounds[layout].append(median(times))
        self.pages[layout] = pages

    def line(self) -> str:
        """As the report shows it: medians, the middle half of the times, and how many times as long by month."""
        plain, by_month = sorted(self.ms[PLAIN]), sorted(self.ms[MONTHS])
        ratio = median(by_month) / median(plain)
        spreads = [f"{median(each):>9.2f} ({each[len(each) // 4]:.2f} to {each[3 * len(each) // 4]:.2f})"
                   for each in (plain, by_month)]  # fmt: skip
        pages = [f"{self.pages[layout]:>7}" if layout in self.pages else "      -" for layout in (PLAIN, MONTHS)]
        return f"{self.name:<34} {spreads[0]:<30} {spreads[1]:<30} {ratio:>5.2f}   {pages[0]} {pages[1]}"


def main() -> int:
    """Lays the rows, asks, prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.partitions", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the three tables in all (default: 10000000)")
    parser.add_argument("--rounds", type=int, default=3, help="of all questions (default: 3)")
    parser.add_argument("--events", type=int, default=200, help="received in each layout per round (default: 200)")
    parser.add_argument("--empty", type=int, default=48, help="more months without rows, at the end (default: 48)")
    words = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chainpay.settings")
    os.environ.setdefault("CHAINPAY_LOG_LEVEL", "WARNING")
    django.setup()
    _compare(words, os.environ["DATABASE_URL"])
    return 0


def _compare(words: argparse.Namespace, plain: str) -> None:
    from bench import receiving, removing, shipments, year

    began = time.monotonic()
    laid = year.lay(words.rows)
    references = shipments.prepare(words.rounds * 2 * words.events, tokens_after=laid.intents)
    inbox = receiving.Inbox(shipments.source().name, iter(references), words.events)
    print(f"\n{laid.rows:,} rows of {laid.intents:,} intents laid in {time.monotonic() - began:.0f} s", flush=True)
    sizes(plain)
    with _copied(plain) as by_month:
        began = time.monotonic()
        with psycopg.connect(by_month, autocommit=True) as connection:
            months.cut(connection, laid.bounds(MONTHS_A_YEAR))
            connection.execute("VACUUM ANALYZE")
        print(f"cut into {MONTHS_A_YEAR} months by copying in {time.monotonic() - began:.0f} s", flush=True)
        sizes(by_month)
        urls = {PLAIN: plain, MONTHS: by_month}
        _rounds(words.rounds, urls, laid, inbox, f"{MONTHS_A_YEAR} months")
        with psycopg.connect(by_month, autocommit=True) as connection:
            months.add_empty(connection, words.empty)
        _rounds(words.rounds, urls, laid, inbox, f"{MONTHS_A_YEAR + words.empty} months", few=True)
        print("\n".join(removing.a_month(plain, by_month, laid.bounds(MONTHS_A_YEAR))), flush=True)


def _rounds(rounds: int, urls: dict[str, str], laid: Any, inbox: Any, title: str, *, few: bool = False) -> None:
    """All questions by turns; of which layout first changes with the round."""
    from bench import questions

    asked: dict[str, Asked] = {}
    chance = random.Random(_SEED)
    print(f"\n{title}: ms in the middle (middle half of the times), plain and by month, ratio, pages\n", flush=True)
    for place in range(rounds):
        order = (PLAIN, MONTHS) if place % 2 == 0 else (MONTHS, PLAIN)
        for question in questions.of(laid, chance, few=few):
            one = asked.setdefault(question.name, Asked(name=question.name))
            for layout in order:
                with connected(urls[layout]) as connection:
                    times, pages = question.ask(connection)
                one.add(layout, times, pages)
        inbox.begin_round()
        for layout in order:
            times, facts = inbox.receive(urls[layout], by_month=layout == MONTHS)
            asked.setdefault(inbox.name, Asked(name=inbox.name)).add(layout, times, facts.pages)
            print(f"  round {place + 1}, {layout}: {facts.line()}", flush=True)
    for each in asked.values():
        print(each.line(), flush=True)
    record.told(
        record.Figure(
            part="partitions", name=f"{each.name}, {title}, plain as floor", unit="ms", rounds=each.rounds[MONTHS],
            floor=each.rounds[PLAIN],
        )
        for each in asked.values()
    )  # fmt: skip


def sizes(url: str) -> None:
    """Bytes per row of every table that has many, with and without its indexes; partitions count to their table."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT c.relname, sum(t.reltuples)::bigint, sum(pg_relation_size(t.oid)), sum(pg_indexes_size(t.oid)),"
            " sum(pg_total_relation_size(t.oid)) FROM pg_class c CROSS JOIN LATERAL"
            " (SELECT l.relid AS oid, p.reltuples FROM pg_partition_tree(c.oid) l JOIN pg_class p ON p.oid = l.relid"
            "  WHERE l.isleaf UNION ALL SELECT c.oid, c.reltuples WHERE NOT EXISTS"
            "  (SELECT 1 FROM pg_partition_tree(c.oid))) t"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
            " GROUP BY c.relname HAVING sum(t.reltuples) > 1000 ORDER BY sum(pg_total_relation_size(t.oid)) DESC"
        ).fetchall()
        total = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    print(f"\n{'table':<34} {'rows':>11} {'heap B/row':>11} {'indexes B/row':>14} {'all B/row':>10} {'MiB':>8}")
    for name, count, heap, indexes, everything in rows:
        print(f"{name:<34} {count:>11,} {heap / count:>11.0f} {indexes / count:>14.0f} {everything / count:>10.0f}"
              f" {everything / 2**20:>8.0f}")  # fmt: skip
    print(f"database: {(total or (0,))[0] / 2**20:.0f} MiB", flush=True)


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the application's: every statement prepared, one plan for all of its values."""
    with psycopg.connect(url, autocommit=True, options=_OPTIONS, prepare_threshold=0) as connection:
        yield connection


@contextmanager
def _copied(url: str) -> Iterator[str]:
    """The URL of a copy of the database, dropped afterwards."""
    from django.db import connections

    connections.close_all()
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    with psycopg.connect(parts._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}_months" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}_months" TEMPLATE "{name}" STRATEGY file_copy'.encode())
        try:
            yield parts._replace(path=f"/{name}_months").geturl()
        finally:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}_months" WITH (FORCE)'.encode())


if __name__ == "__main__":
    sys.exit(main())
