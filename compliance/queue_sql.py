"""How the review queue is found: narrow rows out of one partial index, whatever is asked, and only the page in full.

Every condition looks at what waits and nothing else, so that the history may be as long as it likes. Alias: s.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from compliance.filters import State
from settlements import candidates

# Complete approvals take a settlement out of the queue: it waits for the sweep then, with a blocked_reason. The few
# blocked ones are counted, for an approval may have become void since; the others never have complete approvals.
# Most of what had to wait for its proof of delivery has it by now: that is looked at first, without the intent.
WAITS: Final = f"""(
    {candidates.NEEDS_PEOPLE_BY_ITSELF}
    AND (s.strategy <> 'PENDING'
         OR coalesce((SELECT true FROM settlements_milestonesettlement pod
                      WHERE pod.intent_id = s.intent_id AND pod.event_type = 'POD_CONFIRMED'), false)
         OR EXISTS (SELECT 1 FROM settlements_paymentintent i WHERE i.id = s.intent_id AND {candidates.ELIGIBLE}))
    AND (s.blocked_reason = '' OR {candidates.APPROVALS} < s.approvals_required)
)"""
# Scalar sub-selects, here and below: looked up for each row that waits. An EXISTS or IN the planner may turn into a
# join, and as it expects few rows it would compare each with each.
_ON_HOLD = """coalesce((
    SELECT true FROM settlements_hold h WHERE h.settlement_id = s.id AND h.lifted_at IS NULL
), false)"""
HELD: Final = f"(s.status IN ('PENDING', 'DELAYED') AND s.amount_minor > 0 AND {_ON_HOLD})"
DELAYED: Final = "(s.status = 'DELAYED' AND s.amount_minor > 0)"
OVERDUE: Final = "(s.status = 'PENDING' AND s.created_at < %(overdue_before)s::timestamptz)"

_OF_STATE: Final[Mapping[State, str]] = MappingProxyType(
    {State.WAITING: WAITS, State.HELD: HELD, State.DELAYED: DELAYED}
)
# `of` is the row's prefix in the common table expressions below.
_PEOPLE_FIRST = "{of}.overdue DESC, {of}.size DESC, {of}.created_at, {of}.id"
_ORDER_OF_STATE: Final[Mapping[State, str]] = MappingProxyType(
    {
        State.WAITING: _PEOPLE_FIRST,
        State.HELD: _PEOPLE_FIRST,
        State.DELAYED: "{of}.until, {of}.size DESC, {of}.id",
    }
)

ASSIGNEE: Final = """(
    SELECT a.assignee_id FROM compliance_assignment a WHERE a.settlement_id = s.id AND a.ended_at IS NULL
)"""
_RECIPIENT = "(SELECT i.recipient_id FROM settlements_paymentintent i WHERE i.id = s.intent_id)"
# The version is computed for approvals that are there, not for every row that waits.
_BEGUN = """coalesce((
    SELECT bool_or(a.version = settlements_settlement_version(
        s.id, s.intent_id, s.amount_minor, s.currency, s.rail, s.strategy))
    FROM settlements_approval a WHERE a.settlement_id = s.id AND a.decision = 'APPROVE'
), false)"""
_BEGINS_WITH = """(
    SELECT lower(p.shipment_id) LIKE lower(%(beginning)s::text)
           OR lower(coalesce(r.recipient_id, '')) LIKE lower(%(beginning)s::text)
           OR lower(coalesce(r.name, '')) LIKE lower(%(beginning)s::text)
    FROM settlements_paymentintent i
    JOIN settlements_shipment p ON p.id = i.shipment_id
    LEFT JOIN rails_recipient r ON r.id = i.recipient_id
    WHERE i.id = s.intent_id
)"""

# The figure of an amount, whatever the currency, in thousandths of a unit. No join: the planner expects few rows and
# would compare each with each currency.
_SIZE = "s.amount_minor * (%(factors)s::bigint[])[array_position(%(currencies)s::text[], s.currency::text)]"

# What each filter adds, by its name; those that say yes or no are turned around for no.
CONDITIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tier": "s.risk_tier = %(tier)s::text",
        "event_type": "s.event_type = %(event_type)s::text",
        "payment_method": "s.rail = %(payment_method)s::text",
        "currency": "s.currency = %(currency)s::text",
        "recipient_id": f"{_RECIPIENT} = (SELECT r.id FROM rails_recipient r"
        " WHERE r.recipient_id = %(recipient_id)s::text)",
        "min_amount": f"{_SIZE} >= %(min_amount)s::bigint",
        "max_amount": f"{_SIZE} <= %(max_amount)s::bigint",
        "overdue": OVERDUE,
        "older_than_hours": "s.created_at <= %(older)s::timestamptz",
        "younger_than_hours": "s.created_at > %(younger)s::timestamptz",
        "assignee": f"{ASSIGNEE} = (SELECT u.id FROM auth_user u WHERE u.username = %(assignee)s::text)",
        "unassigned": f"({ASSIGNEE} IS NULL)",
        "on_hold": _ON_HOLD,
        "approvals_begun": _BEGUN,
        "q": f"(s.id = %(number)s::bigint OR s.intent_id = %(number)s::bigint OR {_BEGINS_WITH})",
        "milestone_id": "s.id = %(milestone)s::bigint",
    }
)

_PAGE = f"""
    WITH waiting AS MATERIALIZED (
        SELECT s.id, s.created_at, s.settlement_delayed_until AS until, {OVERDUE} AS overdue,
               {_SIZE} AS size
        FROM settlements_milestonesettlement s
        WHERE {{conditions}}
    ), page AS (
        SELECT * FROM waiting ORDER BY {{order_of_waiting}} LIMIT %(limit)s::bigint OFFSET %(skip)s::bigint
    )
    SELECT total.number, s.id,
           settlements_settlement_version(s.id, s.intent_id, s.amount_minor, s.currency, s.rail, s.strategy),
           s.intent_id, shipment.shipment_id, s.event_type, s.amount_minor, s.currency, s.strategy, s.status,
           s.risk_tier, s.risk_score, s.explanation, s.rail, r.recipient_id, r.name, s.created_at, page.overdue,
           {candidates.APPROVALS}, s.approvals_required,
           (SELECT h.reason FROM settlements_hold h WHERE h.settlement_id = s.id AND h.lifted_at IS NULL),
           s.settlement_delayed_until, s.blocked_reason,
           (SELECT u.username FROM compliance_assignment a JOIN auth_user u ON u.id = a.assignee_id
            WHERE a.settlement_id = s.id AND a.ended_at IS NULL)
    FROM (SELECT count(*) AS number FROM waiting) total
    LEFT JOIN page ON true
    LEFT JOIN settlements_milestonesettlement s ON s.id = page.id
    LEFT JOIN settlements_paymentintent i ON i.id = s.intent_id
    LEFT JOIN settlements_shipment shipment ON shipment.id = i.shipment_id
    LEFT JOIN rails_recipient r ON r.id = i.recipient_id
    ORDER BY {{order_of_page}}
"""


SELECTED: Final = _PAGE.format(
    conditions="s.id = ANY(%(ids)s::bigint[])", order_of_waiting="waiting.id", order_of_page="page.id"
)


def page(state: State, conditions: Mapping[str, bool]) -> str:
    """The statement for one page: `conditions` names filters, and whether each must hold or must not."""
    order = _ORDER_OF_STATE[state]
    return _PAGE.format(
        conditions=_conditions(state, conditions),
        order_of_waiting=order.format(of="waiting"),
        order_of_page=order.format(of="page"),
    )


def keys(state: State, conditions: Mapping[str, bool]) -> str:
    """The statement for the ids of everything that is asked for."""
    return f"SELECT s.id FROM settlements_milestonesettlement s WHERE {_conditions(state, conditions)}"


def _conditions(state: State, conditions: Mapping[str, bool]) -> str:
    asked = [CONDITIONS[name] if holds else f"NOT {CONDITIONS[name]}" for name, holds in conditions.items()]
    return " AND ".join([_OF_STATE[state], *asked])
