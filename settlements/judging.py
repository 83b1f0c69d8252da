"""What a person says of an attempt that its provider leaves open: taken back, looked up again, or as it turned out."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from rails import attempts
from rails.base import Applied, Notice, RailOutcome, SettlementProvider
from rails.models import AttemptState, RailAttempt
from settlements import audit, locks, objections, outcomes, reasons, values
from settlements.objections import Officer
from settlements.refusals import Kind, Refusal
from settlements.statuses import WorkKind

LONGEST_REFERENCE = 200

_OPEN_WORK = {
    WorkKind.CONTRADICTED: """
        SELECT count(*) FROM rails_railnotice n JOIN rails_railattempt a ON a.id = n.attempt_id
        WHERE a.milestone_id = %s AND n.applied = 'CONTRADICTED' AND n.id = %s
    """,
    WorkKind.PARTLY_RETURNED: """
        SELECT count(*) FROM rails_railattempt a WHERE a.milestone_id = %s AND a.returned_minor = %s
          AND a.state IN ('ACCEPTED', 'CONFIRMED') AND a.returned_minor > 0
    """,
}


class AttemptMoved(Refusal):
    """The attempt is no longer what was on the screen: its provider, or somebody else, was first."""

    code = "attempt_moved"
    kind = Kind.CONFLICT


class NothingToJudge(Refusal):
    """The attempt does not wait for a person's word."""

    code = "attempt_not_waiting"
    kind = Kind.CONFLICT


class ReferenceRefused(Refusal):
    """The provider's reference can not be read, or is another payment's."""

    code = "reference_refused"


@dataclass(frozen=True, slots=True)
class _Case:
    """The last attempt of a settlement, with its shipment locked."""

    attempt: RailAttempt
    intent_id: int
    status: str


def withdraw(settlement_id: int, *, number: int, officer: Officer, reason: str, now: datetime) -> str:
    """Takes back an attempt that was never handed to its provider. Raises AttemptMoved, NothingToJudge."""
    with transaction.atomic():
        case = _case(settlement_id, number, officer=officer, reason=reason)
        if case.attempt.state != AttemptState.PREPARED or case.attempt.submitted_at is not None:
            raise NothingToJudge("It was handed to the provider, or may have been, so it can not be withdrawn.")
        _say(case, RailOutcome.WITHDRAWN, officer=officer, reason=reason, now=now)
    return "Withdrawn before anything was handed over"


def look_again(settlement_id: int, *, number: int, officer: Officer, reason: str, now: datetime) -> str:
    """Lets the attempt be handed in again; its rail looks the payment up first. Raises AttemptMoved, NothingToJudge."""
    with transaction.atomic():
        case = _case(settlement_id, number, officer=officer, reason=reason)
        question = case.attempt.question
        if not attempts.look_again(settlement_id, number):
            raise NothingToJudge("Nobody has to judge this attempt now.")
        _note(case, "looked_up_again", officer, reason, {"attempt": number, "question": question}, now)
    return "Looked up again at the provider within seconds"


def record_accepted(
    settlement_id: int, *, number: int, reference: str, officer: Officer, reason: str, now: datetime
) -> str:
    """Takes down that the provider took it, under this reference of the provider's.

    Raises AttemptMoved, NothingToJudge, ReferenceRefused.
    """
    reference = _readable(reference)
    with transaction.atomic():
        case = _to_judge(settlement_id, number, officer=officer, reason=reason)
        provider = case.attempt.provider
        if RailAttempt.objects.filter(provider=provider, reference=reference).exclude(pk=case.attempt.pk).exists():
            raise ReferenceRefused("This is the reference of another payment.", field="reference")
        _say(case, RailOutcome.ACCEPTED, officer=officer, reason=reason, reference=reference, now=now)
    return f"Recorded as accepted under {reference}"


def record_refused(settlement_id: int, *, number: int, officer: Officer, reason: str, now: datetime) -> str:
    """Takes down that the provider has not paid it and never will; somebody else approves the next attempt.

    Raises AttemptMoved, NothingToJudge.
    """
    with transaction.atomic():
        case = _to_judge(settlement_id, number, officer=officer, reason=reason)
        _say(case, RailOutcome.REFUSED, officer=officer, reason=reason, now=now)
    return "Recorded as refused; another officer approves its next attempt"


def close(settlement_id: int, *, kind: WorkKind, about: int, officer: Officer, reason: str, now: datetime) -> str:
    """Says that a contradiction, or a partial return, was dealt with: it leaves the work list and nothing else changes.

    `about`: the last contradicting notice, or the minor units that are back. Raises NothingToJudge.
    """
    with transaction.atomic():
        case = _case(settlement_id, None, officer=officer, reason=reason)
        with connection.cursor() as cursor:
            cursor.execute(_OPEN_WORK[kind], [settlement_id, about])
            if cursor.fetchone()[0] == 0:
                raise NothingToJudge("This is not as it was on the screen; look at it again.")
        _note(case, audit.WORK_CLOSED, officer, reason, {"kind": kind.value, "about": about}, now)
    return "Marked as dealt with"


def _case(settlement_id: int, number: int | None, *, officer: Officer, reason: str) -> _Case:
    reasons.check(reason)
    locks.of_settlement(settlement_id)
    attempt = RailAttempt.objects.filter(milestone_id=settlement_id).order_by("-number").first()
    if attempt is None or number not in {None, attempt.number}:
        raise AttemptMoved("There is another attempt by now; look at it again.")
    objections.check_staff(officer)
    with connection.cursor() as cursor:
        cursor.execute("SELECT intent_id, status FROM settlements_milestonesettlement WHERE id = %s", [settlement_id])
        intent_id, status = cursor.fetchone()
    return _Case(attempt, intent_id, status)


def _to_judge(settlement_id: int, number: int, *, officer: Officer, reason: str) -> _Case:
    case = _case(settlement_id, number, officer=officer, reason=reason)
    if case.attempt.state != AttemptState.SUBMITTED or case.attempt.question == "":
        raise NothingToJudge("Nobody has to judge this attempt now.")
    return case


def _say(
    case: _Case, outcome: RailOutcome, *, officer: Officer, reason: str, reference: str = "", now: datetime
) -> None:
    """The person's word as a notice, so that it is applied by the rules of every word about an attempt."""
    notice = Notice(
        provider=SettlementProvider(case.attempt.provider),
        outcome=outcome,
        source=officer.by_hand,
        occurred_at=now,
        milestone_id=case.attempt.milestone_id,
        attempt_number=case.attempt.number,
        reference_id=reference,
        reason=reason,
    )
    (applied,) = outcomes.apply([notice], actor=officer.actor, now=now)
    if applied is not Applied.APPLIED:
        raise AttemptMoved("The attempt moved meanwhile; look at it again.")


def _readable(reference: str) -> str:
    reference = reference.strip()
    try:
        values.visible_text(reference, longest=LONGEST_REFERENCE)
    except values.InvalidValue as error:
        raise ReferenceRefused(f"The reference {error.detail}.", field="reference") from error
    return reference


def _note(case: _Case, action: str, officer: Officer, reason: str, data: dict[str, str | int], now: datetime) -> None:
    draft = audit.Draft(
        intent_id=case.intent_id,
        settlement_id=case.attempt.milestone_id,
        action=action,
        triggered_by=officer.actor,
        from_status=case.status,
        to_status=case.status,
        reason=reason,
        data=data,
    )
    audit.record([draft], now=now)
