"""One payment of the work list with everything about it: what is to be done, attempts, words, books, history."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from rails import destinations
from rails.attempt_words import ATTEMPT_LOOKS, outcome_of
from rails.models import AttemptState, JournalEntry, RailAttempt, RailNotice
from rails.money import Money
from settlements import candidates, work
from settlements.locks import SettlementNotFound
from settlements.models import Approval, AuditEvent, MilestoneSettlement
from settlements.objections import TO_RESOLVE
from settlements.statuses import WorkKind
from settlements.work import WorkItem

MOST_ROWS = 100
_NOW = f"""
    SELECT settlements_settlement_version(s.id, s.intent_id, s.amount_minor, s.currency, s.rail, s.strategy),
           {candidates.APPROVALS}
    FROM settlements_milestonesettlement s WHERE s.id = %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt, where it went (masked), and every word of its provider."""

    attempt: RailAttempt
    amount: Money
    returned: Money
    destination: str
    notices: Sequence[RailNotice]

    @property
    def outcome(self) -> str:
        """Where it stands, in words."""
        return outcome_of(self.attempt.state)

    @property
    def look(self) -> str:
        """The colour of that."""
        return ATTEMPT_LOOKS.get(self.attempt.state, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A settlement at a provider; `version` binds a decision to it."""

    settlement: MilestoneSettlement
    amount: Money
    version: str
    approvals_now: int
    items: Sequence[WorkItem]
    attempts: Sequence[Tried]
    entries: Sequence[tuple[JournalEntry, Money]]
    approvals: Sequence[Approval]
    history: Sequence[AuditEvent]
    destination: str
    obstacle: str

    @property
    def last(self) -> RailAttempt | None:
        """The attempt that people may say something of."""
        return self.attempts[0].attempt if self.attempts else None

    @property
    def to_resolve(self) -> bool:
        """Whether it failed or came back, so that people decide what becomes of it; not while the recipient has it."""
        return (
            self.settlement.status in TO_RESOLVE and self.settlement.intent.cancelled_at is None and self.kept is None
        )

    @property
    def to_write_off(self) -> bool:
        """Whether it failed or came back; that of a cancelled intent is paid no more, but people may write it off."""
        return self.settlement.status in TO_RESOLVE and self.kept is None

    @property
    def in_question(self) -> bool:
        """Whether a person has to judge what became of its last attempt."""
        return self.last is not None and self.last.state == AttemptState.SUBMITTED and self.last.question != ""

    @property
    def withdrawable(self) -> bool:
        """Whether its last attempt was never handed over."""
        return self.last is not None and self.last.state == AttemptState.PREPARED and self.last.submitted_at is None

    @property
    def missing(self) -> int:
        """How many officers must still approve a retry."""
        return max(self.settlement.approvals_required - self.approvals_now, 0)

    @property
    def kept(self) -> WorkItem | None:
        """What the recipient has although it counted as returned, if there is such."""
        return self.item(WorkKind.OVERPAID) or self.item(WorkKind.KEPT)

    @property
    def back_twice(self) -> WorkItem | None:
        """What came back twice, if there is such."""
        return self.item(WorkKind.BACK_TWICE)

    @property
    def owed_attempt(self) -> int | None:
        """The number of the attempt that something is owed of."""
        owed = self.kept or self.back_twice
        return owed.attempt_number if owed else None

    def item(self, kind: WorkKind) -> WorkItem | None:
        """The piece of work of this kind, if there is one."""
        return next((item for item in self.items if item.kind is kind), None)


def find(settlement_id: int) -> Case:
    """Everything about one settlement's way to its provider; raises SettlementNotFound."""
    settlement = (
        MilestoneSettlement.objects.select_related("intent__shipment", "intent__recipient")
        .filter(pk=settlement_id)
        .first()
    )
    if settlement is None:
        raise SettlementNotFound(settlement_id)
    with connection.cursor() as cursor:
        cursor.execute(_NOW, [settlement_id])
        version, approvals_now = cursor.fetchone()
    recipient_pk = settlement.intent.recipient_id
    usable = destinations.usable(recipient_pk, settlement.rail) if recipient_pk else None
    remote = settlement.rail in destinations.RAILS
    entries = JournalEntry.objects.filter(milestone_id=settlement_id).order_by("pk")[:MOST_ROWS]
    return Case(
        settlement=settlement,
        amount=Money(settlement.amount_minor, settlement.currency),
        version=version,
        approvals_now=approvals_now,
        items=work.of_settlement(settlement_id),
        attempts=tried(settlement_id),
        entries=[(entry, Money(entry.amount_minor, entry.currency)) for entry in entries],
        approvals=list(
            Approval.objects.filter(settlement_id=settlement_id).select_related("approver").order_by("pk")[:MOST_ROWS]
        ),
        history=list(AuditEvent.objects.filter(settlement_id=settlement_id).order_by("-sequence")[:MOST_ROWS]),
        destination=destinations.in_words(usable) if usable else "",
        obstacle=destinations.obstacle(recipient_pk, settlement.rail) if remote else "",
    )


def tried(settlement_id: int) -> list[Tried]:
    """The attempts of a settlement at providers, the last one first, each with its provider's words. Two statements."""
    attempts = list(
        RailAttempt.objects.filter(milestone_id=settlement_id)
        .select_related("destination", "recipient")
        .order_by("-number")[:MOST_ROWS]
    )
    told: dict[Any, list[RailNotice]] = {}
    for notice in RailNotice.objects.filter(attempt__in=attempts).order_by("pk"):
        told.setdefault(notice.attempt_id, []).append(notice)
    return [
        Tried(
            attempt=attempt,
            amount=Money(attempt.amount_minor, attempt.currency),
            returned=Money(attempt.returned_minor, attempt.currency),
            destination=destinations.in_words(attempt.destination),
            notices=told.get(attempt.pk, []),
        )
        for attempt in attempts
    ]
