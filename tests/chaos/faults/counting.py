"""Was everything that was taken kept, and every milestone paid once? By the plan, against the database."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg

from tests.chaos.faults.upstream import Event

_STORED: Final = "SELECT message_id FROM settlements_shipmentevent"
_PAID: Final = """
    SELECT p.shipment_id, s.event_type, s.id, s.status,
        concat_ws('; ', nullif(s.blocked_reason, ''), nullif(s.error, '')),
        (SELECT count(*) FROM rails_journalentry j WHERE j.milestone_id = s.id AND j.kind = 'release'),
        (SELECT count(*) FROM settlements_auditevent a WHERE a.settlement_id = s.id AND a.action = 'released')
    FROM settlements_milestonesettlement s
    JOIN settlements_paymentintent i ON i.id = s.intent_id
    JOIN settlements_shipment p ON p.id = i.shipment_id
"""
_MOVES: Final = """
    SELECT (SELECT count(*) FROM settlements_milestonesettlement WHERE status IN ('PENDING', 'DELAYED', 'RELEASING'))
         + (SELECT count(*) FROM settlements_shipmentevent WHERE state = 'WAITING')
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many milestones were lost and how many paid twice, with a sentence for each."""

    lost: int
    twice: int
    complaints: Sequence[str]


def count(database_url: str, events: Sequence[Event], *, taken: Collection[str], per_event: int = 1) -> Counted:
    """Every event brings `per_event` settlements, each released once; whatever was taken is stored."""
    with psycopg.connect(database_url) as connection:
        stored = {row[0].removeprefix("webhook-id:") for row in connection.execute(_STORED)}
        rows = connection.execute(_PAID).fetchall()
    found = Counter((shipment, event_type) for shipment, event_type, *_ in rows)
    lost = [f"{each} was answered and is not stored" for each in sorted(set(taken) - stored)]
    for event in events:
        missing = per_event - found[event.shipment, event.event_type]
        lost += [f"{event.message_id} has a settlement too few"] * missing
    twice = [f"{event.message_id} has a settlement too many" for event in events
             if found[event.shipment, event.event_type] > per_event]  # fmt: skip
    lost += _lost(rows)
    twice += [
        f"settlement {number} was booked {booked} and released {released} times"
        for _, _, number, _, _, booked, released in rows
        if booked > 1 or released > 1
    ]
    return Counted(len(lost), len(twice), [*lost, *twice])


def _lost(rows: Sequence[tuple[str, str, int, str, str, int, int]]) -> Iterator[str]:
    for _, event_type, number, status, why, booked, _ in rows:
        if status != "APPROVED" or booked < 1:
            yield f"settlement {number} ({event_type}) is {status}, booked {booked} times: {why or 'nobody says why'}"


def moving(database_url: str) -> int:
    """How much is still under way."""
    with psycopg.connect(database_url) as connection:
        return int(connection.execute(_MOVES).fetchone()[0])  # type: ignore[index]
