"""People's decisions over money: approve (also before the hold is over) and reject, bound to what was on the screen."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from settlements import audit, candidates, lifecycle, locks, reasons, release
from settlements.candidates import Candidate
from settlements.lifecycle import Move
from settlements.models import Approval
from settlements.refusals import Kind, Refusal
from settlements.statuses import Channel, ReleaseStrategy, SettlementStatus

# FOR SHARE on the recipient: an edit waits until this decision is committed, and then voids it.
_LOCK_RECIPIENT = """
    SELECT r.id FROM rails_recipient r JOIN settlements_paymentintent i ON i.recipient_id = r.id
    WHERE i.id = %s FOR SHARE OF r
"""
_FACTS = f"""
    SELECT settlements_settlement_version(s.id, s.intent_id, s.amount_minor, s.currency, s.rail, s.strategy),
           s.approvals_required, i.created_by_id, i.cancelled_at IS NOT NULL,
           EXISTS (SELECT 1 FROM auth_user u WHERE u.id = %s AND u.is_active AND u.is_staff),
           {candidates.ELIGIBLE},
           EXISTS (SELECT 1 FROM rails_recipientedit e WHERE e.recipient_id = i.recipient_id AND e.edited_by_id = %s
                   AND e.created_at > coalesce((
                       SELECT max(p.released_at) FROM settlements_milestonesettlement p
                       JOIN settlements_paymentintent pi ON pi.id = p.intent_id
                       WHERE pi.recipient_id = i.recipient_id AND p.status IN ('APPROVED', 'SETTLED')
                   ), '-infinity'))
    FROM settlements_milestonesettlement s JOIN settlements_paymentintent i ON i.id = s.intent_id WHERE s.id = %s
"""
_COUNT = """
    SELECT count(DISTINCT a.approver_id), coalesce(bool_or(a.approver_id = %s), false) FROM settlements_approval a
    WHERE a.settlement_id = %s AND a.decision = 'APPROVE' AND a.version = %s
"""


class DecisionRefused(Refusal):
    """This decision can not be taken now; the subclass says why."""

    kind = Kind.CONFLICT


class NotWaiting(DecisionRefused):
    """The settlement does not wait for a decision: somebody was first, or it never did."""

    code = "settlement_not_waiting"


class NothingToRelease(DecisionRefused):
    """The amount is zero, so there is nothing to release or to decide."""

    code = "nothing_to_release"


class NotEligible(DecisionRefused):
    """Proof of delivery has not arrived yet, so the milestone can not be decided."""

    code = "settlement_not_eligible"


class OnHold(DecisionRefused):
    """A hold is open; lift it first."""

    code = "settlement_on_hold"


class StaleVersion(DecisionRefused):
    """Amount, recipient, rail or decision changed since the version was read; read it again."""

    code = "version_stale"


class AlreadyApprovedByYou(DecisionRefused):
    """You have approved this already; four eyes need two people."""

    code = "already_approved_by_you"


class NotIndependent(Refusal):
    """You created the intent, or edited its recipient since the last payment; another officer must decide."""

    code = "approver_not_independent"
    kind = Kind.FORBIDDEN


class NotStaff(Refusal):
    """Only an active member of staff decides."""

    code = "officer_not_active"
    kind = Kind.FORBIDDEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """The person who decides, and how their decision comes to us."""

    pk: int
    username: str
    channel: Channel

    @property
    def actor(self) -> str:
        """As the audit trail names them."""
        return f"user:{self.username}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a decision came to."""

    settlement_id: int
    intent_id: int
    status: SettlementStatus
    approvals: int
    approvals_required: int
    reference: str
    reason: str

    @property
    def message(self) -> str:
        """A sentence for the officer."""
        if self.status is SettlementStatus.REJECTED:
            return "Settlement rejected"
        if self.status in release.LEFT:
            return "Settlement approved"
        if self.approvals < self.approvals_required:
            return f"Approval recorded: {self.approvals} of {self.approvals_required}, another officer must approve too"
        return f"Approval recorded; the release waits: {self.reason}"


def approve(settlement_id: int, *, officer: Officer, reason: str, version: str, now: datetime) -> Decided:
    """Records an approval of exactly what `version` stands for and releases when enough officers have approved.

    On a DELAYED settlement this is the expedite. Raises a Refusal; nothing is written then.
    """
    with transaction.atomic():
        locks.of_settlement(settlement_id)
        return approve_locked(settlement_id, officer=officer, reason=reason, version=version, now=now)


def lock_recipient(intent_id: int) -> None:
    """Keeps the intent's recipient as it is until the transaction ends; its shipment is locked already."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_RECIPIENT, [intent_id])


def approve_locked(settlement_id: int, *, officer: Officer, reason: str, version: str | None, now: datetime) -> Decided:
    """The same with the shipment already locked; `version` None when the caller has checked the intent's."""
    reasons.check(reason)
    candidate, facts = _open_case(settlement_id, officer, version)
    _check_approver(candidate, facts, officer)
    _write(candidate, facts, officer, Approval.APPROVE, reason, now)
    approvals, _ = _approvals(candidate.settlement_id, facts.version, officer)
    _audit(candidate, facts, officer, reason, approvals, now)
    outcome = release.Outcome(settlement_id, candidate.status, reason="")
    if approvals >= facts.approvals_required:
        (outcome,) = release.release(
            candidates.read([settlement_id]),
            actor=officer.actor,
            approved_by=officer.actor,
            reason=reason,
            now=now,
        )
    return Decided(
        settlement_id=settlement_id,
        intent_id=candidate.intent_id,
        status=outcome.status,
        approvals=approvals,
        approvals_required=facts.approvals_required,
        reference=outcome.reference,
        reason=outcome.reason,
    )


