"""Deciding again what waits: a risk that became worse makes it stricter; nothing ever makes it looser by itself.

A push of a freight token decides again all that waits of it, and a release what it is about to send.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from settlements import candidates, lifecycle
from settlements.candidates import Candidate
from settlements.lifecycle import Move
from settlements.policy import Decision, score_text
from settlements.statuses import LIVE_TOKEN_STATUSES, ReleaseStrategy, SettlementStatus

logger = logging.getLogger(__name__)

# Money that still waits; an amount of zero has nothing to decide, and what was released is the provider's affair.
_WAITING = """
    SELECT s.id FROM settlements_paymentintent i JOIN settlements_milestonesettlement s ON s.intent_id = i.id
    WHERE i.freight_token_id = %s AND i.cancelled_at IS NULL
      AND s.status IN ('PENDING', 'DELAYED') AND s.amount_minor > 0
"""


def of_token(token_id: int, *, actor: str, now: datetime) -> int:
    """Takes the stricter decision for whatever waits of a token; how many that were.

    The token's shipment is locked and its new risk written. A fixed number of statements for any number of settlements.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [token_id])
        waiting = [row[0] for row in cursor.fetchall()]
    if not waiting:
        return 0
    moves = [
        tightened_move(candidate, decision, actor=actor)
        for candidate in candidates.read(waiting)
        if (decision := stricter(candidate)) is not None
    ]
    lifecycle.transition(moves, now=now)
    if moves:
        logger.info("Freight token %s: %s of %s waiting decided again, stricter", token_id, len(moves), len(waiting))
    return len(moves)


def stricter(candidate: Candidate) -> Decision | None:
    """The decision as the risk stands now if it is stricter than the one that was taken."""
    decision = candidate.decide_again()
    return decision if decision.strategy.strictness > candidate.strategy.strictness else None


def tightened_move(candidate: Candidate, decision: Decision, *, actor: str) -> Move:
    """The move that makes a waiting settlement as strict as a new decision says; what waits for people goes on so.

    The version of an approval has the strategy in it, so approvals given before are void from here on.
    """
    by_time = decision.strategy is ReleaseStrategy.DELAYED
    delayed = by_time and candidate.status is SettlementStatus.DELAYED
    until = candidate.received_at + timedelta(seconds=settings.CHAINPAY_HOLD_SECONDS) if by_time else None
    if until and candidate.delayed_until:
        until = max(until, candidate.delayed_until)
    return Move(
        settlement_id=candidate.settlement_id,
        intent_id=candidate.intent_id,
        old=candidate.status,
        new=SettlementStatus.DELAYED if delayed else SettlementStatus.PENDING,
        action="decided_again",
        actor=actor,
        reason=_in_words(candidate, decision),
        decision=decision,
        delayed_until=until,
        data={
            "strategy_before": candidate.strategy.value,
            "inputs_before": candidate.decided_on,
            "approvals_void": candidate.approvals,
        },
    )


def _in_words(candidate: Candidate, decision: Decision) -> str:
    """What changed since the decision before, the new decision, and what became of the approvals."""
    before, after = candidate.decided_score, decision.score
    changes = []
    if before is not None and (after is None or after > before):
        verb = "went" if after is None else "rose"
        changes.append(f"risk {verb} from {score_text(before)} to {'unknown' if after is None else score_text(after)}")
    old, new = candidate.decided_on["token_status"], decision.inputs["token_status"]
    if new not in LIVE_TOKEN_STATUSES and new != old:
        changes.append(f"the freight token went from {old} to {new}")
    what = " and ".join(changes) or "decided again"
    void = f"; approvals given before are void: {candidate.approvals}" if candidate.approvals else ""
    return f"{what[0].upper()}{what[1:]}: {decision.explanation}{void}"
