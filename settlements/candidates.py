"""What a release has to know of waiting settlements, read in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import orjson
from django.db import connection

from rails import registry
from rails.attempts import PAID_BEFORE
from rails.money import Money
from settlements.models import settlement_guards
from settlements.policy import Decision, RiskPicture, decide_at_event, decide_at_settle
from settlements.statuses import LIVE_TOKEN_STATUSES, WENT_OUT, EventType, Origin, ReleaseStrategy, SettlementStatus

# Which intents an event reaches: the platform's all, a carrier's those of its own tokens, with the types it may post.
# Aliases: src the event's source, e the event, t the intent's token.
REACHES = "(src.kind = 'platform' OR (t.carrier_id = src.carrier_id AND e.event_type = ANY(src.allowed_event_types)))"

# Whether people may decide over a waiting settlement (SPEC section 5): PENDING ones only once proof of delivery has
# arrived, or settling was asked for. The last is a scalar sub-select, so that a list of settlements looks it up by
# intent and never gathers it from the whole history. Aliases: s the settlement, i its intent.
ELIGIBLE = f"""(
    s.strategy <> 'PENDING'
    OR EXISTS (SELECT 1 FROM settlements_milestonesettlement pod
               WHERE pod.intent_id = s.intent_id AND pod.event_type = 'POD_CONFIRMED')
    OR EXISTS (SELECT 1 FROM settlements_shipmentevent e
               JOIN settlements_eventsource src ON src.id = e.source_id
               JOIN settlements_freighttoken t ON t.id = i.freight_token_id
               WHERE e.shipment_id = i.shipment_id AND e.event_type = 'POD_CONFIRMED' AND e.state <> 'FAILED'
                 AND {REACHES})
    OR coalesce((SELECT true FROM settlements_auditevent asked
                 WHERE asked.intent_id = s.intent_id AND asked.action = 'settle_requested' LIMIT 1), false)
)"""

# Whether nothing but people can release a settlement, by its own row and with its intent, and whether they are asked by
# now. Cancelling an intent moves all of it that waits, so its row tells the same. Aliases: s, and i its intent.
NEEDS_PEOPLE_BY_ITSELF = """(
    s.status = 'PENDING' AND s.amount_minor > 0 AND (s.strategy IN ('MANUAL_REVIEW', 'PENDING') OR s.rail = 'wire')
)"""
NEEDS_PEOPLE = f"({NEEDS_PEOPLE_BY_ITSELF} AND i.cancelled_at IS NULL)"
WAITS_FOR_PEOPLE = f"({NEEDS_PEOPLE} AND {ELIGIBLE})"

# How many officers have approved a settlement as it is now. Alias: s.
APPROVALS = """(
    SELECT count(DISTINCT a.approver_id) FROM settlements_approval a
    WHERE a.settlement_id = s.id AND a.decision = 'APPROVE'
      AND a.version = settlements_settlement_version(s.id, s.intent_id, s.amount_minor, s.currency, s.rail, s.strategy)
)"""

# Why the recipient can not be paid down the rail; empty when it can. To be filled in: the two columns that name them.
DESTINATION_OBSTACLE = """CASE WHEN {rail} = 'internal_ledger' THEN ''
    WHEN {recipient} IS NULL THEN 'nobody is named to be paid'
    ELSE rails_destination_obstacle({recipient}, {rail}) END"""
# Whether the recipient has what counted as returned of an attempt, so that nothing is paid again. Alias: s.
KEPT = settlement_guards.KEPT_BY_RECIPIENT.format(settlement="s.id")
_DESTINATION = DESTINATION_OBSTACLE.format(rail="s.rail", recipient="i.recipient_id")

# Whether a provider says that it paid what failed or came back: nobody pays that again. Alias: s.
PAID_THOUGH_REFUSED = "(s.status IN ('FAILED', 'RETURNED') AND rails_paid_though_refused(s.id))"
HELD = "EXISTS (SELECT 1 FROM settlements_hold h WHERE h.settlement_id = s.id AND h.lifted_at IS NULL)"

KEPT_BEFORE: Final = "the recipient has the money of an earlier attempt"

# The same as `Candidate.obstacle`, for a list of them. Aliases: s, i its intent, r its recipient, w its rail's switch.
OBSTACLE = f"""CASE
    WHEN s.status IN ('FAILED', 'RETURNED') AND {KEPT} THEN '{KEPT_BEFORE}'
    WHEN {PAID_THOUGH_REFUSED} THEN '{PAID_BEFORE}'
    WHEN {HELD} THEN 'on hold'
    WHEN s.rail <> ALL(%(rails)s::text[]) THEN 'rail ' || s.rail || ' is not set up'
    WHEN NOT coalesce(w.enabled, true) THEN 'rail ' || s.rail || ' is switched off'
    WHEN NOT coalesce(r.payouts_enabled, true) THEN 'payouts to the recipient are switched off'
    ELSE {_DESTINATION} END"""
# Whether only people authorise it, and too few have. Alias: s.
LACKS_PEOPLE = f"""(
    (s.strategy IN ('MANUAL_REVIEW', 'PENDING') OR s.rail = 'wire' OR s.status IN ('FAILED', 'RETURNED'))
    AND {APPROVALS} < s.approvals_required
)"""

# Due and approvals are judged by the database's clock and by what the settlement is at this moment.
_CANDIDATES = f"""
    SELECT s.id, s.intent_id, s.event_type, s.amount_minor, s.currency, s.status, s.strategy, s.origin, s.rail,
           i.recipient_id, i.cancelled_at IS NOT NULL, i.risk_score, t.risk_score, t.status,
           s.settlement_delayed_until <= clock_timestamp(), s.settlement_delayed_until,
           coalesce(e.received_at, s.created_at), s.blocked_reason,
           {APPROVALS}, s.approvals_required, s.risk_score, s.inputs,
           {HELD}, {PAID_THOUGH_REFUSED},
           coalesce(r.payouts_enabled, true), coalesce(w.enabled, true), {_DESTINATION},
           i.shipment_id, s.status IN ('FAILED', 'RETURNED') AND {KEPT}
    FROM settlements_milestonesettlement s
    JOIN settlements_paymentintent i ON i.id = s.intent_id
    JOIN settlements_freighttoken t ON t.id = i.freight_token_id
    LEFT JOIN settlements_shipmentevent e ON e.id = s.event_id
    LEFT JOIN rails_recipient r ON r.id = i.recipient_id
    LEFT JOIN rails_railswitch w ON w.rail = upper(s.rail)
    WHERE s.id = ANY(%s::bigint[])
    ORDER BY s.intent_id, s.id
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A settlement that may be released, with everything that could forbid it.

    `decided_score` and `decided_on` are the score and the inputs of the decision it stands under.
    """

    settlement_id: int
    intent_id: int
    event_type: EventType
    amount: Money
    status: SettlementStatus
    strategy: ReleaseStrategy
    origin: Origin
    rail: str
    recipient_id: int | None
    intent_cancelled: bool
    risk: RiskPicture
    due: bool
    delayed_until: datetime | None
    received_at: datetime
    blocked_reason: str
    approvals: int
    approvals_required: int
    decided_score: Decimal | None
    decided_on: dict[str, str | None]
    held: bool
    paid_though_refused: bool
    recipient_usable: bool
    rail_on: bool
    destination_obstacle: str
    shipment_pk: int
    kept_by_recipient: bool

    @property
    def approvals_complete(self) -> bool:
        """Whether enough officers have approved what it is now."""
        return self.approvals >= self.approvals_required

    @property
    def authorised(self) -> bool:
        """IMMEDIATE, DELAYED and due, or approvals complete (SPEC section 6); never on wire without approvals.

        An IMMEDIATE one that had to wait is DELAYED and due at once, unless a person has moved its date since; one that
        had to wait for people on wire, and has left it, is PENDING. What
        failed or came back goes out again only when people have approved that.
        """
        if self.approvals_complete:
            return True
        if self.rail == "wire" or self.strategy.needs_a_person or self.went_out_before:
            return False
        if self.status is SettlementStatus.DELAYED or self.strategy is ReleaseStrategy.DELAYED:
            return self.due
        return self.strategy is ReleaseStrategy.IMMEDIATE

    @property
    def waits_for_its_date(self) -> bool:
        """Whether nothing but time authorises it: it has left wire before its hold was over."""
        people = self.rail == "wire" or self.strategy.needs_a_person or self.went_out_before
        return self.strategy is ReleaseStrategy.DELAYED and not people and not self.due

    @property
    def went_out_before(self) -> bool:
        """Whether a provider refused it or sent it back, so that only people let it go again."""
        return self.status in WENT_OUT

    @property
    def obstacle(self) -> str:
        """Why an authorised release may not go now; empty when it may."""
        if self.kept_by_recipient:
            return KEPT_BEFORE
        return (PAID_BEFORE if self.paid_though_refused else "") or obstacle(
            held=self.held,
            rail=self.rail,
            rail_on=self.rail_on,
            recipient_usable=self.recipient_usable,
            destination=self.destination_obstacle,
        )

    def decide_again(self) -> Decision:
        """The decision as the risk stands now."""
        decide = decide_at_event if self.origin is Origin.EVENT else decide_at_settle
        return decide(self.risk, self.event_type)


def read(settlement_ids: Sequence[int]) -> list[Candidate]:
    """These settlements as they are now, ordered by intent."""
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES, [list(settlement_ids)])
        return [_candidate(*row) for row in cursor.fetchall()]


def obstacle(*, held: bool, rail: str, rail_on: bool, recipient_usable: bool, destination: str) -> str:
    """What stands between an authorised release and its rail; empty when nothing does."""
    if held:
        return "on hold"
    if rail not in registry.enabled_methods():
        return f"rail {rail} is not set up"
    if not rail_on:
        return f"rail {rail} is switched off"
    return destination if recipient_usable else "payouts to the recipient are switched off"


def risk_picture(snapshot: Decimal | None, current: Decimal | None, token_status: str) -> RiskPicture:
    """The risk as two scores and the token's status tell it."""
    return RiskPicture(
        snapshot=snapshot,
        current=current,
        token_status=token_status,
        token_is_live=token_status in LIVE_TOKEN_STATUSES,
    )