def reject(settlement_id: int, *, officer: Officer, reason: str, version: str, now: datetime) -> Decided:
    """Rejects what `version` stands for; one officer is enough and nothing is ever paid. Raises a Refusal."""
    reasons.check(reason)
    with transaction.atomic():
        locks.of_settlement(settlement_id)
        candidate, facts = _open_case(settlement_id, officer, version)
        _write(candidate, facts, officer, Approval.REJECT, reason, now)
        lifecycle.transition(
            [
                Move(
                    settlement_id=settlement_id,
                    intent_id=candidate.intent_id,
                    old=candidate.status,
                    new=SettlementStatus.REJECTED,
                    action="rejected",
                    actor=officer.actor,
                    reason=reason,
                    data={"version": facts.version, "channel": officer.channel.value},
                )
            ],
            now=now,
        )
        approvals, _ = _approvals(settlement_id, facts.version, officer)
    return Decided(
        settlement_id=settlement_id,
        intent_id=candidate.intent_id,
        status=SettlementStatus.REJECTED,
        approvals=approvals,
        approvals_required=facts.approvals_required,
        reference="",
        reason=reason,
    )


def objection(settlement_id: int, *, officer: Officer) -> Refusal | None:
    """What an approval by this officer would be refused with as things are now; nothing is locked or written."""
    (candidate,) = candidates.read([settlement_id])
    try:
        _check_approver(candidate, _facts_of(candidate, officer, None), officer)
    except (DecisionRefused, NotIndependent, NotStaff) as refusal:
        return refusal
    return None


@dataclass(frozen=True, slots=True)
class _Facts:
    version: str
    approvals_required: int
    creator_id: int | None
    cancelled: bool
    staff: bool
    eligible: bool
    edited_recipient: bool


def _open_case(settlement_id: int, officer: Officer, version: str | None) -> tuple[Candidate, _Facts]:
    """The settlement under lock, if it waits for a decision and is what the officer saw."""
    (candidate,) = candidates.read([settlement_id])
    lock_recipient(candidate.intent_id)
    return candidate, _facts_of(candidate, officer, version)


def _facts_of(candidate: Candidate, officer: Officer, version: str | None) -> _Facts:
    """What the decision rests on, if it is open and about what the officer saw."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [officer.pk, officer.pk, candidate.settlement_id])
        facts = _Facts(*cursor.fetchone())
    if not facts.staff:
        raise NotStaff(f"{officer.username} is no active member of staff and decides nothing.")
    if facts.cancelled:
        raise NotWaiting("The payment intent was cancelled; nothing is released for it any more.")
    if not release.still_waits(candidate):
        raise NotWaiting(f"This settlement does not wait for a decision; it is {candidate.status.value.lower()}.")
    if candidate.amount.minor == 0:
        raise NothingToRelease("The amount of this settlement is zero: there is nothing to release.")
    if not facts.eligible:
        raise NotEligible("This settlement is not eligible before proof of delivery has arrived.")
    if version is not None and version != facts.version:
        raise StaleVersion("The settlement has changed since you read it; read it again.", field="version")
    return facts


def _check_approver(candidate: Candidate, facts: _Facts, officer: Officer) -> None:
    if candidate.held:
        raise OnHold("This settlement is on hold; lift the hold first.")
    if facts.creator_id == officer.pk:
        raise NotIndependent("You created this payment intent; another officer must approve it.")
    if facts.edited_recipient:
        raise NotIndependent("You edited the recipient since its last payment; another officer must approve it.")
    approvals, own = _approvals(candidate.settlement_id, facts.version, officer)
    if own:
        raise AlreadyApprovedByYou(
            f"You have approved this already ({approvals} of {facts.approvals_required}); another officer must too."
        )


def _approvals(settlement_id: int, version: str, officer: Officer) -> tuple[int, bool]:
    """How many officers approved this version, and whether this one is among them."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [officer.pk, settlement_id, version])
        row: tuple[Any, ...] = cursor.fetchone()
    return row[0], row[1]


def _write(candidate: Candidate, facts: _Facts, officer: Officer, decision: str, reason: str, now: datetime) -> None:
    Approval.objects.create(
        settlement_id=candidate.settlement_id,
        approver_id=officer.pk,
        decision=decision,
        channel=officer.channel.value,
        reason=reason,
        version=facts.version,
        created_at=now,
    )


def _audit(candidate: Candidate, facts: _Facts, officer: Officer, reason: str, approvals: int, now: datetime) -> None:
    before_time = candidate.strategy is ReleaseStrategy.DELAYED and not candidate.due
    audit.record(
        [
            audit.Draft(
                intent_id=candidate.intent_id,
                settlement_id=candidate.settlement_id,
                action="expedite_approved" if before_time else "approval_recorded",
                triggered_by=officer.actor,
                approved_by=officer.actor,
                from_status=candidate.status.value,
                to_status=candidate.status.value,
                reason=reason,
                data={
                    "version": facts.version,
                    "channel": officer.channel.value,
                    "approvals": approvals,
                    "approvals_required": facts.approvals_required,
                },
            )
        ],
        now=now,
    )
