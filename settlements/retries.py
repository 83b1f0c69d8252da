"""What becomes of money that a provider refused or sent back: out again, another way, or never. People decide that."""

from datetime import datetime

from django.db import connection, transaction

from rails.models import Recipient
from rails.money import Money
from settlements import approvals, audit, lifecycle, locks, methods, objections, reasons, release
from settlements.approvals import Decided
from settlements.candidates import Candidate
from settlements.lifecycle import Move
from settlements.objections import TO_RESOLVE, Facts, Officer
from settlements.policy import WIRE
from settlements.refusals import Kind, Refusal
from settlements.statuses import SettlementStatus

# The next sweep has nothing to send before people have approved it the other way.
_TURN = """
    UPDATE settlements_milestonesettlement SET rail = %s, approvals_required = greatest(approvals_required, %s),
        blocked_reason = '', retry_at = NULL, error = '', updated_at = %s
    WHERE id = %s AND status = %s AND rail = %s
"""


class SameMethod(Refusal):
    """It goes by this payment method already; approve a retry instead."""

    code = "payment_method_is_the_same"
    kind = Kind.CONFLICT


def retry(settlement_id: int, *, officer: Officer, reason: str, version: str, now: datetime) -> str:
    """Approves that it is paid by a new attempt, under every rule of an approval; what that came to, in a sentence.

    What may not go just now waits, and the sweep sends it when it may. Raises a Refusal; nothing is written then.
    """
    decided = approvals.approve_again(settlement_id, officer=officer, reason=reason, version=version, now=now)
    return _told(decided)


def pay_elsewhere(
    settlement_id: int, *, method: str, officer: Officer, reason: str, version: str, now: datetime
) -> str:
    """Gives this one settlement another rail; what was approved is void then, so a retry is approved next.

    Raises SameMethod, what `methods.check` raises, and the refusals of decisions; nothing is written then.
    """
    with transaction.atomic():
        candidate, facts = _case(settlement_id, officer=officer, reason=reason, version=version)
        objections.check_not_paid(facts)
        if candidate.rail == method:
            raise SameMethod(f"It goes by {method} already; approve a retry instead.", field="method")
        methods.check(method, amounts=[candidate.amount], recipient=_recipient(candidate), field="method")
        at_least = 2 if method == WIRE else 1
        with connection.cursor() as cursor:
            cursor.execute(_TURN, [method, at_least, now, settlement_id, candidate.status.value, candidate.rail])
            if cursor.rowcount != 1:
                raise lifecycle.LostRace("a settlement moved under a locked shipment")
        data = {"before": candidate.rail, "after": method, **_seen(facts, officer)}
        audit.record([_stays(candidate, officer, "rail_changed", reason, data)], now=now)
    needed = max(facts.approvals_required, at_least)
    return f"To be paid by {method}, once {needed} officer{'s' if needed > 1 else ''} approved that"


def write_off(settlement_id: int, *, officer: Officer, reason: str, version: str, now: datetime) -> str:
    """Nothing is paid for this milestone any more. This is final. Raises a Refusal; nothing is written then.

    It is the one way out for what failed or came back of a cancelled intent.
    """
    with transaction.atomic():
        candidate, facts = _case(settlement_id, officer=officer, reason=reason, version=version, even_cancelled=True)
        move = Move(
            settlement_id=settlement_id,
            intent_id=candidate.intent_id,
            old=candidate.status,
            new=SettlementStatus.CANCELLED,
            action="written_off",
            actor=officer.actor,
            reason=reason,
            data=_seen(facts, officer),
        )
        lifecycle.transition([move], now=now)
    return "Written off: nothing is paid for it any more"


def can_pay(method: str, *, amount: Money, recipient: Recipient | None) -> bool:
    """Whether a settlement could be given this method as things are."""
    try:
        methods.check(method, amounts=[amount], recipient=recipient)
    except methods.MethodRefused:
        return False
    return True


def _case(
    settlement_id: int, *, officer: Officer, reason: str, version: str, even_cancelled: bool = False
) -> tuple[Candidate, Facts]:
    """The settlement under lock, if it failed or came back and is what the officer saw."""
    reasons.check(reason)
    locks.of_settlement(settlement_id)
    return objections.open_case(
        settlement_id, officer=officer, version=version, about=TO_RESOLVE, even_cancelled=even_cancelled
    )


def _recipient(candidate: Candidate) -> Recipient | None:
    return Recipient.objects.get(pk=candidate.recipient_id) if candidate.recipient_id else None


def _seen(facts: Facts, officer: Officer) -> dict[str, str]:
    return {"version": facts.version, "channel": officer.channel.value}


def _stays(candidate: Candidate, officer: Officer, action: str, reason: str, data: dict[str, str]) -> audit.Draft:
    return audit.Draft(
        intent_id=candidate.intent_id,
        settlement_id=candidate.settlement_id,
        action=action,
        triggered_by=officer.actor,
        from_status=candidate.status.value,
        to_status=candidate.status.value,
        reason=reason,
        data=data,
    )


def _told(decided: Decided) -> str:
    if decided.status is SettlementStatus.APPROVED:
        return f"Paid by a new attempt under {decided.reference}"
    if decided.status in release.LEFT:
        return "A new attempt is on its way to the provider"
    return decided.message
