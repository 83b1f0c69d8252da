"""The one road to money: what is due, whether it may go, and sending it down its rail."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from django.db import DatabaseError, connection, transaction

from rails import registry
from settlements import candidates, lifecycle, redecide, sending
from settlements.candidates import Candidate
from settlements.lifecycle import Move
from settlements.policy import Decision
from settlements.sending import Payment
from settlements.statuses import WENT_OUT, ReleaseStrategy, SettlementStatus

logger = logging.getLogger(__name__)

BATCH = 1_000
# What one bad row can do to a batch: the database refuses it, its rail is not there, it is not where it was read.
BAD_ROW = (DatabaseError, ValueError, lifecycle.LostRace)
RETRY_AFTER_SECONDS = 900
SWEEPER = "sweep"
# Where a release leads at once.
LEFT = frozenset({SettlementStatus.APPROVED, SettlementStatus.RELEASING})
_RELEASING: Final = SettlementStatus.RELEASING
_APPROVED: Final = SettlementStatus.APPROVED

# Only what can go now: a held, blocked or cancelled one must not fill the batch before those that can.
_CAN_GO = f"""(
    s.rail = ANY(%(rails)s::text[]) AND coalesce(r.payouts_enabled, true) AND coalesce(w.enabled, true)
    AND {candidates.DESTINATION_OBSTACLE.format(rail="s.rail", recipient="i.recipient_id")} = ''
    AND NOT {candidates.PAID_THOUGH_REFUSED}
    AND (s.status NOT IN ('FAILED', 'RETURNED') OR NOT {candidates.KEPT})
)"""
_WAITING = """
    FROM settlements_milestonesettlement s
    JOIN settlements_paymentintent i ON i.id = s.intent_id
    JOIN settlements_shipment p ON p.id = i.shipment_id
    LEFT JOIN rails_recipient r ON r.id = i.recipient_id
    LEFT JOIN rails_railswitch w ON w.rail = upper(s.rail)
"""
_OVERDUE = f"""
    {_WAITING}
    WHERE (s.status = 'DELAYED' OR (s.status IN ('PENDING', 'FAILED', 'RETURNED') AND s.blocked_reason <> ''))
      AND coalesce(s.retry_at, s.settlement_delayed_until, s.created_at) <= now()
"""
_DUE = f"{_OVERDUE} AND {_CAN_GO} AND NOT {candidates.HELD}"
_FIRST = "ORDER BY coalesce(s.retry_at, s.settlement_delayed_until, s.created_at) LIMIT %(limit)s"
_DUE_ONES = f"SELECT s.id, p.id {_DUE} {_FIRST}"
# Seconds that the one which has been due for longest, and may go, is late; to be asked with the enabled rails.
DUE_FOR = f"""
    SELECT extract(epoch FROM now() - coalesce(s.retry_at, s.settlement_delayed_until, s.created_at)) {_DUE}
    ORDER BY coalesce(s.retry_at, s.settlement_delayed_until, s.created_at) LIMIT 1
"""
_LOCK_DUE = f"SELECT p.id {_DUE} {_FIRST} FOR UPDATE OF p SKIP LOCKED"
# Read after the locks are held, so that nothing another worker has just released is seen as waiting.
_DUE_OF_LOCKED = f"SELECT s.id {_DUE} AND p.id = ANY(%(shipments)s::bigint[]) {_FIRST}"
# What can not go and says nothing of it, or something that is no longer so.
_BLOCKED_ANEW = f"""
    SELECT s.id {_OVERDUE}
      AND (NOT {_CAN_GO} OR (s.blocked_reason <> '' AND {candidates.HELD}))
      AND (s.blocked_reason <> {candidates.OBSTACLE} OR (s.blocked_reason <> '' AND {candidates.LACKS_PEOPLE}))
    ORDER BY p.id LIMIT %(limit)s FOR UPDATE OF p SKIP LOCKED
"""
_PUT_OFF = """
    UPDATE settlements_milestonesettlement SET retry_at = now() + make_interval(secs => %s), error = %s,
        blocked_reason = CASE WHEN blocked_reason = '' THEN 'the release failed' ELSE blocked_reason END
    WHERE id = ANY(%s::bigint[]) AND status IN ('DELAYED', 'PENDING', 'FAILED', 'RETURNED')
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a release came to: the settlement's status now, and the reason when nothing was released."""

    settlement_id: int
    status: SettlementStatus
    reference: str = ""
    reason: str = ""
    tightened: bool = False


