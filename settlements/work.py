"""What people have to look at of the money at providers: one list, the gravest first, the oldest of each first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from rails.base import SettlementProvider
from rails.money import Money
from settlements import audit, candidates, next_steps
from settlements.statuses import SettlementStatus, WorkKind

# What nobody need look at before: an answer takes seconds, a file rail answers when it hands over.
UNANSWERED_AFTER_MINUTES: Final = 15
WAITING_AFTER_MINUTES: Final = 2
# For information only: it goes on by itself.
INFORMATION: Final = frozenset({WorkKind.UNANSWERED, WorkKind.WAITING})

_CLOSED = f"""NOT EXISTS (
    SELECT 1 FROM settlements_auditevent done WHERE done.settlement_id = a.milestone_id
      AND done.action = '{audit.WORK_CLOSED}' AND done.data->>'kind' = '{{kind}}'
      AND (done.data->>'about')::bigint >= {{about}})"""
# Per piece of work: kind, settlement, last attempt, since when, the provider's last words, what closing it is about.
_FOR_PEOPLE = f"""
    SELECT s.status AS kind, s.id AS settlement_id, a.id AS attempt_id,
           coalesce((SELECT max(n.created_at) FROM rails_railnotice n
                     WHERE n.attempt_id = a.id AND n.outcome IN ('RETURNED', 'RECLAIMED')),
                    a.answered_at, s.updated_at) AS since,
           coalesce(a.error, '') AS words, 0::bigint AS about
    FROM settlements_milestonesettlement s LEFT JOIN LATERAL (
        SELECT own.id, own.answered_at, own.error FROM rails_railattempt own
        WHERE own.milestone_id = s.id ORDER BY own.number DESC LIMIT 1
    ) a ON true
    WHERE s.status IN ('FAILED', 'RETURNED') AND NOT {candidates.KEPT}
    UNION ALL
    SELECT CASE WHEN owed.owed_minor < 0 THEN 'BACK_TWICE'
                WHEN s.status IN ('RELEASING', 'APPROVED', 'SETTLED') THEN 'OVERPAID' ELSE 'KEPT' END,
           s.id, owed.id, coalesce(told.created_at, owed.answered_at), coalesce(told.reason, ''), owed.number
    FROM rails_railattempt owed JOIN settlements_milestonesettlement s ON s.id = owed.milestone_id
    LEFT JOIN LATERAL (
        SELECT n.created_at, n.reason FROM rails_railnotice n WHERE n.attempt_id = owed.id AND n.applied = 'APPLIED'
        ORDER BY n.id DESC LIMIT 1
    ) told ON true
    WHERE owed.owed_minor <> 0
    UNION ALL
    SELECT 'QUESTION', a.milestone_id, a.id, a.submitted_at, a.question, 0 FROM rails_railattempt a
    WHERE a.state = 'SUBMITTED' AND a.question <> ''
    UNION ALL
    SELECT 'PAYOUT_FAILED', a.milestone_id, a.id, coalesce((
        SELECT max(n.created_at) FROM rails_railnotice n WHERE n.attempt_id = a.id AND n.outcome = 'PAYOUT_FAILED'
    ), a.confirmed_at), a.error, 0 FROM rails_railattempt a
    WHERE a.state = 'ACCEPTED' AND a.confirmed_at IS NOT NULL
    UNION ALL
    SELECT 'PAYOUT_FAILED', told.milestone_id, told.id, told.since, told.words, 0 FROM (
        SELECT DISTINCT ON (a.id) a.milestone_id, a.id, n.created_at AS since, n.reason AS words
        FROM rails_railnotice n JOIN rails_railattempt a ON a.id = n.attempt_id
        WHERE n.outcome = 'PAYOUT_FAILED' AND a.state = 'ACCEPTED' AND a.confirmed_at IS NULL
        ORDER BY a.id, n.id DESC
    ) told
    UNION ALL
    SELECT 'PARTLY_RETURNED', a.milestone_id, a.id, coalesce((
        SELECT max(n.created_at) FROM rails_railnotice n WHERE n.attempt_id = a.id AND n.outcome = 'RETURNED'
    ), a.answered_at), a.error, a.returned_minor FROM rails_railattempt a
    WHERE a.state IN ('ACCEPTED', 'CONFIRMED') AND a.returned_minor > 0
      AND {_CLOSED.format(kind=WorkKind.PARTLY_RETURNED, about="a.returned_minor")}
    UNION ALL
    SELECT 'CONTRADICTED', told.milestone_id, told.id, told.since, told.words, told.about FROM (
        SELECT DISTINCT ON (a.milestone_id) a.milestone_id, a.id, n.created_at AS since, n.id AS about,
               n.source || ' says ' || lower(n.outcome) || CASE WHEN n.reason = '' THEN '' ELSE ': ' || n.reason END
                   AS words
        FROM rails_railnotice n JOIN rails_railattempt a ON a.id = n.attempt_id
        WHERE n.applied = 'CONTRADICTED' AND {_CLOSED.format(kind=WorkKind.CONTRADICTED, about="n.id")}
        ORDER BY a.milestone_id, n.id DESC
    ) told
