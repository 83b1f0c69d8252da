"""What people say of money that counted as returned and is with the recipient after all, or that came back twice."""

from datetime import datetime

from django.db import connection, transaction

from rails.base import Applied, Notice, RailOutcome, SettlementProvider
from rails.models import RailAttempt
from settlements import lifecycle, locks, objections, outcomes, reasons, values
from settlements.lifecycle import Move
from settlements.objections import TO_RESOLVE, Officer
from settlements.refusals import Kind, Refusal
from settlements.statuses import SettlementStatus

LONGEST_REFERENCE = 70


class NothingOwed(Refusal):
    """Nothing of this attempt is owed in that way: it was evened out, or never was."""

    code = "nothing_owed"
    kind = Kind.CONFLICT


class BankReferenceRefused(Refusal):
    """The bank's reference can not be read."""

    code = "bank_reference_invalid"


def recovered(settlement_id: int, *, number: int, reference: str, officer: Officer, reason: str, now: datetime) -> str:
    """Takes down that the recipient gave the money of this attempt back, all of it, under the bank's reference.

    A retry may be approved then, by others. Raises NothingOwed, BankReferenceRefused.
    """
    reference = reference.strip()
    try:
        values.visible_text(reference, longest=LONGEST_REFERENCE)
    except values.InvalidValue as error:
        raise BankReferenceRefused(f"The reference {error.detail}.", field="reference") from error
    with transaction.atomic():
        _say(
            settlement_id,
            number,
            RailOutcome.RECOVERED,
            officer=officer,
            reason=reason,
            told=f"Given back under {reference}: {reason}",
            now=now,
        )
    return f"Recorded as given back under {reference}"


def leave(settlement_id: int, *, number: int, officer: Officer, reason: str, now: datetime) -> str:
    """Takes down that the recipient keeps the money of this attempt; what was not paid again counts as paid by it.

    That is final: nothing more is paid for the milestone then. Raises NothingOwed.
    """
    with transaction.atomic():
        _say(settlement_id, number, RailOutcome.FORGONE, officer=officer, reason=reason, told=reason, now=now)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT intent_id, status FROM settlements_milestonesettlement WHERE id = %s", [settlement_id]
            )
            intent_id, word = cursor.fetchone()
        status = SettlementStatus(word)
        if status not in TO_RESOLVE:
            return "Recorded: the recipient keeps it, and it was paid twice"
        move = Move(
            settlement_id=settlement_id,
            intent_id=intent_id,
            old=status,
            new=SettlementStatus.CANCELLED,
            action="written_off",
            actor=officer.actor,
            reason=f"The recipient has the money of attempt {number}: {reason}",
            data={"attempt": number, "channel": officer.channel.value},
        )
        lifecycle.transition([move], now=now)
    return "Recorded: it counts as paid, and nothing more is paid for it"


def repaid(settlement_id: int, *, number: int, officer: Officer, reason: str, now: datetime) -> str:
    """Takes down that what came back twice goes to the recipient by a payment intent of its own. Raises NothingOwed."""
    with transaction.atomic():
        _say(settlement_id, number, RailOutcome.REPAID, officer=officer, reason=reason, told=reason, now=now)
    return "Recorded: the recipient gets it by an intent of its own"


def _say(
    settlement_id: int, number: int, outcome: RailOutcome, *, officer: Officer, reason: str, told: str, now: datetime
) -> None:
    reasons.check(reason)
    locks.of_settlement(settlement_id)
    objections.check_staff(officer)
    attempt = RailAttempt.objects.filter(milestone_id=settlement_id, number=number).first()
    wanted = -1 if outcome is RailOutcome.REPAID else 1
    if attempt is None or attempt.owed_minor * wanted <= 0:
        raise NothingOwed("Nothing of this attempt is owed that way any more; look at it again.")
    notice = Notice(
        provider=SettlementProvider(attempt.provider),
        outcome=outcome,
        source=officer.by_hand,
        occurred_at=now,
        milestone_id=settlement_id,
        attempt_number=number,
        reason=told,
    )
    (applied,) = outcomes.apply([notice], actor=officer.actor, now=now)
    if applied is not Applied.APPLIED:
        raise NothingOwed("It moved meanwhile; look at it again.")
