"""Handing attempts to their providers, and listening to what those tell: no transaction is open while either happens.

Claimed and committed, called, recorded. Who dies between leaves a lease that runs out; the attempt is then handed in
again as one that may have arrived, and its rail looks it up before anything else.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from rails import attempts
from rails.attempts import Claimed, Outdated, Unanswered
from rails.base import (
    Answer,
    Applied,
    Notice,
    NotYet,
    OutcomeUnknown,
    Overtaken,
    RailOutcome,
    RemoteRail,
    SettlementProvider,
)
from settlements import outcomes

logger = logging.getLogger(__name__)

# How long an attempt without an answer rests before it is handed in again: 1, 2, 4, ... seconds, at most this.
LONGEST_WAIT_SECONDS: Final = 15.0
BATCH: Final = 1_000
_RUN_SECONDS: Final = 30.0
# The advisory locks of rails that are driven by one process at a time; the first number is nobody else's.
_ALONE: Final = 503_316


@dataclass(frozen=True, slots=True)
class Report:
    """How many attempts one run handed in, and what the answers were."""

    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    not_yet: int = 0

    def __add__(self, other: "Report") -> "Report":
        return Report(
            self.accepted + other.accepted,
            self.refused + other.refused,
            self.unknown + other.unknown,
            self.not_yet + other.not_yet,
        )


def submit(rail: RemoteRail, *, clock: Callable[[], datetime]) -> Report:
    """Hands in whatever waits for the rail, batch by batch, half a minute at most; outside any transaction."""
    report, end = Report(), time.monotonic() + _RUN_SECONDS
    with _alone(rail) as mine:
        if mine:
            report += _withdraw_outdated(rail, now=clock())
        while mine and time.monotonic() < end:
            is_open, currencies = rail.is_open(now=clock()), rail.open_currencies(now=clock())
            with transaction.atomic(durable=True):
                claimed = attempts.claim(
                    rail.get_provider(),
                    limit=rail.most,
                    lease_seconds=rail.lease_seconds,
                    is_open=is_open,
                    currencies=currencies,
                )
            if not claimed:
                break
            answers = rail.process_settlements([each.instruction for each in claimed], now=clock())
            report += record(rail, claimed, answers, now=clock())
    return report


def record(rail: RemoteRail, claimed: Sequence[Claimed], answers: Sequence[Answer], *, now: datetime) -> Report:
    """Takes down the answers to claimed attempts; what has no definite answer is handed in again later."""
    definite: list[Notice] = []
    unanswered: list[Unanswered] = []
    for each, answer in zip(claimed, answers, strict=True):
        match answer:
            case OutcomeUnknown() | NotYet():
                unanswered.append(_unanswered(each, answer))
            case _:
                definite.append(
                    _notice(
                        rail,
                        (each.instruction.milestone_id, each.instruction.attempt_number),
                        answer.outcome,
                        reference=answer.reference_id or "",
                        reason=answer.error or "",
                        source=f"answer to try {each.tries}",
                        try_number=each.tries,
                        at=answer.released_at or now,
                    )
                )
    applied = outcomes.apply(definite, actor=_actor(rail), now=now)
    with transaction.atomic(durable=True):
        attempts.leave(unanswered)
    for left in unanswered:
        logger.warning("Milestone %s: %s", left.claimed.instruction.milestone_id, left.error)
    accepted = sum(notice.outcome is RailOutcome.ACCEPTED for notice in definite)
    failed = sum(each is Applied.FAILED for each in applied)
    not_yet = sum(not left.handed_over for left in unanswered)
    return Report(
        accepted=accepted,
        refused=len(definite) - accepted,
        unknown=len(unanswered) - not_yet + failed,
        not_yet=not_yet,
    )


def hear(rail: RemoteRail, *, clock: Callable[[], datetime]) -> dict[Applied, int]:
    """Applies what the provider has told since; how many of its notices came to what. Outside any transaction.

    Of a rail that one process at a time listens to, nothing is applied that was heard before another began.
    """
    counted: dict[Applied, int] = {}
    notices = list(rail.hear(now=clock()))
    for start in range(0, len(notices), BATCH):
        batch = notices[start : start + BATCH]
        try:
            applied = outcomes.apply(batch, actor=_actor(rail), now=clock(), hold=rail.hold)
        except Overtaken as overtaken:
            logger.warning("%s; what was heard before is left to it", overtaken)
            break
        rail.heard(list(zip(batch, applied, strict=True)), now=clock())
        for each in applied:
            counted[each] = counted.get(each, 0) + 1
    return counted


def _withdraw_outdated(rail: RemoteRail, *, now: datetime) -> Report:
    """What was never handed over, and may not be any more, goes back to people."""
    source = "withdrawal by the submitter"
    withdrawals = [
        _notice(rail, (milestone_id, number), RailOutcome.WITHDRAWN, reason=_OUTDATED[why], source=source, at=now)
        for milestone_id, number, why in attempts.outdated(rail.get_provider(), limit=BATCH)
    ]
    applied = outcomes.apply(withdrawals, actor=_actor(rail), now=now)
    return Report(refused=sum(each is Applied.APPLIED for each in applied))


_OUTDATED: Final = {
    Outdated.DESTINATION: "Withdrawn before it was handed over: the recipient's destination was replaced or closed",
    Outdated.KEPT: "Withdrawn before it was handed over: the recipient has the money of an earlier attempt after all",
    Outdated.PAID_BEFORE: f"Withdrawn before it was handed over: {attempts.PAID_BEFORE}",
}


def _notice(
    rail: RemoteRail,
    attempt: tuple[int, int],
    outcome: RailOutcome,
    *,
    source: str,
    at: datetime,
    reference: str = "",
    reason: str = "",
    try_number: int | None = None,
) -> Notice:
    milestone_id, number = attempt
    return Notice(
        provider=rail.get_provider(),
        outcome=outcome,
        source=source,
        occurred_at=at,
        milestone_id=milestone_id,
        attempt_number=number,
        reference_id=reference,
        reason=reason,
        try_number=try_number,
    )


def _unanswered(claimed: Claimed, answer: OutcomeUnknown | NotYet) -> Unanswered:
    """What was tried before may have arrived then, whatever this try came to."""
    unknown = isinstance(answer, OutcomeUnknown)
    return Unanswered(
        claimed=claimed,
        error=answer.detail,
        wait=min(2.0 ** min(claimed.tries - 1, 10), LONGEST_WAIT_SECONDS),
        handed_over=unknown or claimed.instruction.submitted_at is not None,
        needs_person=isinstance(answer, OutcomeUnknown) and answer.needs_person,
    )


def _actor(rail: RemoteRail) -> str:
    return f"rail:{rail.get_provider().method}"


@contextmanager
def _alone(rail: RemoteRail) -> Iterator[bool]:
    """Whether this process may drive the rail now; the lock goes with the connection, so the dead hold nothing."""
    if not rail.one_at_a_time:
        yield True
        return
    lock = [_ALONE, sorted(SettlementProvider).index(rail.get_provider())]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", lock)
        mine = cursor.fetchone()[0]
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(%s::int, %s::int)", lock)