"""
_BY_ITSELF = f"""
    SELECT 'UNANSWERED', a.milestone_id, a.id, a.submitted_at, a.error, 0 FROM rails_railattempt a
    WHERE a.state = 'SUBMITTED' AND a.question = ''
      AND a.submitted_at < now() - interval '{UNANSWERED_AFTER_MINUTES} minutes'
    UNION ALL
    SELECT 'WAITING', a.milestone_id, a.id, a.prepared_at, CASE
        WHEN NOT coalesce(w.enabled, true) THEN 'rail ' || lower(a.provider) || ' is switched off'
        WHEN NOT r.payouts_enabled THEN 'payouts to the recipient are switched off'
        WHEN rails_destination_of(a.recipient_id, lower(a.provider)) IS DISTINCT FROM a.destination_id
            THEN 'the destination it was written for can not be paid now'
        WHEN a.error <> '' THEN a.error ELSE 'the rail takes it in its next window' END, 0
    FROM rails_railattempt a JOIN rails_recipient r ON r.id = a.recipient_id
    LEFT JOIN rails_railswitch w ON w.rail = a.provider
    WHERE a.state = 'PREPARED' AND a.prepared_at < now() - interval '{WAITING_AFTER_MINUTES} minutes'
"""
ALL: Final = f"{_FOR_PEOPLE} UNION ALL {_BY_ITSELF}"
# How many pieces of work wait for people; by partial indexes alone.
COUNT: Final = f"(SELECT count(*) FROM ({_FOR_PEOPLE}) work)"
# How many of each kind, and since when the oldest.
BY_KIND: Final = f"SELECT kind, count(*), min(since) FROM ({_FOR_PEOPLE}) work GROUP BY kind"

_LIST = f"""
    WITH work AS ({ALL})
    SELECT work.kind, s.id, s.intent_id, s.event_type, s.amount_minor, s.currency, s.status, s.rail, s.blocked_reason,
           {candidates.APPROVALS}, s.approvals_required, p.shipment_id, r.id, coalesce(r.recipient_id, ''),
           coalesce(r.name, ''), a.number, a.provider, coalesce(a.returned_minor, 0), work.since, work.words,
           work.about, count(*) OVER ()
    FROM work JOIN settlements_milestonesettlement s ON s.id = work.settlement_id
    JOIN settlements_paymentintent i ON i.id = s.intent_id
    JOIN settlements_shipment p ON p.id = i.shipment_id
    LEFT JOIN rails_recipient r ON r.id = i.recipient_id
    LEFT JOIN rails_railattempt a ON a.id = work.attempt_id
    WHERE (%(settlement)s::bigint IS NULL OR s.id = %(settlement)s)
      AND (%(kind)s::text IS NULL OR work.kind = %(kind)s)
      AND (%(rail)s::text IS NULL OR s.rail = %(rail)s)
      AND (%(currency)s::text IS NULL OR s.currency = %(currency)s)
      AND (%(recipient)s::text IS NULL OR starts_with(lower(r.recipient_id), lower(%(recipient)s))
           OR starts_with(lower(r.name), lower(%(recipient)s)))
      AND (%(older_than_hours)s::int IS NULL OR work.since < now() - make_interval(hours => %(older_than_hours)s))
    ORDER BY array_position(%(kinds)s::text[], work.kind), work.since, s.id
    LIMIT %(limit)s OFFSET %(skip)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which of the work is asked for; None does not narrow it. `recipient` is how its id or name begins."""

    settlement_id: int | None = None
    kind: WorkKind | None = None
    rail: str | None = None
    currency: str | None = None
    recipient: str | None = None
    older_than_hours: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One piece of work about one settlement; `words` are the provider's last, `about` is what closing it names."""

    kind: WorkKind
    settlement_id: int
    intent_id: int
    event_type: str
    amount: Money
    status: SettlementStatus
    rail: str
    blocked_reason: str
    approvals: int
    approvals_required: int
    shipment_id: str
    recipient_pk: int | None
    recipient_id: str
    recipient_name: str
    attempt_number: int | None
    provider: SettlementProvider | None
    returned: Money
    since: datetime
    words: str
    about: int

    @property
    def for_information(self) -> bool:
        """Whether it goes on by itself."""
        return self.kind in INFORMATION

    @property
    def next_step(self) -> str:
        """What a person does next, in words."""
        return next_steps.after(self.kind, provider=self.provider, words=self.words)

    @property
    def so_far(self) -> str:
        """How far a retry has come; empty as long as nobody has approved one."""
        if self.kind not in {WorkKind.FAILED, WorkKind.RETURNED}:
            return ""
        return next_steps.so_far(
            approvals=self.approvals, required=self.approvals_required, blocked=self.blocked_reason
        )

    @property
    def wants_destination(self) -> bool:
        """Whether the bank says that the account must not be used again as it is."""
        return next_steps.wants_destination(self.provider, self.words)