@dataclass(frozen=True, slots=True)
class SweepReport:
    """How many settlements one sweep released, decided again to something stricter, and how many failed.

    `more_blocked`: as many as a batch holds were told why they wait, so there may be others.
    """

    released: int = 0
    tightened: int = 0
    failed: int = 0
    more_blocked: bool = field(default=False, compare=False)

    def __add__(self, other: "SweepReport") -> "SweepReport":
        return SweepReport(self.released + other.released, self.tightened + other.tightened, self.failed + other.failed)


def release(
    waiting: Sequence[Candidate], *, actor: str, reason: str = "", approved_by: str = "", now: datetime
) -> list[Outcome]:
    """Releases what is authorised and may go, in the caller's transaction with the shipments locked.

    What may not go is blocked with a reason or decided again to a stricter strategy; the rest is left as it is.
    """
    outcomes: list[Outcome] = []
    blocked: list[tuple[int, int, SettlementStatus, str]] = []
    moves: list[Move] = []
    going: list[Candidate] = []
    for candidate in waiting:
        tightened = _tightened(candidate)
        if candidate.intent_cancelled or not candidate.authorised:
            if candidate.blocked_reason and (candidate.intent_cancelled or not _only_early(candidate)):
                blocked.append((candidate.settlement_id, candidate.intent_id, candidate.status, ""))
            outcomes.append(_stays(candidate, "not authorised"))
        elif tightened:
            moves.append(redecide.tightened_move(candidate, tightened, actor=actor))
            outcomes.append(
                Outcome(candidate.settlement_id, moves[-1].new, reason=tightened.explanation, tightened=True)
            )
        elif candidate.obstacle:
            if candidate.obstacle != candidate.blocked_reason:
                blocked.append((candidate.settlement_id, candidate.intent_id, candidate.status, candidate.obstacle))
            outcomes.append(_stays(candidate, candidate.obstacle))
        else:
            going.append(candidate)
    paid = _send(going, actor=actor, reason=reason, approved_by=approved_by, now=now)
    claims = {move.settlement_id: _claimed(move) for move in paid if move.old in WENT_OUT and move.new is _APPROVED}
    lifecycle.transition([*moves, *(claims.get(move.settlement_id, move) for move in paid)], now=now)
    lifecycle.transition([replace(move, old=_RELEASING) for move in paid if move.settlement_id in claims], now=now)
    lifecycle.block(blocked, actor=actor, now=now)
    outcomes += [Outcome(move.settlement_id, move.new, reference=move.reference or "") for move in paid]
    refused = {candidate.settlement_id for candidate in going} - {move.settlement_id for move in paid}
    outcomes += [
        _stays(candidate, "not taken by the rail") for candidate in going if candidate.settlement_id in refused
    ]
    return outcomes


def _only_early(candidate: Candidate) -> bool:
    """It left wire before its hold was over, so no list but the sweep's has it: the sweep keeps it."""
    return candidate.status is SettlementStatus.PENDING and candidate.waits_for_its_date


def _claimed(move: Move) -> Move:
    """The first half of a release by a local rail of what went out before: nothing else leads out of those statuses."""
    return replace(move, new=_RELEASING, action="releasing")


def _stays(candidate: Candidate, reason: str) -> Outcome:
    return Outcome(candidate.settlement_id, candidate.status, reason=reason)


def _tightened(candidate: Candidate) -> Decision | None:
    """The new decision when the risk became worse than what was decided; a person's approval stands above it."""
    by_people = candidate.strategy.needs_a_person or candidate.went_out_before
    return None if by_people else redecide.stricter(candidate)


def _send(going: Sequence[Candidate], *, actor: str, reason: str, approved_by: str, now: datetime) -> list[Move]:
    """Sends each down its rail; the moves of those that left."""
    sent = sending.send([_payment(candidate) for candidate in going], now=now)
    moves = []
    for candidate in going:
        left = sent[candidate.settlement_id]
        if left.status is None:
            put_off([candidate.settlement_id], left.refused)
            continue
        moves.append(
            Move(
                settlement_id=candidate.settlement_id,
                intent_id=candidate.intent_id,
                old=candidate.status,
                new=left.status,
                action="released" if left.status is SettlementStatus.APPROVED else "releasing",
                actor=actor,
                reason=reason or _why(candidate),
                approved_by=approved_by,
                reference=left.reference or None,
                data={"amount": candidate.amount.text, "currency": candidate.amount.currency, "rail": candidate.rail},
            )
        )
    return moves