def _candidate(*row: Any) -> Candidate:
    (
        settlement_id, intent_id, event_type, amount_minor, currency, status, strategy, origin, rail,
        recipient_id, cancelled, snapshot, current, token_status, due, delayed_until, received_at, blocked_reason,
        approvals, required, decided_score, decided_on, held, paid_though_refused, recipient_usable, rail_on,
        destination_obstacle, shipment_pk, kept_by_recipient,
    ) = row  # fmt: skip
    return Candidate(
        settlement_id=settlement_id,
        intent_id=intent_id,
        event_type=EventType(event_type),
        amount=Money(amount_minor, currency),
        status=SettlementStatus(status),
        strategy=ReleaseStrategy(strategy),
        origin=Origin(origin),
        rail=rail,
        recipient_id=recipient_id,
        intent_cancelled=cancelled,
        risk=risk_picture(snapshot, current, token_status),
        due=bool(due),
        delayed_until=delayed_until,
        received_at=received_at,
        blocked_reason=blocked_reason,
        approvals=approvals,
        approvals_required=required,
        decided_score=decided_score,
        decided_on=orjson.loads(decided_on),
        held=held,
        paid_though_refused=paid_though_refused,
        recipient_usable=recipient_usable,
        rail_on=rail_on,
        destination_obstacle=destination_obstacle,
        shipment_pk=shipment_pk,
        kept_by_recipient=kept_by_recipient,
    )