def listed(asked: Asked, *, skip: int = 0, limit: int = 50) -> tuple[int, list[WorkItem]]:
    """How many pieces of work there are, and a page of them. One statement; a page beyond the last counts none."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LIST,
            {
                "settlement": asked.settlement_id,
                "kind": asked.kind and asked.kind.value,
                "rail": asked.rail,
                "currency": asked.currency,
                "recipient": asked.recipient,
                "older_than_hours": asked.older_than_hours,
                "kinds": [kind.value for kind in WorkKind],
                "limit": limit,
                "skip": skip,
            },
        )
        rows = cursor.fetchall()
    return (rows[0][-1] if rows else 0), [_item(row[:-1]) for row in rows]


def of_settlement(settlement_id: int) -> list[WorkItem]:
    """All work about one settlement, the gravest first."""
    return listed(Asked(settlement_id=settlement_id), limit=len(WorkKind))[1]


def _item(row: Sequence[Any]) -> WorkItem:
    (
        kind, settlement_id, intent_id, event_type, minor, currency, status, rail, blocked_reason, approvals, required,
        shipment_id, recipient_pk, recipient_id, recipient_name, number, provider, returned, since, words, about,
    ) = row  # fmt: skip
    return WorkItem(
        kind=WorkKind(kind),
        settlement_id=settlement_id,
        intent_id=intent_id,
        event_type=event_type,
        amount=Money(minor, currency),
        status=SettlementStatus(status),
        rail=rail,
        blocked_reason=blocked_reason,
        approvals=approvals,
        approvals_required=required,
        shipment_id=shipment_id,
        recipient_pk=recipient_pk,
        recipient_id=recipient_id,
        recipient_name=recipient_name,
        attempt_number=number,
        provider=SettlementProvider(provider) if provider else None,
        returned=Money(returned, currency),
        since=since,
        words=words,
        about=about,
    )
