"""Why an officer may not decide a settlement now: what it is, what was on the screen, and who they are."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from rails.models.notice import BY_HAND
from settlements import candidates
from settlements.candidates import Candidate
from settlements.models import approval_guards, settlement_guards
from settlements.refusals import Kind, Refusal
from settlements.statuses import WENT_OUT, Channel, SettlementStatus

# What a decision of the review queue is about, and what one about money that went out before is about.
TO_DECIDE: Final = frozenset({SettlementStatus.PENDING, SettlementStatus.DELAYED})
TO_RESOLVE: Final = WENT_OUT

# FOR SHARE on the recipient: an edit waits until this decision is committed, and then voids it.
_LOCK_RECIPIENT = """
    SELECT r.id FROM rails_recipient r JOIN settlements_paymentintent i ON i.recipient_id = r.id
    WHERE i.id = %s FOR SHARE OF r
"""
_FACTS = f"""
    SELECT settlements_settlement_version(s.id, s.intent_id, s.amount_minor, s.currency, s.rail, s.strategy),
           s.approvals_required, i.created_by_id, i.cancelled_at IS NOT NULL,
           EXISTS (SELECT 1 FROM auth_user u WHERE u.id = %(officer)s AND u.is_active AND u.is_staff),
           {candidates.ELIGIBLE},
           EXISTS (SELECT 1 FROM rails_recipientedit e
                   WHERE e.recipient_id = i.recipient_id AND e.edited_by_id = %(officer)s
                   AND e.created_at > coalesce((
                       SELECT max(p.released_at) FROM settlements_milestonesettlement p
                       JOIN settlements_paymentintent pi ON pi.id = p.intent_id
                       WHERE pi.recipient_id = i.recipient_id AND p.status IN ('APPROVED', 'SETTLED')
                   ), '-infinity')),
           EXISTS (SELECT 1 FROM rails_railattempt a JOIN rails_railnotice n ON n.attempt_id = a.id
                   WHERE a.milestone_id = s.id AND n.outcome IN ('REFUSED', 'RECOVERED')
                     AND n.source = %(by_hand)s),
           {approval_guards.SAID_IT_CAME_BACK.format(settlement="s.id", officer="%(officer)s")},
           rails_paid_though_refused(s.id),
           {settlement_guards.KEPT_BY_RECIPIENT.format(settlement="s.id")}
    FROM settlements_milestonesettlement s JOIN settlements_paymentintent i ON i.id = s.intent_id
    WHERE s.id = %(settlement)s
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


class PaidThoughRefused(DecisionRefused):
    """The provider says that it paid an attempt we took for refused: to pay again would be to pay twice."""

    code = "paid_though_refused"


class KeptByRecipient(DecisionRefused):
    """The recipient has the money of an attempt that counted as returned: to pay again would be to pay twice."""

    code = "recipient_has_the_money"


class NotIndependent(Refusal):
    """You had your hand in what is to be approved: created the intent, edited its recipient, or said it had failed."""

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

    @property
    def by_hand(self) -> str:
        """As a provider's word that they took down names its source."""
        return f"{BY_HAND}{self.pk}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision rests on, beside the settlement itself."""

    version: str
    approvals_required: int
    creator_id: int | None
    cancelled: bool
    staff: bool
    eligible: bool
    edited_recipient: bool
    refused_by_hand: bool
    said_it_came_back: bool
    paid_though_refused: bool
    kept_by_recipient: bool


def lock_recipient(intent_id: int) -> None:
    """Keeps the intent's recipient as it is until the transaction ends; its shipment is locked already."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_RECIPIENT, [intent_id])


def open_case(
    settlement_id: int,
    *,
    officer: Officer,
    version: str | None,
    about: Set[SettlementStatus],
    even_cancelled: bool = False,
) -> tuple[Candidate, Facts]:
    """The settlement under lock, if it is one that such a decision is about, and what the officer saw.

    `even_cancelled`: the decision lets no money go, so it may be about a cancelled intent too.
    """
    (candidate,) = candidates.read([settlement_id])
    lock_recipient(candidate.intent_id)
    facts = facts_of(candidate, officer=officer, version=version, about=about, even_cancelled=even_cancelled)
    return candidate, facts


def facts_of(
    candidate: Candidate,
    *,
    officer: Officer,
    version: str | None,
    about: Set[SettlementStatus],
    even_cancelled: bool = False,
) -> Facts:
    """What the decision rests on, if it is open and about what the officer saw; `version` None asks for no equality."""
    asked: dict[str, int | str] = {
        "officer": officer.pk,
        "by_hand": officer.by_hand,
        "settlement": candidate.settlement_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, asked)
        facts = Facts(*cursor.fetchone())
    if not facts.staff:
        raise NotStaff(f"{officer.username} is no active member of staff and decides nothing.")
    if facts.cancelled and not even_cancelled:
        raise NotWaiting("The payment intent was cancelled; nothing is released for it any more.")
    if candidate.status not in about:
        raise NotWaiting(f"This settlement does not wait for a decision; it is {candidate.status.value.lower()}.")
    if candidate.amount.minor == 0:
        raise NothingToRelease("The amount of this settlement is zero: there is nothing to release.")
    if not facts.eligible:
        raise NotEligible("This settlement is not eligible before proof of delivery has arrived.")
    if version is not None and version != facts.version:
        raise StaleVersion("The settlement has changed since you read it; read it again.", field="version")
    return facts


def check_staff(officer: Officer) -> None:
    """Raises NotStaff unless they are active staff at this moment."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM auth_user u WHERE u.id = %s AND u.is_active AND u.is_staff", [officer.pk])
        if cursor.fetchone() is None:
            raise NotStaff(f"{officer.username} is no active member of staff and decides nothing.")


def check_not_paid(facts: Facts) -> None:
    """Raises PaidThoughRefused, KeptByRecipient when the money of an earlier attempt is with the recipient."""
    if facts.paid_though_refused:
        raise PaidThoughRefused("The provider says that it paid what we took for refused: settle that with it first.")
    if facts.kept_by_recipient:
        raise KeptByRecipient(
            "The recipient has what counted as returned. Say first that it gave it back, or that it counts as paid."
        )


def check_approver(candidate: Candidate, facts: Facts, *, officer: Officer) -> None:
    """Raises what an approval by this officer is refused with."""
    check_not_paid(facts)
    if candidate.held:
        raise OnHold("This settlement is on hold; lift the hold first.")
    if facts.creator_id == officer.pk:
        raise NotIndependent("You created this payment intent; another officer must approve it.")
    if facts.edited_recipient:
        raise NotIndependent("You edited the recipient since its last payment; another officer must approve it.")
    if facts.refused_by_hand:
        raise NotIndependent("You recorded that it was refused or given back; another officer must approve it.")
    if facts.said_it_came_back:
        raise NotIndependent(
            "You said that it was refused, came back or was to be taken back; another officer must approve it."
        )
    approvals, own = approvals_of(candidate.settlement_id, facts.version, officer=officer)
    if own:
        raise AlreadyApprovedByYou(
            f"You have approved this already ({approvals} of {facts.approvals_required}); another officer must too."
        )


def approvals_of(settlement_id: int, version: str, *, officer: Officer) -> tuple[int, bool]:
    """How many officers approved this version, and whether this one is among them."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [officer.pk, settlement_id, version])
        row: tuple[Any, ...] = cursor.fetchone()
    return row[0], row[1]