def _why(candidate: Candidate) -> str:
    if candidate.approvals_complete and (candidate.strategy.needs_a_person or candidate.went_out_before):
        return "approvals complete"
    return "hold is over" if candidate.strategy is ReleaseStrategy.DELAYED else "authorised at once"


def _payment(candidate: Candidate) -> Payment:
    return Payment(
        settlement_id=candidate.settlement_id,
        amount=candidate.amount,
        rail=candidate.rail,
        recipient_id=candidate.recipient_id,
        again=candidate.went_out_before,
    )


def put_off(settlement_ids: Sequence[int], error: str) -> None:
    """Keeps failed releases out of the sweeps for a while, with what went wrong."""
    with connection.cursor() as cursor:
        cursor.execute(_PUT_OFF, [RETRY_AFTER_SECONDS, error[:2000], list(settlement_ids)])


def sweep(*, now: datetime, limit: int = BATCH, tell_blocked: bool = True) -> SweepReport:
    """Releases up to `limit` settlements that are due, in one transaction; a failing one never stops the others.

    Shipments another worker has locked are left to it. With `tell_blocked` up to `limit` others get the reason why they
    wait: everything overdue is looked through for that, so of several batches in a row the first asks.
    """
    try:
        with transaction.atomic(durable=True):
            more = tell_blocked and _say_what_is_blocked(now=now, limit=limit)
            ids = _claim(limit)
            report = _report(release(candidates.read(ids), actor=SWEEPER, now=now))
            return replace(report, more_blocked=more)
    except BAD_ROW as error:
        logger.error("A sweep of %s due settlements failed and is tried one by one: %s", limit, error)
        return _one_by_one(now=now, limit=limit)


def _claim(limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_DUE, _asked(limit))
        shipments = sorted({row[0] for row in cursor.fetchall()})
        if not shipments:
            return []
        cursor.execute(_DUE_OF_LOCKED, {**_asked(limit), "shipments": shipments})
        return [row[0] for row in cursor.fetchall()]


def _say_what_is_blocked(*, now: datetime, limit: int) -> bool:
    """Whether it was said of as many as may be at once."""
    with connection.cursor() as cursor:
        cursor.execute(_BLOCKED_ANEW, _asked(limit))
        ids = [row[0] for row in cursor.fetchall()]
    blocked = [(each, _waits_for(each)) for each in (candidates.read(ids) if ids else [])]
    rows = [
        (each.settlement_id, each.intent_id, each.status, why) for each, why in blocked if why != each.blocked_reason
    ]
    lifecycle.block(rows, actor=SWEEPER, now=now)
    return len(rows) == limit


def _waits_for(candidate: Candidate) -> str:
    """What an authorised release waits for; nothing where it is not authorised, so that no list has it for waiting."""
    if _only_early(candidate) and not candidate.intent_cancelled:
        return candidate.blocked_reason
    return candidate.obstacle if candidate.authorised and not candidate.intent_cancelled else ""


def _asked(limit: int) -> dict[str, Any]:
    return {"limit": limit, "rails": registry.enabled_methods()}


def _report(outcomes: Sequence[Outcome]) -> SweepReport:
    released = sum(outcome.status in LEFT for outcome in outcomes)
    return SweepReport(released=released, tightened=sum(outcome.tightened for outcome in outcomes))


def _one_by_one(*, now: datetime, limit: int) -> SweepReport:
    """Each due settlement in a transaction of its own; the one that fails is put off and told of."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE_ONES, _asked(limit))
        due = cursor.fetchall()
    report = SweepReport()
    for settlement_id, shipment_pk in due:
        try:
            with transaction.atomic(durable=True):
                report += _report(_release_locked(settlement_id, shipment_pk, now=now))
        except BAD_ROW as error:
            sending.log_failure(settlement_id, error)
            put_off([settlement_id], str(error))
            report += SweepReport(failed=1)
    return report


def _release_locked(settlement_id: int, shipment_pk: int, *, now: datetime) -> list[Outcome]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM settlements_shipment WHERE id = %s FOR UPDATE SKIP LOCKED", [shipment_pk])
        if cursor.fetchone() is None:
            return []
    waiting = [each for each in candidates.read([settlement_id]) if still_waits(each) or each.went_out_before]
    return release(waiting, actor=SWEEPER, now=now)


def still_waits(candidate: Candidate) -> bool:
    """Whether the settlement is one that a sweep or an approval may still release."""
    return candidate.status in {SettlementStatus.DELAYED, SettlementStatus.PENDING}
