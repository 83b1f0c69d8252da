"""People's decisions over money: approve (also before the hold is over) and reject, bound to what was on the screen."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from settlements import audit, candidates, lifecycle, locks, objections, reasons, release
from settlements.candidates import Candidate
from settlements.lifecycle import Move
from settlements.models import Approval
from settlements.objections import TO_DECIDE, TO_RESOLVE, Facts
from settlements.objections import AlreadyApprovedByYou as AlreadyApprovedByYou
from settlements.objections import DecisionRefused as DecisionRefused
from settlements.objections import NotEligible as NotEligible
from settlements.objections import NothingToRelease as NothingToRelease
from settlements.objections import NotIndependent as NotIndependent
from settlements.objections import NotStaff as NotStaff
from settlements.objections import NotWaiting as NotWaiting
from settlements.objections import Officer as Officer
from settlements.objections import OnHold as OnHold
from settlements.objections import StaleVersion as StaleVersion
from settlements.refusals import Refusal
from settlements.statuses import ReleaseStrategy, SettlementStatus


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


def approve_again(settlement_id: int, *, officer: Officer, reason: str, version: str, now: datetime) -> Decided:
    """The same for money that a provider refused or sent back: it goes out once more when enough have approved that.

    `version` counts the attempts that are over, so no approval is good for two of them. Raises a Refusal.
    """
    with transaction.atomic():
        locks.of_settlement(settlement_id)
        return _approve(settlement_id, TO_RESOLVE, officer=officer, reason=reason, version=version, now=now)


def approve_locked(settlement_id: int, *, officer: Officer, reason: str, version: str | None, now: datetime) -> Decided:
    """`approve` with the shipment already locked; `version` None when the caller has checked the intent's."""
    return _approve(settlement_id, TO_DECIDE, officer=officer, reason=reason, version=version, now=now)


def _approve(
    settlement_id: int,
    about: Set[SettlementStatus],
    *,
    officer: Officer,
    reason: str,
    version: str | None,
    now: datetime,
) -> Decided:
    reasons.check(reason)
    candidate, facts = objections.open_case(settlement_id, officer=officer, version=version, about=about)
    objections.check_approver(candidate, facts, officer=officer)
    _write(candidate, facts, officer, Approval.APPROVE, reason, now)
    approvals, _ = objections.approvals_of(candidate.settlement_id, facts.version, officer=officer)
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
        candidate, facts = objections.open_case(settlement_id, officer=officer, version=version, about=TO_DECIDE)
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
        approvals, _ = objections.approvals_of(settlement_id, facts.version, officer=officer)
    return Decided(
        settlement_id=settlement_id,
        intent_id=candidate.intent_id,
        status=SettlementStatus.REJECTED,
        approvals=approvals,
        approvals_required=facts.approvals_required,
        reference="",
        reason=reason,
    )


def objection(settlement_id: int, *, officer: Officer, about: Set[SettlementStatus] = TO_DECIDE) -> Refusal | None:
    """What an approval by this officer would be refused with as things are now; nothing is locked or written."""
    (candidate,) = candidates.read([settlement_id])
    try:
        facts = objections.facts_of(candidate, officer=officer, version=None, about=about)
        objections.check_approver(candidate, facts, officer=officer)
    except (DecisionRefused, NotIndependent, NotStaff) as refusal:
        return refusal
    return None


def _write(candidate: Candidate, facts: Facts, officer: Officer, decision: str, reason: str, now: datetime) -> None:
    Approval.objects.create(
        settlement_id=candidate.settlement_id,
        approver_id=officer.pk,
        decision=decision,
        channel=officer.channel.value,
        reason=reason,
        version=facts.version,
        created_at=now,
    )


def _audit(candidate: Candidate, facts: Facts, officer: Officer, reason: str, approvals: int, now: datetime) -> None:
    audit.record(
        [
            audit.Draft(
                intent_id=candidate.intent_id,
                settlement_id=candidate.settlement_id,
                action=_action(candidate),
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


def _action(candidate: Candidate) -> str:
    if candidate.went_out_before:
        return "retry_approved"
    before_time = candidate.strategy is ReleaseStrategy.DELAYED and not candidate.due
    return "expedite_approved" if before_time else "approval_recorded"
