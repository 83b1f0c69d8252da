"""What is known of a recipient: paid, returned, reviewed; over its latest payment intents, however many it has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from rails import wording
from rails.models import RecipientEdit
from rails.money import Money

# A recipient of years has more than a page can add up; these many say how it is paid nowadays.
LATEST_INTENTS: Final = 2_000
_LAST_REVIEWS: Final = 5
_LAST_EDITS: Final = 10

# Written so that only the indexes fit, whatever the planner thinks of the recipient: BETWEEN and the order are those of
# `intents_of_a_recipient` alone (with = the primary key gives the order too), and OFFSET 0 keeps a look-up a look-up.
_LATEST = """
    latest AS MATERIALIZED (
        SELECT s.id, s.status, s.amount_minor, s.currency, s.released_at
        FROM (SELECT i.id FROM settlements_paymentintent i
              WHERE i.recipient_id BETWEEN %(recipient)s::bigint AND %(recipient)s::bigint
              ORDER BY i.recipient_id, i.id DESC LIMIT %(intents)s::bigint) AS i
        CROSS JOIN LATERAL (SELECT * FROM settlements_milestonesettlement s WHERE s.intent_id = i.id OFFSET 0) AS s
    )
"""
_TOTALS = f"""
    WITH {_LATEST}
    SELECT currency, count(*) FILTER (WHERE status IN ('APPROVED', 'SETTLED')),
           coalesce(sum(amount_minor) FILTER (WHERE status IN ('APPROVED', 'SETTLED')), 0)::bigint,
           count(*) FILTER (WHERE status = 'RETURNED'),
           min(released_at) FILTER (WHERE status IN ('APPROVED', 'SETTLED')),
           max(released_at) FILTER (WHERE status IN ('APPROVED', 'SETTLED')),
           (SELECT count(*) FROM (SELECT 1 FROM settlements_paymentintent i WHERE i.recipient_id = %(recipient)s::bigint
                                  LIMIT %(intents)s::bigint + 1) AS counted)
    FROM latest GROUP BY currency ORDER BY currency
"""
# Other settlements only: this one's decisions have their own place on the page.
_REVIEWS = f"""
    WITH {_LATEST}, decided AS (
        SELECT a.id, a.settlement_id, a.decision, a.reason, a.created_at, u.username, latest.amount_minor,
               latest.currency
        FROM latest
        CROSS JOIN LATERAL (SELECT * FROM settlements_approval a WHERE a.settlement_id = latest.id OFFSET 0) AS a
        JOIN auth_user u ON u.id = a.approver_id
        WHERE latest.id <> %(settlement)s::bigint
    )
    SELECT (SELECT count(DISTINCT settlement_id) FROM decided WHERE decision = 'APPROVE'),
           (SELECT count(DISTINCT settlement_id) FROM decided WHERE decision = 'REJECT'), last.*
    FROM (SELECT * FROM decided ORDER BY id DESC LIMIT %(reviews)s::bigint) AS last ORDER BY last.id DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastReview:
    """What an officer decided about another settlement for this recipient."""

    milestone_id: int
    decision: str
    reason: str
    officer: str
    amount: Money
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientRecord:
    """Payments, returns and reviews among the latest intents; `all_of_them` is False when it has more."""

    paid: Sequence[Money]
    payments: int
    returns: int
    first_payment: datetime | None
    last_payment: datetime | None
    all_of_them: bool
    approved: int
    rejected: int
    last_reviews: Sequence[PastReview]
    edits: Sequence[RecipientEdit]
    edits_since_payment: Sequence[RecipientEdit]

    @property
    def editors(self) -> str:
        """Who edited it since its last payment."""
        return ", ".join(sorted({wording.actor(edit.actor) for edit in self.edits_since_payment}))


def record(recipient_pk: int, *, besides: int) -> RecipientRecord:
    """The record of a recipient, its decisions `besides` those about this settlement; three statements."""
    keys = {
        "recipient": recipient_pk,
        "intents": LATEST_INTENTS,
        "settlement": besides,
        "reviews": _LAST_REVIEWS,
    }
    totals, reviews = _rows(_TOTALS, keys), _rows(_REVIEWS, keys)
    edits = list(
        RecipientEdit.objects.filter(recipient_id=recipient_pk)
        .select_related("edited_by")
        .order_by("-pk")[:_LAST_EDITS]
    )
    last_payment = max((row[5] for row in totals if row[5]), default=None)
    return RecipientRecord(
        paid=[Money(row[2], row[0]) for row in totals if row[1]],
        payments=sum(row[1] for row in totals),
        returns=sum(row[3] for row in totals),
        first_payment=min((row[4] for row in totals if row[4]), default=None),
        last_payment=last_payment,
        all_of_them=not totals or totals[0][6] <= LATEST_INTENTS,
        approved=reviews[0][0] if reviews else 0,
        rejected=reviews[0][1] if reviews else 0,
        last_reviews=[_review(*row[2:]) for row in reviews],
        edits=edits,
        edits_since_payment=[edit for edit in edits if last_payment is None or edit.created_at > last_payment],
    )


def _rows(statement: str, keys: Mapping[str, int]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, keys)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _review(*row: Any) -> PastReview:
    _, milestone_id, decision, reason, at, officer, amount_minor, currency = row
    return PastReview(
        milestone_id=milestone_id,
        decision=decision,
        reason=reason,
        officer=officer,
        amount=Money(amount_minor, currency),
        at=at,
    )
