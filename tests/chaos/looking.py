"""What a run has come to by now: our rows, Stripe's list, the books and what moves still."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import psycopg

from tests.chaos.fleet import Fleet
from tests.chaos.ground import ROOT
from tests.chaos.judging import Balances, Found, Settlement, Wrong

_SETTLEMENTS: Final = """
    SELECT s.id, s.intent_id, s.event_type, s.amount_minor, s.currency, s.status, s.reference,
           concat_ws('; ', nullif(s.blocked_reason, ''), nullif(s.error, ''), a.state, nullif(a.question, ''),
                     nullif(a.error, ''))
    FROM settlements_milestonesettlement s LEFT JOIN LATERAL (
        SELECT * FROM rails_railattempt a WHERE a.milestone_id = s.id ORDER BY a.number DESC LIMIT 1
    ) a ON true
    WHERE s.amount_minor > 0 ORDER BY s.id
"""
_MOVES: Final = """
    SELECT (SELECT count(*) FROM settlements_milestonesettlement
            WHERE amount_minor > 0 AND status IN ('PENDING', 'DELAYED', 'RELEASING'))
         + (SELECT count(*) FROM settlements_shipmentevent WHERE state = 'WAITING')
"""
_ON_ITS_WAY: Final = "SELECT count(*) FROM settlements_milestonesettlement WHERE status = 'APPROVED'"
_TRIES: Final = "SELECT tries, count(*) FROM rails_railattempt GROUP BY tries ORDER BY tries"
_BOOKED: Final = """
    SELECT d.code, d.currency, sum(d.minor) FROM (
        SELECT a.code, a.currency, p.amount_minor AS minor
        FROM rails_posting p JOIN rails_account a ON a.id = p.debit_account_id
        UNION ALL
        SELECT a.code, a.currency, -p.amount_minor
        FROM rails_posting p JOIN rails_account a ON a.id = p.credit_account_id
    ) d WHERE d.code = ANY(%s) GROUP BY 1, 2
"""


def found(database_url: str, fleet: Fleet) -> Found:
    """Our rows before Stripe's, so that whatever we say is paid must be on the list."""
    with psycopg.connect(database_url) as connection:
        settlements = [Settlement(*row) for row in connection.execute(_SETTLEMENTS)]
    witness = fleet.var / "witness"
    return Found(
        settlements=settlements,
        transfers=fleet.ask_stripe("transfers"),
        witness=[(Wrong(wrong), attempt) for wrong, _, attempt in _lines(witness)],
    )


def balances(database_url: str) -> list[Balances]:
    """The books in one look."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(_BOOKED, [["stripe_balance", "stripe_clearing"]]).fetchall()
    found = {(code, currency): int(minor) for code, currency, minor in rows}
    return [
        Balances(currency, -found.get(("stripe_balance", currency), 0), found.get(("stripe_clearing", currency), 0))
        for currency in sorted({currency for _, currency in found})
    ]


def moving(database_url: str) -> int:
    """How much is still under way."""
    with psycopg.connect(database_url) as connection:
        return int(connection.execute(_MOVES).fetchone()[0])  # type: ignore[index]


def on_its_way(database_url: str) -> int:
    """How much Stripe has, and has not paid out by our books."""
    with psycopg.connect(database_url) as connection:
        return int(connection.execute(_ON_ITS_WAY).fetchone()[0])  # type: ignore[index]


def tries(database_url: str) -> dict[int, int]:
    """How many attempts were handed in how often."""
    with psycopg.connect(database_url) as connection:
        return dict(connection.execute(_TRIES).fetchall())


def deaths(file: Path) -> Counter[str]:
    """How many processes died at which point."""
    return Counter(point for point, _, _ in _lines(file))


def verify_books() -> str:
    """What `manage.py verify_books` complains of in the end; nothing when all is proven."""
    done = subprocess.run([sys.executable, "manage.py", "verify_books"], cwd=ROOT, capture_output=True, text=True)
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return "" if done.returncode == 0 else (said or [f"ended with {done.returncode}"])[-1]


def _lines(file: Path) -> list[tuple[str, str, str]]:
    """The lines of a file that others write, each split at its colon; none if there is no file."""
    return [line.partition(": ") for line in file.read_text().splitlines()] if file.exists() else []
