"""A host whose clock is a day ahead: its worker, its beat, and its web server."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import psycopg

from settlements.statuses import RiskTier
from tests.chaos import orders
from tests.chaos.faults.stage import Stage, do
from tests.chaos.faults.upstream import Event
from tests.chaos.faults.verdict import Verdict
from tests.factories import PICKUP, POD

DAY_SECONDS: Final = 86_400
AHEAD: Final = {"PYTHONPATH": str(Path(__file__).with_name("ahead")), "CHAOS_AHEAD_SECONDS": str(DAY_SECONDS)}
_HOLD_SECONDS: Final = 25
_PER_SECOND: Final = 60.0
_LOOK_SECONDS: Final = 0.3
# Released too early, or tried to be, which the database's guard refuses and the sweep then puts off.
_EARLY: Final = """
    SELECT s.id FROM settlements_milestonesettlement s
    WHERE s.settlement_delayed_until > clock_timestamp() AND (s.status = 'APPROVED' OR s.error <> '')
"""
_BY_WHOM: Final = """
    SELECT count(*) FILTER (WHERE a.created_at > clock_timestamp() + interval '12 hours'), count(*)
    FROM settlements_auditevent a WHERE a.action = 'released' AND a.triggered_by = 'sweep'
"""


def clock_ahead(stage: Stage) -> Verdict:
    """Holds run out by the database's clock, whoever sweeps; a web server that is ahead takes nothing at all."""
    held = orders.lay(stage.sized(400), orders.Kind(tier=RiskTier.MEDIUM))
    events = [Event(each, PICKUP) for each in held]
    upstream = stage.upstream(events, per_second=_PER_SECOND, may_refuse=False)
    hold = {"CHAINPAY_HOLD_SECONDS": str(_HOLD_SECONDS)}
    web, ahead, beat = stage.web(**hold), stage.worker(1, **AHEAD), replace(stage.beat(1), environment=AHEAD)
    early: set[int] = set()
    with stage.running(web, ahead, beat, stage.worker(2), stage.beat(2)):
        upstream.start()
        end = time.monotonic() + _HOLD_SECONDS
        while time.monotonic() < end or upstream.at_work():
            early |= _early(stage.database_url)
            time.sleep(_LOOK_SECONDS)
        stage.rest()
    later = [Event(each, PICKUP) for each in orders.lay(stage.sized(40), orders.Kind(tier=RiskTier.MEDIUM))]
    afterwards = stage.upstream(later, per_second=_PER_SECOND, may_refuse=False)
    with stage.running(stage.web(), stage.worker(1), stage.beat(1)):  # its clock is right again, its file is not
        afterwards.start()
        do([], afterwards)
        stage.rest()
    upstream.absorb(afterwards)
    events += later
    refused = _refused_by_a_web_server_ahead(stage)
    by_ahead, swept = _swept(stage.database_url)
    wrong = [f"settlement {number} was to be released before its hold was over" for number in sorted(early)]
    wrong += [] if by_ahead else [f"the host ahead swept none of {swept}: the fault was not made"]
    done = (
        f"{len(events)} held, {swept} swept after their hold, {by_ahead} of them by the host ahead; its web refused 1"
    )
    return stage.verdict(done, events, upstream, wrong=[*wrong, *refused])


def _refused_by_a_web_server_ahead(stage: Stage) -> Sequence[str]:
    """A signature of now is a day old to it: 401, and nothing is stored."""
    (shipment,) = orders.lay(1, orders.Kind(tier=RiskTier.LOW))
    with stage.running(stage.web(**AHEAD)):
        answer = stage.upstream([], per_second=1.0).post_once(Event(shipment, POD))
    return [] if answer.status == 401 else [f"a web server ahead answered {answer.status}: {answer.body}"]


def _early(url: str) -> set[int]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute(_EARLY)}


def _swept(url: str) -> tuple[int, int]:
    """How many releases the host ahead wrote down, and how many there were."""
    with psycopg.connect(url) as connection:
        by_ahead, swept = connection.execute(_BY_WHOM).fetchone() or (0, 0)
    return by_ahead, swept
